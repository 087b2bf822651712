"""What ncnn serves runs by LiteRT where ncnn does not run: decided once, told, and never mixed."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from anemonefish import errors
from anemonefish.cli.main import main
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models import ModelRepository, PinnedModel
from anemonefish.models import ncnn_fallback as module
from anemonefish.models.bundle import GOLDEN, KERAS, LITERT, MODEL_JSON, FileFact, ModelSpec, variant_files
from anemonefish.models.ncnn_fallback import runnable
from anemonefish.models.repository import ready_model
from anemonefish.publishing.publish import publish
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job, with_runnable_engine
from anemonefish.workflow.predict import predict_clip
from tests.golden import deep, request_for, strides

NO_NCNN = "raise ImportError('no ncnn here')\n"
CRASHING_NCNN = "import os\nos.abort()\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    work = tmp_path_factory.mktemp("keras")
    publish(request_for(deep(work / "deep.keras"), "deep"), ModelRepository(LocalStore(folder)))
    return folder


@pytest.fixture
def repository(published: Path, tmp_path: Path) -> ModelRepository:
    """A copy of the bundle, to be damaged; what was found out of another is forgotten."""
    shutil.copytree(published, tmp_path / "models")
    module._trouble.cache_clear()
    ready_model.cache_clear()
    return ModelRepository(LocalStore(tmp_path / "models"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "reef.wav"
    write_scene(scene(6, seed=5), path)
    return path


def without_ncnn(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Put another ``ncnn`` in front of the real one, for this process and those it starts."""
    folder.mkdir()
    (folder / "ncnn.py").write_text(program)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "ncnn", raising=False)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{':'.join(sys.path)}")


def with_another_kernel(repository: ModelRepository) -> None:
    """Publish weights that ncnn loads and that give other scores, hashes and all: as a faulty kernel would."""
    path = Path(repository.store.uri, "lab", "deep")
    name = variant_files("winograd")[1]
    weights = np.frombuffer((path / name).read_bytes(), "<f4").copy()
    weights[20:200] *= 1.01
    (path / name).write_bytes(weights.tobytes())
    document = json.loads((path / MODEL_JSON).read_text())
    fact = FileFact.of(weights.tobytes())
    document["files"][name] = {"size": fact.size, "sha256": fact.sha256}
    (path / MODEL_JSON).write_text(json.dumps(document))


def test_a_network_that_winograd_shortens_is_served_by_ncnn(repository: ModelRepository) -> None:
    pinned = repository.pin("lab@deep")
    spec = repository.spec(pinned)
    assert (pinned.engine, pinned.variant, pinned.reference) == ("ncnn", None, "lab@deep")
    assert set(spec.files) == {KERAS, LITERT, GOLDEN, *variant_files("winograd")}
    assert spec.parity["ncnn_max_difference"] <= 1e-5
    assert spec.parity["winograd_share"] >= 0.5
    assert PinnedModel.from_dict(json.loads(json.dumps(pinned.to_dict()))) == pinned
    assert runnable(repository, pinned) == pinned
    litert = repository.pin("lab@deep+litert")
    assert (litert.engine, litert.variant, litert.reference) == ("litert", None, "lab@deep")
    explicit = repository.pin("lab@deep+winograd")
    assert (explicit.engine, explicit.variant) == ("ncnn", "winograd")
    assert ModelRepository(repository.store, "litert").pin("lab@deep") == pinned  # a zip-packaged worker has ncnn
    assert ModelRepository(repository.store, "keras").pin("lab@deep").engine == "keras"


def test_a_network_that_winograd_does_not_shorten_is_served_by_litert(tmp_path: Path, models_uri: str) -> None:
    repository = ModelRepository(LocalStore(tmp_path / "models"))
    spec = publish(request_for(strides(tmp_path / "strides.keras"), "strides"), repository)
    assert spec.engine == "litert"
    assert spec.parity["why_litert"].startswith("Winograd's algorithm would shorten 0% of its multiplications")
    with pytest.raises(errors.ParityError, match=r"ncnn cannot serve it \(Winograd \(ncnn\) does not know the layer"):
        publish(request_for(tmp_path / "strides.keras", "asked", engine="ncnn"), repository)
    shipped = ModelRepository(LocalStore(Path(models_uri)))
    assert shipped.pin("reef") == shipped.pin("reef+litert")


def test_litert_serves_on_request(tmp_path: Path) -> None:
    repository = ModelRepository(LocalStore(tmp_path / "models"))
    spec = publish(request_for(deep(tmp_path / "deep.keras"), "plain", engine="litert"), repository)
    assert (spec.engine, spec.variants, set(spec.files)) == ("litert", {}, {KERAS, LITERT, GOLDEN})


