"""Log lines of functions: the same keys everywhere, and no secrets."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from anemonefish.cloud.function_log import KEYS, bound, fields_of_input, log, log_error, logged, without_secrets
from anemonefish.errors import EmptyRecording, StorageError

JOB = {"tenant": "lab", "id": "j-1"}
RANGE = {"uri": "s3://input/uploads/lab/u-1", "path": "/home/me/a.wav", "windows": {"start": 3, "stop": 9}}


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_line_has_the_same_keys(lines: Any) -> None:
    log("INFO", "outside")
    with bound(job="jobs/lab/j-1"):
        log("INFO", "inside", windows=3)
    [outside, inside] = lines()
    assert list(outside) == ["timestamp", "level", "message", *KEYS]
    assert list(inside) == [*outside, "windows"]
    assert (outside["job"], inside["job"]) == (None, "jobs/lab/j-1")


def test_handler_logs_its_end(lines: Any) -> None:
    handler = logged("plan")(lambda event, context: event["job"]["id"])
    event = {"job": JOB, "correlation_id": "r-1"}
    assert handler(event, SimpleNamespace(aws_request_id="i-1")) == "j-1"
    [line] = lines()
    assert {key: line[key] for key in ("message", "function", "correlation_id", "job", "execution", "request_id")} == {
        "message": "finished", "function": "plan", "correlation_id": "r-1", "job": "jobs/lab/j-1", "execution": "j-1",
        "request_id": "i-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "level", "status"),
    [
        (EmptyRecording("a.wav: empty"), "WARNING", 400),
        (StorageError("S3"), "ERROR", 503),
        (KeyError("x"), "ERROR", 500),
    ],
)
def test_handler_logs_its_error_and_raises_it(error: Exception, level: str, status: int, lines: Any) -> None:
    def fails(event: Any, context: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        logged("score")(fails)({"job": "jobs/lab/j-1"}, None)
    [line] = lines()
    assert (line["message"], line["level"], line["error"]) == ("failed", level, type(error).__name__)
    assert line["status"] == status


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"again": {"job": JOB}}, {"job": "jobs/lab/j-1", "execution": "j-1", "correlation_id": "j-1"}),
        ({"execution": {"job": JOB, "correlation_id": "r-1"}}, {"job": "jobs/lab/j-1", "correlation_id": "r-1"}),
        ({"job": "jobs/lab/j-1", "ranges": [RANGE]}, {"recording": "uploads/lab/u-1", "range": "3-9"}),
        ({"job": "jobs/lab/j-1", "ranges": [RANGE, RANGE]}, {"recording": None, "range": None}),
        ({"job": "jobs/lab/j-1", "recording": {"uri": "s3://input/a"}}, {"recording": "a", "range": None}),
        ({"job": "jobs/../x"}, {"job": None, "execution": None}),
        ({"job": {"tenant": "lab/../x", "id": "j"}}, {"job": None}),
        ({"job": 7, "ranges": "x", "recording": [3]}, {"job": None, "recording": None}),
        (None, {"job": None}),
    ],
)
def test_keys_are_read_from_the_input(event: Any, wanted: dict[str, Any]) -> None:
    fields = fields_of_input(event)
    assert {key: fields.get(key) for key in wanted} == wanted


def test_path_on_the_users_machine_is_not_logged(lines: Any) -> None:
    logged("score")(lambda event, context: None)({"job": "jobs/lab/j-1", "ranges": [RANGE]}, None)
    assert "/home/me" not in json.dumps(lines())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("GET https://b.s3.eu-central-1.amazonaws.com/k?X-Amz-Signature=ab12&x=1 failed",
         "GET https://b.s3.eu-central-1.amazonaws.com/k?... failed"),
        ("https://hooks.example.org/x?token=secret", "https://hooks.example.org/x?..."),
        ("signed X-Amz-Signature=ab12&y", "signed X-Amz-Signature=...&y"),
        ("the key whsec_QUJD", "the key whsec_..."),
        ("s3://input/uploads/a.wav: is it empty? yes", "s3://input/uploads/a.wav: is it empty? yes"),
    ],
)  # fmt: skip
def test_secrets_are_removed(text: str, wanted: str, lines: Any) -> None:
    assert without_secrets(text) == wanted
    log_error("failed", StorageError(text))
    assert lines()[0]["reason"] == wanted


def test_line_survives_half_of_a_surrogate_pair(lines: Any) -> None:
    log("INFO", "a \ud800 b")
    assert lines()[0]["message"] == "a ? b"


def test_a_line_separator_in_a_name_does_not_end_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x85b\u2028c\u2029d.wav"
    log("INFO", "answered", path=name)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["path"] == name


def test_threads_do_not_join_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report worker logs in several threads: all that belongs to a line has to be in one write."""
    written: list[str] = []
    monkeypatch.setattr("sys.stdout", SimpleNamespace(write=written.append, flush=lambda: None))
    log("INFO", "reports were written")
    [line] = written
    assert line.endswith("}\n")
    assert json.loads(line)["message"] == "reports were written"
