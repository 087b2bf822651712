"""Choose what a network hears: the sample rate, and the profile with its band, window and hop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from anemonefish.errors import InvalidSettings
from anemonefish.profiles import Profile, StftDb
from anemonefish.training.labelled_recordings import LabelledRecording
from anemonefish.training.training_options import TrainingOptions

__all__ = ["NetworkInput", "choose_input"]

_RATES = (8_000, 16_000, 24_000, 32_000, 48_000, 96_000, 192_000, 384_000, 500_000)
"""Sample rates of recorders, in Hz: the lowest that holds the band is used, because a network is then quickest."""

_LOWEST_HZ = 50.0
"""Below lie the recorder's offset and flow noise."""

_HIGHEST_HZ = 6_000.0
"""Of the reference model: it holds the calls of reef fish, and enough of the clicks of shrimp to tell them apart."""

_ABOVE_BOXES = 1.25
"""The band goes so far above the boxes that were drawn around calls."""

_USABLE = 0.45
"""Share of the sample rate up to which a recording holds sound undistorted; resampling keeps 0.456 of it (soxr HQ)."""

_FRAMES_PER_SECOND = 100
"""Pulses of anemonefish follow one another after 35 ms or more, and stay apart in frames of 10 ms (and 20 ms long)."""

_LEAST_BINS = 16
"""The network halves the frequencies four times."""


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

    The band begins at 50 Hz and ends at 6 kHz, or a quarter above the boxes that were drawn around the calls of the
    highest class (the median of their upper edges, because some boxes have the height of the window), and within what
    the recordings hold. The sample rate is the lowest common one that holds it.

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
    low, high = options.band or (_LOWEST_HZ, min(max(_HIGHEST_HZ, boxes), _USABLE * native))
    if high > native / 2:
        raise InvalidSettings(
            f"the band ends at {high:g} Hz, but most recordings have {native} Hz and hold nothing above {native / 2:g} "
            f"Hz; choose a lower end with --band"
        )
    rate = min(next((rate for rate in _RATES if _USABLE * rate >= high), native), native)
    hop = round(rate / _FRAMES_PER_SECOND)
    profile = StftDb(
        window_seconds=options.window_seconds,
        hop_seconds=options.hop_seconds,
        n_fft=max(16, 2 * hop),
        hop_length=hop,
        fmin_hz=low,
        fmax_hz=min(high, rate / 2),
        crop_rate_hz=float(rate),
    )
    frames, bins, _ = profile.input_shape(rate)
    if bins < _LEAST_BINS or frames < _LEAST_BINS:
        raise InvalidSettings(
            f"a spectrogram of {options.window_seconds:g} s from {low:g} to {high:g} Hz has {frames} times and {bins} "
            f"frequencies, and the network needs {_LEAST_BINS} of each; choose a wider --band or a longer --window"
        )
    return NetworkInput(rate, profile)


def _highest_class(recordings: Sequence[LabelledRecording]) -> float:
    """Return the highest median of the upper edges of a class, in Hz; 0 where no box was drawn."""
    edges: dict[int, list[float]] = {}
    for recording in recordings:
        for label in recording.labels:
            if label.meaning >= 0 and label.high_hz is not None:
                edges.setdefault(label.meaning, []).append(label.high_hz)
    return max((median(own) for own in edges.values()), default=0.0)
