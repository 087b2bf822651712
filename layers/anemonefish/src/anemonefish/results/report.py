"""Report: the results of one recording in the formats people use.

Owns the JSON of the lab's API, the CSV tables, and what goes into Raven and Audacity. A report says which
model and settings made it, writes an empty table with its header when nothing was found, and has the same
bytes wherever it is made: it holds no clock, no host and no store. Text is written row by row, Parquet by
bounded groups of rows.

============  ==========================  ====================================================
format        file                        content
============  ==========================  ====================================================
json          ``NAME.json``               the lab's API: predictions, events, metadata
csv           ``NAME.events.csv``         one row per event
scores        ``NAME.scores.csv``         one row per window: raw scores, smoothed target score
raven         ``NAME.selections.txt``     events as a Raven selection table
audacity      ``NAME.audacity.txt``       events as Audacity labels
classes       ``NAME.classes.txt``        runs of equal class as Audacity labels, noise left out
kaleidoscope  ``NAME.kaleidoscope.csv``   events as Kaleidoscope lists them
longterm      ``NAME.longterm.csv``       one row per minute: windows above the threshold, scores, events
parquet       ``NAME.scores.parquet``     one row per window: the scores as they are, not rounded
============  ==========================  ====================================================
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from anemonefish.annotations.audacity import write_audacity
from anemonefish.annotations.kaleidoscope import write_kaleidoscope
from anemonefish.annotations.raven import write_raven
from anemonefish.annotations.selections import AudioReference, Selection, within_nyquist
from anemonefish.audio.resample import QUALITY
from anemonefish.cells import write_rows
from anemonefish.jobs.plan import Analysis, PlannedRecording
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import PinnedModel
from anemonefish.notes import is_partial
from anemonefish.results.events import Event
from anemonefish.sample_times import format_seconds, seconds
from anemonefish.settings import Settings
from anemonefish.start_time.time_zones import format_utc, utc_of

__all__ = ["REPORTS", "RecordingResult", "Report", "lab_document", "write_report"]

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
    "start_utc",
)

_ROW_GROUP = 131_072
"""Windows of a row group: what a reader must take at least, and what is held a second time while writing."""

_CREATED_BY = "anemonefish version 1"
"""Of the layout, in the form that readers parse. The library's own would change the bytes with every release."""


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
        """Yield events as selections over the band that the model hears, as far as the recording holds it."""
        low, high = within_nyquist(self.spec.profile.band(self.sample_rate), self.analysis.audio.sample_rate)
        for event in events:
            utc = self.utc(event.start)
            yield Selection(event.start, event.stop, event.label, low, high, event.mean_score, utc)

    def audio_reference(self, seconds_before: Fraction = Fraction(0)) -> AudioReference:
        """Return how a table of selections refers to the recording.

        Parameters
        ----------
        seconds_before : Fraction
            Duration of the recordings before it, where several are opened as one sequence.
        """
        return AudioReference(
            path=self.recording.path,
            name=self.recording.name,
            sample_rate=self.sample_rate,
            channel=self.settings.channel or 1,
            seconds_before=seconds_before,
        )

    def utc(self, sample: int) -> str | None:
        """Return when a sample was taken, where that is known."""
        begins = self.recording.begins
        if begins is None or begins.utc is None:
            return None
        return format_utc(utc_of(datetime.fromisoformat(begins.utc), sample, self.sample_rate))


Writer = Callable[[BinaryIO, RecordingResult], None]
"""Writes the content of a report into an open file."""


@dataclass(frozen=True, slots=True)
class Report:
    """A format: what its files are called and who writes them."""

    suffix: str
    write: Writer


def write_report(name: str, path: Path, result: RecordingResult) -> None:
    """Write one report; text is UTF-8 with line feeds on every system."""
    with path.open("wb") as file:
        REPORTS[name].write(file, result)


def _text(write: Callable[[TextIO, RecordingResult], None]) -> Writer:
    """Return the writer of a text format."""

    def encoded(file: BinaryIO, result: RecordingResult) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            write(text, result)
        finally:
            text.detach()  # flushes, and leaves the file open for its owner

    return encoded


