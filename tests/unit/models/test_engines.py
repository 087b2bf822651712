"""One golden suite for every engine and processor, networks that only Keras runs, and variants of lower precision."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from anemonefish import errors
from anemonefish.cli.main import main
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models import ModelRepository
from anemonefish.models.bundle import GOLDEN, KERAS, LAYERS, LITERT, MODEL_JSON, VARIANTS, variant_files
from anemonefish.models.golden import Golden, check_golden, check_preprocessing
from anemonefish.models.repository import PinnedModel
from anemonefish.profiles.reference import reference_spectrograms
from anemonefish.publishing.publish import publish
from anemonefish.publishing.trial import trial_windows
from anemonefish.publishing.variants import measure_agreement
from anemonefish.results.decide import decide
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores.folder import LocalStore
from anemonefish.windows import WindowGrid
from anemonefish.workflow.planner import plan_job
from tests.golden import KERAS_ALONE, LAYERS_PY, SUITE, network_with, own, publish_suite, request_for
from tests.reference_models import LAB_MODEL, spec_of


@pytest.fixture(scope="module")
def layers_py(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layers") / "our_layers.py"
    path.write_text(LAYERS_PY)
    return path


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, models_uri: str) -> ModelRepository:
    folder, work = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("keras")
    return publish_suite(folder, Path(models_uri), work)


# --- the golden suite ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["litert", "keras"])
@pytest.mark.parametrize("reference", SUITE)
def test_both_engines_give_the_golden_scores(repository: ModelRepository, reference: str, engine: str) -> None:
    here = ModelRepository(repository.store, engine=engine)
    pinned = here.pin(reference)
    assert pinned.engine == ("ncnn" if (reference, engine) == ("lab@deep", "litert") else engine)
    spec, difference = here.verify(reference)
    print(f"{reference} under {engine}: {difference:.1e}")
    assert difference <= 1e-5
    golden = Golden.from_bytes(here.read_file(spec, GOLDEN), reference)
    assert np.ptp(golden.scores, axis=0).max() > 1e-3  # agreement on one constant score would prove nothing


@pytest.mark.parametrize("reference", SUITE)
def test_both_engines_find_the_same_events(repository: ModelRepository, reference: str, tmp_path: Path) -> None:
    path = tmp_path / "reef.wav"
    write_scene(scene(20, seed=5), path)
    found = {}
    for engine in ("litert", "keras"):
        here = ModelRepository(repository.store, engine=engine)
        model = here.load(here.pin(reference))
        rate = model.spec.sample_rate or 48_000
        windows = trial_windows(str(path), model.spec.profile, rate, most=1_000)
        scores = model.scores(model.spec.profile.spectrograms(windows, rate))
        plan = plan_job([RecordingRequest(str(path), "reef.wav", "reef.wav")], reference, Settings.load({}, {}), here)
        found[engine] = scores, plan, decide(plan.recordings[0], model.spec, plan.model, plan.settings, scores)
    assert np.abs(found["litert"][0] - found["keras"][0]).max() <= 1e-5
    assert [(e.start, e.stop) for e in found["litert"][2].events] == [
        (e.start, e.stop) for e in found["keras"][2].events
    ]
    # They agree to 1e-5 and not to the last bit, so parts of the one are never taken for the other's.
    assert found["litert"][1].identity != found["keras"][1].identity


@pytest.mark.parametrize("reference", SUITE)
def test_the_reference_pipeline_makes_the_same_spectrograms(repository: ModelRepository, reference: str) -> None:
    spec = repository.spec(repository.pin(reference))
    windows = trial_windows(None, spec.profile, 48_000)[::30]
    ours = spec.profile.spectrograms(windows, 48_000)
    np.testing.assert_array_equal(ours, reference_spectrograms(spec.profile, windows, 48_000))


def test_the_last_bit_of_a_spectrogram_is_compared(
    repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = repository.spec(repository.pin("reef"))
    golden = Golden.from_bytes(repository.read_file(spec, GOLDEN), "reef")
    check_preprocessing(spec, golden)
    made = type(spec.profile).spectrograms

    def off_by_a_bit(self: Any, windows: Any, sample_rate: int) -> Any:
        spectrograms = made(self, windows, sample_rate)
        spectrograms[0, 3, 3, 0] = np.nextafter(spectrograms[0, 3, 3, 0], 2, dtype=np.float32)
        return spectrograms

    monkeypatch.setattr(type(spec.profile), "spectrograms", off_by_a_bit)
    with pytest.raises(errors.ParityError, match="its spectrograms differ from librosa's"):
        check_preprocessing(spec, golden)


# --- any processor: TensorFlow uses oneDNN where there is AVX-512, and kernels of its own everywhere else -------------


@pytest.fixture(scope="module")
def processors(repository: ModelRepository, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What each setting makes of one suite, each in a process of its own, because TensorFlow reads it once."""
    folder = tmp_path_factory.mktemp("processors")
    running = {
        setting: subprocess.Popen(
            [sys.executable, "-m", "tests.golden", repository.store.uri, str(folder / setting)],
            cwd=Path(__file__).parents[3], env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": setting},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for setting in ("0", "1")
    }  # fmt: skip
    for setting, process in running.items():
        output, greetings = process.communicate()
        assert process.returncode == 0, greetings[-3000:]
        (folder / setting / "differences.json").write_text(output.splitlines()[-1])
    return {setting: folder / setting for setting in running}


@pytest.mark.parametrize("setting", ["0", "1"])
def test_every_bundle_of_the_suite_verifies_with_and_without_onednn(processors: dict[str, Path], setting: str) -> None:
    differences = json.loads((processors[setting] / "differences.json").read_text())
    assert set(differences) == {f"{name} {engine}" for name in SUITE for engine in ("litert", "keras")}
    assert max(differences.values()) <= 1e-5


@pytest.mark.parametrize("name", [*SUITE, "lab@dilated"])
def test_keras_gives_the_same_scores_with_and_without_onednn(processors: dict[str, Path], name: str) -> None:
    without, with_ = (np.load(processors[setting] / f"{name}.npy") for setting in ("0", "1"))
    assert np.ptp(without, axis=0).max() > 1e-3  # agreement on one constant score would prove nothing
    assert np.abs(without - with_).max() <= 1e-5


@pytest.mark.parametrize(("name", "engine"), [("strides", "litert"), ("dilated", "keras")])
def test_a_network_of_such_layers_is_published_without_onednn(
    processors: dict[str, Path], name: str, engine: str
) -> None:
    spec = json.loads((processors["0"] / "models" / "lab" / name / "model.json").read_text())
    assert (spec["engine"], spec["parity"]["max_difference"] <= 1e-5) == (engine, True)


# --- which engine --------------------------------------------------------------------------------------------------


def test_network_with_custom_layers_can_run_on_litert(repository: ModelRepository) -> None:
    spec = repository.spec(repository.pin("lab@mine"))
    assert (spec.engine, set(spec.files)) == ("litert", {KERAS, LITERT, GOLDEN, LAYERS})


def test_keras_runs_a_network_that_litert_cannot(repository: ModelRepository) -> None:
    pinned = repository.pin(KERAS_ALONE)
    spec, difference = repository.verify(KERAS_ALONE)
    assert (pinned.engine, spec.engine, set(spec.files)) == ("keras", "keras", {KERAS, GOLDEN, LAYERS})
    assert difference <= 1e-5
    assert "cannot be converted to LiteRT" in spec.parity["why_keras"]
    assert spec.compute["seconds_per_window"] > 0


def test_a_deployment_without_keras_says_so_before_anything_runs(repository: ModelRepository) -> None:
    with pytest.raises(errors.IncompatibleModel, match=r"lab rare is run by Keras.*Engine=keras"):
        ModelRepository(repository.store, engine="litert").pin(KERAS_ALONE)


def test_environment_variable_sets_the_deployed_engine(
    repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANEMONEFISH_ENGINE", "keras")
    assert ModelRepository(repository.store).pin("reef").engine == "keras"
    monkeypatch.setenv("ANEMONEFISH_ENGINE", "")
    assert ModelRepository(repository.store).pin("reef").engine == "litert"
    monkeypatch.setenv("ANEMONEFISH_ENGINE", "onnx")
    with pytest.raises(errors.InvalidSettings, match="ANEMONEFISH_ENGINE must be one of litert, keras"):
        ModelRepository(repository.store).pin("reef")


@pytest.mark.parametrize("engine", ["litert", "keras"])
def test_an_engine_that_is_asked_for_is_used_or_refused(
    repository: ModelRepository, layers_py: Path, tmp_path: Path, engine: str
) -> None:
    rare = network_with(own("Rare"), tmp_path / "rare.keras")
    if engine == "keras":
        plain = network_with(None, tmp_path / "plain.keras")
        assert publish(request_for(plain, "by-keras", engine="keras"), repository).engine == "keras"
    else:
        with pytest.raises(errors.IncompatibleModel, match="cannot be converted to LiteRT"):
            publish(request_for(rare, "by-litert", engine="litert", layers=layers_py), repository)


@pytest.mark.parametrize("change", ["missing", "wrong", "none"])
def test_a_network_without_its_layers_is_refused(repository: ModelRepository, tmp_path: Path, change: str) -> None:
    path = network_with(own("Rare"), tmp_path / "rare.keras")
    layers = {"missing": tmp_path / "nothing.py", "wrong": tmp_path / "wrong.py", "none": None}[change]
    (tmp_path / "wrong.py").write_text("raise RuntimeError('not today')\n")
    expected = errors.InvalidRequest if change == "missing" else errors.IncompatibleModel
    words = {
        "missing": "nothing.py: not readable",
        "wrong": "not today",
        "none": "name the Python file of its own layers",
    }
    with pytest.raises(expected, match=words[change]):
        publish(request_for(path, "refused", layers=layers), repository)
    assert not repository.store.exists(f"lab/refused/{MODEL_JSON}")


def test_altered_layers_never_run(repository: ModelRepository, tmp_path: Path) -> None:
    shutil.copytree(repository.store.uri, tmp_path / "models")
    (tmp_path / "models/lab/rare" / LAYERS).write_text("raise SystemExit('ran')\n")
    here = ModelRepository(LocalStore(tmp_path / "models"))
    with pytest.raises(errors.InvalidBundle, match=r"layers\.py is not the file that was published"):
        here.load(here.pin(KERAS_ALONE))


def test_the_laptop_runs_a_model_of_keras(repository: ModelRepository, tmp_path: Path) -> None:
    write_scene(scene(6, seed=5), tmp_path / "reef.wav")
    arguments = ["detect", str(tmp_path / "reef.wav"), "--out", str(tmp_path / "out"), "--model", KERAS_ALONE]
    done = CliRunner().invoke(main, [*arguments, "--jobs", "1", "--models", str(repository.store.uri)])
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "out/reef.wav.json").read_text())
    assert said["model"]["engine"] == "keras"
    assert len(said["predictions"]) == 29


