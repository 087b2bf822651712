"""Hooks for schemathesis that generate recordings (SCHEMATHESIS_HOOKS names this file)."""

from __future__ import annotations

import io

import numpy as np
import schemathesis
import soundfile
from hypothesis import strategies as st


def _wav(frames: int, rate: int, channels: int, seed: int) -> bytes:
    sound = np.random.default_rng(seed).uniform(-1, 1, (frames, channels))
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


schemathesis.openapi.media_type(
    "audio/wav",
    st.builds(
        _wav,
        frames=st.integers(1, 30_000),
        rate=st.sampled_from([8_000, 44_100, 48_000, 96_000]),
        channels=st.integers(1, 2),
        seed=st.integers(0, 9),
    ),
)
