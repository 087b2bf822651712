"""A stretch of a recording is heard and seen through the API on a local AWS, by a function of its own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from anemonefish.simulation.scene import scene, write_scene
from localstack import Stack

from .conftest import Api


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write ten seconds of a reef."""
    path = tmp_path_factory.mktemp("recordings") / "20230210_000001_LL_B55_M_R.wav"
    write_scene(scene(10, seed=31), path)
    return path


@pytest.fixture(scope="module")
def lossy(recording: Path) -> Path:
    """Write the same reef as MP3."""
    samples, rate = soundfile.read(recording, dtype="float32")
    path = recording.with_suffix(".mp3")
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture(scope="module")
def execution(api: Api, recording: Path, lossy: Path) -> dict[str, Any]:
    uploads = api.upload(recording), api.upload(lossy)
    ended = api.ended(api.start(*uploads)["id"])
    assert ended["status"] == "SUCCEEDED", ended
    return {**ended, "uploads": uploads}


def test_clip_has_the_samples_of_the_recording_and_is_made_once(
    api: Api, execution: dict[str, Any], recording: Path, s3: Any, stack: Stack
) -> None:
    path = f"/executions/{execution['id']}/recordings/0/clip"
    answer = api("GET", path, params={"start": "2.5", "stop": "4.123456", "redirect": "false"})
    assert answer.status_code == 200, answer.text
    link = answer.json()
    whole, rate = soundfile.read(recording, dtype="int16")
    assert (link["sample_rate"], link["channels"]) == (rate, 1)
    assert (link["start_sample"], link["stop_sample"]) == (round(2.5 * rate), round(4.123456 * rate))
    file = httpx.get(link["url"])
    assert file.headers["content-type"] == "audio/flac"
    found, its_rate = soundfile.read(io.BytesIO(file.content), dtype="int16")
    assert its_rate == rate
    np.testing.assert_array_equal(found, whole[link["start_sample"] : link["stop_sample"]])

    [stored] = s3.list_objects_v2(Bucket=stack.outputs["OutputBucketName"], Prefix="excerpts/")["Contents"]
    redirected = api("GET", path, params={"start": "2.5", "stop": "4.123456"})
    assert redirected.status_code == 303
    assert httpx.get(redirected.headers["location"]).content == file.content
    [again] = s3.list_objects_v2(Bucket=stack.outputs["OutputBucketName"], Prefix="excerpts/")["Contents"]
    assert again["LastModified"] == stored["LastModified"]
    assert api("GET", f"/executions/{execution['id']}").status_code == 200  # paths above belong to the other function
    assert api("GET", f"/executions/{execution['id']}/recordings").json()["error"] == "RouteNotFound"


def test_spectrogram_shows_the_band_of_the_model(api: Api, execution: dict[str, Any]) -> None:
    for number in (0, 1):  # the second was transcoded
        path = f"/executions/{execution['id']}/recordings/{number}/spectrogram"
        answer = api("GET", path, params={"start": 1, "stop": 4, "redirect": "false"})
        assert answer.status_code == 200, answer.text
        link = answer.json()
        assert -50 <= link["low_hz"] < link["high_hz"] < 24_000
        picture = httpx.get(link["url"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")


def test_recording_that_was_transcoded_is_heard(api: Api, execution: dict[str, Any], recording: Path) -> None:
    path = f"/executions/{execution['id']}/recordings/1/clip"
    link = api("GET", path, params={"start": 3, "stop": 5, "redirect": "false"}).json()
    found, rate = soundfile.read(io.BytesIO(httpx.get(link["url"]).content))
    whole, _ = soundfile.read(recording)
    assert len(found) == 2 * rate
    expected = whole[3 * rate : 5 * rate]
    assert np.corrcoef(found, expected)[0, 1] > 0.9


def test_page_of_an_allowed_origin_may_ask_for_excerpts_and_send_verdicts(api: Api, execution: dict[str, Any]) -> None:
    for path, method in (("recordings/0/clip", "GET"), ("verdicts", "PUT")):
        headers = {"Origin": "https://lab.example", "Access-Control-Request-Method": method}
        answer = httpx.options(f"{api.url}/executions/{execution['id']}/{path}", headers=headers)
        assert answer.status_code in {200, 204}, answer.text
        assert answer.headers["access-control-allow-origin"] == "https://lab.example"
        assert method in answer.headers["access-control-allow-methods"]


def test_refusals_are_typed(api: Api, other_tenant: Api, execution: dict[str, Any]) -> None:
    path = f"/executions/{execution['id']}/recordings"
    for ask, query, status, error in (
        (api, "0/clip?start=0&stop=61", 413, "ClipTooLarge"),
        (api, "0/clip?start=99&stop=100", 400, "InvalidRequest"),
        (api, "0/clip?start=nan&stop=1", 400, "InvalidRequest"),
        (api, "0/clip?start=0", 400, "InvalidRequest"),
        (api, "0/spectrogram?start=0&stop=0.001", 400, "InvalidRequest"),
        (api, "2/clip?start=0&stop=1", 404, "RecordingNotFound"),
        (api, "0/video?start=0&stop=1", 404, "RouteNotFound"),
        (other_tenant, "0/clip?start=0&stop=1", 404, "ExecutionNotFound"),
    ):
        answer = ask("GET", f"{path}/{query}")
        assert (answer.status_code, answer.json()["error"]) == (status, error), query


def test_deleted_upload_cannot_be_heard_any_more_also_where_it_was_heard_before(
    api: Api, execution: dict[str, Any]
) -> None:
    heard = [
        f"/executions/{execution['id']}/recordings/{number}/{kind}?start=7&stop=8&redirect=false"
        for number in (0, 1)  # the second was transcoded
        for kind in ("clip", "spectrogram")
    ]
    assert [api("GET", path).status_code for path in heard] == [200] * 4
    for upload in execution["uploads"]:
        assert api("DELETE", f"/uploads/{upload}").status_code == 204
    for path in (*heard, heard[0].replace("start=7", "start=6")):
        answer = api("GET", path)
        assert (answer.status_code, answer.json()["error"]) == (404, "RecordingNotFound"), path
        assert "the recording was deleted" in answer.json()["message"]
        assert "s3://" not in answer.text
