"""Profile ``stft-db``: the STFT in decibels, cropped and scaled to [0, 1], time first.

It is the input of the lab's model v2. All steps are computed in float64, because the training code read audio as
float64 (soundfile's default); the last step rounds to float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from anemonefish.errors import UnsupportedRecording
from anemonefish.field_checks import refuse
from anemonefish.profiles import stft
from anemonefish.profiles.band_levels import measured_band
from anemonefish.profiles.centred import CentredProfile
from anemonefish.profiles.profile import CutoffHertz, WindowSeconds

__all__ = ["StftDb"]


@dataclass(frozen=True, kw_only=True)
class StftDb(CentredProfile):
    """Decibels of the lowest bins, scaled to [0, 1] within each window, shape (time, frequency, 1).

    The defaults are the lab's: 0.4 s every 0.2 s. The shape follows the sample rate (76 frames at 48 kHz, 69 at
    44.1 kHz, 13 at 8 kHz), so a model of this profile fits one sample rate only.

    Parameters
    ----------
    fmin_hz : float
        Bins below this are removed, and so is the mean of each window: neither the offset of a recorder nor the noise
        of flow and waves is then the loudest cell, to which decibels are relative. 0, as the lab trained, removes
        nothing.
    fmax_hz, crop_rate_hz : float
        The first ``int(fmax_hz / (crop_rate_hz / 2) * n_bins)`` bins are kept, 256 of 513 with the defaults.
        ``crop_rate_hz`` is a constant of the training code and **not** the sample rate: the audio was never
        resampled to 8 kHz. At 48 kHz the crop is therefore 0 to 12 kHz, although ``fmax_hz`` says 2000 Hz. A network
        that was trained with this crop must be served with it.

    Notes
    -----
    Decibels are relative to the loudest cell over all bins from ``fmin_hz`` on, kept or not. A window whose kept cells
    are all equal becomes zeros. See :class:`~anemonefish.profiles.centred.CentredProfile` for the other constants.
    """

    kind: ClassVar[str] = "stft-db"
    sample_dtype: ClassVar[type[np.float32 | np.float64]] = np.float64
    any_sample_rate: ClassVar[bool] = False

    window_seconds: WindowSeconds = 0.4
    hop_seconds: WindowSeconds = 0.2
    fmin_hz: Annotated[float, Interval(ge=0, le=1e6)] = 0.0
    fmax_hz: CutoffHertz = 2000.0
    crop_rate_hz: CutoffHertz = 8000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept_bins < 1:
            refuse("fmax_hz", f"high enough to keep a bin of {self.crop_rate_hz / self.n_fft} Hz", self.fmax_hz)

    @property
    def kept_bins(self) -> int:
        """Number of bins that the crop keeps."""
        return min(self.n_bins, int(self.fmax_hz / (self.crop_rate_hz / 2) * self.n_bins))

    def lowest_bin(self, sample_rate: int) -> int:
        """Return the first bin at or above ``fmin_hz``."""
        return math.ceil(self.fmin_hz * self.n_fft / sample_rate)

    def input_shape(self, sample_rate: int) -> tuple[int, ...]:
        """Return (frames, bins, 1) at a sample rate.

        Raises
        ------
        UnsupportedRecording
            No bin lies between ``fmin_hz`` and the crop.
        """
        window = self.grid(0, sample_rate).window
        bins = self.kept_bins - self.lowest_bin(sample_rate)
        if bins < 1:
            raise UnsupportedRecording(
                f"at {sample_rate} Hz no bin lies between fmin_hz {self.fmin_hz:g} and the last bin that is kept, "
                f"{self.kept_bins - 1}; choose a lower fmin_hz"
            )
        return stft.n_frames(window, self.hop_length), bins, 1

    def band(self, sample_rate: int) -> tuple[float, float]:
        """Return the lowest and the highest frequency that a spectrogram shows, in Hz."""
        hertz = sample_rate / self.n_fft
        return self.lowest_bin(sample_rate) * hertz, min(self.kept_bins * hertz, sample_rate / 2)

    def level_band(self, sample_rate: int) -> tuple[float, float]:
        """Return the lowest and the highest frequency in which band levels are measured, in Hz.

        It ends at ``fmax_hz``, where the training meant to end, and not where its crop really ends.
        """
        low, high = self.band(sample_rate)
        return measured_band((low, min(high, self.fmax_hz)) if self.fmax_hz > low else (low, high))

    def _fill(
        self,
        out: NDArray[np.float32],
        magnitudes: NDArray[np.floating],
        loudest: np.floating,
        sample_rate: int,
    ) -> None:
        kept = magnitudes[:, self.lowest_bin(sample_rate) : self.kept_bins]
        values, highest, floor = stft.decibels_and_floor(kept, loudest, amin=self.amin, top_db=self.top_db)
        lowest, highest = values.min(), max(highest, floor)
        if lowest < floor:
            lowest = floor
            values.clip(floor, np.inf, out=values)
        if lowest == highest:
            out[:] = 0
            return
        values -= lowest
        values /= highest - lowest
        out[..., 0] = values
