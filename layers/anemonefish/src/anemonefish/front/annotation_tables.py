"""Annotations as a table: what people marked in recordings, read from Raven, Audacity and CSV files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from anemonefish.annotations.label_files import find_label_files, read_labels
from anemonefish.annotations.labels import Label
from anemonefish.front.display import count_of, data_frame, html_table, text_table

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Annotation", "Annotations", "read_annotations"]

_COLUMNS = ("recording", "start_time", "end_time", "label", "low_hz", "high_hz")
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Annotation:
    """One thing that was marked in a recording.

    Attributes
    ----------
    recording : str
        What the file calls the recording, or what its own name suggests.
    start_time, end_time : float
        In seconds from the beginning of the recording; equal for a point.
    label : str
        What it was called; empty where the file has no names.
    low_hz, high_hz : float or None
        Band, where one was drawn.
    """

    recording: str
    start_time: float
    end_time: float
    label: str
    low_hz: float | None = None
    high_hz: float | None = None

    @classmethod
    def of(cls, label: Label) -> Annotation:
        """Return what was read from a line of a file."""
        low, high = (None if edge is None else float(edge) for edge in (label.low_hz, label.high_hz))
        return cls(label.recording, label.start / _MICRO, label.stop / _MICRO, label.name, low, high)


@dataclass(frozen=True, eq=False, repr=False)
class Annotations:
    """The annotations of a file or a folder; ``len``, iteration and ``annotations[0]`` as of a list.

    Attributes
    ----------
    path : Path
        The file or folder.
    items : tuple of Annotation
        In the order of the files.
    label_column, times_per_file, pattern
        How the files were read; see :func:`read_annotations`.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> scene.annotations[0].label, sorted(scene.annotations.labels)
    ('anemonefish', ['anemonefish', 'biological'])
    """

    path: Path
    items: tuple[Annotation, ...] = field(default=())
    label_column: str | None = None
    times_per_file: bool = False
    pattern: str = "*"

    @property
    def labels(self) -> dict[str, int]:
        """How many annotations have each label."""
        counts: dict[str, int] = {}
        for item in self.items:
            counts[item.label] = counts.get(item.label, 0) + 1
        return counts

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.items)

    def __getitem__(self, position: int) -> Annotation:
        return self.items[position]

    def to_dataframe(self) -> DataFrame:
        """Return the annotations as a data frame of pandas.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        return data_frame({name: [getattr(item, name) for item in self.items] for name in _COLUMNS})

    def _title(self) -> str:
        counts = ", ".join(f"{label or '(no label)'} {count}" for label, count in self.labels.items())
        return f"{count_of(len(self), 'annotation')} of {self.path}{f': {counts}' if counts else ''}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (PurePath(each.recording).name, f"{each.start_time:.3f}", f"{each.end_time:.3f}", each.label)
            for each in self.items
        ]

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table(('recording', 'start s', 'end s', 'label'), self._rows())}"

    def _repr_html_(self) -> str:
        return html_table(("recording", "start s", "end s", "label"), self._rows())


def read_annotations(
    path: str | os.PathLike[str],
    *,
    label_column: str | None = None,
    times_per_file: bool = False,
    pattern: str = "*",
) -> Annotations:
    """Read what people marked in recordings.

    Parameters
    ----------
    path : path
        A Raven selection table, an Audacity label track or a CSV with named columns, or a folder of them. The format is
        recognized by the content.
    label_column : str, optional
        Header of the column with the labels; found where there is no doubt.
    times_per_file : bool
        Begin Time of a Raven table without File Offset counts from the file that its row names, not from the first
        file of a sequence.
    pattern : str
        Which files of a folder to read, for example ``"*.selections.txt"``.

    Returns
    -------
    Annotations

    Raises
    ------
    InvalidRequest
        There is no such file, or something in it cannot be read: which lines, and how to mend them.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> annotations = af.read_annotations("reef.wav.selections.txt")
    >>> len(annotations)
    13
    """
    where = Path(path)
    items = tuple(
        Annotation.of(label)
        for file in find_label_files(where, pattern)
        for label in read_labels(file, label_column=label_column, times_per_file=times_per_file).labels
    )
    return Annotations(where, items, label_column, times_per_file, pattern)
