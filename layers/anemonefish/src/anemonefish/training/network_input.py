"""Choose what a network hears: the sample rate, and the profile with its band, window and hop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.profiles import BandDb, Profile, StftDb
from anemonefish.training.labelled_recordings import LabelledRecording
from anemonefish.training.training_options import TrainingOptions

__all__ = ["NetworkInput", "choose_input"]

_BANDS = {BandDb.kind: (BandDb().fmin_hz, BandDb().fmax_hz), StftDb.kind: (50.0, 6_000.0)}
"""By profile, the band where none is asked for: those of ``reef`` 2.0.0 and 1.1.0. Below lie offset and flow noise."""

_RATES = (8_000, 16_000, 24_000, 32_000, 48_000, 96_000, 192_000, 384_000, 500_000)
"""Sample rates of recorders, in Hz: the lowest that holds the band is used, because a network is then quickest."""

_ABOVE_BOXES = 1.25
"""The band goes so far above the boxes that were drawn around calls."""

_USABLE = 0.45
"""Share of the sample rate up to which a recording holds sound undistorted; resampling keeps 0.456 of it (soxr HQ)."""

_FRAMES_PER_SECOND = 100
"""Pulses of anemonefish follow one another after 35 ms or more."""

_FRAME_SECONDS = 0.032
"""Length of a frame of ``band-db``, for bins of 31 Hz; longer where the band is narrow."""

_LEAST_BINS = 8
"""The network halves the frequencies twice, and its filters over time are five frames long."""


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a network hears.

    Attributes
    ----------
    sample_rate : int
        In Hz; recordings of another rate are resampled.
    profile : Profile
    """

    sample_rate: int
    profile: Profile

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a spectrogram."""
        return self.profile.input_shape(self.sample_rate)


def choose_input(recordings: Sequence[LabelledRecording], options: TrainingOptions) -> NetworkInput:
    """Choose the input from the band, and the band from the labels where none was given.

    The band is that of the profile, widened to a quarter above the boxes that were drawn around the calls of the
    highest class (the median of their upper edges, because some boxes have the height of the window), within what the
    recordings hold. The sample rate is the lowest common one that holds it.

    Parameters
    ----------
    recordings : sequence of LabelledRecording
    options : TrainingOptions

    Raises
    ------
    InvalidSettings
        The recordings do not hold the band, or it is too narrow.
    """
    native = Counter(recording.sample_rate for recording in recordings).most_common(1)[0][0]
    boxes = _ABOVE_BOXES * _highest_class(recordings)
    lowest, highest = _BANDS[options.profile]
    low, high = options.band or (lowest, min(max(highest, boxes), _USABLE * native))
    if high > native / 2:
        raise InvalidSettings(
            f"the band ends at {high:g} Hz, but most recordings have {native} Hz and hold nothing above {native / 2:g} "
            f"Hz; choose a lower end with --band"
        )
    rate = min(next((rate for rate in _RATES if _USABLE * rate >= high), native), native)
    profile = _PROFILES[options.profile](options, rate, low, min(high, rate / 2))
    try:
        shape = profile.input_shape(rate)
    except UnsupportedRecording:
        shape = 0, 0, 1
    if min(shape[:2]) < _LEAST_BINS:
        raise InvalidSettings(
            f"a spectrogram of {options.window_seconds:g} s from {low:g} to {high:g} Hz has {shape[0]} times and "
            f"{shape[1]} frequencies, and the network needs {_LEAST_BINS} of each; choose a wider --band or a longer "
            f"--window"
        )
    return NetworkInput(rate, profile)


def _band_db(options: TrainingOptions, rate: int, low: float, high: float) -> Profile:
    frame = max(_FRAME_SECONDS, (_LEAST_BINS + 1) / (high - low))
    return BandDb(
        window_seconds=options.window_seconds,
        hop_seconds=options.hop_seconds,
        n_fft=max(16, round(frame * rate)),
        hop_length=round(rate / _FRAMES_PER_SECOND),
        fmin_hz=low,
        fmax_hz=high,
    )


def _stft_db(options: TrainingOptions, rate: int, low: float, high: float) -> Profile:
    hop = round(rate / _FRAMES_PER_SECOND)
    return StftDb(
        window_seconds=options.window_seconds,
        hop_seconds=options.hop_seconds,
        n_fft=max(16, 2 * hop),
        hop_length=hop,
        fmin_hz=low,
        fmax_hz=high,
        crop_rate_hz=float(rate),
    )


_PROFILES = {BandDb.kind: _band_db, StftDb.kind: _stft_db}


def _highest_class(recordings: Sequence[LabelledRecording]) -> float:
    """Return the highest median of the upper edges of a class, in Hz; 0 where no box was drawn."""
    edges: dict[int, list[float]] = {}
    for recording in recordings:
        for label in recording.labels:
            if label.meaning >= 0 and label.high_hz is not None:
                edges.setdefault(label.meaning, []).append(label.high_hz)
    return max((median(own) for own in edges.values()), default=0.0)
