"""What a result says of its recording besides events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.notes import Note
from anemonefish.results.decide import decide
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job
from tests.reference_models import LAB_MODEL


@dataclass(frozen=True)
class Offset:
    """What is observed in samples that are not centred on zero."""

    def notes(self, *_: Any) -> tuple[Note, ...]:
        return Note("dc-offset", "not centred", {}), Note("clipping", "at full scale", {})


@pytest.mark.parametrize(("fmin_hz", "codes"), [(0.0, ["dc-offset", "clipping"]), (100.0, ["clipping"])])
def test_an_offset_is_noted_unless_the_profile_removes_it(
    fmin_hz: float, codes: list[str], models_uri: str, tmp_path: Path
) -> None:
    models = ModelRepository(open_store(models_uri))
    path = tmp_path / "a_20230210T000000Z.wav"
    soundfile.write(path, np.zeros(19_200 + 9 * 9_600, np.int16), 48_000)
    plan = plan_job([RecordingRequest(str(path), path.name, path.name)], LAB_MODEL, Settings.load({}, {}), models)
    spec = models.spec(plan.model)
    profile = replace(spec.profile, fmin_hz=fmin_hz)
    spec = replace(spec, profile=profile, input_shape=profile.input_shape(48_000))
    scores = np.zeros((10, len(spec.classes)), np.float32)
    result = decide(plan.recordings[0], spec, plan.model, plan.settings, scores, Offset())  # type: ignore[arg-type]
    assert [note.code for note in result.recording.notes if note.code in {"dc-offset", "clipping"}] == codes
