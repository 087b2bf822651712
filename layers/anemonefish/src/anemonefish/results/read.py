"""Read results back: the scores of a recording, from the Parquet or JSON file of a folder of results.

Scores do not depend on the threshold or on the other settings that decide, and each file names the settings and the
model that made it. A caller can therefore find the events of any other threshold without running the network again.
Parquet holds the scores exactly, JSON to six decimals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidRequest
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.results.events import Event, find_events, find_events_of
from anemonefish.results.parquet_scores import BAND_LEVELS, PEAK_HZ
from anemonefish.settings import Settings
from anemonefish.windows import WindowGrid

__all__ = ["ScoredRecording", "find_results", "read_result"]

_PARQUET, _JSON = ".scores.parquet", ".json"
_ORIGIN = ("recording", "model", "settings", "calibration")
_OTHER_DOCUMENTS = frozenset({"manifest.json", "plan.json", "evaluation.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRecording:
    """The scores of one recording, and how its events were decided.

    Attributes
    ----------
    name : str
    sample_rate : int
        Samples per second of the analysis.
    seconds : Fraction
        Length of the recording.
    grid : WindowGrid
        The windows, in samples of ``sample_rate``.
    classes : tuple of str
        The class of each column of ``scores``.
    scores : ndarray, shape (n_windows, n_classes), float32
        Scores before smoothing. They are exact from Parquet. From JSON they have six decimals, so a score within half
        a millionth of a threshold may fall on its other side.
    levels : BandLevels or None
        The band levels of the windows, which are in Parquet files only.
    settings : Settings
        The settings that the file names.
    model : str
        Name, version and hash.
    origin : mapping
        ``recording``, ``model``, ``settings``, and ``calibration`` where there is one, as they are written in the file;
        empty for scores that were not read from a file.
    """

    name: str
    sample_rate: int
    seconds: Fraction
    grid: WindowGrid
    classes: tuple[str, ...]
    scores: NDArray[np.float32]
    levels: BandLevels | None
    settings: Settings
    model: str
    origin: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of_scores(
        cls,
        recording: PlannedRecording,
        spec: ModelSpec,
        model: PinnedModel,
        settings: Settings,
        scores: NDArray[np.float32],
    ) -> Self:
        """Return the scores of a job's recording as its result files hold them.

        Parameters
        ----------
        recording : PlannedRecording
            A recording that was analysed.
        spec, model : ModelSpec, PinnedModel
        settings : Settings
            Those that decided the results; every value of the decision is named.
        scores : ndarray, shape (n_windows, n_classes), float32
        """
        analysis = recording.analysis
        assert analysis is not None
        return cls(
            name=recording.name,
            sample_rate=analysis.sample_rate,
            seconds=Fraction(analysis.audio.frames, analysis.audio.sample_rate),
            grid=_covered(len(scores), analysis.grid.window, analysis.grid.hop),
            classes=spec.classes,
            scores=scores,
            levels=None,
            settings=settings,
            model=f"{model.reference} ({model.hash[:12]})",
            origin={},
        )

    @property
    def decision(self) -> Decision:
        """How the results were decided."""
        return Decision.of(self.settings)

    def own_events(self, smoothed: NDArray[np.float32]) -> tuple[Event, ...]:
        """Return the events of the target classes at the thresholds of the results."""
        labels = self.settings.target_classes
        return find_events_of(labels, smoothed, self.grid, self.sample_rate, self.classes, self.decision)

    def events(self, smoothed: NDArray[np.float32], label: str, threshold: float) -> tuple[Event, ...]:
        """Return the events of a class at another threshold, decided by the same code as the results.

        Parameters
        ----------
        smoothed : ndarray, shape (n_windows, n_classes), float32
            The scores after :func:`anemonefish.results.events.smooth`.
        label : str
            The class.
        threshold : float
        """
        decision = self.decision.with_threshold(threshold)
        column = np.ascontiguousarray(smoothed[:, self.classes.index(label)])
        return find_events(column, self.grid, self.sample_rate, label, decision)


def find_results(folder: Path) -> dict[str, Path]:
    """Return the file with the scores of each recording in a folder and its subfolders, by the recording's name.

    Of a recording with both files, it is the Parquet file. Hidden folders are left out.

    Raises
    ------
    InvalidRequest
        The folder holds no result.
    """
    result_files: dict[str, Path] = {}
    files = sorted(folder.rglob("*")) if folder.is_dir() else []
    for suffix in (_JSON, _PARQUET):  # a Parquet file replaces the JSON file of the same recording
        for file in files:
            relative = file.relative_to(folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if file.name.endswith(suffix) and file.name not in _OTHER_DOCUMENTS and not hidden and file.is_file():
                result_files[relative.as_posix().removesuffix(suffix)] = file
    if not result_files:
        raise InvalidRequest(
            f"{folder}: no results in this folder; it looks for NAME{_PARQUET} and NAME{_JSON}, written with the "
            f"formats parquet and json"
        )
    return dict(sorted(result_files.items()))


def read_result(path: Path) -> ScoredRecording:
    """Read the scores of one recording, with the settings and the model that made them.

    Raises
    ------
    InvalidRequest
        The file is not a result of this program, or it is damaged.
    """
    try:
        return _read_parquet(path) if path.name.endswith(_PARQUET) else _read_json(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidRequest(
            f"{path}: not a result of this program, or damaged ({type(error).__name__}: {error}); run detect again"
        ) from None


def _read_json(path: Path) -> ScoredRecording:
    document = json.loads(path.read_bytes())
    classes = document["model"]["classes"]
    rows = [[row["probabilities"][name] for name in classes] for row in document["predictions"]]
    return _scored_recording(document, np.asarray(rows, np.float32).reshape(-1, len(classes)), None)


def _read_parquet(path: Path) -> ScoredRecording:
    from arro3.io import read_parquet

    _check_parquet(path)
    try:
        table = read_parquet(path).read_all()
    except BaseException as error:
        # The library panics on a damaged file; its PanicException derives from BaseException.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ValueError(str(error).partition("\n")[0]) from None
        raise
    metadata = json.loads(table.schema.metadata_str["anemonefish"])
    columns = [np.asarray(table[name].combine_chunks(), np.float32) for name in metadata["model"]["classes"]]
    return _scored_recording(metadata, np.stack(columns, axis=1), _band_levels(table, metadata))


def _band_levels(table: Any, metadata: Mapping[str, Any]) -> BandLevels | None:
    """Return the band levels; files of older versions, and of scores without levels, have none."""
    from arro3.core import list_flatten

    if BAND_LEVELS not in table.column_names or not table.num_rows:
        return None
    codes = np.asarray(list_flatten(table[BAND_LEVELS].combine_chunks()), np.uint8).reshape(table.num_rows, -1)
    hertz = np.asarray(table[PEAK_HZ].combine_chunks(), np.float64)
    return BandLevels(codes, BandLevels.peak_codes(hertz, int(metadata["recording"]["analysis_sample_rate"])))


def _check_parquet(path: Path) -> None:
    """Refuse a truncated file, because the library would panic and print its stack.

    Raises
    ------
    ValueError
        The file has no Parquet header or no complete footer.
    """
    with path.open("rb") as file:
        head, size = file.read(4), file.seek(0, 2)
        file.seek(max(0, size - 8))
        length, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    if not head == tail == b"PAR1" or length > size - 12:
        raise ValueError("not a Parquet file, or not a whole one")


def _covered(n_windows: int, window: int, hop: int) -> WindowGrid:
    """Return the grid up to the end of its last window."""
    return WindowGrid((n_windows - 1) * hop + window if n_windows else 0, window, hop)


def _scored_recording(
    metadata: Mapping[str, Any], scores: NDArray[np.float32], levels: BandLevels | None
) -> ScoredRecording:
    recording, model = metadata["recording"], metadata["model"]
    window, hop = int(recording["window_samples"]), int(recording["hop_samples"])
    return ScoredRecording(
        name=str(recording["name"]),
        sample_rate=int(recording["analysis_sample_rate"]),
        seconds=Fraction(int(recording["frames"]), int(recording["sample_rate"])),
        grid=_covered(len(scores), window, hop),
        classes=tuple(model["classes"]),
        scores=scores,
        levels=levels,
        settings=Settings.load(metadata["settings"], {}),
        model=f"{model['name']}@{model['version']} ({model['hash'][:12]})",
        origin={name: metadata[name] for name in _ORIGIN if name in metadata},
    )
