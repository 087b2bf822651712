"""What every preprocessing profile has.

:class:`Profile` has the constants that all profiles share, with their limits; the window grid at a sample rate; and
the checks of samples. A profile that exists is valid; only its sample rate may still be refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from anemonefish.errors import InvalidSamples, InvalidSettings, UnsupportedRecording
from anemonefish.field_checks import check_fields, refuse
from anemonefish.profiles.band_levels import BandMeter, Frames, measured_band
from anemonefish.windows import WindowGrid, samples_from_seconds

__all__ = ["CutoffHertz", "Profile", "WindowSeconds", "invalid_samples"]

WindowSeconds = Annotated[float, Interval(gt=0, le=60)]
CutoffHertz = Annotated[float, Interval(gt=0, le=1e6)]


@dataclass(frozen=True, kw_only=True)
class Profile(ABC):
    """How samples become the spectrograms of one kind of model.

    Parameters
    ----------
    window_seconds, hop_seconds : float
        Length of a window and distance between the starts of two, in seconds, turned into samples by
        :func:`~anemonefish.windows.samples_from_seconds`.
    n_fft, hop_length : int
        Length of an STFT frame and distance between two, in samples; n_fft even, from 16 to 65536,
        hop_length from 1 to n_fft.

    Attributes
    ----------
    kind : str
        The profile's name in bundles and on the command line.
    sample_dtype : type
        The dtype in which the training code read audio. Read audio in it for the same bits.
    any_sample_rate : bool
        Whether spectrograms have the same shape at every sample rate.

    Raises
    ------
    InvalidSettings
        A constant has the wrong type or is out of range.
    """

    kind: ClassVar[str]
    sample_dtype: ClassVar[type[np.float32 | np.float64]]
    any_sample_rate: ClassVar[bool]

    window_seconds: WindowSeconds
    hop_seconds: WindowSeconds
    n_fft: Annotated[int, Interval(ge=16, le=65_536)] = 1024
    hop_length: Annotated[int, Interval(ge=1, le=65_536)] = 256

    def __post_init__(self) -> None:
        check_fields(self)
        if self.n_fft % 2:
            refuse("n_fft", "even, so that frames have a centre", self.n_fft)
        if self.hop_length > self.n_fft:
            refuse("hop_length", f"a whole number from 1 to {self.n_fft}", self.hop_length)

    @property
    def n_bins(self) -> int:
        """Frequency bins of the STFT, from 0 Hz to half the sample rate, both included."""
        return self.n_fft // 2 + 1

    def grid(self, n_samples: int, sample_rate: int) -> WindowGrid:
        """Return where the windows of a recording lie.

        Raises
        ------
        UnsupportedRecording
            The window or the hop is shorter than one sample.
        """
        window = samples_from_seconds(self.window_seconds, sample_rate)
        hop = samples_from_seconds(self.hop_seconds, sample_rate)
        if window < 1 or hop < 1:
            raise UnsupportedRecording(
                f"at {sample_rate} Hz a window of {self.window_seconds} s or a hop of {self.hop_seconds} s is shorter "
                f"than one sample; choose longer ones"
            )
        return WindowGrid(n_samples, window, hop)

    def lowest_bin(self, sample_rate: int) -> int:  # noqa: ARG002  # for profiles with a lower limit
        """Return the first bin that counts at a sample rate; above 0, an offset of the recorder changes nothing."""
        return 0

    def top_hz(self, sample_rate: int) -> float | None:  # noqa: ARG002  # for profiles with an upper limit
        """Return the highest frequency that a spectrogram depends on, or None if that is the Nyquist frequency."""
        return None

    @abstractmethod
    def input_shape(self, sample_rate: int) -> tuple[int, ...]:
        """Return the shape of one spectrogram at a sample rate.

        Raises
        ------
        UnsupportedRecording
            There is no spectrogram at this sample rate.
        """

    @abstractmethod
    def band(self, sample_rate: int) -> tuple[float, float]:
        """Return the lowest and the highest frequency that a spectrogram shows, in Hz."""

    def level_band(self, sample_rate: int) -> tuple[float, float]:
        """Return the lowest and the highest frequency in which band levels are measured, in Hz."""
        return measured_band(self.band(sample_rate))

    @abstractmethod
    def frames(self, window: int) -> Frames:
        """Return where the STFT frames of a window of so many samples lie."""

    def band_meter(self, grid: WindowGrid, n_windows: int, sample_rate: int) -> BandMeter:
        """Return a meter for the band levels of a range of windows, to be given to :meth:`spectrograms`."""
        return BandMeter(grid, n_windows, sample_rate, self.level_band(sample_rate), self.frames(grid.window))

    def spectrograms(
        self, windows: NDArray[np.floating], sample_rate: int, meter: BandMeter | None = None
    ) -> NDArray[np.float32]:
        """Return the spectrograms of windows.

        The memory used besides the result does not grow with the number of windows: it is a few MB.

        Parameters
        ----------
        windows : ndarray, shape (n, window), float32 or float64
            Samples of each window, full scale 1; any strides, so overlapping windows need no copy.
        sample_rate : int
            Samples per second; with ``window_seconds`` it determines the length of a window.
        meter : BandMeter, optional
            Measures the windows on the way.

        Returns
        -------
        ndarray, shape (n, *input_shape(sample_rate)), float32

        Raises
        ------
        InvalidSettings
            The windows are not float32 or float64, or not of this profile's length.
        InvalidSamples
            A sample is NaN, infinite, or so large that its power is.
        UnsupportedRecording
            There is no spectrogram at this sample rate.
        """
        length = self.grid(0, sample_rate).window
        if windows.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise InvalidSettings(f"samples must be float32 or float64 with full scale 1, not {windows.dtype}")
        if windows.ndim != 2 or windows.shape[1] != length:
            raise InvalidSettings(
                f"windows must have the shape (n, {length}) at {sample_rate} Hz for profile {self.kind}, "
                f"not {windows.shape}"
            )
        spectrograms = np.empty((len(windows), *self.input_shape(sample_rate)), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            self._compute(spectrograms, windows, sample_rate, meter)
        return spectrograms

    @abstractmethod
    def _compute(
        self, out: NDArray[np.float32], windows: NDArray[np.floating], sample_rate: int, meter: BandMeter | None
    ) -> None:
        """Write the spectrograms of the windows to ``out``, and let the meter measure them."""

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and every constant, JSON-ready."""
        return {"kind": self.kind, **asdict(self)}


def invalid_samples(window: int, windows: int) -> InvalidSamples:
    """Return the error of a window whose samples have no power.

    Parameters
    ----------
    window : int
        Its index.
    windows : int
        How many windows there are.
    """
    return InvalidSamples(
        f"window {window} of {windows} holds samples that are NaN, infinite or far beyond full scale; repair the "
        f"recording or leave it out"
    )
