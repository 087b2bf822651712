"""Scores as a table: one row per window, one column per class, with the time of each window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import AnemonefishError, InvalidRequest
from anemonefish.front.display import count_of, data_frame, html_table, text_table
from anemonefish.notes import Note
from anemonefish.windows import WindowGrid

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Scores"]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of the windows of one or several recordings, before any smoothing.

    ``scores["anemonefish"]`` is the column of a class, ``len(scores)`` the number of windows, and
    ``numpy.asarray(scores)`` the whole array.

    Attributes
    ----------
    classes : tuple of str
        The columns.
    values : ndarray, shape (n_windows, n_classes), float32
        What the network says; a score is not a probability.
    start_seconds, end_seconds : ndarray, shape (n_windows,), float64
        When each window begins and ends, from the beginning of its recording.
    recordings : dict of str to int
        Number of windows of each recording, in the order of the rows.
    notes : dict of str to tuple of Note
        What a user should know about a recording, by its name.
    failures : dict of str to AnemonefishError
        Why a recording has no scores, by its name.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=2, seed=6)
    >>> scores = af.score("reef.wav", processes=1)
    >>> scores.classes
    ('noise', 'anemonefish', 'biological')
    >>> scores["anemonefish"].shape == (len(scores),)
    True
    """

    classes: tuple[str, ...]
    values: NDArray[np.float32]
    start_seconds: NDArray[np.float64]
    end_seconds: NDArray[np.float64]
    recordings: Mapping[str, int]
    notes: Mapping[str, tuple[Note, ...]] = field(default_factory=dict)
    failures: Mapping[str, AnemonefishError] = field(default_factory=dict)

    @classmethod
    def on_grid(
        cls,
        name: str,
        classes: Sequence[str],
        values: NDArray[np.float32],
        grid: WindowGrid,
        sample_rate: int,
        notes: tuple[Note, ...] = (),
    ) -> Self:
        """Return the scores of one recording whose windows lie on a grid."""
        starts = np.arange(len(values), dtype=np.int64) * grid.hop
        return cls(
            tuple(classes),
            values,
            starts / sample_rate,
            (starts + grid.window) / sample_rate,
            {name: len(values)},
            {name: notes} if notes else {},
        )

    @classmethod
    def joined(cls, tables: Sequence[Scores], classes: Sequence[str], failures: Mapping[str, AnemonefishError]) -> Self:
        """Return the tables of several recordings as one, in their order."""
        return cls(
            tuple(classes),
            np.concatenate([np.empty((0, len(classes)), np.float32), *(table.values for table in tables)]),
            np.concatenate([np.empty(0), *(table.start_seconds for table in tables)]),
            np.concatenate([np.empty(0), *(table.end_seconds for table in tables)]),
            {name: count for table in tables for name, count in table.recordings.items()},
            {name: notes for table in tables for name, notes in table.notes.items()},
            dict(failures),
        )

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Return the scores of one class, shape (n_windows,)."""
        if name not in self.classes:
            raise InvalidRequest(f"there is no class {name!r}; the classes are {', '.join(self.classes)}")
        return self.values[:, self.classes.index(name)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    def to_dataframe(self) -> DataFrame:
        """Return the table as a data frame of pandas: recording, start_time, end_time and a column for each class.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        names = np.repeat(np.array(list(self.recordings), dtype=object), list(self.recordings.values()))
        frame = data_frame(
            {
                "recording": names,
                "start_time": self.start_seconds,
                "end_time": self.end_seconds,
                **{name: self[name] for name in self.classes},
            }
        )
        return frame.astype({"recording": "category"})

    def _rows(self) -> list[list[str]]:
        times = zip(self.start_seconds[:_SHOWN], self.end_seconds[:_SHOWN], self.values[:_SHOWN], strict=True)
        return [[f"{start:.3f}", f"{end:.3f}", *(f"{score:.3f}" for score in row)] for start, end, row in times]

    def _title(self) -> str:
        failed = f", {count_of(len(self.failures), 'recording')} failed" if self.failures else ""
        return (
            f"Scores: {count_of(len(self), 'window')} of {count_of(len(self.recordings), 'recording')}, "
            f"{len(self.classes)} classes{failed}"
        )

    def _more(self) -> list[str]:
        left = len(self) - _SHOWN
        return [f"... and {left} more"] if left > 0 else []

    def __repr__(self) -> str:
        table = text_table(("start s", "end s", *self.classes), self._rows())
        return "\n".join([self._title(), table, *self._more()])

    def _repr_html_(self) -> str:
        table = html_table(("start s", "end s", *self.classes), self._rows())
        return "".join([f"<p>{self._title()}</p>", table, *(f"<p>{line}</p>" for line in self._more())])
