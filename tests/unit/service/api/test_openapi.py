"""The OpenAPI document: valid, closed in itself, and of use to generators of typed clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from anemonefish.jobs.request import MOST_CLIP_BYTES
from anemonefish.service.api import app
from anemonefish.service.api.documents import openapi_document

REPOSITORY = Path(__file__).parents[4]
TOOLS = REPOSITORY / "lint" / "node_modules" / ".bin"


@pytest.fixture(params=["webhooks", "no webhooks"])
def document(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    if request.param == "webhooks":
        monkeypatch.setenv("ANEMONEFISH_WEBHOOK_QUEUE", "https://queue")
    return openapi_document(app.make_app(), "https://api.example.org/v1")


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from parts(each)
    elif isinstance(value, list):
        for each in value:
            yield from parts(each)


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()  # type: ignore[arg-type]


def test_validator_finds_a_missing_schema(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["Reason"]
    with pytest.raises(Exception, match="Reason"):
        OpenAPIV31SpecValidator(document).validate()  # type: ignore[arg-type]


def test_every_reference_resolves_and_every_schema_is_used(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {part["$ref"] for part in parts(document) if "$ref" in part} == {
        f"#/components/schemas/{name}" for name in schemas
    }
    assert not {name for name in schemas if "ValidationError" in name}


def test_operation_names_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names)) > 15
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)?", name)] == []


def test_no_field_has_a_default(document: dict[str, Any]) -> None:
    """Generators take a field with a default for one that is always there."""
    assert [part for part in parts(document["components"]["schemas"]) if "default" in part and "type" in part] == []
    assert "settings" not in document["components"]["schemas"]["ExecutionBody"]["required"]
    assert "default" not in document["components"]["schemas"]["ExecutionBody"]["properties"]["settings"]
    assert "required" not in document["components"]["schemas"]["SettingsBody"]


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    found = 0
    for part in parts(document):
        if isinstance(part.get("examples"), list):
            schema = {key: value for key, value in part.items() if key != "examples"}
            for example in part["examples"]:
                Draft202012Validator({**schema, "components": document["components"]}).validate(example)
                found += 1
    assert found > 3


def test_every_schema_is_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_error_has_the_same_schema(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorOut"}


def test_documented_limit_of_a_clip_is_enforced(document: dict[str, Any]) -> None:
    forms = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    described = forms["multipart/form-data"]["schema"]["properties"]["audio_file"]["description"]
    assert f"({MOST_CLIP_BYTES} bytes)" in described
    assert (
        f"({MOST_CLIP_BYTES} bytes)"
        in document["components"]["schemas"]["ClipBody"]["properties"]["audio_data"]["description"]
    )
    assert f"{MOST_CLIP_BYTES / 1e6:g} MB" in described


def test_typescript_client_is_generated_and_compiled() -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if shutil.which("node", path=path) is None or not (TOOLS / "openapi-typescript").exists():
        pytest.skip("node and its packages are not installed: npm ci --prefix lint (make lint does)")
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "lint" / "typescript.py")],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 2


def test_document_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {
        "httpMethod": "GET",
        "path": "/openapi.json",
        "headers": {},
        "requestContext": {"path": "/v1/openapi.json"},
    }
    answer = app.make_app().resolve(event, None)  # type: ignore[arg-type]
    assert json.loads(answer["body"]) == openapi_document(app.make_app(), "/v1")
