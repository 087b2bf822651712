"""The result of one recording: its scores, its events, and the model and settings that made them.

:func:`anemonefish.results.decide.decide` makes it, and :mod:`anemonefish.results.report_formats` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.annotations.selections import AudioReference, Selection, within_nyquist
from anemonefish.audio.resample import resampling
from anemonefish.jobs.plan import Analysis, PlannedRecording
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.results.event_levels import level_re_1upa
from anemonefish.results.events import Event
from anemonefish.settings import Settings
from anemonefish.start_time.time_zones import format_utc, utc_of

__all__ = ["RecordingResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResult:
    """The scores and events of one recording.

    Attributes
    ----------
    recording : PlannedRecording
    analysis : Analysis
    spec, model : ModelSpec, PinnedModel
    settings : Settings
        The settings that decided the events; ``target_class`` and those of :attr:`decision` are never None here.
    scores, smoothed : ndarray, shape (n_windows, n_classes), float32
        Scores before and after the median filter.
    events : tuple of Event
        The events of the target classes, in the order of their starts.
    class_runs : tuple of Event
        Runs of windows of the same class, for every class except noise.
    levels : BandLevels or None
        The band levels of the windows; None where an older version stored the scores.
    calibration : ScoreCalibration or None
        What gives the events a probability.
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
    levels: BandLevels | None = None
    calibration: ScoreCalibration | None = None

    @property
    def sample_rate(self) -> int:
        """Samples per second of every sample index in this result."""
        return self.analysis.sample_rate

    @property
    def decision(self) -> Decision:
        """How the scores became events."""
        return Decision.of(self.settings)

    @property
    def targets(self) -> dict[str, int]:
        """The target classes and their columns."""
        return {name: self.spec.classes.index(name) for name in self.settings.target_classes}

    @property
    def level_band(self) -> tuple[float, float]:
        """The frequencies in which levels were measured, in Hz."""
        low, high = self.spec.profile.level_band(self.sample_rate)
        return round(low, 1), round(high, 1)

    def probability(self, event: Event) -> float | None:
        """Return the probability that an event is right; None without a calibration of the scores of its class."""
        return None if self.calibration is None else self.calibration.probability_of(event.label, event.max_score)

    def windows(self) -> Iterator[tuple[int, int]]:
        """Yield the first sample of each window, and the one after its last."""
        grid = self.analysis.grid
        for index in range(grid.n_windows):
            yield index * grid.hop, index * grid.hop + grid.window

    def selections(self, events: Iterable[Event]) -> Iterator[Selection]:
        """Yield events as selections over the frequency band of the model, up to the recording's Nyquist frequency."""
        low, high = within_nyquist(self.spec.profile.band(self.sample_rate), self.analysis.audio.sample_rate)
        for event in events:
            utc, probability = self.utc(event.start), self.probability(event)
            yield Selection(event.start, event.stop, event.label, low, high, event.mean_score, utc, probability)

    def without_scores(self) -> Self:
        """Return the result without what is as long as the recording: scores and band levels."""
        none = self.scores[:0]
        return replace(self, scores=none, smoothed=none, levels=None)

    def level_re_1upa(self, event: Event) -> float | None:
        """Return the level of an event in dB re 1 uPa, where the recorder's calibration is given."""
        return level_re_1upa(event, self.settings.full_scale_db)

    def audio_reference(self, seconds_before: Fraction = Fraction(0)) -> AudioReference:
        """Return how a selection table refers to the recording.

        Parameters
        ----------
        seconds_before : Fraction
            Total length of the recordings before this one, in a table over a sequence of recordings.
        """
        return AudioReference(
            path=self.recording.path,
            name=self.recording.name,
            sample_rate=self.sample_rate,
            channel=self.settings.channel or 1,
            seconds_before=seconds_before,
        )

    def utc(self, sample: int) -> str | None:
        """Return the time of a sample in UTC, or None where the start of the recording is not known."""
        begins = self.recording.begins
        if begins is None or begins.utc is None:
            return None
        return format_utc(utc_of(datetime.fromisoformat(begins.utc), sample, self.sample_rate))

    def origin(self) -> dict[str, Any]:
        """Return the recording, the model and the settings as JSON-ready values; JSON and Parquet files hold them."""
        return {
            "recording": self._recording_fields(),
            "model": {**self.model.to_dict(), "classes": list(self.spec.classes), "card": self.spec.card.line},
            "settings": self.settings.decision() | self.settings.scoring(),
            **({} if self.calibration is None else {"calibration": self.calibration.to_dict()}),
        }

    def _recording_fields(self) -> dict[str, Any]:
        recording, audio, grid = self.recording, self.analysis.audio, self.analysis.grid
        return {
            "name": recording.name,
            "path": recording.path,
            "sample_rate": audio.sample_rate,
            "channels": audio.channels,
            "frames": audio.frames,
            "container": audio.container,
            "codec": audio.codec,
            "analysis_sample_rate": self.sample_rate,
            "resampled": resampling(audio.sample_rate, self.sample_rate, self.spec.profile.top_hz(self.sample_rate)),
            "window_samples": grid.window,
            "hop_samples": grid.hop,
            "start_utc": None if recording.begins is None else recording.begins.utc,
            "start_source": None if recording.begins is None else recording.begins.source,
        }
