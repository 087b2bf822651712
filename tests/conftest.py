"""What every test may use: sound, the reference bundle, folders."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).parents[1]
RECORDINGS = Path(os.environ.get("TEST_RECORDINGS") or REPOSITORY.parent / "shared" / "recordings")
"""Folder of the real recordings; CONTRIBUTING.md says which."""

_NO_RECORDING = "needs a real recording"

# No deadline, because machines differ. Tests try the same examples on every machine; the profile "explore" tries
# new ones in every run: pytest tests/unit -m hypothesis --hypothesis-profile explore
settings.register_profile("anemonefish", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile(
    "explore", settings.get_profile("anemonefish"), derandomize=False, database=None, print_blob=True
)
settings.load_profile("anemonefish")


def _explores(config: pytest.Config) -> bool:
    return config.getoption("--hypothesis-profile") == "explore"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of new examples, before Hypothesis reads the option and pytest-xdist hands it to its workers."""
    if _explores(config) and config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Print the seed of new examples, to repeat them."""
    if not _explores(config):
        return None
    seed = config.getoption("--hypothesis-seed")
    return f"new examples; to repeat them: --hypothesis-profile explore --hypothesis-seed {seed}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line which tests were left out because there are no real recordings, and where these come from."""
    names = sorted(
        report.nodeid.rpartition("::")[2]
        for report in terminalreporter.stats.get("skipped", [])
        if _NO_RECORDING in str(report.longrepr)
    )
    if names:
        terminalreporter.write_line(
            f"left out, because {RECORDINGS} lacks their real recordings: {', '.join(names)}. The recordings are in "
            f"github.com/xaviermouy/FishSound_Finder (BSD-3-Clause) and github.com/Project-OSmOSE/OSEkit (MIT); "
            f"TEST_RECORDINGS names their folder (CONTRIBUTING.md)."
        )


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings and credentials of the environment: a test must not see them."""
    for name in [name for name in os.environ if name.startswith(("ANEMONEFISH_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def models_uri() -> str:
    """The folder of the bundles that ship."""
    return str(REPOSITORY / "models")


@pytest.fixture(scope="session")
def real_recording() -> Callable[[str], Path]:
    """Return a function that finds a file or folder of the real recordings, or skips the test without it."""

    def find(name: str) -> Path:
        path = RECORDINGS / name
        if not path.exists():
            pytest.skip(f"{_NO_RECORDING}: {name}")
        return path

    return find


@pytest.fixture(scope="session")
def reef_recording(real_recording: Callable[[str], Path]) -> Path:
    """A real hydrophone recording: 32 kHz, 24 bit, mono, 39.6 s."""
    return real_recording("reef/AMAR173.4.20190920T004248Z.wav")


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
