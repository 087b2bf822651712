"""Profile ``band-db``: decibels above each bin's own background, in the band of the calls, from frames that are shared.

Frames begin at multiples of ``hop_length`` from the start of the recording and are not padded. So overlapping windows
have the same frames, and each frame is computed once for all of them. Everything is computed from the samples of the
window alone: frames in float64, their logarithms and all that follows in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray

from anemonefish.errors import UnsupportedRecording
from anemonefish.field_checks import refuse
from anemonefish.profiles import stft
from anemonefish.profiles.band_levels import BandMeter, Frames
from anemonefish.profiles.profile import CutoffHertz, Profile, WindowSeconds, invalid_samples

__all__ = ["QUARTERS", "BandDb", "quarters"]

QUARTERS = 4
"""Parts of a window of which the background is averaged. A sound or a gap in one of them does not change it."""

_OFFSET_BINS = 2
"""Half the width of what a Hann window makes of one frequency, in bins. An offset reaches bins 0 and 1."""

_BLOCK_WINDOWS = 64
"""Windows whose frames are in memory at once: 1 MB with the default constants at 8 kHz."""

_DB_PER_NEPER = 10 / math.log(10)
"""Decibels of a natural logarithm of a power; numpy's ``log`` is three times as fast as its ``log10``."""


