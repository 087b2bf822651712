"""When the recordings of a job begin: headers, files beside them, tags of what is transcoded; on a laptop and in S3."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto import mock_aws

from anemonefish.audio.headers import Metadata
from anemonefish.cloud import clients
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import Settings
from anemonefish.stores import open_store, read_companion
from anemonefish.workflow.plan_recording import _start_of
from anemonefish.workflow.planner import plan_job

NAME = "6075.220210084905.wav"
LOG = (
    b'<ST><PROC_EVENT ID="4"><WavFileHandler SamplingStartTimeUTC="2022-02-09T22:49:05" /></PROC_EVENT>'
    b'<PROC_EVENT ID="4"><WavFileHandler SamplingStartTimeSubS="61340 us" /></PROC_EVENT></ST>'
)
UTC = "2022-02-09T22:49:05.061340Z"


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket; ``requested`` collects the keys of every GET."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        clients.client.cache_clear()
        client = boto3.client("s3")
        client.create_bucket(Bucket="reef")
        yield client
    clients.client.cache_clear()


@pytest.fixture
def requested() -> list[str]:
    """Collect the keys of every GET of an object."""
    keys: list[str] = []
    clients.client("s3", clients.OBJECT_BYTES).meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: keys.append(params["Key"])
    )
    return keys


def planned(models: ModelRepository, *uris: str | Path, **overrides: object) -> Plan:
    requests = [RecordingRequest(str(uri), str(uri).rpartition("/")[2], str(uri)) for uri in uris]
    return plan_job(requests, "reef", Settings.load(overrides, {}), models)


def began(models: ModelRepository, uri: str | Path, **overrides: object) -> tuple[str | None, str]:
    begins = planned(models, uri, **overrides).recordings[0].begins
    assert begins is not None
    return begins.utc, begins.source


@pytest.mark.parametrize("ending", [".log.xml", ".xml"])
def test_a_soundtraps_log_in_the_same_folder_is_read(
    models: ModelRepository, make_recording: Callable[..., Path], tmp_path: Path, ending: str
) -> None:
    recording = make_recording().rename(tmp_path / NAME)
    assert began(models, recording)[0] is None
    (tmp_path / f"6075.220210084905{ending}").write_bytes(LOG)
    assert began(models, recording) == (UTC, f"SoundTrap {ending}")
    assert began(models, recording, time_zone="+10:00") == (UTC, f"SoundTrap {ending}")
    assert began(models, recording, time_zone="+11:00") == (UTC, f"SoundTrap {ending}; " + DISAGREE.format(ending))


DISAGREE = (
    "SoundTrap {} says 2022-02-09T22:49:05.061340Z, name (soundtrap) says 2022-02-10 08:49:05 local time; "
    "the first is used"
)


def test_a_soundtraps_log_beside_an_object_is_read(
    models: ModelRepository, make_recording: Callable[..., Path], bucket: Any, requested: list[str]
) -> None:
    sound = make_recording().read_bytes()
    for key in (f"reef 1/{NAME}", "reef 1/SMA01234_20230210_000001.wav", f"uploads/lab/7/{NAME}", f"bare/{NAME}"):
        bucket.put_object(Bucket="reef", Key=key, Body=sound)
    bucket.put_object(Bucket="reef", Key="reef 1/6075.220210084905.log.xml", Body=LOG)
    bucket.put_object(Bucket="reef", Key="uploads/lab/7/6075.220210084905.log.xml", Body=LOG)
    assert began(models, f"s3://reef/reef 1/{NAME}") == (UTC, "SoundTrap .log.xml")
    assert [key for key in requested if key.endswith(".xml")] == ["reef 1/6075.220210084905.log.xml"]
    requested.clear()
    assert began(models, f"s3://reef/bare/{NAME}")[0] is None
    assert len([key for key in requested if key.endswith(".xml")]) == 2
    requested.clear()
    # No request for other recorders, nor for an upload, which lies alone in its folder.
    assert began(models, "s3://reef/reef 1/SMA01234_20230210_000001.wav")[0] is None
    assert began(models, f"s3://reef/uploads/lab/7/{NAME}")[0] is None
    assert not [key for key in requested if key.endswith(".xml")]


def test_a_start_that_was_given_needs_no_log(
    models: ModelRepository, make_recording: Callable[..., Path], bucket: Any, requested: list[str]
) -> None:
    bucket.put_object(Bucket="reef", Key=NAME, Body=make_recording().read_bytes())
    request = RecordingRequest(f"s3://reef/{NAME}", NAME, NAME, start="2022-02-09T00:00:00Z")
    begins = plan_job([request], "reef", Settings.load({}, {}), models).recordings[0].begins
    assert begins is not None
    assert begins.utc == "2022-02-09T00:00:00.000000Z"
    assert not [key for key in requested if key.endswith(".xml")]


def test_a_log_is_read_up_to_a_bound_and_what_may_not_be_read_is_absent(tmp_path: Path, bucket: Any) -> None:
    (tmp_path / "a.xml").write_bytes(bytes(100))
    bucket.put_object(Bucket="reef", Key="a.xml", Body=bytes(100))
    bucket.put_object(Bucket="reef", Key="empty.xml", Body=b"")
    bucket.put_object(Bucket="reef", Key="cold.xml", Body=b"x", StorageClass="GLACIER")
    for uri in (str(tmp_path / "a.xml"), "s3://reef/a.xml"):
        assert read_companion(uri, 10) == bytes(10)
        assert read_companion(uri, 1_000) == bytes(100)
    for uri in (str(tmp_path / "b.xml"), str(tmp_path), "\0", "s3://reef/b.xml", "s3://reef/cold.xml"):
        assert read_companion(uri, 10) is None
    assert not read_companion("s3://reef/empty.xml", 10)


def test_a_refusal_is_taken_for_an_absent_log(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to list a bucket, S3 answers 403 for what does not exist."""
    from botocore.exceptions import ClientError

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    monkeypatch.setattr(clients.client("s3", clients.OBJECT_BYTES), "get_object", refuse)
    assert read_companion("s3://reef/a.log.xml", 10) is None


