"""Run ``anemonefish remote`` as a user types it, with the API on a local AWS, over HTTP.

The downloaded files are compared with those that ``anemonefish detect`` writes for the same recordings on this machine.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from anemonefish.client import Client
from anemonefish.results.report_formats import REPORTS
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from localstack import LocalAws, Stack
from tests.reference_models import OTHER_DECISION, n_windows

from .conftest import PATIENCE, Api, await_true, new_key, released_when_stopped

Command = Callable[..., subprocess.CompletedProcess[str]]

SAME = {"scores", "audacity", "classes"}
"""Formats without the name or path of the recording. ``csv`` contains the recording's name, which has no folders in the
API. The other formats contain its path, which is a file path on this machine and a name in the API."""

LARGE = "20230210_000002_LL_B55_M_R.wav"


def command(stack: Stack, key: str | None = None) -> Command:
    """Return a function that runs ``anemonefish remote`` with the stack's URL and a key."""
    access = {"ANEMONEFISH_API_URL": stack.api_url, "ANEMONEFISH_API_KEY": key or stack.api_key}

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "anemonefish", "remote", *map(str, arguments)]
        environment = os.environ | access
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def remote(stack: Stack) -> Command:
    return command(stack)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write twenty seconds of a busy reef."""
    path = tmp_path_factory.mktemp("clip") / "20230210_000001_LL_B55_M_R.wav"
    write_scene(scene(20, seed=11, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), path)
    return path


@pytest.fixture(scope="module")
def deployment(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a folder: twenty minutes of the clip (115 MB), the clip in two folders, a broken and an empty file."""
    folder = tmp_path_factory.mktemp("deployment")
    samples, rate = soundfile.read(clip, dtype="int16")
    soundfile.write(folder / LARGE, np.tile(samples, 60), rate, subtype="PCM_16")
    for name in ("day 2/reef.wav", "day 3/reef.wav"):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(clip.read_bytes())
    (folder / "day 3" / "broken.wav").write_bytes(clip.read_bytes()[:44])
    (folder / "empty.wav").touch()
    return folder


