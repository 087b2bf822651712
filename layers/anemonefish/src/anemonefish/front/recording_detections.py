"""One recording's results: its events, its scores, its notes, and how it is plotted.

Events are held in memory. Scores stay where they were written and are read when they are asked for, so the results of
a deployment take little memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidSettings
from anemonefish.front.display import Picture, count_of, data_frame, html_table, text_table
from anemonefish.front.scores import Scores
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.notes import Note
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.results.csv_tables import EVENT_COLUMNS, PROBABILITY
from anemonefish.results.event_levels import level_re_1upa, with_levels
from anemonefish.results.events import Event, find_events_of, smooth
from anemonefish.results.recording_result import RecordingResult
from anemonefish.sample_times import seconds
from anemonefish.settings import Settings
from anemonefish.start_time.time_zones import format_utc, utc_of
from anemonefish.stores import Store
from anemonefish.windows import WindowGrid
from anemonefish.workflow.timelines import draw_timeline

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["EVENT_HEADINGS", "DetectedEvent", "RecordingDetections", "ScoreSource", "event_rows", "events_frame"]

EVENT_HEADINGS = (
    *("recording", "start s", "end s", "class", "mean score", "max score", "windows"),
    *("calls", "level dB", "SNR dB", "peak Hz"),
)
"""Columns of events in a notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedEvent:
    """A stretch of a recording whose scores are above the threshold.

    Attributes
    ----------
    recording : str
        Name of the recording.
    start_time, end_time, duration : float
        In seconds from the beginning of the recording.
    label : str
        The class.
    mean_score, max_score : float
        Over the smoothed scores of its windows.
    n_windows : int
        Windows above the threshold in it.
    calls : int or None
        How many calls lie in it. This and the following are None where the scores were stored without band levels.
    level_db, snr_db : float or None
        Level of its loudest 20 ms in the band of the model, in dB re full scale, and this level less that of the
        background around it.
    peak_hz : float or None
        Peak frequency of its calls.
    level_db_re_1upa : float or None
        The level in dB re 1 uPa; None without the setting ``full_scale_db``.
    start_sample, end_sample : int
        The same interval in samples at ``sample_rate``, half-open.
    sample_rate : int
        Rate at which the recording was analysed, in Hz.
    start_utc : str or None
        When it began, as ISO 8601; None where the start of the recording is not known.
    probability : float or None
        That it is right, where the scores are calibrated (docs/probability.md).
    """

    recording: str
    start_time: float
    end_time: float
    duration: float
    label: str
    mean_score: float
    max_score: float
    n_windows: int
    calls: int | None
    level_db: float | None
    snr_db: float | None
    peak_hz: float | None
    level_db_re_1upa: float | None
    start_sample: int
    end_sample: int
    sample_rate: int
    start_utc: str | None = None
    probability: float | None = None


