"""Which files of a folder are recordings, what they are called, and what is said of the others."""

from __future__ import annotations

import csv
import json
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from anemonefish.cli.main import main
from anemonefish.errors import InvalidRequest, RecordingNotFound
from anemonefish.jobs.request import RecordingRequest, recordings_below
from anemonefish.models.repository import ModelRepository
from anemonefish.recording_names import recording_name, unique_names
from anemonefish.results.report_formats import REPORTS
from anemonefish.settings import Settings
from anemonefish.stores import open_source, open_store
from anemonefish.stores.folder import local_path, local_uri
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.planner import plan_job

MakeRecording = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def fill(folder: Path, *names: str | bytes) -> Path:
    for name in names:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))  # noqa: PTH118 - names that are bytes
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(b"RIFF")
    return folder


def names_in(folder: Path) -> list[str]:
    return [request.name for request in find_recordings([str(folder)]).recordings]


# --- what is looked at -----------------------------------------------------------------------------------------------


def test_hidden_files_and_system_folders_are_passed_over(tmp_path: Path) -> None:
    fill(
        tmp_path, "a.wav", "._a.wav", ".hidden.wav", ".Trashes/b.wav", ".Spotlight-V100/c.wav", "$RECYCLE.BIN/d.wav",
        "System Volume Information/e.wav", "day/@eaDir/a.wav/SYNOAUDIO.wav", "#recycle/f.wav", "lost+found/g.wav",
        "__MACOSX/._a.wav", "day/._b.WAV", "day/b.WAV",
    )  # fmt: skip
    found = find_recordings([str(tmp_path)])
    assert [request.name for request in found.recordings] == ["a.wav", "day/b.WAV"]
    assert found.lines() == []


def test_a_folder_inside_a_hidden_folder_is_searched_when_it_is_named(tmp_path: Path) -> None:
    fill(tmp_path / ".cache" / "deployment", "a.wav")
    assert names_in(tmp_path / ".cache" / "deployment") == ["a.wav"]


def test_a_hidden_file_that_is_named_is_opened(make_recording: MakeRecording, tmp_path: Path) -> None:
    path = make_recording(".noise.wav")
    assert run("detect", path, "--out", tmp_path / "out", "--formats", "csv").exit_code == 0
    assert (tmp_path / "out" / "_noise.wav.events.csv").exists()


def test_apple_double_files_fail_no_job(make_recording: MakeRecording, tmp_path: Path) -> None:
    make_recording("card/20230210_000001.WAV", format="WAV")
    (tmp_path / "card" / "._20230210_000001.WAV").write_bytes(b"\x00\x05\x16\x07" + bytes(4092))
    result = run("detect", tmp_path / "card", "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 0, result.output
    assert len(list(csv.DictReader((tmp_path / "out" / "summary.csv").open()))) == 1


def test_files_that_are_not_looked_at_are_named(make_recording: MakeRecording, tmp_path: Path) -> None:
    make_recording("dep/a.wav")
    fill(tmp_path / "dep", "b.w4v", "c.sud", "data", "a.wav.selections.txt", "notes.md", "log.xml", "day/d.zip")
    for command in (["plan"], ["detect", "--out", tmp_path / "out", "--formats", "csv"]):
        result = run(*command, tmp_path / "dep")
        assert result.exit_code == 0
        assert "4 files were not looked at: b.w4v, c.sud, data, day/d.zip" in result.stderr.splitlines()
    manifest = json.loads((tmp_path / "out" / ".anemonefish" / "manifest.json").read_text())
    assert manifest["not_looked_at"] == ["b.w4v", "c.sud", "data", "day/d.zip"]


def test_one_file_and_many_files_that_are_not_looked_at(tmp_path: Path) -> None:
    fill(tmp_path / "one", "a.wav", "b.sud")
    fill(tmp_path / "many", "a.wav", *(f"{number:02d}.sud" for number in range(12)))
    assert find_recordings([str(tmp_path / "one")]).lines() == ["1 file was not looked at: b.sud"]
    (line,) = find_recordings([str(tmp_path / "many")]).lines()
    assert line.startswith("12 files were not looked at: 00.sud, 01.sud")
    assert line.endswith("09.sud and 2 more")


def test_an_empty_folder_says_what_was_not_looked_at(tmp_path: Path) -> None:
    fill(tmp_path, "a.sud")
    with pytest.raises(RecordingNotFound, match=r"no recording in this folder.*; 1 file was not looked at: a\.sud"):
        find_recordings([str(tmp_path)])


def test_an_empty_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fill(tmp_path, "a.wav"))
    with pytest.raises(InvalidRequest, match="a path is empty"):
        find_recordings([""])


