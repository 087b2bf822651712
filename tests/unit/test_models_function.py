"""The custom resource ReferenceModel: its function always answers CloudFormation, with the reason of a failure."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from anemonefish.cloud import clients
from tests.cloudformation import Stack

REPOSITORY = Path(__file__).parents[2]
REQUEST = {"RequestType": "Create", "StackId": "stack", "RequestId": "r-1", "LogicalResourceId": "ReferenceModel"}
APP = REPOSITORY / "functions" / "models" / "app.py"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, models_uri: str) -> ModuleType:
    """Load the function with the bundles of the checkout as its layer."""
    monkeypatch.setenv("ANEMONEFISH_LAYER_ROOT", models_uri)
    monkeypatch.setenv("ANEMONEFISH_MODELS_BUCKET", "models")
    spec = importlib.util.spec_from_file_location("models_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Create the models bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        clients.client.cache_clear()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="models")
        yield s3
    clients.client.cache_clear()


@pytest.fixture
def cloudformation() -> Iterator[tuple[str, list[tuple[dict[str, str], dict[str, Any]]]]]:
    """Run a server in place of CloudFormation's presigned URL; return its URL and what was put to it."""
    received: list[tuple[dict[str, str], dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((dict(self.headers), json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/answer", received
    server.shutdown()


def test_new_stack_gets_the_reference_model(app: ModuleType, bucket: Any, cloudformation: Any) -> None:
    url, received = cloudformation
    app.handler({**REQUEST, "ResponseURL": url}, None)
    ((headers, answer),) = received
    assert headers["Content-Type"] == ""  # the presigned URL is signed without one
    assert answer == {
        "Status": "SUCCESS", "PhysicalResourceId": "reference-model", "StackId": "stack", "RequestId": "r-1",
        "LogicalResourceId": "ReferenceModel", "Data": {"Copied": 17},
    }  # fmt: skip
    keys = {item["Key"] for item in bucket.list_objects_v2(Bucket="models")["Contents"]}
    assert {"reef/production.json", "reef/1.1.0/model.json"} <= keys


def test_update_copies_nothing_that_is_there(app: ModuleType, bucket: Any) -> None:
    app.handler(REQUEST, None)
    assert app.handler({**REQUEST, "RequestType": "Update"}, None)["Data"] == {"Copied": 0}


def test_deleted_stack_keeps_its_models(app: ModuleType, bucket: Any) -> None:
    app.handler(REQUEST, None)
    assert app.handler({**REQUEST, "RequestType": "Delete"}, None)["Status"] == "SUCCESS"
    assert bucket.list_objects_v2(Bucket="models")["KeyCount"] == 17


def test_failure_is_answered_with_its_reason(
    app: ModuleType, bucket: Any, cloudformation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANEMONEFISH_MODELS_BUCKET", "no-such-bucket")
    url, received = cloudformation
    app.handler({**REQUEST, "ResponseURL": url}, None)
    ((_, answer),) = received
    assert answer["Status"] == "FAILED"
    assert "no-such-bucket" in answer["Reason"]
    assert len(json.dumps(answer)) < 4096


def test_layers_for_another_processor_fail_the_deployment_with_that_reason(tmp_path: Path) -> None:
    """The same failure would otherwise appear in the first job, in every function."""
    marker = tmp_path / "DspLayer" / "anemonefish_layers" / "DspLayer"
    marker.parent.mkdir(parents=True)
    marker.write_text("pdp11\n")
    program = f"""import json, runpy
handler = runpy.run_path({str(APP)!r})["handler"]
request = {REQUEST!r}
print(json.dumps([handler(request, None), handler({{**request, "RequestType": "Delete"}}, None)]))"""
    path = f"{marker.parents[1]}:{REPOSITORY / 'layers/anemonefish/src'}"
    environment = {"PYTHONPATH": path, "AWS_LAMBDA_FUNCTION_NAME": "models", "ANEMONEFISH_MODELS_BUCKET": "models"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    created, deleted = json.loads(done.stdout.splitlines()[-1])
    assert created["Status"] == "FAILED"
    assert created["Reason"].startswith("WrongArchitecture: ")
    assert deleted["Status"] == "SUCCESS"


def test_every_new_package_and_every_new_model_calls_the_function_again() -> None:
    resources = Stack().template["Resources"]
    properties = resources["ReferenceModel"]["Properties"]
    layers = {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::LayerVersion"}
    references = {name: properties[name]["Ref"] for name in ("Models", "Package")}
    assert set(references.values()) <= layers
    assert references["Models"].startswith("ReferenceModelLayer")
    assert references["Package"].startswith("AnemonefishLayer")
    assert int(properties["ServiceTimeout"]) > resources["ModelsFunction"]["Properties"]["Timeout"]


def test_layer_holds_the_reference_model_and_nothing_that_a_lab_published_beside_it(tmp_path: Path) -> None:
    models, layer = tmp_path / "models", tmp_path / "layer"
    shutil.copytree(REPOSITORY / "models", models)
    for name in ("lab/2.0/model.json", "reef/calibrations/1.1.0-litert-arm64.json"):
        path = models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    subprocess.run(["make", "build-ReferenceModelLayer", f"ARTIFACTS_DIR={layer}"], cwd=models, check=True)
    assert [path.name for path in layer.iterdir()] == ["reef"]
    files = {path.relative_to(layer).as_posix() for path in layer.rglob("*") if path.is_file()}
    assert {"reef/production.json", "reef/1.1.0/model.json", "reef/1.1.0/model.tflite"} <= files
    assert not [name for name in files if "calibrations" in name]
