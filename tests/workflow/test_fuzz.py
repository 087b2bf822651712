"""Run all checks of schemathesis with the OpenAPI document of the API: no 5xx, no undocumented answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anemonefish.simulation.scene import scene, write_scene
from localstack import LocalAws, Stack

from .conftest import Api, new_key

HERE = Path(__file__).parent

# A document cannot say which classes and windows fit the model, whether base64 is audio, or which executions and
# uploads exist for the start of a page.
UNDOCUMENTED = """
[[operations]]
include-name = ["POST /predict", "POST /inference/predict", "GET /executions", "GET /uploads"]
checks.positive_data_acceptance.enabled = false
"""

# Nor which classes, files and stretches of sound this execution has.
EXISTING = """
[[operations]]
include-name = [
    "POST /executions",
    "POST /executions/{{execution}}/decisions",
    "GET /executions/{{execution}}/files",
    "GET /executions/{{execution}}/recordings/{{recording}}/clip",
    "GET /executions/{{execution}}/recordings/{{recording}}/spectrogram",
    "GET /executions/{{execution}}/review",
    "GET /executions/{{execution}}/verdicts",
    "PUT /executions/{{execution}}/verdicts",
]
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = ["DELETE /uploads/{{upload}}"]
enabled = false

[parameters]
"path.execution" = "{execution}"
"path.upload" = "{upload}"
"path.name" = "reef"
"path.version" = "1.0.0"
"""


def fuzz(api: Api, folder: Path, examples: int, config: str) -> int:
    """Run schemathesis and return the number of cases. All of them passed."""
    (folder / "schemathesis.toml").write_text(config)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json"),
        *("--url", api.url, "--header", f"x-api-key: {api.key}"),
        *("--max-examples", str(examples), "--seed", "1", "--generation-database", "none"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HERE), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert found is not None, done.stdout[-2000:]
    assert found[1] == found[2]
    print(f"\n{found[0]}")
    return int(found[1])


def test_api_matches_its_openapi_document(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    """Use a new tenant: with an execution in its list, a class that the model does not have would be refused."""
    assert fuzz(Api(stack.api_url, new_key(aws, stack)), tmp_path, 30, UNDOCUMENTED) >= 1_000


def test_api_matches_its_document_for_an_existing_execution_and_upload(api: Api, tmp_path: Path) -> None:
    write_scene(scene(5, seed=1), tmp_path / "a.wav")
    upload = api.upload(tmp_path / "a.wav")
    execution = api.ended(api.start(upload)["id"])
    assert execution["status"] == "SUCCEEDED"
    config = UNDOCUMENTED + EXISTING.format(execution=execution["id"], upload=upload)
    assert fuzz(api, tmp_path, 20, config) >= 500


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_document_is_served_with_its_content_type(api: Api, path: str) -> None:
    answer = api("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json" if path.endswith("json") else "text/html")
    assert "/executions/{execution}/results" in answer.text
