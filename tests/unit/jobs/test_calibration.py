"""Calibrations are fitted to measured calls and stored beside the model; damaged ones are reported."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish import errors
from anemonefish.jobs.calibration import Calibration, Observation, fit, read_calibration, write_calibration
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.stores.folder import LocalStore
from tests.reference_models import LAB_MODEL

MEASURED = Calibration(
    model=LAB_MODEL,
    hash="",
    engine="litert",
    architecture="arm64",
    memory_mb=1769,
    seconds_per_window=0.01,
    seconds_per_range=2.0,
    calls=10,
    windows=5_000,
    where="anemonefish-dev",
    measured_at="2026-11-23T10:00:00.000Z",
)


@pytest.fixture
def models(models_uri: str, tmp_path: Path) -> ModelRepository:
    shutil.copytree(models_uri, tmp_path / "models")
    return ModelRepository(LocalStore(tmp_path / "models"))


@pytest.fixture
def pinned(models: ModelRepository) -> PinnedModel:
    return models.pin(LAB_MODEL)


@given(st.floats(1e-6, 10), st.floats(0.01, 100), st.integers(1, 500), st.integers(501, 10_000))
def test_fit_separates_the_time_of_a_window_from_the_overhead_of_a_call(
    window: float, call: float, short: int, long: int
) -> None:
    found = fit([Observation(n, call + n * window) for n in (short, long)])
    assert found == pytest.approx((window, call), rel=1e-4)


def test_fit_refuses_calls_of_one_length_and_calls_that_took_no_longer() -> None:
    with pytest.raises(ValueError, match="one length"):
        fit([Observation(10, 1.0), Observation(10, 2.0)])
    with pytest.raises(ValueError, match="took no longer"):
        fit([Observation(10, 2.0), Observation(20, 1.0)])


@pytest.mark.parametrize(
    "damage",
    [b"not JSON", b"[]", b"{}", {"seconds_per_window": 0}, {"architecture": "sparc"}, {"memory_mb": -1}, {"hash": "x"}],
)
def test_error_of_a_damaged_calibration_names_the_file_and_the_command(
    models: ModelRepository, pinned: PinnedModel, damage: bytes | dict[str, Any]
) -> None:
    where = write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    key = where.removeprefix(f"{models.store.uri}/")
    assert key == "reef/calibrations/1.1.0-litert-arm64.json"
    content = damage if isinstance(damage, bytes) else json.dumps({**asdict(MEASURED), "hash": pinned.hash} | damage)
    models.store.write(key, content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.InvalidBundle, match=r"1\.1\.0-litert-arm64\.json is .*anemonefish calibrate again"):
        read_calibration(models, pinned, "arm64")