def lab_document(
    result: RecordingResult, *, predictions: bool, processing_seconds: float | None = None
) -> dict[str, Any]:
    """Return the lab's JSON as an API answers with it: ``predictions``, ``events``, ``metadata``.

    Parameters
    ----------
    predictions : bool
        Whether to list every window.
    processing_seconds : float, optional
        How long it took; an API knows, a result does not.
    """
    return {
        "predictions": list(_predictions(result)) if predictions else [],
        "events": [_event_fields(event, result) for event in result.events],
        "metadata": {
            **_metadata(result),
            "processing_time": processing_seconds,
            "processing_time_seconds": processing_seconds,
        },
    }


def _write_json(file: TextIO, result: RecordingResult) -> None:
    """Write the lab's JSON, one prediction a line: a day of audio has half a million of them."""
    document = {
        "events": [_event_fields(event, result) for event in result.events],
        "metadata": _metadata(result),
        **_origin(result),
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


def _event_fields(event: Event, result: RecordingResult) -> dict[str, Any]:
    sample_rate = result.sample_rate
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
        "start_utc": result.utc(event.start),
    }


def _metadata(result: RecordingResult) -> dict[str, Any]:
    """Return the lab's metadata under both spellings of each name; how long it took is for an API to add.

    Scores of a variant say how far they agree with those of the network that was trained.
    """
    variant = result.model.variant
    audio = result.analysis.audio
    duration = seconds(audio.frames, audio.sample_rate)
    return {
        "audio_duration": duration,
        "audio_duration_seconds": duration,
        "model_version": result.model.reference,
        "num_predictions": len(result.scores),
        "total_windows": len(result.scores),
        "num_events": len(result.events),
        "total_events": len(result.events),
        "target_class": result.settings.target_class,
        "confidence_threshold": result.settings.threshold,
        "status": "partial" if is_partial(result.recording.notes) else "done",
        "notes": [asdict(note) for note in result.recording.notes],
        **({} if variant is None else {"variant_agreement": result.spec.variants[variant]}),
    }


def _origin(result: RecordingResult) -> dict[str, Any]:
    """Return what was analysed, by which model and with which settings."""
    return {
        "recording": _recording_fields(result),
        "model": {**result.model.to_dict(), "classes": list(result.spec.classes)},
        "settings": result.settings.decision() | result.settings.scoring(),
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
        "start_utc": None if recording.begins is None else recording.begins.utc,
        "start_source": None if recording.begins is None else recording.begins.source,
    }


def _write_events(file: TextIO, result: RecordingResult) -> None:
    write_rows(file, [EVENT_COLUMNS])
    write_rows(file, event_rows(result))


def event_rows(result: RecordingResult) -> Iterator[tuple[object, ...]]:
    """Yield the rows under :data:`EVENT_COLUMNS`."""
    rate = result.sample_rate
    for event in result.events:
        yield (
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
            result.model.reference,
            result.utc(event.start) or "",
        )


def _write_scores(file: TextIO, result: RecordingResult) -> None:
    classes = result.spec.classes
    write_rows(file, [("start_time", "end_time", *classes, f"smoothed_{classes[result.target]}")])
    write_rows(file, _score_rows(result))


def _score_rows(result: RecordingResult) -> Iterator[tuple[str, ...]]:
    target = result.target
    for (start, stop), scores, smoothed in zip(result.windows(), result.scores, result.smoothed, strict=True):
        times = (format_seconds(start, result.sample_rate), format_seconds(stop, result.sample_rate))
        yield (*times, *(f"{score:.6f}" for score in scores), f"{smoothed[target]:.6f}")


def _write_long_term(file: TextIO, result: RecordingResult) -> None:
    """Write a row per minute; windows and events belong to the minute in which they begin."""
    name = result.spec.classes[result.target]
    columns = ("start_time", "end_time", "start_utc", "windows", "windows_above", f"mean_{name}", f"max_{name}")
    write_rows(file, [(*columns, "events")])
    write_rows(file, _minute_rows(result))


