"""Report: the results of one recording in the formats people use.

Owns the JSON of the lab's API, the CSV tables, and what goes into Raven and Audacity. A report says which
model and settings made it, writes an empty table with its header when nothing was found, and has the same
bytes wherever it is made: it holds no clock, no host and no store. Files are written row by row.

=========  ==========================  ====================================================
format     file                        content
=========  ==========================  ====================================================
json       ``NAME.json``               the lab's API: predictions, events, metadata
csv        ``NAME.events.csv``         one row per event
scores     ``NAME.scores.csv``         one row per window: raw scores, smoothed target score
raven      ``NAME.selections.txt``     events as a Raven selection table
audacity   ``NAME.audacity.txt``       events as Audacity labels
classes    ``NAME.classes.txt``        runs of equal class as Audacity labels, noise left out
=========  ==========================  ====================================================
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from anemonefish.events import Event
from anemonefish.jobs import Analysis, PlannedRecording
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import PinnedModel
from anemonefish.resample import QUALITY
from anemonefish.settings import Settings
from anemonefish.tables import Selection, format_seconds, seconds, write_audacity, write_raven

__all__ = ["REPORTS", "RecordingResult", "Report", "write_report"]

EVENT_COLUMNS = (
    "start_time",
    "end_time",
    "duration",
    "class",
    "mean_confidence",
    "max_confidence",
    "num_windows",
    "start_sample",
    "end_sample",
    "sample_rate",
    "recording",
    "model",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResult:
    """Everything that is known of one recording once it is decided.

    Attributes
    ----------
    recording : PlannedRecording
    analysis : Analysis
    spec, model : ModelSpec, PinnedModel
    settings : Settings
        With the target class resolved.
    scores, smoothed : ndarray, shape (n_windows, n_classes), float32
    events, class_runs : tuple of Event
    """

    recording: PlannedRecording
    analysis: Analysis
    spec: ModelSpec
    model: PinnedModel
    settings: Settings
    scores: NDArray[np.float32]
    smoothed: NDArray[np.float32]
    events: tuple[Event, ...]
    class_runs: tuple[Event, ...]

    @property
    def sample_rate(self) -> int:
        """Samples per second of every index in this result."""
        return self.analysis.sample_rate

    @property
    def target(self) -> int:
        """Column of the target class."""
        return self.spec.classes.index(str(self.settings.target_class))

    def windows(self) -> Iterator[tuple[int, int]]:
        """Yield the half-open sample interval of each window."""
        grid = self.analysis.grid
        for index in range(grid.n_windows):
            yield index * grid.hop, index * grid.hop + grid.window

    def selections(self, events: Iterable[Event]) -> Iterator[Selection]:
        """Yield events as selections over the band that the model hears."""
        low, high = self.spec.profile.band(self.sample_rate)
        for event in events:
            yield Selection(event.start, event.stop, event.label, low, high, event.mean_score)


@dataclass(frozen=True, slots=True)
class Report:
    """A format: what its files are called and who writes them."""

    suffix: str
    write: Callable[[TextIO, RecordingResult], None]


def write_report(name: str, path: Path, result: RecordingResult) -> None:
    """Write one report, in UTF-8 with line feeds on every system."""
    with path.open("w", encoding="utf-8", newline="") as file:
        REPORTS[name].write(file, result)


def _write_json(file: TextIO, result: RecordingResult) -> None:
    """Write the lab's JSON, one prediction a line: a day of audio has half a million of them."""
    document = {
        "events": [_event_fields(event, result.sample_rate) for event in result.events],
        "metadata": _metadata(result),
        "recording": _recording_fields(result),
        "model": {**result.model.to_dict(), "classes": list(result.spec.classes)},
        "settings": result.settings.decision() | result.settings.scoring(),
    }
    head = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    file.write(head.removesuffix("\n}") + ',\n  "predictions": [')
    separator = "\n    "
    for prediction in _predictions(result):
        file.write(separator + json.dumps(prediction, ensure_ascii=False, allow_nan=False))
        separator = ",\n    "
    file.write("\n  ]\n}\n" if len(result.scores) else "]\n}\n")