@pytest.fixture(scope="module")
def laptop(deployment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run ``anemonefish detect`` on the deployment and return its folder."""
    return _detect(deployment, tmp_path_factory.mktemp("laptop"))


@pytest.fixture(scope="module")
def fetched(remote: Command, deployment: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Run ``anemonefish remote detect``; return its folder, its output and the execution's id."""
    out = tmp_path_factory.mktemp("fetched")
    done = remote("detect", deployment, "--out", out, code=1)
    execution = next(line.split()[1] for line in done.stderr.splitlines() if line.startswith("execution e-"))
    return out, done.stdout + done.stderr, execution


def _detect(deployment: Path, out: Path, *options: str) -> Path:
    line = [sys.executable, "-m", "anemonefish", "detect", str(deployment), "--out", str(out), *options]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1, done.stderr  # the broken and the empty file fail
    return out


def _files(folder: Path) -> set[str]:
    """Return the files below a folder, without those in ``.anemonefish``."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith(".anemonefish")}


def _rows(folder: Path) -> dict[str, dict[str, str]]:
    return {row["recording"]: row for row in csv.DictReader((folder / "summary.csv").open())}


# --- remote detect -----------------------------------------------------------------------------------------------


def test_large_recording_is_uploaded_in_parts(
    api: Api, s3: Any, stack: Stack, deployment: Path, fetched: tuple[Path, str, str]
) -> None:
    size = (deployment / LARGE).stat().st_size
    assert size > 100e6
    bucket = stack.outputs["InputBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="uploads/")
    found = (each for page in pages for each in page["Contents"] if each["Size"] == size and LARGE in each["Key"])
    stored = max(found, key=lambda each: each["LastModified"])
    assert (
        stored["ETag"].strip('"').endswith(f"-{-(-size // (16 << 20))}")
    )  # S3 marks objects that were uploaded in parts
    assert s3.get_object(Bucket=bucket, Key=stored["Key"])["Body"].read() == (deployment / LARGE).read_bytes()
    names = [each["name"] for each in api("GET", f"/executions/{fetched[2]}").json()["recordings"]]
    assert names == [LARGE, "reef.wav", "broken.wav", "reef-2.wav"]


def test_remote_detect_writes_the_same_files_as_detect(laptop: Path, fetched: tuple[Path, str, str]) -> None:
    out, words, _ = fetched
    assert _files(out) == _files(laptop)
    assert "3 recordings," in words
    assert "2 of 5 recordings failed" in words
    ours, theirs = _rows(laptop), _rows(out)
    assert list(theirs) == list(ours)
    for name, row in theirs.items():
        for column in ("status", "windows", "events", "error", "notes"):
            assert row[column] == ours[name][column], name
    assert theirs["day 3/broken.wav"]["error"] == "TruncatedRecording"
    assert theirs["day 3/broken.wav"]["message"].startswith("day 3/broken.wav: the header promises")
    assert theirs["empty.wav"]["error"] == "EmptyRecording"


@pytest.mark.parametrize("name", [LARGE, "day 2/reef.wav", "day 3/reef.wav"])
def test_contents_of_files_equal_those_of_detect(laptop: Path, fetched: tuple[Path, str, str], name: str) -> None:
    """Files without a path are equal byte for byte; other files differ only in the path."""
    for form, report in REPORTS.items():
        ours, theirs = (folder / f"{name}{report.suffix}" for folder in (laptop, fetched[0]))
        if form in SAME or (form == "csv" and "/" not in name):
            assert theirs.read_bytes() == ours.read_bytes(), form
        elif form == "parquet":
            assert _scores(theirs) == _scores(ours)
        elif form == "json":
            assert _document(theirs) == _document(ours)
        else:
            assert _without_paths(theirs) == _without_paths(ours), form
        assert len(theirs.read_bytes()) > 50, form


def _document(path: Path) -> Any:
    """Return the lab's JSON without the two names of the recording."""
    document = json.loads(path.read_text())
    for name in ("name", "path"):
        document["recording"].pop(name)
    return document


def _scores(path: Path) -> tuple[list[str], list[Any]]:
    from arro3.io import read_parquet

    table = read_parquet(path).read_all()
    return table.schema.names, [table.column(name).to_pylist() for name in table.schema.names]


def _without_paths(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table without the columns with the recording's name or path."""
    where = {"recording", "Begin Path", "Begin File", "INDIR", "FOLDER", "IN FILE"}
    with path.open(newline="") as file:
        lines = file.read().splitlines()
    delimiter = "\t" if "\t" in lines[0] else ","
    rows = list(csv.reader(lines, delimiter=delimiter))
    kept = [number for number, name in enumerate(rows[0]) if name not in where]
    assert len(kept) > 2
    return [{rows[0][number]: row[number] for number in kept} for row in rows]


# --- one execution -----------------------------------------------------------------------------------------------


def test_decide_equals_detect_with_other_settings(
    remote: Command, deployment: Path, fetched: tuple[Path, str, str], laptop: Path, tmp_path: Path
) -> None:
    other = [word for name, value in OTHER_DECISION.items() for word in ("--set", f"{name}={value}")]
    out = tmp_path / "again"
    done = remote("decide", fetched[2], *other, "--out", out, code=1)
    assert "1 of 4 recordings failed" in done.stderr
    ours = _detect(deployment, tmp_path / "laptop", *other)
    for form in SAME | {"csv"}:
        file = f"{LARGE}{REPORTS[form].suffix}"
        assert (out / file).read_bytes() == (ours / file).read_bytes(), form
    events = f"{LARGE}{REPORTS['csv'].suffix}"
    assert (out / events).read_bytes() != (laptop / events).read_bytes()
    assert _rows(out)[LARGE]["events"] == _rows(ours)[LARGE]["events"] != _rows(laptop)[LARGE]["events"]


def test_start_status_results_and_list_show_one_execution(
    remote: Command, clip: Path, aws: LocalAws, stack: Stack, tmp_path: Path
) -> None:
    mine = command(stack, new_key(aws, stack))
    execution = mine("start", clip, "--threshold", 0.6).stdout.strip()
    assert execution.startswith("e-")
    found = json.loads(mine("status", execution, "--wait", "--json").stdout)
    assert (found["status"], found["settings"]["threshold"]) == ("SUCCEEDED", 0.6)
    mine("results", execution, "--out", tmp_path / "out", "--formats", "raven,audacity")
    reports = {f"{clip.name}.selections.txt", f"{clip.name}.audacity.txt"}
    assert _files(tmp_path / "out") == reports | {"summary.csv", "effort.csv"}
    assert [each["id"] for each in json.loads(mine("list", "--json").stdout)] == [execution]
    assert mine("list").stdout.startswith(f"{execution}  SUCCEEDED")
    hidden = remote("status", execution, code=1)  # the execution belongs to another key
    assert "ExecutionNotFound" in hidden.stderr


def test_quote_prints_uploads_that_start_accepts(remote: Command, clip: Path, tmp_path: Path) -> None:
    answer = json.loads(remote("quote", clip, "--json").stdout)
    assert (answer["quote"]["recordings"], answer["quote"]["windows"]) == (1, n_windows(20))
    assert 0 < answer["quote"]["expected_usd"] < 0.01
    execution = remote("start", *answer["uploads"]).stdout.strip()
    assert "is SUCCEEDED, 1 of 1 ranges done" in remote("status", execution, "--wait").stdout


def test_execution_is_cancelled_and_resumed(trouble_stack: Stack, s3: Any, clip: Path, tmp_path: Path) -> None:
    mine = command(trouble_stack)
    held = tmp_path / "held.wav"
    held.write_bytes(clip.read_bytes())
    execution = mine("start", held, "--set", "max_range_seconds=1").stdout.strip()
    with released_when_stopped(Api(trouble_stack.api_url, trouble_stack.api_key), s3, trouble_stack):
        with Client(trouble_stack.api_url, trouble_stack.api_key) as client:
            await_true(lambda: client.status(execution)["ranges_done"] >= 4)
        assert "is CANCELLED" in mine("cancel", execution).stdout
        assert "Cancelled" in mine("status", execution, "--wait", code=1).stderr
        assert "attempt 2" in mine("resume", execution).stdout
    assert "is SUCCEEDED, 20 of 20 ranges done" in mine("status", execution, "--wait").stdout
    for verb in ("cancel", "resume"):
        assert "WrongState" in mine(verb, execution, code=1).stderr


def test_single_broken_recording_prints_one_line(remote: Command, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(clip.read_bytes()[:44])
    done = remote("detect", broken, "--out", tmp_path / "out", code=1)
    assert done.stderr.splitlines()[1].startswith("TruncatedRecording: broken.wav: the header promises")
    assert len(done.stderr.splitlines()) == 2  # the other line names the execution
    assert not (tmp_path / "out").exists()


def test_predict_prints_the_labs_json(remote: Command, api: Api, clip: Path) -> None:
    answer = json.loads(remote("predict", clip, "--threshold", 0.8).stdout)
    form = {"audio_file": (clip.name, clip.read_bytes(), "audio/wav")}
    expected = api("POST", "/inference/predict", files=form, data={"config": '{"threshold": 0.8}'}).json()
    assert (answer["predictions"], answer["events"]) == (expected["predictions"], expected["events"])
    assert (len(answer["predictions"]), answer["metadata"]["confidence_threshold"]) == (n_windows(20), 0.8)


def test_clip_that_is_too_large_is_refused(remote: Command, tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    soundfile.write(path, np.zeros(2_500_000, np.int16), 48_000, subtype="PCM_16")
    assert "ClipTooLarge: large.wav" in remote("predict", path, code=1).stderr


# --- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "whale"], "ModelNotFound: "),
        (["--set", "treshold=1"], "InvalidSettings: there is no setting 'treshold'"),
        (["--set", "target_class=whale"], "InvalidSettings: target_class must be one of"),
        (["--set", "memory_mb=1024"], "InvalidRequest: body.settings.memory_mb"),
    ],
)
def test_mistake_is_reported_before_the_upload(
    remote: Command, clip: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    assert words in remote("detect", clip, "--out", tmp_path / "out", *options, code=1).stderr
    assert not (tmp_path / "out").exists()


def test_wrong_key_is_refused(stack: Stack, clip: Path) -> None:
    for arguments in (("list",), ("detect", clip), ("predict", clip)):
        done = command(stack, "wrong")(*arguments, code=1)
        assert done.stderr.startswith("NotAllowed: the key is missing or unknown")
