"""Calibrations of scores: stored beside the model under its hash, and read for their site and their scores only."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anemonefish import errors
from anemonefish.jobs.request import RecordingRequest
from anemonefish.jobs.score_calibration import (
    ScoreCalibration,
    ScoreScale,
    calibrated_sites,
    read_score_calibration,
    write_score_calibration,
)
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import Settings
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job
from tests.reference_models import LAB_MODEL
from tests.score_calibrations import calibration_of


@pytest.fixture
def models(models_uri: str, tmp_path: Path) -> ModelRepository:
    shutil.copytree(Path(models_uri, "reef"), tmp_path / "models/reef", ignore=shutil.ignore_patterns("calibrations"))
    return ModelRepository(LocalStore(tmp_path / "models"))


@pytest.fixture
def pinned(models: ModelRepository) -> PinnedModel:
    return models.pin(LAB_MODEL)


def test_calibration_is_read_as_it_was_written(models: ModelRepository, pinned: PinnedModel) -> None:
    made = calibration_of(models, pinned)
    where = write_score_calibration(models, pinned, made)
    assert where.endswith(f"reef/calibrations/scores/{pinned.hash[:16]}/any.json")
    assert read_score_calibration(models, pinned, None) == made


def test_calibration_of_a_site_is_for_that_site_only(models: ModelRepository, pinned: PinnedModel) -> None:
    write_score_calibration(models, pinned, calibration_of(models, pinned, site="north"))
    assert read_score_calibration(models, pinned, None) is None
    assert calibrated_sites(models, pinned) == ("north",)
    with pytest.raises(errors.InvalidSettings, match="no calibration for the site 'south'; leave site out") as raised:
        read_score_calibration(models, pinned, "south")
    assert "north" not in str(raised.value), "sites of other tenants are not told"


def test_another_version_never_uses_it(models: ModelRepository, pinned: PinnedModel) -> None:
    write_score_calibration(models, pinned, calibration_of(models, pinned))
    assert read_score_calibration(models, models.pin("reef@1.0.0"), None) is None
    assert read_score_calibration(models, replace(pinned, hash="0" * 64), None) is None


def test_earlier_calibrations_are_kept(models: ModelRepository, pinned: PinnedModel) -> None:
    first, second = (calibration_of(models, pinned, slope=slope) for slope in (1.0, 2.0))
    for made in (first, second):
        write_score_calibration(models, pinned, made)
    assert read_score_calibration(models, pinned, None) == second
    kept = f"reef/calibrations/scores/{pinned.hash[:16]}/any/{first.id}.json"
    assert ScoreCalibration.from_dict(json.loads(models.store.read(kept)), kept) == first


@pytest.mark.parametrize("damage", [b"not JSON", b"[]", b"{}", {"site": "x"}, {"yes": 1_000}, {"curve": {"slope": 1}}])
def test_damaged_or_edited_calibration_is_refused(
    models: ModelRepository, pinned: PinnedModel, damage: bytes | dict[str, Any]
) -> None:
    made = calibration_of(models, pinned)
    key = write_score_calibration(models, pinned, made).removeprefix(f"{models.store.uri}/")
    content = damage if isinstance(damage, bytes) else json.dumps({**made.to_dict(), **damage}).encode()
    models.store.write(key, content)
    with pytest.raises(errors.InvalidBundle, match=r"any\.json is .*calibrate-scores again"):
        read_score_calibration(models, pinned, None)


@pytest.mark.parametrize("site", ["any", "", "../x", "a/b", "a" * 65])
def test_name_that_cannot_be_a_site_is_refused(models: ModelRepository, pinned: PinnedModel, site: str) -> None:
    with pytest.raises(errors.InvalidSettings, match="site must be"):
        read_score_calibration(models, pinned, site)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, None),
        ({"threshold": 0.9, "min_gap_seconds": 1.0}, None),
        ({"median_windows": 3}, "median_windows 3 instead of 5"),
        ({"target_class": "biological"}, "target_class biological instead of anemonefish"),
        ({"hop_seconds": 0.1}, "hop_seconds 0.1 instead of 0.2"),
    ],
)
def test_calibration_is_used_for_the_same_scale_of_scores(
    models: ModelRepository, pinned: PinnedModel, settings: dict[str, Any], words: str | None
) -> None:
    scale = ScoreScale.of(models.spec(pinned), pinned, Settings(**settings))
    note = calibration_of(models, pinned).unused_note(scale)
    assert (None if note is None else words in note.message) is (None if words is None else True)


def test_plan_holds_the_calibration_of_its_time(models: ModelRepository, pinned: PinnedModel, tone: Path) -> None:
    made = calibration_of(models, pinned)
    write_score_calibration(models, pinned, made)
    request = [RecordingRequest(str(tone), tone.name, str(tone))]
    plan = plan_job(request, LAB_MODEL, Settings(), models, for_account=False)
    assert type(plan).from_json(plan.to_json()).calibration == made
    write_score_calibration(models, pinned, calibration_of(models, pinned, slope=3.0))
    assert type(plan).from_json(plan.to_json()).calibration == made


def test_plan_without_a_calibration_has_no_word_of_it(models: ModelRepository, tone: Path) -> None:
    request = [RecordingRequest(str(tone), tone.name, str(tone))]
    assert b"calibration" not in plan_job(request, LAB_MODEL, Settings(), models, for_account=False).to_json()


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    import numpy as np
    import soundfile

    path = tmp_path / "tone.wav"
    soundfile.write(path, np.zeros(48_000 * 2, np.int16), 48_000)
    return path
