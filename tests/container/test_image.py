"""Tests of the image of Engine=keras: the golden suite, and its functions compared with LiteRT's."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from anemonefish.models import ModelRepository
from anemonefish.stores.folder import LocalStore
from localstack import LocalAws, Stack
from tests.golden import KERAS_ALONE, SUITE, publish_suite
from tests.workflow.test_events import IDENTITY, Invoke

from .conftest import PARAMETERS, REPOSITORY, Local
from .daemon import Docker

VERIFY = """
import json, sys
from anemonefish.models import ModelRepository
from anemonefish.stores import open_store
models = ModelRepository(open_store("/models"))
print(json.dumps({name: [models.pin(name).engine, models.verify(name)[1]] for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory, models_uri: str) -> Path:
    folder = tmp_path_factory.mktemp("models")
    publish_suite(folder, Path(models_uri), tmp_path_factory.mktemp("keras"))
    return folder


def test_golden_suite_passes_in_the_image(docker: Docker, engine_image: str, suite: Path) -> None:
    """Keras, librosa and matplotlib compute the scores from audio, in the image that Lambda runs."""
    options = ["--rm", "--read-only", "--tmpfs", "/tmp", "--volume", f"{suite}:/models:ro"]
    environment = ["--env", "PYTHONPATH=/var/task:/var/runtime", "--entrypoint", "/var/lang/bin/python3.13"]
    done = subprocess.run(
        ["docker", "run", *options, *environment, engine_image, "-c", VERIFY, *SUITE, KERAS_ALONE],
        env={**docker.environment, "PATH": "/usr/local/bin:/usr/bin:/bin"}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    here = ModelRepository(LocalStore(suite), engine="litert")
    for name in SUITE:
        print(f"{name}: Keras in the image {found[name][1]:.1e}, LiteRT {here.verify(name)[1]:.1e}")
        assert here.verify(name)[1] <= 1e-5
    assert {engine for engine, _ in found.values()} == {"keras"}
    assert max(difference for _, difference in found.values()) <= 1e-5


class InImage(Invoke):
    """Invokes score and predict in the image, and other functions on the local AWS."""

    def __init__(self, aws: LocalAws, stack: Stack, folder: Path, local: Local, image: str) -> None:
        super().__init__(aws, stack, folder)
        self._local, self._file = local, folder / "event.json"
        self._parameters = PARAMETERS | {"Engine": "keras", "EngineImage": image}

    def in_image(self, function: str, event: str) -> Any:
        """Return the answer of a function in the image."""
        self._file.write_text(event)
        return self._local.invoke(function, self._file, self._parameters)


@pytest.fixture(scope="module")
def invoke(
    aws: LocalAws, stack: Stack, local: Local, engine_image: str, tmp_path_factory: pytest.TempPathFactory
) -> InImage:
    return InImage(aws, stack, tmp_path_factory.mktemp("events"), local, engine_image)


def test_image_scores_a_range_like_litert(invoke: InImage, s3: Any, stack: Stack) -> None:
    planned = invoke("plan")[1]
    ranges = s3.get_object(Bucket=planned["bucket"], Key=planned["ranges_key"])["Body"].read()
    invoke.placeholders[IDENTITY] = json.loads(ranges)["ranges"][0]["identity"]
    assert invoke("score")[0] is None
    key = f"{planned['job']}/parts/{invoke.placeholders[IDENTITY]}/00000000-00000299.npy"
    expected = np.load(io.BytesIO(s3.get_object(Bucket=planned["bucket"], Key=key)["Body"].read()))

    event = json.loads(invoke.event("score"))
    event["model"]["engine"] = "keras"
    event["ranges"][0]["identity"] = "feedfeedfeedfeed"  # so that scores of Keras and LiteRT are stored separately
    answer = invoke.in_image("ScoreImageFunction", json.dumps(event))
    assert answer == {"ranges": 1, "windows": 299, "computed": 1, "failed": 0}
    stored = s3.get_object(
        Bucket=planned["bucket"], Key=f"{planned['job']}/parts/feedfeedfeedfeed/00000000-00000299.npy"
    )
    scores = np.load(io.BytesIO(stored["Body"].read()))
    assert (scores.shape, scores.dtype) == (expected.shape, expected.dtype)
    assert 0 < np.abs(scores - expected).max() <= 1e-5  # above 0, because the two engines differ


def test_image_answers_a_clip_like_litert(invoke: InImage) -> None:
    expected = json.loads(invoke("predict")[1]["body"])
    answer = invoke.in_image("PredictImageFunction", invoke.event("predict"))
    assert answer["statusCode"] == 200, answer
    found = json.loads(answer["body"])
    assert len(found["predictions"]) == len(expected["predictions"]) > 2
    for mine, theirs in zip(found["predictions"], expected["predictions"], strict=True):
        assert mine["start_time"] == theirs["start_time"]
        assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)
    assert [each["start_sample"] for each in found["events"]] == [each["start_sample"] for each in expected["events"]]


def test_one_score_and_one_predict_function_are_deployed() -> None:
    """CloudFormation chooses them by condition; the SAM CLI must find no image in the template (docs/deploy.md)."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: (suffix, node.value))
    resources = yaml.load((REPOSITORY / "template.yaml").read_text(), Loader)["Resources"]
    for name in ("Score", "Predict"):
        kinds = [resources[f"{name}Function"]["Condition"], resources[f"{name}ImageFunction"]["Condition"]]
        assert kinds == ["UsesLiteRt", "UsesKeras"]
        assert resources[f"{name}ImageFunction"]["Properties"]["PackageType"] != "Image"
