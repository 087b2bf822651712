"""What every test may use: sound, the reference bundle, folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).parents[1]
RECORDINGS = REPOSITORY.parent / "shared" / "recordings"

# One profile: no deadline (machines differ), and the same examples on every machine.
settings.register_profile("anemonefish", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("anemonefish")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and credentials of whoever runs the tests must not reach them."""
    for name in [name for name in os.environ if name.startswith(("ANEMONEFISH_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def models_uri() -> str:
    """The folder of the bundles that ship."""
    return str(REPOSITORY / "models")


@pytest.fixture(scope="session")
def reef_recording() -> Path:
    """A real hydrophone recording: 32 kHz, 24 bit, mono, 39.6 s."""
    path = RECORDINGS / "reef" / "AMAR173.4.20190920T004248Z.wav"
    if not path.exists():
        pytest.skip("the real recordings are not beside this checkout")
    return path


@pytest.fixture
def make_recording(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes noise to a file and returns its path."""

    def make(
        name: str = "noise.wav", frames: int = 48_000, rate: int = 48_000, channels: int = 1, **options: str
    ) -> Path:
        rng = np.random.default_rng(frames + channels)
        shape = (frames, channels) if channels > 1 else frames
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, shape), rate, **options)
        return path

    return make
