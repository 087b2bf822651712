"""The worst errors in the test recordings, to look at and to listen to.

They are events with the highest scores that agree with no label, and labels with the lowest scores that agree with no
event. Often the label is wrong, and not the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.flac_encoder import encode_flac
from anemonefish.plots.spectrogram import plot_spectrogram
from anemonefish.plots.style import Span
from anemonefish.results.events import smooth
from anemonefish.training.choose_decision import Decided
from anemonefish.training.scored_recordings import ScoredRecording

__all__ = ["WorstError", "find_worst_errors"]

_TICKS = 1_000_000
_PADDING_SECONDS = 1.0
_LONGEST_SECONDS = 8.0
_PEAK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstError:
    """An error in a test recording.

    Attributes
    ----------
    kind : {"false event", "missed call"}
    label : str
        The class.
    recording : str
    start, stop : float
        In seconds from the beginning of the recording.
    score : float
        The highest of its windows.
    picture : bytes
        PNG of its spectrogram.
    clip : bytes
        FLAC at the sample rate of the network, as loud as half of full scale.
    """

    kind: str
    label: str
    recording: str
    start: float
    stop: float
    score: float
    picture: bytes
    clip: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    scored: ScoredRecording
    start: float
    stop: float
    score: float


def find_worst_errors(
    scored: Sequence[ScoredRecording], classes: Sequence[str], decided: Decided, band: tuple[float, float], most: int
) -> list[WorstError]:
    """Return at most so many false events and missed calls of each class, the worst first.

    Parameters
    ----------
    scored : sequence of ScoredRecording
    classes : sequence of str
    decided : Decided
    band : (float, float)
        Frequencies to show, in Hz.
    most : int

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    errors = []
    for column, label in enumerate(classes):
        false, missed = _errors(scored, column, decided)
        false.sort(key=lambda place: (-place.score, place.scored.recording.name, place.start))
        missed.sort(key=lambda place: (place.score, place.scored.recording.name, place.start))
        for kind, places in (("false event", false), ("missed call", missed)):
            errors += [_error(place, kind, label, band) for place in places[:most]]
    return errors


def _errors(scored: Sequence[ScoredRecording], column: int, decided: Decided) -> tuple[list[_Place], list[_Place]]:
    decision, false, missed = decided.of(column), [], []
    for each in scored:
        rate = each.audio.sample_rate
        smoothed = smooth(each.scores, decision.median_windows)
        events = each.events(column, decision, smoothed)
        false += [
            _Place(each, event.start / rate, event.stop / rate, event.max_score)
            for event in events
            if not each.is_right(column, event)
        ]
        for label in each.labels(column):
            if not each.found(events, label):
                start, stop = (edge / (rate * _TICKS) for edge in label)
                missed.append(_Place(each, start, stop, _highest(each, smoothed[:, column], start, stop)))
    return false, missed


def _highest(scored: ScoredRecording, smoothed: NDArray[np.float32], start: float, stop: float) -> float:
    """Return the highest score of the windows that contain any of a stretch."""
    rate, grid = scored.audio.sample_rate, scored.grid
    first = max(0, int((start * rate - grid.window) // grid.hop) + 1)
    last = min(len(smoothed), int(stop * rate // grid.hop) + 1)
    return float(smoothed[first:last].max(initial=0.0))


def _error(place: _Place, kind: str, label: str, band: tuple[float, float]) -> WorstError:
    audio = place.scored.audio
    stop = min(place.stop, place.start + _LONGEST_SECONDS)
    first = max(0, int((place.start - _PADDING_SECONDS) * audio.sample_rate))
    last = min(audio.n_samples, int((stop + _PADDING_SECONDS) * audio.sample_rate))
    samples = audio.read(first, last).astype(np.float64)
    samples -= samples.mean()
    name = place.scored.recording.name
    loudness = _PEAK / max(float(np.abs(samples).max()), 1e-9)
    return WorstError(
        kind=kind,
        label=label,
        recording=name,
        start=place.start,
        stop=place.stop,
        score=place.score,
        picture=plot_spectrogram(
            samples,
            audio.sample_rate,
            title=f"{kind}: {label} in {name}",
            begins=first / audio.sample_rate,
            events=[Span(place.start, stop, label)],
            band=band,
        ),
        clip=encode_flac((samples * loudness * 2**31).astype(np.int32)[:, np.newaxis], audio.sample_rate),
    )