def mp3(**tags: str) -> bytes:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as made:
        made.metadata.update(tags)
        stream = made.add_stream("mp3", rate=48_000, layout="mono")
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), "i2"), "s16p", "mono")
            frame.sample_rate = 48_000
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return file.getvalue()


def test_the_tags_of_what_is_transcoded_are_read_before(models: ModelRepository, tmp_path: Path, bucket: Any) -> None:
    comment = "Recorded at 19:17:30 14/02/2020 (UTC+2) by AudioMoth 24F3190361CB5B21 at medium gain"
    content = mp3(comment=comment)
    (tmp_path / "noise.mp3").write_bytes(content)
    bucket.put_object(Bucket="reef", Key="noise.mp3", Body=content)
    for uri in (tmp_path / "noise.mp3", "s3://reef/noise.mp3"):
        assert began(models, uri) == ("2020-02-14T17:17:30.000000Z", "AudioMoth comment")


def test_a_number_that_tells_two_recordings_apart_is_no_part_of_their_time(
    models: ModelRepository, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    name = "reef_20230210_000001_UTC.wav"
    folders = [tmp_path / "a", tmp_path / "b"]
    content = make_recording().read_bytes()
    for folder in folders:
        folder.mkdir()
        (folder / name).write_bytes(content)
    made = planned(models, *(folder / name for folder in folders))
    assert [each.name for each in made.recordings] == [name, "reef_20230210_000001_UTC-2.wav"]
    assert {each.begins.utc for each in made.recordings if each.begins} == {"2023-02-10T00:00:01.000000Z"}


def test_what_is_known_of_a_start_becomes_notes() -> None:
    request = RecordingRequest("a/19700101_000554_PDT.WAV", "19700101_000554_PDT.WAV", "a")
    begins, notes = _start_of(request, Metadata(), Settings.load({"time_zone": "UTC"}, {}))
    assert begins.utc == "1970-01-01T07:05:54.000000Z"
    assert {note.code for note in notes} == {"start", "clock-not-set"}
    assert all(request.name not in note.message for note in notes)
    unknown = RecordingRequest("a/19700101_000554.WAV", "19700101_000554.WAV", "a")
    begins, notes = _start_of(unknown, Metadata(), Settings.load({}, {}))
    assert begins.utc is None
    assert [note.code for note in notes] == ["clock-not-set"]
