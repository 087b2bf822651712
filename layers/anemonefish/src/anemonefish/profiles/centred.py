"""What the profiles of the lab's training share: each window is transformed by itself, by centred frames.

:class:`CentredProfile` has their constants and the loop over windows.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from anemonefish.profiles import stft
from anemonefish.profiles.band_levels import BandMeter, Frames
from anemonefish.profiles.profile import Profile, invalid_samples

__all__ = ["CentredProfile"]


@dataclass(frozen=True, kw_only=True)
class CentredProfile(Profile):
    """A profile with the frames of ``librosa.stft`` and the decibels of ``librosa.amplitude_to_db``.

    Frames are centred on multiples of ``hop_length``, and each window is padded with zeros. Windows that overlap
    therefore have no frame in common, and each thread keeps the memory of one window's transform.

    Parameters
    ----------
    top_db : float
        Range below the loudest cell of the window, in dB; quieter cells are raised to its lower end.
    amin : float
        Smallest amplitude, so that silence has a logarithm; librosa's default.

    Notes
    -----
    See :class:`~anemonefish.profiles.profile.Profile` for the other constants.
    """

    top_db: Annotated[float, Interval(ge=0, le=1000)] = 80.0
    amin: Annotated[float, Interval(gt=0, le=1)] = 1e-5

    def frames(self, window: int) -> Frames:
        """Return where the STFT frames of a window of so many samples lie."""
        return Frames(self.n_fft, self.hop_length, 0, stft.n_frames(window, self.hop_length))

    def _compute(
        self, out: NDArray[np.float32], windows: NDArray[np.floating], sample_rate: int, meter: BandMeter | None
    ) -> None:
        dtype = np.result_type(windows.dtype, self.sample_dtype)
        transform = stft.Stft.of_this_thread(windows.shape[1], self.n_fft, self.hop_length, dtype)
        lowest = self.lowest_bin(sample_rate)
        most = np.sqrt(np.finfo(dtype).max)
        for index, window in enumerate(windows):
            magnitudes = transform.magnitudes(window - window.mean(dtype=dtype) if lowest else window)
            magnitudes[:, :lowest] = 0
            loudest = magnitudes.max()
            if not loudest < most:  # NaN is not below anything
                raise invalid_samples(index, len(windows))
            if meter is not None:
                meter.add(magnitudes)
            self._fill(out[index], magnitudes, loudest, sample_rate)

    @abstractmethod
    def _fill(
        self,
        out: NDArray[np.float32],
        magnitudes: NDArray[np.floating],
        loudest: np.floating,
        sample_rate: int,
    ) -> None:
        """Turn the STFT magnitudes of one window, shape (n_frames, n_bins), into its spectrogram ``out``."""
