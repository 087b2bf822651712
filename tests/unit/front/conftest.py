"""A simulated reef and its results, made once for the tests of the Python interface."""

from __future__ import annotations

from pathlib import Path

import pytest

import anemonefish as af
from anemonefish.front.simulated_recordings import SimulatedRecording
from tests.reference_models import n_windows, spec_of


@pytest.fixture(scope="session")
def reef(tmp_path_factory: pytest.TempPathFactory) -> SimulatedRecording:
    return af.simulate(tmp_path_factory.mktemp("reef") / "reef.wav", seconds=20, seed=6)


@pytest.fixture(scope="session")
def results(reef: SimulatedRecording) -> af.Detections:
    return af.detect(reef.path, processes=1)


@pytest.fixture(scope="session")
def windows_of_reef(reef: SimulatedRecording) -> int:
    """How many windows the default model has in the simulated reef."""
    return n_windows(reef.duration, spec_of())


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """A folder with two recordings that can be analysed, one that cannot, and a file that is none."""
    folder = tmp_path / "deployment"
    (folder / "day 2").mkdir(parents=True)
    af.simulate(folder / "20230210_000001.wav", seconds=6, seed=6)
    af.simulate(folder / "day 2" / "b.wav", seconds=4, seed=1, sample_rate=32_000)
    (folder / "broken.wav").write_bytes(b"RIFF")
    (folder / "notes.xyz").write_text("calm")
    return folder