# --- variants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_served_when_asked_for_by_name(repository: ModelRepository, variant: str, tmp_path: Path) -> None:
    spec = repository.spec(repository.pin("lab@plain"))
    agreement = spec.variants[variant]
    float32 = variant == "winograd"
    assert agreement["windows"] == (100 if float32 else 300)
    assert 0 < agreement["max_difference"] < (1e-5 if float32 else 0.2)
    assert 0 <= agreement["labels_flipped"] < (1 if float32 else 30)
    assert agreement["tolerance"] == 1e-5 if float32 else agreement["tolerance"] > 1e-5
    assert float32 or spec.files[variant_files(variant)[0]].size < spec.files[LITERT].size
    assert spec.compute["variants"][variant] > 0
    assert repository.pin("lab@plain").variant is None

    pinned = repository.pin(f"lab@plain+{variant}")
    assert (pinned.variant, pinned.reference) == (variant, f"lab@plain+{variant}")
    assert pinned.engine == ("ncnn" if float32 else "litert")
    assert PinnedModel.from_dict(json.loads(json.dumps(pinned.to_dict()))) == pinned
    windows = trial_windows(None, spec.profile, 48_000, 300)
    spectrograms = spec.profile.spectrograms(windows, 48_000)
    exact = repository.load(repository.pin("lab@plain+litert")).scores(spectrograms)
    differences = np.abs(repository.load(pinned).scores(spectrograms) - exact)
    if not float32:  # it was compared on other windows
        assert differences.max() == pytest.approx(agreement["max_difference"], rel=1e-3)

    write_scene(scene(6, seed=5), tmp_path / "reef.wav")
    arguments = ["detect", str(tmp_path / "reef.wav"), "--out", str(tmp_path / "out"), "--model", pinned.reference]
    done = CliRunner().invoke(main, [*arguments, "--jobs", "1", "--models", str(repository.store.uri)])
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "out/reef.wav.json").read_text())
    assert (said["model"]["variant"], said["model"]["engine"]) == (variant, pinned.engine)
    assert said["metadata"]["model_version"] == f"lab@plain+{variant}"
    assert said["metadata"]["variant_agreement"] == agreement


