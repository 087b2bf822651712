"""Publishing: heads that give no scores, files of other kinds, networks that lose precision, and the way back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from keras import layers
from numpy.typing import NDArray

from anemonefish import errors
from anemonefish.cli.main import main
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models import ModelRepository, ModelSpec
from anemonefish.models.bundle import GOLDEN, KERAS, MODEL_JSON
from anemonefish.models.golden import Golden
from anemonefish.models.keras import load_keras, traced
from anemonefish.profiles import profile_named
from anemonefish.publishing.float64 import float64_scores
from anemonefish.publishing.head import activation_of, check_scores, with_activation
from anemonefish.publishing.publish import publish
from anemonefish.publishing.trial import Trial, check_parity, trial_windows
from anemonefish.results.decide import decide
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job
from tests.golden import CLASSES, centred, heard, request_for
from tests.reference_models import LAB_MODEL

SPREAD = keras.initializers.RandomNormal(0, 0.05)


def network(*head: Any, shape: tuple[int, ...] = (76, 256, 1)) -> Any:
    keras.utils.set_random_seed(3)
    body = [layers.Conv2D(8, 5, strides=4, activation="relu"), layers.Flatten()]
    return keras.Sequential([keras.Input(shape), *body, *head])


def dense(activation: Any = None, outputs: int = 3) -> Any:
    return layers.Dense(outputs, activation=activation, kernel_initializer=SPREAD)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    return ModelRepository(LocalStore(tmp_path_factory.mktemp("models")))


def published(made: Any, repository: ModelRepository, version: str, folder: Path, **changes: Any) -> ModelSpec:
    path = folder / f"{version}.keras"
    made.save(path)
    return publish(request_for(path, version, **changes), repository)


# --- the head --------------------------------------------------------------------------------------------------------


HEADS: dict[str, tuple[Callable[[], list[Any]], str | None]] = {
    "softmax": (lambda: [dense("softmax")], "softmax"),
    "softmax layer": (lambda: [dense(), layers.Softmax()], "softmax"),
    "activation layer": (lambda: [dense(), layers.Activation("sigmoid")], "sigmoid"),
    "dropout behind": (lambda: [dense("softmax"), layers.Dropout(0.1)], "softmax"),
    "reshaped": (lambda: [dense("softmax"), layers.Reshape((3,)), layers.Activation("linear")], "softmax"),
    "nested": (lambda: [keras.Sequential([dense("sigmoid")])], "sigmoid"),
    "logits": (lambda: [dense()], "linear"),
    "relu": (lambda: [dense("relu")], "relu"),
    "own function": (lambda: [dense(lambda x: keras.ops.softmax(x, axis=-1))], None),
    "own layer": (lambda: [dense("softmax"), layers.Lambda(lambda x: 2 * x)], None),
}


@pytest.mark.parametrize("head", HEADS)
def test_the_last_activation_is_found(head: str) -> None:
    make, expected = HEADS[head]
    made = network(*make())
    assert activation_of(made) == expected
    window = keras.Input((76, 256, 1))
    assert activation_of(keras.Model(window, made(window))) == expected  # a network within a network


@pytest.mark.parametrize(
    ("head", "outputs", "words"),
    [
        ("logits", 3, r"ends with no activation \(logits\).*--activation softmax .*--activation sigmoid"),
        ("logits", 1, r"ends with no activation \(logits\)"),
        ("relu", 3, "ends with the activation relu, so its outputs are no scores"),
        ("activation layer", 3, "ends with 3 sigmoids.*multi-label model with --activation sigmoid"),
    ],
)
def test_a_head_without_scores_is_refused(head: str, outputs: int, words: str) -> None:
    with pytest.raises(errors.IncompatibleModel, match=words):
        with_activation(network(*HEADS[head][0]()), "lab.keras", outputs, None)


@pytest.mark.parametrize(("head", "wanted"), [("softmax", "sigmoid"), ("activation layer", "softmax")])
def test_an_activation_that_contradicts_the_head_is_refused(head: str, wanted: str) -> None:
    with pytest.raises(errors.IncompatibleModel, match=r"ends with a .* already"):
        with_activation(network(*HEADS[head][0]()), "lab.keras", 3, wanted)


def test_an_activation_the_network_has_is_not_applied_twice() -> None:
    made = network(dense("softmax"))
    assert with_activation(made, "lab.keras", 3, "softmax")[0] is made
    several = network(dense("sigmoid"))
    assert with_activation(several, "lab.keras", 3, "sigmoid") == (several, "sigmoid")


@pytest.mark.parametrize(
    ("scores", "kind", "wanted", "words"),
    [
        ([[0.2, 0.3, 0.5], [6.89, -3.0, 0.1]], "none", "none", r"outputs lie between -3 and 6\.89"),
        ([[0.2, 0.3, 0.5], [0.2, np.nan, 0.5]], "softmax", None, "outputs lie between nan"),
        ([[0.2, 0.3, 0.5], [0.9, 0.8, 0.1]], "softmax", None, "sum to one only within 0.8"),
        ([[0.2, 0.3, 0.5], [0.9, 0.8, 0.1]], "none", None, "multi-label model with --activation none"),
        ([[1.2], [0.1]], "none", None, "outputs lie between 0.1 and 1.2"),
    ],
)
def test_values_that_are_no_scores_are_refused(scores: Any, kind: str, wanted: str | None, words: str) -> None:
    with pytest.raises(errors.IncompatibleModel, match=words):
        check_scores(np.array(scores, np.float32), "lab.keras", kind, wanted)


def test_scores_are_recognised_by_value_where_no_layer_shows_the_activation() -> None:
    exclusive, each = np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([[0.2, 0.1], [0.9, 0.9]])
    assert not check_scores(exclusive, "lab.keras", "none", None)
    assert check_scores(each, "lab.keras", "none", "none")
    assert not check_scores(each[:, :1], "lab.keras", "none", None)


def test_logits_get_the_activation_that_is_named(repository: ModelRepository, tmp_path: Path) -> None:
    made = network(dense())
    spectrograms = heard(profile_named("stft-db"))
    logits = np.asarray(made(spectrograms, training=False))
    expected = {"softmax": np.asarray(keras.ops.softmax(logits)), "sigmoid": np.asarray(keras.ops.sigmoid(logits))}
    for activation, scores in expected.items():
        spec = published(made, repository, f"logits-{activation}", tmp_path, activation=activation)
        assert spec.multi_label == (activation == "sigmoid")
        for engine in (None, "keras"):
            here = ModelRepository(repository.store, engine)
            found = here.load(here.pin(f"lab@logits-{activation}")).scores(spectrograms)
            np.testing.assert_allclose(found, scores, atol=1e-5)


def test_a_multi_label_model_decides_each_class_by_itself(repository: ModelRepository, tmp_path: Path) -> None:
    spec = published(network(dense("sigmoid")), repository, "several", tmp_path, activation="sigmoid")
    assert ModelSpec.from_json(spec.to_json(), "here").multi_label
    write_scene(scene(6, seed=5), tmp_path / "reef.wav")
    request = RecordingRequest(str(tmp_path / "reef.wav"), "reef.wav", "reef.wav")
    plan = plan_job([request], "lab@several", Settings.load({"median_windows": 1}, {}), repository)
    scores = np.full((29, 3), 0.1, np.float32)
    scores[5:10, 1] = scores[8:14, 2] = scores[20:24, 0] = 0.9  # two classes at once; and noise, which is no event
    result = decide(plan.recordings[0], spec, plan.model, plan.settings, scores)
    hop, window = plan.recordings[0].analysis.grid.hop, plan.recordings[0].analysis.grid.window  # type: ignore[union-attr]
    assert [(run.label, run.start, run.stop) for run in result.class_runs] == [
        ("anemonefish", 5 * hop, 9 * hop + window),
        ("biological", 8 * hop, 13 * hop + window),
    ]
    assert [(event.start, event.stop) for event in result.events] == [(5 * hop, 9 * hop + window)]


# --- the file --------------------------------------------------------------------------------------------------------


def test_an_h5_file_becomes_a_bundle_that_keras_loads(repository: ModelRepository, tmp_path: Path) -> None:
    made = network(dense("softmax"))
    made.save(tmp_path / "model.h5")
    shutil.copy(tmp_path / "model.h5", tmp_path / "named.keras")  # old Keras wrote HDF5 whatever the name was
    spectrograms = heard(profile_named("stft-db"))
    expected = np.asarray(made(spectrograms, training=False))
    for name in ("model.h5", "named.keras"):
        version = name.replace(".", "-")
        publish(request_for(tmp_path / name, version), repository)
        here = ModelRepository(repository.store, "keras")
        assert zipfile.is_zipfile(Path(repository.store.uri, "lab", version, KERAS))
        found = here.load(here.pin(f"lab@{version}")).scores(spectrograms)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_saved_model_folder_is_told_how_to_become_a_file(repository: ModelRepository, tmp_path: Path) -> None:
    network(dense("softmax")).export(tmp_path / "saved", verbose=False)
    with pytest.raises(errors.InvalidRequest, match=r"this is a SavedModel folder.*model\.save\('model\.keras'\)"):
        publish(request_for(tmp_path / "saved", "folder"), repository)


def test_the_keras_that_wrote_an_unreadable_file_is_named(tmp_path: Path) -> None:
    network(dense("softmax")).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["metadata.json"] = json.dumps({"keras_version": "9.1.0"}).encode()
    files["config.json"] = files["config.json"].replace(b'"Conv2D"', b'"Conv2DOfTheFuture"')
    with zipfile.ZipFile(tmp_path / "future.keras", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    words = rf"it was written by Keras 9\.1\.0, and Keras {keras.__version__} is installed here: install keras==9\.1\.0"
    with pytest.raises(errors.IncompatibleModel, match=words):
        load_keras(tmp_path / "future.keras", None)


def test_the_keras_that_wrote_an_unreadable_h5_is_named(tmp_path: Path) -> None:
    import h5py

    network(dense("softmax")).save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = file.attrs["model_config"].replace("Conv2D", "Convolution2D")
    with pytest.raises(errors.IncompatibleModel, match=r"written by Keras 1\.2\.2"):
        load_keras(tmp_path / "model.h5", None)


def test_a_model_of_a_low_rate_needs_no_recording(repository: ModelRepository, tmp_path: Path) -> None:
    profile = profile_named("stft-db", n_fft=256, hop_length=64)
    shape = profile.input_shape(4_000)
    made = network(dense("softmax"), shape=shape)
    spec = published(made, repository, "4khz", tmp_path, profile=profile, sample_rate=4_000)
    assert (spec.sample_rate, spec.input_shape) == (4_000, shape)
    windows = trial_windows(None, profile, 4_000)
    assert windows.shape == (100, 1_600)
    assert 1e-4 < windows.std() < 1  # sound, and not what is left of another rate


# --- networks that lose precision ------------------------------------------------------------------------------------


def ill_conditioned(common: float) -> Any:
    """Return a network whose logits share a large part, which a softmax takes away again, and its precision with it."""
    made = network(layers.Dense(64, activation="relu"), dense("softmax"))
    last = made.layers[-1]
    chance = np.random.default_rng(3)
    last.kernel.assign(last.kernel * 4 + common * chance.uniform(0.5, 1, (64, 1)).astype(np.float32))
    return centred_far(made)


def centred_far(made: Any) -> Any:
    return centred(made, heard(profile_named("stft-db")))


def test_float64_is_closer_to_the_weights_than_float32() -> None:
    made = ill_conditioned(20.0)
    spectrograms = heard(profile_named("stft-db"))
    exact = float64_scores(made, None, spectrograms, "lab 1")
    assert exact.dtype == np.float64
    found = traced(made, (None, 76, 256, 1), "lab 1")(spectrograms)
    assert 1e-7 < np.abs(found - exact).max() < 1e-3
    assert keras.config.floatx() == "float32"


def trial(scores: NDArray[np.float32]) -> Trial:
    windows = np.zeros((len(scores), 19_200))
    return Trial(windows, (slice(0, len(scores)),), 48_000, np.zeros((len(scores), 1), np.float32), scores)


@pytest.fixture
def spec(models_uri: str) -> ModelSpec:
    models = ModelRepository(LocalStore(Path(models_uri)))
    return models.spec(models.pin(LAB_MODEL))


SCORES = np.tile(np.array([[0.7, 0.2, 0.1]], np.float32), (30, 1))
SCORES[8:16] = (0.1, 0.8, 0.1)


def moved(by: float, rows: slice = slice(None)) -> NDArray[np.float32]:
    made = SCORES.astype(np.float64)
    made[rows] += (by, -by, 0)
    return made.astype(np.float32)


def never() -> NDArray[Any]:
    raise AssertionError("nothing differs enough to ask float64")


def test_within_the_tolerance_float64_is_not_asked(spec: ModelSpec) -> None:
    parity = check_parity(spec, "LiteRT", trial(SCORES), moved(8e-6), never)
    assert (parity["tolerance"], "float64" in parity) == (1e-5, False)


def test_a_difference_that_float64_explains_is_published_with_its_figures(spec: ModelSpec) -> None:
    parity = check_parity(spec, "LiteRT", trial(SCORES), moved(3e-5), lambda: moved(1e-5).astype(np.float64))
    assert parity["max_difference"] == pytest.approx(3e-5, rel=0.01)
    assert parity["tolerance"] == pytest.approx(6e-5, rel=0.01)
    figures = parity["float64"]
    assert (figures["engine"], figures["keras"]) == (pytest.approx(2e-5, rel=0.02), pytest.approx(1e-5, rel=0.02))
    assert (figures["labels_flipped"], figures["events"], figures["events_changed"]) == (
        0,
        3,
        0,
    )  # of every class, noise too
    assert check_parity(spec, "LiteRT", trial(SCORES), moved(8e-5), lambda: SCORES)["tolerance"] == 1e-4


@pytest.mark.parametrize(
    ("keras_scores", "scores", "exact"),
    [
        (SCORES, moved(2e-4), moved(1e-4)),  # too far from Keras
        (SCORES, moved(5e-5), moved(-9e-5)),  # the engine is too far from float64
        (SCORES, moved(5e-5), moved(1.5e-4)),  # Keras is
        (SCORES, moved(np.nan), SCORES),
    ],
)
def test_a_larger_difference_is_refused_and_the_mend_is_said(
    spec: ModelSpec, keras_scores: Any, scores: Any, exact: Any
) -> None:
    with pytest.raises(errors.ParityError, match=r"was not published: let Keras serve it \(--engine keras\)"):
        check_parity(spec, "LiteRT", trial(keras_scores), scores, lambda: exact)


def test_a_flipped_label_or_a_changed_event_is_refused(spec: ModelSpec) -> None:
    close = SCORES.copy()
    close[3] = (0.40001, 0.4, 0.19999)
    flipped = close.copy()
    flipped[3] = (0.39998, 0.40002, 0.2)
    with pytest.raises(errors.ParityError, match="1 labels flipped, 0 of 3 events changed"):
        check_parity(spec, "LiteRT", trial(close), flipped, lambda: close)
    edge = SCORES.copy()
    edge[16:20] = (0.2, spec.decision.threshold + 2e-5, 0.1)
    below = edge.copy()
    below[16:20, 1] -= 4e-5
    with pytest.raises(errors.ParityError, match=r"0 labels flipped, 2 of \d events changed"):
        check_parity(spec, "LiteRT", trial(edge), below, lambda: edge)


def test_a_network_that_loses_precision_is_published_stamped_and_served(
    repository: ModelRepository, tmp_path: Path
) -> None:
    for common in (40.0, 80.0, 160.0, 320.0):  # how much is lost depends on the processor
        version = f"lossy-{common:.0f}"
        try:
            spec = published(ill_conditioned(common), repository, version, tmp_path)
        except errors.ParityError:
            continue
        if "float64" in spec.parity:
            break
    else:
        pytest.fail("no network was between 1e-5 and 1e-4")
    assert 1e-5 < spec.parity["max_difference"] <= spec.parity["tolerance"] <= 1e-4
    assert spec.engine == "litert"
    # The golden example holds it to its own tolerance, and no bundle to more than 1e-4.
    path = Path(repository.store.uri, "lab", version)
    golden = Golden.from_bytes((path / GOLDEN).read_bytes(), "here")
    assert repository.verify(f"lab@{version}")[1] <= spec.parity["tolerance"]
    document = json.loads((path / MODEL_JSON).read_text())
    document["parity"]["tolerance"] = 2e-4
    with pytest.raises(errors.InvalidBundle, match=r"parity\.tolerance must lie between 0 and 0\.0001"):
        ModelSpec.from_json(json.dumps(document).encode(), "here")
    assert len(golden.samples) == 4


# --- on the terminal -------------------------------------------------------------------------------------------------


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["models", *words])


def test_rollback_after_the_first_promote_says_there_is_nothing_before(
    repository: ModelRepository, tmp_path: Path
) -> None:
    published(network(dense("softmax")), repository, "first", tmp_path, name="alone")
    folder = ("--models", repository.store.uri)
    assert run("promote", "alone", "first", *folder).exit_code == 0
    refused = run("rollback", "alone", *folder)
    assert (refused.exit_code, type(refused.exception)) == (1, SystemExit)
    assert "alone@production has meant first from the first, so there is nothing to go back to" in refused.stderr


def test_no_greeting_of_a_library_reaches_the_terminal(tmp_path: Path) -> None:
    """A process of its own: TensorFlow greets once, in C++, before Python could ask it not to."""
    network(dense("softmax")).save(tmp_path / "model.keras")
    to, classes = ["--models", str(tmp_path / "models")], ",".join(CLASSES)
    words = ["models", "publish", str(tmp_path / "model.keras"), "--name", "lab", "--version", "1", *to]
    words += ["--profile", "stft-db", "--sample-rate", "48000", "--classes", classes]
    for command in (words, ["models", "verify", "lab@1", *to]):
        done = subprocess.run(
            [sys.executable, "-m", "anemonefish", *command], check=False, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
    again = subprocess.run([sys.executable, "-m", "anemonefish", *words], check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr.startswith("InvalidRequest: lab 1 is published and versions never change")


def test_messages_other_than_the_greeting_reach_the_terminal_after_a_crash() -> None:
    program = (
        "import os, sys\n"
        "from anemonefish.cli.terminal import without_greetings\n"
        "with without_greetings():\n"
        "    os.write(2, b'I0000 00:00:1795915876.35 8307 port.cc:153] oneDNN custom operations are on.\\n')\n"
        "    os.write(2, b'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n')\n"
        "    os.write(2, b'E0000 00:00:1795915880.9 8307 cuda_platform.cc:52] failed call to cuInit\\n')\n"
        "    os.write(2, b'F0000 00:00:1795915880.9 8307 tensor.cc:1] Check failed: shape\\n')\n"
        "    os.write(2, b'E0000 00:00:1795915880.9 8307 executor.cc:1] out of memory\\n')\n"
        "    os.abort()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode < 0
    assert [line.partition("] ")[2] for line in done.stderr.splitlines()] == ["Check failed: shape", "out of memory"]