def _minute_rows(result: RecordingResult) -> Iterator[tuple[object, ...]]:
    target, rate, hop = result.target, result.sample_rate, result.analysis.grid.hop
    minute = 60 * rate
    events = Counter(event.start // minute for event in result.events)
    scores = result.smoothed[:, target].astype(np.float64)
    for number in range(-(-len(scores) * hop // minute)):
        first, stop = (-(-edge * minute // hop) for edge in (number, number + 1))
        here = scores[first:stop]
        if len(here):
            times = (format_seconds(edge * minute, rate) for edge in (number, number + 1))
            above = int((here > result.settings.threshold).sum())
            counts = (len(here), above, f"{here.mean():.6f}", f"{here.max():.6f}", events[number])
            yield (*times, result.utc(number * minute) or "", *counts)


def _write_raven(file: TextIO, result: RecordingResult) -> None:
    write_raven(file, [(result.audio_reference(), result.selections(result.events))])


def _write_audacity(file: TextIO, result: RecordingResult) -> None:
    write_audacity(file, result.selections(result.events), sample_rate=result.sample_rate)


def _write_kaleidoscope(file: TextIO, result: RecordingResult) -> None:
    write_kaleidoscope(file, result.audio_reference(), result.selections(result.events))


def _write_classes(file: TextIO, result: RecordingResult) -> None:
    write_audacity(file, result.selections(result.class_runs), sample_rate=result.sample_rate)


def _write_parquet(file: BinaryIO, result: RecordingResult) -> None:
    """Write the scores as columns, exactly.

    The metadata is one JSON, because the writer puts several keys in an order that differs from process to process.
    The file is made in memory, where it takes less than the scores: on a full disk the writer would crash, not raise.
    """
    from arro3.core import DataType, Field, RecordBatch, RecordBatchReader, Schema
    from arro3.io import write_parquet

    types = {"int64": DataType.int64(), "float64": DataType.float64(), "float32": DataType.float32()}
    schema = Schema([Field(name, types[str(column.dtype)], nullable=False) for name, column in _columns(result, 0, 0)])
    groups = (
        RecordBatch.from_arrays([column for _, column in _columns(result, first, first + _ROW_GROUP)], schema=schema)
        for first in range(0, len(result.scores), _ROW_GROUP)
    )
    made = io.BytesIO()
    write_parquet(
        RecordBatchReader.from_batches(schema, groups),
        made,
        max_row_group_size=_ROW_GROUP,
        compression="zstd(3)",
        dictionary_enabled=False,
        encoding="byte_stream_split",
        column_encoding={"start_sample": "delta_binary_packed", "end_sample": "delta_binary_packed"},
        key_value_metadata={"anemonefish": json.dumps(_origin(result), ensure_ascii=False, allow_nan=False)},
        created_by=_CREATED_BY,
        skip_arrow_metadata=True,
    )
    file.write(made.getbuffer())


def _columns(result: RecordingResult, first: int, stop: int) -> list[tuple[str, NDArray[Any]]]:
    """Return names and values of some windows' columns, in the order of the file."""
    grid, scores, smoothed = result.analysis.grid, result.scores[first:stop], result.smoothed[first:stop]
    classes, target = result.spec.classes, result.target
    starts = np.arange(first, first + len(scores), dtype=np.int64) * grid.hop
    stops = starts + grid.window
    return [
        ("start_sample", starts),
        ("end_sample", stops),
        ("start_time", _seconds(starts, result.sample_rate)),
        ("end_time", _seconds(stops, result.sample_rate)),
        *((name, np.ascontiguousarray(scores[:, column])) for column, name in enumerate(classes)),
        (f"smoothed_{classes[target]}", np.ascontiguousarray(smoothed[:, target])),
    ]


def _seconds(samples: NDArray[np.int64], sample_rate: int) -> NDArray[np.float64]:
    """Return what :func:`anemonefish.sample_times.seconds` returns for each, up to 285 years."""
    whole, rest = np.divmod(samples, sample_rate)
    microseconds = whole * 1_000_000 + (2 * rest * 1_000_000 + sample_rate) // (2 * sample_rate)
    return np.asarray(microseconds / 1_000_000, np.float64)


def _rounded(score: float | np.floating[Any]) -> float:
    """Round a score to six decimals: about what float32 carries."""
    return round(float(score), 6)


REPORTS: dict[str, Report] = {
    "json": Report(".json", _text(_write_json)),
    "csv": Report(".events.csv", _text(_write_events)),
    "scores": Report(".scores.csv", _text(_write_scores)),
    "raven": Report(".selections.txt", _text(_write_raven)),
    "audacity": Report(".audacity.txt", _text(_write_audacity)),
    "classes": Report(".classes.txt", _text(_write_classes)),
    "kaleidoscope": Report(".kaleidoscope.csv", _text(_write_kaleidoscope)),
    "longterm": Report(".longterm.csv", _text(_write_long_term)),
    "parquet": Report(".scores.parquet", _write_parquet),
}
"""Every format by its name in the settings."""
