"""A build for one processor that is deployed as the other is refused with words, before deploying and where it runs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from anemonefish.errors import WrongArchitecture
from anemonefish.layer_check import MARKERS, check_layers, machine_architecture

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "layers/anemonefish/src"
FUNCTIONS = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py"))
Reports = list[tuple[str, dict[str, object]]]
ELF_NUMBERS = {"arm64": 183, "x86_64": 62}
HERE = machine_architecture()
OTHER = "x86_64" if HERE == "arm64" else "arm64"


def _layer(folder: Path, name: str, marked: str, library: str | None = None) -> Path:
    """Make a layer with its marker and one library; return what is on a function's path."""
    site = folder / name / "python"
    (site / MARKERS).mkdir(parents=True)
    (site / MARKERS / name).write_text(f"{marked}\n")
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + ELF_NUMBERS[library or marked].to_bytes(2, "little")
    (site / "library.so").write_bytes(header + bytes(44))
    return site


# --- where it runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "name"), [("aarch64", "arm64"), ("arm64", "arm64"), ("x86_64", "x86_64"), ("AMD64", "x86_64")]
)
def test_machine_is_named_as_aws_names_it(monkeypatch: pytest.MonkeyPatch, machine: str, name: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert machine_architecture() == name


@pytest.mark.parametrize(("machine", "here", "other"), [("aarch64", "arm64", "x86_64"), ("x86_64", "x86_64", "arm64")])
def test_layer_for_another_processor_is_refused_in_a_function(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, here: str, other: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    layers = [_layer(tmp_path, "DspLayer", other), _layer(tmp_path, "ApiLayer", here)]
    paths = [str(path) for path in (tmp_path / "nowhere", *layers)]
    check_layers(paths)  # a laptop has no layers
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "score")
    with pytest.raises(WrongArchitecture) as refused:
        check_layers(paths)
    words = str(refused.value)
    assert f"DspLayer for {other}" in words
    assert "ApiLayer" not in words
    assert f"ARCHITECTURE={here} sam build" in words
    check_layers(paths[2:])


@pytest.fixture
def runtime_api() -> Iterator[tuple[str, Reports]]:
    """Lambda's runtime API: keeps what a function's process reports instead of asking for its first event."""
    reports: Reports = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reports.append((self.path, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", reports
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric is published for Linux only")
@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "models"])
def test_lambda_hears_the_error_by_its_name(tmp_path: Path, function: str, runtime_api: tuple[str, Reports]) -> None:
    """Every function, in AWS's own runtime client; Step Functions matches errors by this name.

    The function models tells CloudFormation instead (test_models_function.py).
    """
    address, reports = runtime_api
    path = [REPOSITORY / "functions" / function, PACKAGE, _layer(tmp_path, "DspLayer", OTHER)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "LAMBDA_TASK_ROOT": str(path[0]),
    }
    subprocess.run([sys.executable, "-m", "awslambdaric", "app.handler"], env=environment, timeout=600, check=False)
    [(url, body)] = reports
    assert url.endswith("/runtime/init/error")
    assert body["errorType"] == "WrongArchitecture"
    assert f"DspLayer for {OTHER}" in str(body["errorMessage"])
    assert f"ARCHITECTURE={HERE} sam build" in str(body["errorMessage"])


# --- before it is deployed ------------------------------------------------------------------------------------------


def _check(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, REPOSITORY / "lint" / "built.py", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_build_for_the_stages_processor_may_be_deployed(tmp_path: Path) -> None:
    for name in ("DspLayer", "ApiLayer"):
        _layer(tmp_path, name, "arm64")
    done = _check("dev", tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("marked", "library"), [("x86_64", "x86_64"), ("arm64", "x86_64"), ("x86_64", "arm64")])
def test_build_for_another_processor_is_refused_before_it_is_deployed(
    tmp_path: Path, marked: str, library: str
) -> None:
    _layer(tmp_path, "ApiLayer", "arm64")
    _layer(tmp_path, "DspLayer", marked, library)
    done = _check("dev", tmp_path)
    assert done.returncode == 1
    assert "stage dev has Architecture=arm64" in done.stdout
    assert "DspLayer for x86_64" in done.stdout
    assert "ApiLayer" not in done.stdout
    assert "ARCHITECTURE=arm64 sam build" in done.stdout


def test_what_is_no_build_is_refused(tmp_path: Path) -> None:
    done = _check("dev", tmp_path / "nothing")
    assert done.returncode == 1
    assert "nothing in" in done.stdout


def test_stage_that_does_not_exist_is_named() -> None:
    done = _check("--of", "production")
    assert done.returncode == 1
    assert "no stage production; it has default, dev, prod, staging" in done.stderr


def test_processor_of_a_stage_is_its_parameter() -> None:
    assert _check("--of", "staging").stdout == "arm64\n"


def test_guided_deployment_proposes_the_processor_of_its_build(tmp_path: Path) -> None:
    answers = tmp_path / "samconfig.local.toml"
    assert _check("--guided", answers).stdout == "arm64\n"
    assert answers.read_bytes() == (REPOSITORY / "samconfig.toml").read_bytes()
    assert _check("--guided", answers, "x86_64").stdout == "x86_64\n"
    assert _check("--guided", answers).stdout == "x86_64\n"


def test_answers_that_sam_saved_keep_their_processor_until_another_is_named(tmp_path: Path) -> None:
    answers = tmp_path / "samconfig.local.toml"
    saved = r'parameter_overrides = "Stage=\"dev\" Architecture=\"x86_64\" AllowedOrigins=\"\""'
    answers.write_text(f"version = 0.1\n[default.deploy.parameters]\n{saved}\n")
    assert _check("--guided", answers).stdout == "x86_64\n"
    assert _check("--guided", answers, "arm64").stdout == "arm64\n"
    assert answers.read_text().splitlines()[-1] == saved.replace("x86_64", "arm64")