def test_links_to_folders_are_told_and_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "b.wav")
    fill(tmp_path / "dep", "a.wav")
    (tmp_path / "dep" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dep" / "loop").symlink_to(tmp_path / "dep")
    found = find_recordings([str(tmp_path / "dep")])
    assert [request.name for request in found.recordings] == ["a.wav"]
    assert found.lines() == ["2 links to folders were not followed: linked, loop; name them to search them"]
    assert names_in(tmp_path / "dep" / "linked") == ["b.wav"]


def test_links_to_nothing_and_circles_fail_alone(make_recording: MakeRecording, tmp_path: Path) -> None:
    make_recording("dep/a.wav")
    (tmp_path / "dep" / "gone.wav").symlink_to(tmp_path / "annex" / "gone.wav")
    (tmp_path / "dep" / "circle.wav").symlink_to(tmp_path / "dep" / "circle.wav")
    os.mkfifo(tmp_path / "dep" / "pipe.wav")
    result = run("detect", tmp_path / "dep", "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 1
    rows = {row["recording"]: row for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "a.wav": "done", "circle.wav": "failed", "gone.wav": "failed",
    }  # fmt: skip
    assert "a link to a file that is not there" in rows["gone.wav"]["message"]
    assert "cannot be opened" in rows["circle.wav"]["message"]
    assert "1 file was not looked at: pipe.wav" in result.stderr


def test_a_pipe_that_is_named_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    result = run("detect", tmp_path / "pipe.wav", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "this is a pipe or a device" in result.stderr


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of root in this block: for root no folder is unreadable."""
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65_534)
        yield
    finally:
        os.seteuid(before)


def test_a_folder_that_cannot_be_read_fails_alone() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = fill(Path(name), "a.wav", "closed/b.wav")
        folder.chmod(0o755)
        (folder / "closed").chmod(0)
        try:
            with as_nobody():
                good, closed = find_recordings([name]).recordings
                open_source(good.uri).close()
                assert (good.name, closed.name) == ("a.wav", "closed")
                with pytest.raises(
                    RecordingNotFound, match=r"closed: this folder cannot be read \(permission denied\)"
                ):
                    open_source(closed.uri)
        finally:
            (folder / "closed").chmod(0o755)


# --- what it is called -----------------------------------------------------------------------------------------------

ODD = [
    (b"p\xe9che.wav", "p_che.wav"),
    (b"\xff\xfe.wav", "__.wav"),
    (b"tab\tnew\nline\r.wav", "tab_new_line_.wav"),
    (b"bell\x07\x1b[31m.wav", "bell__[31m.wav"),
    ("rtl\u202egnp.wav", "rtl_gnp.wav"),
    ("zero\u200bwidth.wav", "zero_width.wav"),
    ("line\u2028separator.wav", "line_separator.wav"),
    ("back\\slash.wav", "back_slash.wav"),
    ("n" * 251 + ".wav", "n" * 196 + ".wav"),
    ("ü" * 125 + ".wav", "ü" * 98 + ".wav"),
    ("trailing .wav", "trailing .wav"),
    ("dots..wav", "dots..wav"),
    ("CON.wav", "CON.wav"),
    ("=1+1.wav", "=1+1.wav"),
    ("a b'c\"d$(e)`f`.wav", "a b'c\"d$(e)`f`.wav"),
    ("summary.csv/a.wav", "summary.csv_/a.wav"),
    ("a.wav.json/a.wav", "a.wav.json_/a.wav"),
]


@pytest.mark.parametrize(("name", "shown"), ODD)
def test_a_recording_of_any_name_is_analysed_beside_a_good_one(
    make_recording: MakeRecording, tmp_path: Path, name: str | bytes, shown: str
) -> None:
    good = make_recording("dep/good.wav")
    odd = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path / "dep"), os.fsencode(name))))  # noqa: PTH118
    odd.parent.mkdir(exist_ok=True)
    odd.write_bytes(good.read_bytes())
    assert run("plan", tmp_path / "dep").exit_code == 0
    result = run("detect", tmp_path / "dep", "--out", tmp_path / "out", "--clips", "--set", "threshold=0")
    assert result.exit_code == 0, result.output
    table = csv.DictReader((tmp_path / "out" / "summary.csv").open(newline=""))
    rows = [row["recording"].removeprefix("'") for row in table]  # what keeps a spreadsheet from running a cell
    assert sorted(rows) == sorted(["good.wav", shown])
    for name_of in rows:
        assert all((tmp_path / "out" / f"{name_of}{report.suffix}").is_file() for report in REPORTS.values())
    for path in (tmp_path / "out").rglob("*"):
        assert path.name.isprintable()
        assert len(os.fsencode(path.name)) <= 255


def test_two_names_that_are_no_text_are_told_apart(make_recording: MakeRecording, tmp_path: Path) -> None:
    content = make_recording("dep/good.wav").read_bytes()
    for name in (b"p\xe8che.wav", b"p\xe9che.wav"):
        Path(os.fsdecode(os.fsencode(tmp_path / "dep") + b"/" + name)).write_bytes(content)
    result = run("detect", tmp_path / "dep", "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 0, result.output
    rows = [row["recording"] for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())]
    assert rows == ["good.wav", "p_che.wav", "p_che-2.wav"]


def test_a_broken_recording_whose_name_is_no_text_fails_alone(make_recording: MakeRecording, tmp_path: Path) -> None:
    make_recording("dep/good.wav")
    Path(os.fsdecode(os.fsencode(tmp_path / "dep") + b"/p\xe9che.wav")).write_bytes(b"RIFF")
    result = run("detect", tmp_path / "dep", "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 1
    rows = {row["recording"]: row["status"] for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())}
    assert rows == {"good.wav": "done", "p_che.wav": "failed"}


def test_labels_whose_file_name_is_no_text_are_evaluated(make_recording: MakeRecording, tmp_path: Path) -> None:
    content = make_recording("dep/good.wav").read_bytes()
    Path(os.fsdecode(os.fsencode(tmp_path / "dep") + b"/p\xe9che.wav")).write_bytes(content)
    assert run("detect", tmp_path / "dep", "--out", tmp_path / "out").exit_code == 0
    (tmp_path / "labels").mkdir()
    for name in (b"p\xe9che.wav.txt", b"other\xe9.wav.txt"):
        Path(os.fsdecode(os.fsencode(tmp_path / "labels") + b"/" + name)).write_text("0.1\t0.3\tanemonefish\n")
    result = run("evaluate", tmp_path / "out", tmp_path / "labels", "--out", tmp_path / "evaluation")
    assert result.exit_code == 0, result.output
    assert "1 labelled recordings" in result.output
    assert "other_.wav" in (tmp_path / "evaluation" / "evaluation.json").read_text()


def test_a_folder_of_results_whose_name_is_no_text(make_recording: MakeRecording, tmp_path: Path) -> None:
    out = os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9sultats")
    for _ in range(2):
        result = run("detect", make_recording(), "--out", out, "--formats", "csv")
        assert result.exit_code == 0, result.output
    assert Path(out, "summary.csv").exists()


@given(st.text(max_size=300))
def test_any_text_becomes_a_name_that_a_recording_may_have(path: str) -> None:
    name = recording_name(path)
    assert RecordingRequest("", name, "").name == name
    assert name.isprintable()
    assert recording_name(name) == name
    assert len(name.encode()) <= 750
    assert all(not part.startswith(".") and len(part.encode()) <= 255 for part in name.split("/"))


@given(st.lists(st.sampled_from(["a.wav", "A.WAV", "a-2.wav", "é.wav", "e\u0301.wav", "É.wav", "combined", "ß", "SS"])))
def test_names_are_unique_on_every_file_system(names: list[str]) -> None:
    unique = unique_names(names)
    folded = {unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()) for name in unique}
    assert len(folded) == len(names)
    assert "combined" not in folded  # combined.events.csv tells of all recordings


def test_names_that_differ_only_in_case_or_form_have_results_of_their_own(
    make_recording: MakeRecording, tmp_path: Path
) -> None:
    content = make_recording("dep/a.wav").read_bytes()
    for name in ("A.WAV", "\u00e9.wav", "e\u0301.wav"):
        (tmp_path / "dep" / name).write_bytes(content)
    if len(list((tmp_path / "dep").iterdir())) != 4:
        pytest.skip("this file system does not tell them apart")
    assert run("detect", tmp_path / "dep", "--out", tmp_path / "out", "--formats", "csv").exit_code == 0
    rows = [row["recording"] for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())]
    assert rows == ["A.WAV", "a-2.wav", "e\u0301.wav", "\u00e9-2.wav"]


@pytest.mark.parametrize("path", ["/a/b c.wav", "/ü/名.wav", "/a/%41.wav", os.fsdecode(b"/p\xe9/che\xff%.wav")])
def test_a_path_survives_a_plan(path: str) -> None:
    uri = local_uri(Path(path))
    assert json.loads(json.dumps({"uri": uri}).encode())["uri"] == uri
    assert local_path(uri) == Path(path)


# --- keys of S3 ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    from anemonefish.cloud import clients

    with mock_aws():
        clients.client.cache_clear()
        client = boto3.client("s3")
        client.create_bucket(Bucket="reef")
        yield client
    clients.client.cache_clear()


def test_keys_are_named_as_on_a_laptop_and_an_odd_key_fails_no_job(
    bucket: Any, make_recording: MakeRecording, models_uri: str
) -> None:
    content = make_recording("a.wav").read_bytes()
    keys = {
        "dep/a.wav": "a.wav",
        "dep/d//b.wav": "d/b.wav",
        "dep//c.wav": "c.wav",
        "dep/t\tb.wav": "t_b.wav",
        "dep/back\\slash.wav": "back_slash.wav",
        "dep/rtl\u202e.wav": "rtl_.wav",
        "dep/" + "n" * 900 + ".wav": "n" * 196 + ".wav",
        "dep/x/../y.wav": "x/_./y.wav",
    }
    for key in keys:
        bucket.put_object(Bucket="reef", Key=key, Body=content)
    for key in ("dep/._a.wav", "dep/.Trashes/a.wav", "dep/$RECYCLE.BIN/a.wav", "dep/folder.wav/", "dep/notes.txt",
                "dep/review/clips/a.wav_000006.800s_anemonefish_0.850.flac"):  # fmt: skip
        bucket.put_object(Bucket="reef", Key=key, Body=b"")
    requests = recordings_below("s3://reef/dep/")
    assert {request.uri.removeprefix("s3://reef/"): request.name for request in requests} == keys
    plan = plan_job(requests, "reef", Settings.load({}, {}), ModelRepository(open_store(models_uri)))
    assert [recording.failure for recording in plan.recordings] == [None] * len(keys)
    assert all(recording.path.isprintable() for recording in plan.recordings)
    assert RecordingRequest.from_dict({"uri": "s3://reef/dep/t\tb.wav"}).name == "t_b.wav"