def _predictions(result: RecordingResult) -> Iterator[dict[str, Any]]:
    classes, rate = result.spec.classes, result.sample_rate
    for (start, stop), scores in zip(result.windows(), result.scores, strict=True):
        begin, end = seconds(start, rate), seconds(stop, rate)
        best = int(scores.argmax())
        yield {
            "timestamp": f"{begin}-{end}s",
            "start_time": begin,
            "end_time": end,
            "class": classes[best],
            "confidence": _rounded(scores[best]),
            # The lab's name for scores; softmax outputs that nobody calibrated.
            "probabilities": {name: _rounded(score) for name, score in zip(classes, scores, strict=True)},
        }


def _event_fields(event: Event, sample_rate: int) -> dict[str, Any]:
    return {
        "start_time": seconds(event.start, sample_rate),
        "end_time": seconds(event.stop, sample_rate),
        "duration": seconds(event.stop - event.start, sample_rate),
        "mean_confidence": _rounded(event.mean_score),
        "max_confidence": _rounded(event.max_score),
        "num_windows": event.n_windows,
        "class": event.label,
        "start_sample": event.start,
        "end_sample": event.stop,
    }


def _metadata(result: RecordingResult) -> dict[str, Any]:
    """Return the lab's metadata under both spellings of each name; how long it took is for an API to add."""
    audio = result.analysis.audio
    duration = seconds(audio.frames, audio.sample_rate)
    return {
        "audio_duration": duration,
        "audio_duration_seconds": duration,
        "model_version": f"{result.model.name}@{result.model.version}",
        "num_predictions": len(result.scores),
        "total_windows": len(result.scores),
        "num_events": len(result.events),
        "total_events": len(result.events),
        "target_class": result.settings.target_class,
        "confidence_threshold": result.settings.threshold,
    }


def _recording_fields(result: RecordingResult) -> dict[str, Any]:
    recording, audio, grid = result.recording, result.analysis.audio, result.analysis.grid
    return {
        "name": recording.name,
        "path": recording.path,
        "sample_rate": audio.sample_rate,
        "channels": audio.channels,
        "frames": audio.frames,
        "container": audio.container,
        "codec": audio.codec,
        "analysis_sample_rate": result.sample_rate,
        "resampled": f"soxr {QUALITY}" if result.analysis.resampled else None,
        "window_samples": grid.window,
        "hop_samples": grid.hop,
    }


def _write_events(file: TextIO, result: RecordingResult) -> None:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(EVENT_COLUMNS)
    rate = result.sample_rate
    for event in result.events:
        rows.writerow(
            (
                format_seconds(event.start, rate),
                format_seconds(event.stop, rate),
                format_seconds(event.stop - event.start, rate),
                event.label,
                f"{event.mean_score:.6f}",
                f"{event.max_score:.6f}",
                event.n_windows,
                event.start,
                event.stop,
                rate,
                result.recording.name,
                f"{result.model.name}@{result.model.version}",
            )
        )


def _write_scores(file: TextIO, result: RecordingResult) -> None:
    rows = csv.writer(file, lineterminator="\n")
    target = result.target
    rows.writerow(("start_time", "end_time", *result.spec.classes, f"smoothed_{result.spec.classes[target]}"))
    for (start, stop), scores, smoothed in zip(result.windows(), result.scores, result.smoothed, strict=True):
        times = (format_seconds(start, result.sample_rate), format_seconds(stop, result.sample_rate))
        rows.writerow((*times, *(f"{score:.6f}" for score in scores), f"{smoothed[target]:.6f}"))


def _write_raven(file: TextIO, result: RecordingResult) -> None:
    recording = result.recording
    write_raven(
        file,
        result.selections(result.events),
        sample_rate=result.sample_rate,
        begin_path=recording.path,
        begin_file=recording.path.replace("\\", "/").rpartition("/")[2],
    )


def _write_audacity(file: TextIO, result: RecordingResult) -> None:
    write_audacity(file, result.selections(result.events), sample_rate=result.sample_rate)


def _write_classes(file: TextIO, result: RecordingResult) -> None:
    write_audacity(file, result.selections(result.class_runs), sample_rate=result.sample_rate)


def _rounded(score: float | np.floating[Any]) -> float:
    """Round a score to six decimals: about what float32 carries."""
    return round(float(score), 6)


REPORTS: dict[str, Report] = {
    "json": Report(".json", _write_json),
    "csv": Report(".events.csv", _write_events),
    "scores": Report(".scores.csv", _write_scores),
    "raven": Report(".selections.txt", _write_raven),
    "audacity": Report(".audacity.txt", _write_audacity),
    "classes": Report(".classes.txt", _write_classes),
}
"""Every format by its name in the settings."""
