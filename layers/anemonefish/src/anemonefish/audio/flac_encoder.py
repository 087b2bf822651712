"""Encode samples as a FLAC file of 24 bits, for the pieces of transcoded recordings and for clips of events."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

__all__ = ["encode_flac"]


def encode_flac(frames: NDArray[np.int32], sample_rate: int) -> bytes:
    """Return a FLAC file of 24 bits.

    Parameters
    ----------
    frames : ndarray, shape (n, channels), int32
        Samples in the upper 24 bits; the lowest eight bits are dropped.
    sample_rate : int
        In Hz.
    """
    file = io.BytesIO()
    soundfile.write(file, frames, sample_rate, format="FLAC", subtype="PCM_24", compression_level=0.25)
    return file.getvalue()