@pytest.mark.parametrize(
    ("program", "reason"), [(NO_NCNN, "which is not installed here"), (CRASHING_NCNN, "its process died of signal 6")]
)
def test_litert_takes_over_where_ncnn_is_missing_or_crashes(
    repository: ModelRepository, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, program: str, reason: str,
) -> None:  # fmt: skip
    without_ncnn(monkeypatch, tmp_path / "other", program)
    arguments = ["detect", str(recording), "--model", "lab@deep", "--models", repository.store.uri, "--jobs", "1"]
    with caplog.at_level(logging.WARNING):
        done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "lab@deep is run by LiteRT instead of ncnn here" in caplog.text
    assert reason in caplog.text
    said = json.loads((tmp_path / "out/reef.wav.json").read_text())
    assert said["model"]["engine"] == "litert"


def test_litert_takes_over_where_the_golden_example_fails(
    repository: ModelRepository, recording: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_another_kernel(repository)
    request = RecordingRequest(str(recording), "reef.wav", "reef.wav")
    plan = plan_job([request], "lab@deep", Settings.load({}, {}), repository)
    instead = with_runnable_engine(plan, repository)
    assert (plan.model.engine, instead.model.engine) == ("ncnn", "litert")
    assert "scores differ from the training stack's" in caplog.text
    # Scores of the two engines are stored apart, and those of LiteRT are the ones that are asked for by name.
    by_name = plan_job([request], "lab@deep+litert", Settings.load({}, {}), repository)
    assert instead.identity == by_name.identity != plan.identity
    # A worker that was given the job of another processor refuses it, and says what runs here.
    with pytest.raises(errors.ParityError, match=r"on this machine: run it by LiteRT \(lab@deep\+litert\)"):
        repository.load(plan.model)
    result = predict_clip(recording, "reef.wav", "lab@deep", Settings.load({}, {}), repository.store.uri, 1000)
    assert result.model.engine == "litert"


def test_a_variant_that_was_asked_for_by_name_is_never_replaced(repository: ModelRepository, recording: Path) -> None:
    with_another_kernel(repository)
    pinned = repository.pin("lab@deep+winograd")
    assert runnable(repository, pinned) == pinned
    with pytest.raises(errors.ParityError):
        predict_clip(recording, "reef.wav", "lab@deep+winograd", Settings.load({}, {}), repository.store.uri, 1000)


def test_an_altered_file_is_refused_and_not_worked_around(repository: ModelRepository) -> None:
    pinned = repository.pin("lab@deep")
    path = Path(repository.store.uri, "lab", "deep", variant_files("winograd")[1])
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(errors.InvalidBundle, match=r"model\.winograd\.bin is not the file that was published"):
        runnable(repository, pinned)


def test_stored_scores_are_decided_again_without_asking_ncnn(
    repository: ModelRepository, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["detect", str(recording), "--model", "lab@deep", "--models", repository.store.uri, "--jobs", "1"]
    out = ["--out", str(tmp_path / "out")]
    assert CliRunner().invoke(main, [*arguments, *out]).exit_code == 0
    monkeypatch.setattr(module, "_trouble", lambda *_: pytest.fail("asked"))
    done = CliRunner().invoke(main, [*arguments, *out, "--threshold", "0.3"])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out/reef.wav.json").read_text())["model"]["engine"] == "ncnn"


def test_windows_that_are_alike_prove_nothing(tmp_path: Path) -> None:
    """Every window gets one label: LiteRT serves, and the words say what would prove more."""
    import keras

    network = keras.saving.load_model(deep(tmp_path / "deep.keras"))
    network.layers[-1].bias.assign([20.0, 0.0, 0.0])
    network.save(tmp_path / "biased.keras")
    repository = ModelRepository(LocalStore(tmp_path / "models"))
    spec = publish(request_for(tmp_path / "biased.keras", "biased"), repository)
    assert spec.engine == "litert"
    assert "which proves too little; give a recording that has every class (--audio)" in spec.parity["why_litert"]


def test_ncnn_bundle_without_its_files_is_refused(repository: ModelRepository) -> None:
    document = json.loads(Path(repository.store.uri, "lab", "deep", MODEL_JSON).read_text())
    with pytest.raises(errors.InvalidBundle, match="served by ncnn, but without the variant winograd"):
        ModelSpec.from_json(json.dumps(document | {"variants": {}}).encode(), "here")