def test_a_variant_that_was_not_made_is_not_found(repository: ModelRepository) -> None:
    with pytest.raises(errors.ModelNotFound, match=f"{spec_of().title} has no variant 'int8', it has none"):
        repository.pin("reef+int8")
    with pytest.raises(errors.InvalidRequest, match="not a model"):
        repository.pin("reef+")


def test_a_variant_that_drifts_is_not_served(repository: ModelRepository) -> None:
    spec = repository.spec(repository.pin("lab@plain"))
    golden = Golden.from_bytes(repository.read_file(spec, GOLDEN), "plain")
    model = repository.load(repository.pin("lab@plain+int8"))
    with pytest.raises(errors.ParityError):  # what it may differ by is in its bundle, not in the code
        check_golden(model, golden)


def test_variants_need_a_network_that_litert_runs(repository: ModelRepository, tmp_path: Path, layers_py: Path) -> None:
    path = network_with(own("Rare"), tmp_path / "rare.keras")
    with pytest.raises(errors.InvalidRequest, match="variants are compared with LiteRT"):
        publish(request_for(path, "refused", layers=layers_py, variants=("int8",)), repository)


def test_agreement_counts_labels_and_events(repository: ModelRepository) -> None:
    """By hand: ten windows, calls in 3 to 5 and 8 to 9; the variant loses the second and flips two labels."""
    spec = repository.spec(repository.pin(LAB_MODEL))
    exact = np.tile(np.array([0.8, 0.1, 0.1], np.float32), (30, 1))
    exact[3:8] = exact[15:22] = (0.1, 0.8, 0.1)
    other = exact.copy()
    other[15:22] = (0.45, 0.4, 0.15)
    other[0] = (0.7, 0.2, 0.1)
    agreement = measure_agreement(spec, other, exact, WindowGrid(0, 19_200, 9_600), 48_000)
    assert (agreement["windows"], agreement["labels_flipped"], agreement["events"]) == (30, 7, 2)
    assert agreement["max_difference"] == pytest.approx(0.4)
    assert agreement["event_f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert agreement["tolerance"] == pytest.approx(0.8)
    nothing = measure_agreement(spec, exact[:3], exact[:3], WindowGrid(0, 19_200, 9_600), 48_000)
    assert nothing["event_f1"] is None
