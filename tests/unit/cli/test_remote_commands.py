"""``anemonefish remote`` against a fake API."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from anemonefish.cli.main import main
from anemonefish.client import Client, client
from anemonefish.results.report_formats import REPORTS
from tests.fakes.api_server import DECISION, EXECUTION, KEY, FakeApi, Upload, fake_api


@pytest.fixture
def service() -> Iterator[FakeApi]:
    with fake_api() as made:
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "20230210_000001.wav"
    path.write_bytes(os.urandom(1000))
    return path


@pytest.fixture
def run(service: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ANEMONEFISH_API_URL", service.api_url)
    monkeypatch.setenv("ANEMONEFISH_API_KEY", KEY)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(main, ["remote", *map(str, arguments)], catch_exceptions=False)

    return invoke


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    folder = tmp_path / "deployment"
    for name in ("a.wav", "day 2/a.wav", "day 2/b.flac", ".hidden.wav", "tab\tand\nline.wav", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def files_below(folder: Path) -> set[str]:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if ".anemonefish/" not in name}


def test_remote_detect_writes_the_files_of_detect(
    run: Callable[..., Result], service: FakeApi, deployment: Path, tmp_path: Path
) -> None:
    named = [deployment / "a.wav", deployment / ".hidden.wav"]  # hidden ones are opened when they are named
    result = run("detect", deployment, *named, "--out", tmp_path / "out", "--threshold", 0.6)
    assert result.exit_code == 0, result.output
    names = ["a.wav", "day 2/a.wav", "day 2/b.flac", "tab_and_line.wav", "a-2.wav", "_hidden.wav"]
    expected = {f"{name}{report.suffix}" for name in names for report in REPORTS.values()}
    assert files_below(tmp_path / "out") == expected | {"summary.csv"}
    assert service.names() == ["a.wav", "a.wav", "b.flac", "tab_and_line.wav", "a-2.wav", "_hidden.wav"]
    contents = [service.uploads[each].parts[0] for each in service.execution_requests[0]["recordings"]]
    assert contents == [b"a.wav", b"day 2/a.wav", b"day 2/b.flac", b"tab\tand\nline.wav", b"a.wav", b".hidden.wav"]
    assert (tmp_path / "out" / "day 2" / "b.flac.selections.txt").read_text() == "this is 2-raven-None"
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").open()))
    assert [row["recording"] for row in rows] == names
    assert {(row["status"], row["windows"], row["events"], row["error"]) for row in rows} == {("done", "99", "2", "")}
    assert {row["model_card"] for row in rows} == {"fit for science: no (simulated)"}
    assert "6 recordings, 12 events; reports in" in result.stdout
    assert "reef@1.0.0: fit for science: no (simulated)" in result.stdout
    assert f"execution {EXECUTION}" in result.stderr
    assert service.execution_requests[0]["settings"] == {"threshold": 0.6}
    assert service.execution_requests[0]["model"] == "reef@production"


def test_long_equal_names_are_made_unique(run: Callable[..., Result], service: FakeApi, tmp_path: Path) -> None:
    for day in ("day 1", "day 2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / f"{'n' * 240}.wav").write_bytes(day.encode())
    files = [tmp_path / day / f"{'n' * 240}.wav" for day in ("day 1", "day 2")]
    assert run("detect", *files, "--out", tmp_path / "out", "--formats", "csv").exit_code == 0
    names = {f"{'n' * 196}.wav.events.csv", f"{'n' * 196}-2.wav.events.csv", "summary.csv"}
    assert files_below(tmp_path / "out") == names
    assert [len(name) for name in service.names()] == [200, 200]


def test_requested_formats_are_downloaded(
    run: Callable[..., Result], service: FakeApi, small: Path, tmp_path: Path
) -> None:
    assert run("detect", small, "--out", tmp_path / "out", "--formats", "raven,csv").exit_code == 0
    assert service.execution_requests[0]["settings"] == {"formats": ["raven", "csv"]}
    expected = {f"{small.name}.selections.txt", f"{small.name}.events.csv", "summary.csv"}
    assert files_below(tmp_path / "out") == expected


def test_failed_recording_does_not_stop_the_others(
    run: Callable[..., Result], service: FakeApi, deployment: Path, tmp_path: Path
) -> None:
    (deployment / "day 2" / "broken.wav").write_bytes(b"RIFF")
    (deployment / "refused.wav").write_bytes(b"RIFF")
    (deployment / "empty.wav").touch()
    result = run("detect", deployment, tmp_path / "missing.wav", "--out", tmp_path / "out")
    assert result.exit_code == 1
    rows = {row["recording"]: row for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())}
    failed = {name: row["error"] for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {
        "day 2/broken.wav": "TruncatedRecording",
        "refused.wav": "InvalidRequest",
        "empty.wav": "EmptyRecording",
        "missing.wav": "RecordingNotFound",
    }
    assert rows["day 2/broken.wav"]["message"] == "day 2/broken.wav: the header promises more"
    assert rows["refused.wav"]["message"] == "refused.wav: not this one"
    assert rows["empty.wav"]["message"].startswith("empty.wav: the file is empty")
    assert "4 recordings, 8 events" in result.stdout
    assert "4 of 8 recordings failed" in result.stderr
    assert "TruncatedRecording: day 2/broken.wav: the header promises more" in result.stderr
    assert "Traceback" not in result.output
    assert not [name for name in files_below(tmp_path / "out") if "broken" in name or "empty" in name]


def test_failed_download_does_not_stop_the_others(
    run: Callable[..., Result], service: FakeApi, deployment: Path, tmp_path: Path
) -> None:
    service.trouble("GET", "/results/1-csv-None", 404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>")
    result = run("detect", deployment, "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 1
    assert "1 of 4 recordings failed" in result.stderr
    assert "NoSuchKey: day 2/a.wav: gone" in result.stderr
    assert len(files_below(tmp_path / "out")) == 4


RESTORE = {
    "tier": "standard",
    "requested_at": "2028-03-01T10:00:00Z",
    "ready_by": "2028-03-01T22:00:00Z",
    "kept_until": "2028-03-08T10:00:00Z",
    "files": 3,
    "files_left": 0,
}


def test_archived_result_is_reported_and_restored(run: Callable[..., Result], service: FakeApi, tmp_path: Path) -> None:
    message = f"a.wav.json is in the archive; restore it (anemonefish remote restore {EXECUTION})"
    body = {"error": "ResultArchived", "message": message, "request_id": "r-9"}
    service.trouble("GET", ".*/results", 409, body, content_type="application/json")
    result = run("results", EXECUTION, "--out", tmp_path / "out", "--formats", "json")
    assert result.exit_code == 1
    assert f"ResultArchived: a.wav: {message}" in result.stderr
    service.restore = RESTORE
    asked = run("restore", EXECUTION, "--tier", "bulk")
    assert asked.exit_code == 0, asked.output
    assert [each.query for each in service.api if each.path.endswith("/restore")] == [{"tier": "bulk"}]
    for text in (asked.stdout, run("status", EXECUTION).stdout):
        assert "3 archived files" in text
        assert "ready by 2028-03-01T22:00:00Z" in text
        assert f"anemonefish remote results {EXECUTION}" in text
    service.restore = RESTORE | {"files_left": 2}
    partial = run("restore", EXECUTION)
    assert partial.exit_code == 1
    assert "2 files are not asked for yet; run the command again" in partial.stderr


def test_results_need_no_scores(run: Callable[..., Result], service: FakeApi, tmp_path: Path) -> None:
    """Outcomes come with the list of files; results of an execution whose scores were deleted are downloaded."""
    body = {"error": "ScoresDeleted", "message": "the scores have been deleted", "request_id": "r-9"}
    service.trouble("POST", ".*/decisions", 410, body, content_type="application/json")
    result = run("results", EXECUTION, "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 0, result.output
    assert "1 recording, 2 events" in result.stdout
    assert all("format" in each.query for each in service.api if each.path.endswith("/results"))
    decided = run("decide", EXECUTION, "--out", tmp_path / "again")
    assert decided.exit_code == 1
    assert "ScoresDeleted: the scores have been deleted" in decided.stderr


def test_nothing_starts_without_an_upload(run: Callable[..., Result], service: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for command in ("detect", "start", "quote"):
        result = run(command, tmp_path / "empty.wav")
        assert result.exit_code == 1
        assert "EmptyRecording: empty.wav: the file is empty" in result.stderr
    assert service.count("POST", "/executions") == 0


def test_failed_execution_prints_one_line_for_each_error(
    run: Callable[..., Result], service: FakeApi, tmp_path: Path
) -> None:
    for name in ("x/broken.wav", "y/broken.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"RIFF")
    service.states = ["FAILED"]
    result = run("detect", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [
        "EveryRecordingFailed: all are broken",
        "TruncatedRecording: x/broken.wav: the header promises more",
        "TruncatedRecording: y/broken.wav: the header promises more",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--set", "treshold=1"], 1, "InvalidSettings: there is no setting 'treshold'"),
        (["--formats", "doc"], 1, "InvalidSettings: formats must be a list of"),
        (["--model", "whale"], 1, "RouteNotFound: GET /models/whale/production"),
        (["--nonsense"], 2, "No such option"),
        (["--key", KEY], 2, "No such option"),
    ],
)
def test_invalid_options_are_refused_before_the_upload(
    run: Callable[..., Result], service: FakeApi, small: Path, options: list[str], code: int, words: str
) -> None:
    result = run("detect", small, *options)
    assert result.exit_code == code
    assert words in result.stderr
    assert service.count("POST", "/uploads") == 0


def test_more_than_a_thousand_recordings_are_refused(
    run: Callable[..., Result], service: FakeApi, tmp_path: Path
) -> None:
    for number in range(1001):
        (tmp_path / f"{number}.wav").touch()
    result = run("detect", tmp_path)
    assert result.exit_code == 1
    assert "InvalidRequest: 1001 recordings are more than the 1000 of one execution" in result.stderr
    assert service.count("POST", "/uploads") == 0


def test_recordings_in_a_bucket_are_refused(run: Callable[..., Result]) -> None:
    result = run("detect", "s3://bucket/a.wav")
    assert result.exit_code == 1
    assert "recordings are uploaded from here" in result.stderr


def test_refused_start_prints_the_ids_of_the_uploads(run: Callable[..., Result], service: FakeApi, small: Path) -> None:
    service.trouble("POST", "/executions", 400, {"error": "InvalidSettings", "message": "odd", "request_id": "r"})
    result = run("detect", small)
    assert result.exit_code == 1
    assert "anemonefish remote start u-1" in result.stderr
    assert "InvalidSettings: odd" in result.stderr


def test_start_takes_files_and_upload_ids_and_prints_the_id_only(
    run: Callable[..., Result], service: FakeApi, small: Path
) -> None:
    there = f"u-{'a' * 26}"
    service.uploads[there] = Upload(there, "there.wav", 5, complete=True)
    result = run("start", small, there)
    assert (result.exit_code, result.stdout) == (0, f"{EXECUTION}\n")
    assert service.execution_requests[0]["recordings"] == [there, "u-2"]


def test_command_to_start_quoted_recordings_has_the_model_and_the_settings(
    run: Callable[..., Result], small: Path
) -> None:
    result = run("quote", small, "--model", "reef", "--threshold", "0.6", "--set", "channel=1")
    assert "anemonefish remote start --model reef --threshold 0.6 --set channel=1 u-1\n" in result.stderr


def test_quote_prints_time_cost_and_how_to_start(run: Callable[..., Result], service: FakeApi, small: Path) -> None:
    result = run("quote", small)
    assert result.exit_code == 0
    assert "0.0123 USD" in result.stdout
    assert "anemonefish remote start u-1" in result.stderr
    answer = json.loads(run("quote", small, "--json").stdout)
    assert answer["quote"]["expected_seconds"] == 4.5
    assert answer["uploads"] == ["u-2"]
    assert not service.execution_requests


def test_place_in_the_queue_is_printed_when_it_changes(
    run: Callable[..., Result], service: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "backoff", lambda _: 0.01)
    service.states, service.places = ["PENDING"], [2]
    assert f"{EXECUTION} is PENDING (place 2 in the queue), 1 of 2 ranges done" in run("status", EXECUTION).stdout
    service.states, service.places = [*["PENDING"] * 4, "RUNNING", "SUCCEEDED"], [3, 3, 1]
    waited = run("status", EXECUTION, "--wait")
    assert waited.exit_code == 0
    assert [line for line in waited.stderr.splitlines() if "waits" in line] == [
        f"{EXECUTION} waits for workers of other executions (place {place} in the queue)" for place in (3, 1)
    ]


def test_status_list_cancel_and_resume(run: Callable[..., Result], service: FakeApi) -> None:
    service.states = ["RUNNING"]
    assert f"{EXECUTION} is RUNNING, 1 of 2 ranges done" in run("status", EXECUTION).stdout
    assert json.loads(run("status", EXECUTION, "--json").stdout)["id"] == EXECUTION
    assert "attempt 2" in run("resume", EXECUTION).stdout
    assert "is CANCELLED" in run("cancel", EXECUTION).stdout
    assert len(json.loads(run("list", "--json", "--limit", 7).stdout)) == 7
    assert "reef@1.0.0" in run("list").stdout
    early = run("results", EXECUTION)
    assert early.exit_code == 1
    assert "WrongState" in early.stderr
    service.states = ["CANCELLED"]
    for command in ("status", "results", "decide"):
        stopped = run(command, EXECUTION)
        assert stopped.exit_code == 1
        assert f"Cancelled: {EXECUTION} is CANCELLED" in stopped.stderr


def test_job_level_files_are_downloaded(run: Callable[..., Result], service: FakeApi, tmp_path: Path) -> None:
    service.of_the_whole += ["combined.events.csv", "combined.selections.txt", "review/clips/a.flac"]
    done = run("results", EXECUTION, "--out", tmp_path, "--formats", "csv")
    assert done.exit_code == 0, done.stderr
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"combined.events.csv", "review/clips/a.flac"} <= names
    assert "combined.selections.txt" not in names
    service.of_the_whole = ["../outside.csv"]
    refused = run("results", EXECUTION, "--out", tmp_path / "inside", "--formats", "csv")
    assert refused.exit_code == 1
    assert "would lie outside" in refused.stderr
    assert not (tmp_path / "outside.csv").exists()


def test_results_and_decisions_are_downloaded(run: Callable[..., Result], service: FakeApi, tmp_path: Path) -> None:
    assert run("results", EXECUTION, "--out", tmp_path / "one", "--formats", "csv").exit_code == 0
    assert (tmp_path / "one" / "a.wav.events.csv").read_text() == "this is 0-csv-None"
    result = run("decide", EXECUTION, "--threshold", 0.7, "--out", tmp_path / "two", "--formats", "csv")
    assert result.exit_code == 0
    assert (tmp_path / "two" / "a.wav.events.csv").read_text() == f"this is 0-csv-{DECISION}"
    assert "1 recording, 3 events" in result.stdout  # those of the decision
    bodies = [each.body for each in service.api if each.path.endswith("/decisions")]
    assert {json.loads(body)["threshold"] for body in bodies} == {0.7}


def test_file_names_of_an_answer_cannot_leave_the_folder(
    run: Callable[..., Result], service: FakeApi, tmp_path: Path
) -> None:
    service.uploads["u-1"] = Upload("u-1", "../../evil.wav", 1)
    service.execution_requests.append({"recordings": ["u-1"]})
    result = run("results", EXECUTION, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "must be a relative path without '..'" in result.stderr
    assert not files_below(tmp_path)


def test_predict_prints_json(run: Callable[..., Result], service: FakeApi, small: Path) -> None:
    assert json.loads(run("predict", small, "--threshold", 0.8).stdout)["events"] == []
    assert b'"threshold": 0.8' in service.api[-1].body
    assert "RecordingNotFound" in run("predict", small.with_name("none.wav")).stderr


def test_error_of_the_service_prints_the_request_id(run: Callable[..., Result], service: FakeApi) -> None:
    service.trouble("GET", "/executions", 500, {"error": "InternalError", "message": "our fault", "request_id": "r-7"})
    result = run("list")
    assert result.exit_code == 1
    assert result.stderr.strip() == "InternalError: our fault (request_id r-7)"


def test_ctrl_c_while_waiting_prints_how_to_continue(
    run: Callable[..., Result], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "wait", interrupted)
    result = run("detect", small)
    assert result.exit_code == 1
    assert f"anemonefish remote status {EXECUTION} --wait" in result.stderr
    assert f"anemonefish remote cancel {EXECUTION}" in result.stderr
    assert "Traceback" not in result.output


def test_missing_key_or_address_is_a_usage_error(
    run: Callable[..., Result], service: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANEMONEFISH_API_KEY", "wrong")
    refused = run("list")
    assert refused.exit_code == 1
    assert "NotAllowed: the key is missing" in refused.stderr
    monkeypatch.delenv("ANEMONEFISH_API_KEY")
    assert run("list").exit_code == 2
    assert "set ANEMONEFISH_API_KEY" in run("list").stderr
    assert run("list", "--help").exit_code == 0
    monkeypatch.delenv("ANEMONEFISH_API_URL")
    assert run("list").exit_code == 2
    assert "ANEMONEFISH_API_URL" in run("list").stderr


def test_key_prompt_does_not_echo(service: FakeApi) -> None:
    command = [sys.executable, "-m", "anemonefish", "remote", "list", "--url", service.api_url]
    controller, terminal = pty.openpty()
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True) as process:
        os.close(terminal)
        shown = b""
        while b"API key" not in shown:
            shown += os.read(controller, 1024)
        while termios.tcgetattr(controller)[3] & termios.ECHO:  # the question comes before the echo is switched off
            time.sleep(0.01)
        os.write(controller, f"{KEY}\n".encode())
        while chunk := _read(controller):
            shown += chunk
    os.close(controller)
    assert process.returncode == 0
    assert b"e-0" in shown
    assert KEY.encode() not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # Linux's word for a terminal that nobody writes to any more
        return b""


def test_missing_httpx_is_reported_by_remote_commands_only() -> None:
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "from anemonefish.cli.main import main\n"
        "main(['remote', 'list', '--url', 'https://api.example'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert "pip install 'anemonefish[remote]'" in done.stderr