class ScoreSource(Protocol):
    """Where the scores of one recording are read from."""

    @property
    def store(self) -> Store: ...  # noqa: D102

    def read_scores(self) -> NDArray[np.float32]:
        """Return the raw scores, shape (n_windows, n_classes)."""
        ...

    def read_levels(self) -> BandLevels | None:
        """Return the band levels of the windows, if they were stored."""
        ...

    def result(self, settings: Settings) -> RecordingResult:
        """Decide the recording with other settings; the answer has everything that reports need."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RecordingDetections:
    """What was found in one recording.

    Attributes
    ----------
    name : str
        What its results are called.
    model : PinnedModel
        What scored it: name, version, hash and engine.
    settings : Settings
        Those that decided the events.
    classes : tuple of str
        Columns of the scores.
    sample_rate : int
        Rate at which it was analysed, in Hz.
    duration : float
        Length in seconds.
    start_utc : str or None
        When it began, as ISO 8601, where that is known.
    events : tuple of DetectedEvent
        In the order of their start.
    notes : tuple of Note
        What a user should know about the recording.
    calibration : ScoreCalibration or None
        What gives the events a probability.
    """

    name: str
    model: PinnedModel
    settings: Settings
    classes: tuple[str, ...]
    sample_rate: int
    duration: float
    start_utc: str | None
    events: tuple[DetectedEvent, ...]
    notes: tuple[Note, ...]
    planned: PlannedRecording
    source: ScoreSource
    _grid: WindowGrid = field(repr=False)
    calibration: ScoreCalibration | None = None

    @classmethod
    def build(
        cls,
        recording: PlannedRecording,
        classes: Sequence[str],
        model: PinnedModel,
        settings: Settings,
        events: Iterable[Event],
        source: ScoreSource,
        calibration: ScoreCalibration | None = None,
    ) -> Self:
        """Return the results of a recording that was analysed."""
        how = recording.analysis
        assert how is not None  # a recording that was not analysed has a failure instead
        begins = None if recording.begins is None else recording.begins.utc
        return cls(
            name=recording.name,
            model=model,
            settings=settings,
            classes=tuple(classes),
            sample_rate=how.sample_rate,
            duration=how.audio.frames / how.audio.sample_rate,
            start_utc=begins,
            events=tuple(_detected(event, recording, how.sample_rate, settings, calibration) for event in events),
            notes=recording.notes,
            planned=recording,
            source=source,
            _grid=how.grid,
            calibration=calibration,
        )

    @property
    def scores(self) -> Scores:
        """The scores of every window before smoothing; they are read anew each time."""
        return Scores.on_grid(
            self.name, self.classes, self.source.read_scores(), self._grid, self.sample_rate, self.notes
        )

    def decide(self, settings: Settings) -> Self:
        """Return the results with events by other settings; nothing is scored again."""
        for label in settings.target_classes:
            if label not in self.classes:
                raise InvalidSettings(f"target_class must be one of {', '.join(self.classes)}, not {label!r}")
        decision = Decision.of(settings)
        smoothed = smooth(self.source.read_scores(), decision.median_windows)
        labels = settings.target_classes
        events = find_events_of(labels, smoothed, self._grid, self.sample_rate, self.classes, decision)
        events = with_levels(events, self.source.read_levels(), self._grid, self.sample_rate)
        calibration = None if self.calibration is None else self.calibration.for_decision(settings)
        return self.build(self.planned, self.classes, self.model, settings, events, self.source, calibration)

    def to_dataframe(self) -> DataFrame:
        """Return the events as a data frame of pandas; see :meth:`Detections.to_dataframe`."""
        return events_frame(self.events, {self.name: self.model.reference})

    def plot(self) -> Picture:
        """Draw the smoothed scores, the threshold and the events over time.

        Raises
        ------
        InvalidRequest
            matplotlib is not installed.
        """
        events = [
            Event(
                start=event.start_sample,
                stop=event.end_sample,
                label=event.label,
                mean_score=event.mean_score,
                max_score=event.max_score,
                n_windows=event.n_windows,
                calls=event.calls,
                level_db=event.level_db,
                snr_db=event.snr_db,
                peak_hz=event.peak_hz,
            )
            for event in self.events
        ]
        smoothed = smooth(self.source.read_scores(), Decision.of(self.settings).median_windows)
        return Picture(
            draw_timeline(
                self.name,
                {label: smoothed[:, self.classes.index(label)] for label in self.settings.target_classes},
                self._grid,
                self.sample_rate,
                settings=self.settings,
                events=events,
                begins=self.begins,
            )
        )

    @property
    def begins(self) -> datetime | None:
        """When the recording began, with its time zone, where that is known."""
        return None if self.start_utc is None else datetime.fromisoformat(self.start_utc)

    def __repr__(self) -> str:
        return "\n".join([self._title(), text_table(EVENT_HEADINGS[1:], [row[1:] for row in event_rows(self.events)])])

    def _repr_html_(self) -> str:
        table = html_table(EVENT_HEADINGS[1:], [row[1:] for row in event_rows(self.events)])
        return f"<p>{escape(self._title())}</p>{table}"

    def _title(self) -> str:
        return (
            f"{self.name}: {self.duration:.1f} s, {count_of(self._grid.n_windows, 'window')}, "
            f"{events_with_calls(self.events)} of "
            f"{decided_words(self.settings, self.model)}"
        )


def decided_words(settings: Settings, model: PinnedModel) -> str:
    """Return the target classes, the model and the thresholds, as in ``anemonefish (reef@1.1.0, threshold 0.5)``."""
    labels = settings.target_classes
    return f"{' and '.join(labels)} ({model.reference}, {Decision.of(settings).thresholds(labels)})"


def events_with_calls(events: Sequence[DetectedEvent]) -> str:
    """Return ``2 events with 5 calls``; the events alone where their calls are not known."""
    calls = [event.calls for event in events]
    known = "" if None in calls or not calls else f" with {count_of(sum(count or 0 for count in calls), 'call')}"
    return f"{count_of(len(events), 'event')}{known}"


def _detected(
    event: Event, recording: PlannedRecording, rate: int, settings: Settings, calibration: ScoreCalibration | None
) -> DetectedEvent:
    begins = None if recording.begins is None else recording.begins.utc
    utc = None if begins is None else format_utc(utc_of(datetime.fromisoformat(begins), event.start, rate))
    return DetectedEvent(
        recording=recording.name,
        start_time=seconds(event.start, rate),
        end_time=seconds(event.stop, rate),
        duration=seconds(event.stop - event.start, rate),
        label=event.label,
        mean_score=event.mean_score,
        max_score=event.max_score,
        n_windows=event.n_windows,
        calls=event.calls,
        level_db=event.level_db,
        snr_db=event.snr_db,
        peak_hz=event.peak_hz,
        level_db_re_1upa=level_re_1upa(event, settings.full_scale_db),
        start_sample=event.start,
        end_sample=event.stop,
        sample_rate=rate,
        start_utc=utc,
        probability=None if calibration is None else calibration.probability_of(event.label, event.max_score),
    )


def event_rows(events: Iterable[DetectedEvent]) -> list[tuple[str, ...]]:
    """Return events as cells under :data:`EVENT_HEADINGS`."""
    return [
        (
            event.recording,
            f"{event.start_time:.3f}",
            f"{event.end_time:.3f}",
            event.label,
            f"{event.mean_score:.3f}",
            f"{event.max_score:.3f}",
            str(event.n_windows),
            "" if event.calls is None else str(event.calls),
            _cell(event.level_db, 1),
            _cell(event.snr_db, 1),
            _cell(event.peak_hz, 0),
        )
        for event in events
    ]


def _cell(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def events_frame(events: Sequence[DetectedEvent], models: Mapping[str, str]) -> DataFrame:
    """Return events as a data frame with the columns of the events' CSV."""
    fields = (
        "start_time",
        "end_time",
        "duration",
        "label",
        "mean_score",
        "max_score",
        "n_windows",
        "calls",
        "level_db",
        "snr_db",
        "peak_hz",
        "level_db_re_1upa",
        "start_sample",
        "end_sample",
        "sample_rate",
        "recording",
    )
    columns: dict[str, list[Any]] = {
        column: [getattr(event, name) for event in events] for column, name in zip(EVENT_COLUMNS, fields, strict=False)
    }
    columns["model"] = [models[event.recording] for event in events]
    columns["start_utc"] = [event.start_utc for event in events]
    if any(event.probability is not None for event in events):
        columns[PROBABILITY] = [event.probability for event in events]
    return data_frame(columns)