@dataclass(frozen=True, kw_only=True)
class BandDb(Profile):
    """Decibels above the background of each bin, scaled to [0, 1], shape (time, frequency, 1), low frequencies first.

    The defaults are for 8 kHz and calls of 300 to 1,000 Hz: 0.4 s every 0.1 s, frames of 32 ms every 10 ms, bins of
    31 Hz, 37 x 45 values. The shape depends on the sample rate, so a model of this profile fits one sample rate only;
    recordings at other rates are resampled to it.

    Parameters
    ----------
    fmin_hz, fmax_hz : float
        Bins below and above are left out. Bins 0 and 1 always are, so the offset of a recorder changes nothing.
    low_db, high_db : float
        Level above the background that becomes 0 (a negative number), and the one that becomes 1. The background
        itself is ``-low_db / (high_db - low_db)``, a third with the defaults.
    amin : float
        Smallest amplitude of a cell, so that silence has a logarithm: far below the rounding of 16-bit samples.

    Notes
    -----
    The background of a bin is the mean of the two middle ones of four values: its mean level in dB in each quarter of
    the window. It is subtracted, so neither the gain of a recorder nor the colour of steady noise changes a
    spectrogram, nor does a hum. A call of a quarter of the window hardly changes it.

    A hop that is a multiple of ``hop_length`` lets windows share their frames. Others give correct spectrograms too,
    but every window is computed by itself, which takes several times as long.

    See :class:`~anemonefish.profiles.profile.Profile` for the other constants.

    Examples
    --------
    >>> import numpy as np
    >>> from anemonefish.profiles import BandDb, spectrograms
    >>> noise = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    >>> made = spectrograms(BandDb(), 0.01 * noise, 8000)
    >>> made.shape
    (7, 37, 45, 1)
    >>> float(abs(made - spectrograms(BandDb(), 0.1 * noise + 0.02, 8000)).max()) < 1e-4
    True
    """

    kind: ClassVar[str] = "band-db"
    sample_dtype: ClassVar[type[np.float32 | np.float64]] = np.float32
    any_sample_rate: ClassVar[bool] = False

    window_seconds: WindowSeconds = 0.4
    hop_seconds: WindowSeconds = 0.1
    n_fft: Annotated[int, Interval(ge=16, le=65_536)] = 256
    hop_length: Annotated[int, Interval(ge=1, le=65_536)] = 80
    fmin_hz: Annotated[float, Interval(ge=0, le=1e6)] = 100.0
    fmax_hz: CutoffHertz = 1500.0
    low_db: Annotated[float, Interval(ge=-1000, lt=0)] = -20.0
    high_db: Annotated[float, Interval(gt=0, le=1000)] = 40.0
    amin: Annotated[float, Interval(ge=1e-12, le=1)] = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fmin_hz >= self.fmax_hz:
            refuse("fmin_hz", f"below fmax_hz, {self.fmax_hz:g}", self.fmin_hz)

    def lowest_bin(self, sample_rate: int) -> int:
        """Return the first bin at or above ``fmin_hz`` that an offset does not reach."""
        return max(_OFFSET_BINS, math.ceil(self.fmin_hz * self.n_fft / sample_rate))

    def top_hz(self, sample_rate: int) -> float:
        """Return the highest frequency that a spectrogram depends on: the highest bin, and the width of its window."""
        return self.band(sample_rate)[1] + _OFFSET_BINS * sample_rate / self.n_fft

    def input_shape(self, sample_rate: int) -> tuple[int, ...]:
        """Return (frames, bins, 1) at a sample rate.

        Raises
        ------
        UnsupportedRecording
            No bin lies between ``fmin_hz`` and ``fmax_hz``, or a window has fewer than four frames.
        """
        window = self.grid(0, sample_rate).window
        frames = 1 + (window - self.n_fft) // self.hop_length
        if frames < QUARTERS:
            raise UnsupportedRecording(
                f"at {sample_rate} Hz a window of {self.window_seconds} s has {window} samples and a spectrogram needs "
                f"{self.n_fft + (QUARTERS - 1) * self.hop_length}; choose a longer window, a smaller n_fft or a "
                f"smaller hop_length"
            )
        lowest, end = self._bins(sample_rate)
        if lowest >= end:
            raise UnsupportedRecording(
                f"at {sample_rate} Hz no bin lies between fmin_hz {self.fmin_hz:g} and fmax_hz {self.fmax_hz:g}; "
                f"choose a larger n_fft or other limits"
            )
        return frames, end - lowest, 1

    def band(self, sample_rate: int) -> tuple[float, float]:
        """Return the lowest and the highest frequency that a spectrogram shows, in Hz."""
        lowest, end = self._bins(sample_rate)
        return lowest * sample_rate / self.n_fft, (end - 1) * sample_rate / self.n_fft

    def _bins(self, sample_rate: int) -> tuple[int, int]:
        """Return the first bin that is kept, and the one after the last."""
        end = min(self.n_bins, int(self.fmax_hz * self.n_fft / sample_rate) + 1)
        return self.lowest_bin(sample_rate), end

    def frames(self, window: int) -> Frames:
        """Return where the STFT frames of a window of so many samples lie."""
        return Frames(self.n_fft, self.hop_length, self.n_fft // 2, 1 + (window - self.n_fft) // self.hop_length)

    def _compute(
        self, out: NDArray[np.float32], windows: NDArray[np.floating], sample_rate: int, meter: BandMeter | None
    ) -> None:
        bins = slice(*self._bins(sample_rate))
        for first in range(0, len(windows), _BLOCK_WINDOWS):
            block = slice(first, first + _BLOCK_WINDOWS)
            levels = self._levels(windows[block], bins, out.shape[1])
            bad = np.flatnonzero(~np.isfinite(levels.max(axis=(1, 2))))
            if len(bad):
                raise invalid_samples(first + int(bad[0]), len(windows))
            if meter is not None:
                meter.add_log_powers(levels, bins.start)
            self._scale(levels, out[block, :, :, 0])

    def _levels(self, windows: NDArray[np.floating], bins: slice, frames: int) -> NDArray[np.float32]:
        """Return the natural logarithm of the power of each cell, shape (n, frames, bins); windows may share memory."""
        step = _shared_step(windows, self.hop_length, frames)
        if step is None:
            return np.stack([self._log_powers(window, bins)[:frames] for window in windows])
        n = (len(windows) - 1) * step * self.hop_length + windows.shape[1]
        samples = as_strided(windows, (n,), windows.strides[1:], writeable=False)
        rows = self._log_powers(samples, bins)
        shape = len(windows), frames, bins.stop - bins.start
        return as_strided(rows, shape, (step * rows.strides[0], *rows.strides), writeable=False)

    def _log_powers(self, samples: NDArray[np.floating], bins: slice) -> NDArray[np.float32]:
        """Return the natural logarithm of the power of each cell, shape (frames, bins), of continuous samples."""
        frames = sliding_window_view(samples, self.n_fft)[:: self.hop_length]
        powers = np.empty((len(frames), bins.stop - bins.start), np.float32)
        for chunk, spectra in stft.FrameSpectra.of_this_thread(self.n_fft).of(frames):
            kept = spectra[:, bins]
            powers[chunk] = np.square(kept.real) + np.square(kept.imag)
        np.maximum(powers, np.float32(self.amin**2), out=powers)
        return np.log(powers, out=powers)

    def _scale(self, levels: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the levels above the background, scaled to [0, 1]."""
        background = np.float32(-self.low_db * math.log(10) / 10) - _middle(levels)
        np.add(levels, background[:, np.newaxis], out=out)
        out *= np.float32(_DB_PER_NEPER / (self.high_db - self.low_db))
        np.clip(out, 0, 1, out=out)


def quarters(frames: int) -> Iterator[slice]:
    """Yield the quarters of a window's frames; their lengths differ by one at most.

    Examples
    --------
    >>> list(quarters(9))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None), slice(6, 9, None)]
    """
    edges = [frames * part // QUARTERS for part in range(QUARTERS + 1)]
    return (slice(start, stop) for start, stop in pairwise(edges))


def _middle(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the two middle ones of the means of the quarters, shape (n, bins)."""
    parts = quarters(levels.shape[1])
    means = [np.add.reduce(levels[:, part], axis=1) / np.float32(part.stop - part.start) for part in parts]
    total, least, most = means[0], means[0], means[0]
    for mean in means[1:]:
        total, least, most = total + mean, np.minimum(least, mean), np.maximum(most, mean)
    middle: NDArray[np.float32] = (total - least - most) / np.float32(QUARTERS - 2)
    return middle


def _shared_step(windows: NDArray[np.floating], hop_length: int, frames: int) -> int | None:
    """Return after how many frames each window begins in memory that windows share; None if they share none.

    Windows share memory if they are a view of continuous samples. They have frames in common if each begins a whole
    number of frames after the one before.
    """
    step, rest = divmod(windows.strides[0], windows.itemsize * hop_length)
    shares = windows.strides[1] == windows.itemsize and rest == 0 and 0 < step < frames
    return step if shares else None
