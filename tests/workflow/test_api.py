"""Tests of the API on a local AWS, over HTTP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from localstack import LocalAws, Stack
from tests.reference_models import DEFAULT, lab_settings, n_windows

from .conftest import Api, await_true, new_key, released_when_stopped

FORMATS = {
    "json": ".json",
    "csv": ".events.csv",
    "scores": ".scores.csv",
    "raven": ".selections.txt",
    "audacity": ".audacity.txt",
    "classes": ".classes.txt",
    "kaleidoscope": ".kaleidoscope.csv",
    "longterm": ".longterm.csv",
    "parquet": ".scores.parquet",
}
Calls = Callable[[str, datetime], int]

AT_ONCE = 20
"""Number of requests at once: the emulator starts a process for each, which takes a second of a core."""

UNKNOWN = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa"
NOTHING = "u-aaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write twenty seconds of a busy reef."""
    path = tmp_path_factory.mktemp("clip") / "20230210_000001_LL_B55_M_R.wav"
    write_scene(scene(20, seed=11, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), path)
    return path


@pytest.fixture(scope="module")
def upload(api: Api, clip: Path) -> str:
    return api.upload(clip)


@pytest.fixture(scope="module")
def finished(api: Api, upload: str) -> dict[str, Any]:
    """Run an execution and return it after it has succeeded."""
    execution = api.ended(api.start(upload)["id"])
    assert execution["status"] == "SUCCEEDED", execution
    return execution


# --- results -----------------------------------------------------------------------------------------------------


def test_results_in_every_format_equal_the_workflows_files(
    api: Api, s3: Any, stack: Stack, finished: dict[str, Any], clip: Path
) -> None:
    s3.upload_file(str(clip), stack.outputs["InputBucketName"], f"direct/{clip.name}")
    uri = f"s3://{stack.outputs['InputBucketName']}/direct/{clip.name}"
    direct = stack.run(
        {"job": {"tenant": "direct", "id": "all"}, "recordings": [{"uri": uri, "name": clip.name, "path": clip.name}]}
    )
    assert direct.status == "SUCCEEDED"
    for form, suffix in FORMATS.items():
        key = f"{direct.output['job']}/results/{clip.name}{suffix}"
        expected = s3.get_object(Bucket=stack.outputs["OutputBucketName"], Key=key)["Body"].read()
        assert api.file(finished["id"], form) == expected, form


@pytest.mark.parametrize(("container", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_predict_of_a_lossy_clip_equals_an_execution(
    api: Api, clip: Path, tmp_path: Path, container: str, subtype: str
) -> None:
    samples, rate = soundfile.read(clip, dtype="float32")
    path = tmp_path / f"clip.{container.lower()}"
    with soundfile.SoundFile(path, "w", rate, 1, subtype, format=container) as file:
        for start in range(0, len(samples), rate):
            file.write(samples[start : start + rate])
    answer = api("POST", "/inference/predict", files={"audio_file": (path.name, path.read_bytes())})
    assert answer.status_code == 200, answer.text
    execution = api.ended(api.start(api.upload(path))["id"])
    results = api("GET", f"/executions/{execution['id']}/results").json()
    assert answer.json()["events"] == results["events"] != []
    assert answer.json()["predictions"] == results["predictions"]


def test_job_of_several_recordings_has_job_level_files(api: Api, clip: Path, upload: str) -> None:
    second = api.upload(clip, "20230210_000101_LL_B55_M_R.wav")
    execution = api.start(upload, second, settings={"review": ["clips", "pictures"], "time_zone": "+10:00"})["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"

    def files() -> dict[str, str]:
        return {each["name"]: each["url"] for each in api("GET", f"/executions/{execution}/files").json()["files"]}

    events = httpx.get(files()["combined.events.csv"]).text.splitlines()[1:]
    # Clips and pictures are made after the results.
    await_true(lambda: len(files()) >= 4 + 3 + 2 * len(events), "every clip and picture")
    found = {name: httpx.get(url) for name, url in files().items()}
    assert sum(name.endswith(".flac") for name in found) == len(events) > 6
    assert sum(name.endswith(".png") for name in found) == len(events) + 3
    assert len(found["summary.csv"].text.splitlines()) == 3
    assert len(found["combined.selections.txt"].text.splitlines()) == len(events) + 1
    assert found["review/activity.png"].content.startswith(b"\x89PNG")
    assert found["review/activity.png"].headers["content-type"] == "image/png"
    assert all(file.content.startswith(b"fLaC") for name, file in found.items() if name.endswith(".flac"))
    assert all(",2023-02-09T14:0" in event for event in events)

    def review_now() -> dict[str, Any]:
        found: dict[str, Any] = api("GET", f"/executions/{execution}").json()["review"]
        return found

    await_true(lambda: review_now()["status"] != "PENDING", "the end of the review")
    review = review_now()
    counts = {"clips": len(events), "left_out": 0, "pictures": len(events) + 3}
    assert review == {"status": "SUCCEEDED", **counts, "error": None}
    for recording in (0, 1):
        for event in api("GET", f"/executions/{execution}/results?recording={recording}").json()["events"]:
            assert httpx.get(event["clip"]["url"]).content == found[event["clip"]["name"]].content
            assert httpx.get(event["picture"]["url"]).content == found[event["picture"]["name"]].content
            assert event["picture"]["name"] == event["clip"]["name"].replace(".flac", ".png")
    own = DEFAULT.decision.threshold
    decided = api("POST", f"/executions/{execution}/decisions", json={"threshold": own}).json()["events"]
    assert any("clip" in event for event in decided)


def test_all_files_of_a_job_are_listed_with_their_sizes(
    api: Api, other_tenant: Api, finished: dict[str, Any], clip: Path
) -> None:
    page = api("GET", f"/executions/{finished['id']}/files?all=true").json()
    names = [each["name"] for each in page["files"]]
    assert names == sorted({"effort.csv", "summary.csv", *(f"{clip.name}{suffix}" for suffix in FORMATS.values())})
    assert page["next"] is None
    for each in page["files"]:
        assert len(httpx.get(each["url"]).raise_for_status().content) == each["size"] > 0
    rest = api("GET", f"/executions/{finished['id']}/files", params={"all": "true", "from": names[3]}).json()
    assert [each["name"] for each in rest["files"]] == names[4:]
    wrong = api("GET", f"/executions/{finished['id']}/files?from=a")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "InvalidRequest")
    assert other_tenant("GET", f"/executions/{finished['id']}/files?all=true").status_code == 404


def test_review_is_null_when_it_was_not_requested(api: Api, finished: dict[str, Any]) -> None:
    assert finished["review"] is None
    assert all("clip" not in event for event in api("GET", finished["results_url"]).json()["events"])


def test_download_is_named_after_the_recording(api: Api, finished: dict[str, Any], clip: Path) -> None:
    link = api("GET", f"/executions/{finished['id']}/results", params={"format": "raven", "redirect": "false"}).json()
    assert link["filename"] == f"{clip.name}.selections.txt"
    file = httpx.get(link["url"])
    assert file.headers["content-disposition"].startswith(f'attachment; filename="{clip.name}.selections.txt"')
    assert file.content == api.file(finished["id"], "raven")


def test_answer_is_the_labs_json_with_both_spellings(api: Api, finished: dict[str, Any]) -> None:
    answer = api("GET", finished["results_url"]).json()
    file = json.loads(api.file(finished["id"], "json"))
    assert answer["predictions"] == file["predictions"]
    assert answer["events"] == file["events"]
    metadata = answer["metadata"]
    assert metadata["processing_time"] == metadata["processing_time_seconds"] > 0
    assert metadata["audio_duration"] == metadata["audio_duration_seconds"] == 20.0
    assert metadata["num_predictions"] == metadata["total_windows"] == len(answer["predictions"]) == n_windows(20)
    assert metadata["num_events"] == metadata["total_events"] == len(answer["events"]) > 1
    assert {**metadata, **file["metadata"]} == metadata
    assert answer["recordings"][0]["events"] == len(answer["events"])


def test_format_that_was_not_requested_is_made_on_download(api: Api, upload: str, finished: dict[str, Any]) -> None:
    lean = api.ended(api.start(upload, settings={"formats": ["csv"]})["id"])
    assert api.file(lean["id"], "raven") == api.file(finished["id"], "raven")


def test_broken_recording_does_not_fail_the_others(api: Api, upload: str, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(clip.read_bytes()[:30])
    execution = api.ended(api.start(upload, api.upload(broken), settings={"max_range_seconds": 5})["id"])
    assert execution["status"] == "SUCCEEDED"
    assert [each["name"] for each in execution["recordings"]] == [clip.name, "broken.wav"]
    assert execution["recordings"][1]["error"]["error"] == "UnreadableRecording"
    assert (execution["ranges_done"], execution["ranges_total"]) == (4, 4)
    first = api("GET", execution["results_url"]).json()
    assert [each["error"] is None for each in first["recordings"]] == [True, False]
    assert [each["status"] for each in first["recordings"]] == ["done", "failed"]
    second = api("GET", execution["results_url"], params={"recording": 1})
    assert (second.status_code, second.json()["error"]) == (400, "UnreadableRecording")
    assert "s3://" not in second.text


def test_truncated_recording_is_partial_unless_damage_is_refused(api: Api, clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(clip.read_bytes()[:-200_000])
    upload = api.upload(cut)
    execution = api.ended(api.start(upload)["id"])
    results = api("GET", execution["results_url"]).json()
    (recording,) = results["recordings"]
    assert (recording["status"], recording["error"]) == ("partial", None)
    (note,) = recording["notes"]
    assert (note["code"], note["numbers"]["samples"]) == ("ends-early", 860_000)
    assert (results["metadata"]["status"], results["metadata"]["notes"]) == ("partial", [note])
    refused = api.ended(api.start(upload, settings={"damaged": "refuse"})["id"])
    assert (refused["status"], refused["error"]["error"]) == ("FAILED", "TruncatedRecording")


def test_failed_execution_gives_the_reason(api: Api, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(clip.read_bytes()[:44])
    execution = api.ended(api.start(api.upload(broken))["id"])
    assert (execution["status"], execution["error"]["error"]) == ("FAILED", "TruncatedRecording")
    assert execution["error"]["message"].startswith("broken.wav: the header promises")
    answer = api("GET", f"/executions/{execution['id']}/results")
    assert (answer.status_code, answer.json()["error"]) == (409, "WrongState")
    assert "the header promises" in answer.json()["message"]


def test_quote_does_not_start_an_execution(api: Api, upload: str, calls: Calls) -> None:
    before = datetime.now(UTC)
    answer = api("POST", "/executions", params={"dry_run": "true"}, json={"recordings": [upload]})
    assert answer.status_code == 200
    quote = answer.json()["quote"]
    assert (quote["recordings"], quote["ranges"], quote["windows"], quote["audio_seconds"]) == (
        1,
        1,
        n_windows(20),
        20.0,
    )
    assert 0 < quote["expected_usd"] < 0.01
    assert calls("HeadObject", before) > 0  # the counter works
    assert calls("StartExecution", before) == 0


def test_executions_are_listed_newest_first_in_pages(aws: LocalAws, stack: Stack, clip: Path) -> None:
    tenant = Api(stack.api_url, new_key(aws, stack))
    upload = tenant.upload(clip)
    started = [tenant.start(upload, settings={"threshold": 0.1 * number})["id"] for number in range(1, 6)]
    seen, path = [], "/executions?limit=2"
    while path:
        page = tenant("GET", path).json()
        seen += [each["id"] for each in page["executions"]]
        path = page["next"]
    assert seen == started[::-1]


def test_uploads_are_listed_for_their_tenant_only(aws: LocalAws, stack: Stack, clip: Path) -> None:
    tenant = Api(stack.api_url, new_key(aws, stack))
    assert tenant("GET", "/uploads").json() == {"uploads": [], "next": None}
    complete = [tenant.upload(clip, f"{number}.wav") for number in range(3)]
    opened = tenant("POST", "/uploads", json={"filename": "open.wav", "size": 10}).json()
    tenant("DELETE", f"/uploads/{complete[1]}")
    seen, path = [], "/uploads?limit=2"
    while path:
        page = tenant("GET", path).json()
        seen += [(each["id"], each["filename"], each["status"]) for each in page["uploads"]]
        path = page["next"]
    assert seen == [
        (opened["id"], "open.wav", "OPEN"),
        (complete[2], "2.wav", "COMPLETE"),
        (complete[0], "0.wav", "COMPLETE"),
    ]


# --- idempotency and polling -------------------------------------------------------------------------------------


def test_hundred_starts_with_one_key_make_one_execution(api: Api, upload: str, aws: LocalAws, stack: Stack) -> None:
    def start(_: int) -> httpx.Response:
        return api("POST", "/executions", json={"recordings": [upload]}, headers={"Idempotency-Key": "a-hundred"})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(start, range(100)))
    assert {answer.status_code for answer in answers} == {202}
    ids = {answer.json()["id"] for answer in answers}
    assert len(ids) == 1
    pages = aws.client("stepfunctions").get_paginator("list_executions")
    machine = stack.outputs["StateMachineArn"]
    names = [each["name"] for page in pages.paginate(stateMachineArn=machine) for each in page["executions"]]
    assert [name for name in names if name.startswith(ids.copy().pop())] == [f"{ids.pop()}-1"]


def test_same_idempotency_key_with_another_body_is_a_conflict(api: Api, upload: str) -> None:
    key = {"Idempotency-Key": "one-body"}
    first = api("POST", "/executions", json={"recordings": [upload]}, headers=key)
    again = api("POST", "/executions", json={"recordings": [upload]}, headers=key)
    other = api("POST", "/executions", json={"recordings": [upload], "settings": {"threshold": 0.7}}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["error"]) == (409, "IdempotencyConflict")


def test_two_tenants_may_use_the_same_idempotency_key(api: Api, other_tenant: Api, upload: str, clip: Path) -> None:
    key = {"Idempotency-Key": "shared"}
    mine = api("POST", "/executions", json={"recordings": [upload]}, headers=key).json()
    theirs = other_tenant("POST", "/executions", json={"recordings": [other_tenant.upload(clip)]}, headers=key).json()
    assert mine["id"] != theirs["id"]


def test_polling_does_not_call_describe_execution(api: Api, upload: str, calls: Calls) -> None:
    execution = api.start(upload, settings={"max_range_seconds": 1})["id"]
    before = datetime.now(UTC)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: api("GET", f"/executions/{execution}"), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert calls("GetItem", before) == 50  # the counter works, up to its limit
    for operation in ("DescribeExecution", "DescribeMapRun", "GetExecutionHistory", "ListExecutions", "ListMapRuns"):
        assert calls(operation, before) == 0, operation
    assert api.ended(execution)["status"] == "SUCCEEDED"


def test_upload_that_is_listed_twice_is_one_recording(api: Api, upload: str) -> None:
    execution = api.ended(api.start(upload, upload)["id"])
    assert len(execution["recordings"]) == 1
    answer = api("POST", "/executions", params={"dry_run": "true"}, json={"recordings": [upload, upload]})
    assert answer.json()["quote"]["recordings"] == 1


# --- accepted executions are started -----------------------------------------------------------------------------

Configure = Callable[..., Any]


@pytest.fixture(scope="module")
def configure(aws: LocalAws, stack: Stack) -> Configure:
    """Return a context manager that changes the environment of a function of the stack."""
    functions = aws.client("lambda")
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
    named = {each["LogicalResourceId"]: each["PhysicalResourceId"]
             for page in pages for each in page["StackResourceSummaries"]}  # fmt: skip

    @contextmanager
    def configured(function: str, **changes: str) -> Iterator[str]:
        name = named[function]
        real = functions.get_function_configuration(FunctionName=name)["Environment"]
        aliases = functions.list_aliases(FunctionName=name)["Aliases"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**real["Variables"], **changes}}
        )
        try:
            for alias in aliases:  # API Gateway calls it
                changed = functions.publish_version(FunctionName=name)["Version"]
                functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=changed)
            yield name
        finally:
            functions.update_function_configuration(FunctionName=name, Environment=real)
            for alias in aliases:
                functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=alias["FunctionVersion"])

    return configured


def test_stale_pending_execution_is_relaunched(aws: LocalAws, stack: Stack, clip: Path, configure: Configure) -> None:
    tenant = Api(stack.api_url, new_key(aws, stack))
    request_body = {"recordings": [tenant.upload(clip)]}
    healers = ("the same key", "GET", "resume", "the schedule")
    keys = {healer: {"Idempotency-Key": healer.replace(" ", "-")} for healer in healers}
    wrong = stack.outputs["StateMachineArn"].replace("-analyze", "-nothing")
    with configure("ApiFunction", ANEMONEFISH_STATE_MACHINE=wrong):
        answers = {healer: tenant("POST", "/executions", json=request_body, headers=keys[healer]) for healer in healers}
    assert {answer.status_code for answer in answers.values()} == {202}
    assert {answer.json()["status"] for answer in answers.values()} == {"PENDING"}
    ids = {healer: answer.json()["id"] for healer, answer in answers.items()}
    early = tenant("POST", f"/executions/{ids['resume']}/resume")
    assert (early.status_code, early.json()["error"]) == (409, "WrongState")
    time.sleep(21)  # the grace period
    again = tenant("POST", "/executions", json=request_body, headers=keys["the same key"]).json()
    assert (again["id"], again["status"]) == (ids["the same key"], "RUNNING")
    assert tenant("GET", f"/executions/{ids['GET']}").json()["status"] == "RUNNING"
    resumed = tenant("POST", f"/executions/{ids['resume']}/resume")
    assert (resumed.status_code, resumed.json()["status"], resumed.json()["attempt"]) == (202, "RUNNING", 1)
    with configure("HealFunction") as name:
        healed = json.loads(aws.client("lambda").invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    assert healed == {"RUNNING": 1}
    for execution in ids.values():
        ended = tenant.ended(execution)
        assert (ended["status"], ended["attempt"]) == ("SUCCEEDED", 1)
    pages = aws.client("stepfunctions").get_paginator("list_executions")
    machine = stack.outputs["StateMachineArn"]
    names = [each["name"] for page in pages.paginate(stateMachineArn=machine) for each in page["executions"]]
    assert sorted(name for name in names if name[:-2] in ids.values()) == sorted(f"{each}-1" for each in ids.values())


# --- limits of one key -------------------------------------------------------------------------------------------


def test_job_above_the_cost_limit_is_refused(api: Api, upload: str, configure: Configure) -> None:
    with configure("ApiFunction", ANEMONEFISH_MAX_JOB_USD="0.0000001"):
        answer = api("POST", "/executions", json={"recordings": [upload]})
        limit = api("GET", "/usage").json()["job_usd_limit"]
    assert (answer.status_code, answer.json()["error"], limit) == (413, "JobTooExpensive", 1e-7)
    assert "start several smaller jobs" in answer.json()["message"]


def test_job_above_the_cost_limit_fails_after_its_plan(
    api: Api, s3: Any, stack: Stack, upload: str, configure: Configure
) -> None:
    with configure("PlanFunction", ANEMONEFISH_MAX_JOB_USD="0.0000001"):
        execution = api.ended(api.start(upload)["id"])
    assert (execution["status"], execution["error"]["error"]) == ("FAILED", "JobTooExpensive")
    keys = [each["Key"] for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=stack.outputs["OutputBucketName"], Prefix="jobs/") for each in page.get("Contents", ())]  # fmt: skip
    (key,) = [each for each in keys if execution["id"] in each and each.endswith("/failure.json")]
    reason = json.loads(s3.get_object(Bucket=stack.outputs["OutputBucketName"], Key=key)["Body"].read())
    assert reason["error"] == "JobTooExpensive"


def test_start_above_the_limit_of_running_jobs_is_refused(
    aws: LocalAws, stack: Stack, clip: Path, configure: Configure
) -> None:
    tenant = Api(stack.api_url, new_key(aws, stack))
    upload = tenant.upload(clip)
    with configure("ApiFunction", ANEMONEFISH_MAX_JOBS="2"), ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: tenant("POST", "/executions", json={"recordings": [upload]}), range(10)))
        assert sorted(answer.status_code for answer in answers)[:2] == [202, 202]
        refused = [answer for answer in answers if answer.status_code != 202]
        assert refused
        assert {(each.status_code, each.json()["error"], each.headers["retry-after"]) for each in refused} == {
            (429, "TooManyJobs", "30")
        }
        for answer in answers:
            if answer.status_code == 202:
                tenant.ended(answer.json()["id"])
        assert tenant("GET", "/usage").json()["jobs"] == {"used": 0, "limit": 2}
        assert tenant("POST", "/executions", json={"recordings": [upload]}).status_code == 202


def test_upload_above_the_storage_limit_is_refused(
    aws: LocalAws, stack: Stack, clip: Path, configure: Configure
) -> None:
    tenant = Api(stack.api_url, new_key(aws, stack))
    size = clip.stat().st_size
    with configure("ApiFunction", ANEMONEFISH_MAX_STORED_GB=f"{1.5 * size / 1e9:.9f}"):
        first = tenant.upload(clip)
        answer = tenant("POST", "/uploads", json={"filename": "b.wav", "size": size})
        assert (answer.status_code, answer.json()["error"]) == (413, "StorageLimitReached")
        assert tenant("GET", "/usage").json()["stored_bytes"]["used"] == size
        assert tenant("DELETE", f"/uploads/{first}").status_code == 204
        assert tenant("POST", "/uploads", json={"filename": "b.wav", "size": size}).status_code == 201


def test_put_link_works_once_and_deleting_removes_all_versions(
    aws: LocalAws, stack: Stack, s3: Any, clip: Path
) -> None:
    tenant, data = Api(stack.api_url, new_key(aws, stack)), clip.read_bytes()
    upload = tenant("POST", "/uploads", json={"filename": clip.name, "size": len(data)}).json()
    link = upload["put"]
    assert link["headers"]["if-none-match"] == "*"
    without = {name: value for name, value in link["headers"].items() if name != "if-none-match"}
    assert httpx.put(link["url"], content=data, headers=without).status_code == 403  # the header is signed
    assert httpx.put(link["url"], content=data, headers=link["headers"]).status_code == 200
    again = httpx.put(link["url"], content=bytes(len(data)), headers=link["headers"])
    assert (again.status_code, "PreconditionFailed" in again.text) == (412, True)
    assert tenant("POST", f"/uploads/{upload['id']}/complete").status_code == 200
    assert httpx.put(link["url"], content=bytes(len(data)), headers=link["headers"]).status_code == 412
    bucket = stack.outputs["InputBucketName"]

    def versions() -> list[Any]:
        found = s3.list_object_versions(Bucket=bucket, Prefix="uploads/")
        everything = [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]
        return [each for each in everything if upload["id"] in each["Key"]]

    assert len(versions()) == 1
    assert tenant("DELETE", f"/uploads/{upload['id']}").status_code == 204
    assert versions() == []


# --- cancel and resume -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trouble_api(trouble_stack: Stack) -> Api:
    return Api(trouble_stack.api_url, trouble_stack.api_key)


def test_cancel_stops_and_resume_computes_the_missing_ranges(
    trouble_api: Api, trouble_stack: Stack, s3: Any, clip: Path, api: Api, finished: dict[str, Any]
) -> None:
    api = trouble_api
    execution = api.start(api.upload(clip, "held.wav"), settings={"max_range_seconds": 1})["id"]

    def ranges_done() -> int:
        return int(api("GET", f"/executions/{execution}").json()["ranges_done"])

    with released_when_stopped(api, s3, trouble_stack):
        await_true(lambda: ranges_done() >= 4)
        stopped = api("DELETE", f"/executions/{execution}")
        assert (stopped.status_code, stopped.json()["status"]) == (202, "CANCELLED")
        # Ranges that were running at the stop end, and no other range is started.
        await_true(lambda: ranges_done() == len(_attempts(s3, trouble_stack, execution)))
    attempts = _attempts(s3, trouble_stack, execution)
    still = api("GET", f"/executions/{execution}").json()
    assert (still["status"], still["ranges_done"], still["ranges_total"]) == ("CANCELLED", len(attempts), 20)
    assert 4 <= len(attempts) < 20
    resumed = api("POST", f"/executions/{execution}/resume")
    assert (resumed.status_code, resumed.json()["attempt"]) == (202, 2)
    done = api.ended(execution)
    assert (done["status"], done["ranges_done"]) == ("SUCCEEDED", 20)
    again = _attempts(s3, trouble_stack, execution)
    assert len(again) == len(set(again)) == 20  # each range once
    assert api("DELETE", f"/executions/{execution}").status_code == 409
    assert api("POST", f"/executions/{execution}/resume").status_code == 409


def test_failed_job_can_be_resumed(trouble_api: Api, clip: Path) -> None:
    execution = trouble_api.start(trouble_api.upload(clip, "always-fails.wav"))["id"]
    assert trouble_api.ended(execution)["error"]["error"] == "InvalidSamples"
    assert trouble_api("POST", f"/executions/{execution}/resume").status_code == 202
    again = trouble_api.ended(execution)
    assert (again["status"], again["attempt"], again["error"]["error"]) == ("FAILED", 2, "InvalidSamples")


def _attempts(s3: Any, stack: Stack, execution: str) -> list[str]:
    """Return the range of each call of the score function for an execution."""
    bucket = stack.outputs["OutputBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="jobs/")
    keys = (item["Key"].split("/") for page in pages for item in page.get("Contents", ()))
    return [key[6] for key in keys if key[2] == execution and key[3:5] == ["parts", "attempts"]]


# --- decide again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"threshold": 0.7}, {"median_windows": 1, "min_duration_seconds": 0}, {"target_class": "biological"}],
)
def test_decision_equals_a_new_execution_byte_for_byte(
    api: Api, upload: str, finished: dict[str, Any], changes: dict[str, Any]
) -> None:
    decided = api("POST", f"/executions/{finished['id']}/decisions", json=changes)
    assert decided.status_code == 200, decided.text
    fresh = api.ended(api.start(upload, settings=changes)["id"])
    expected = api("GET", fresh["results_url"]).json()
    assert decided.json()["events"] == expected["events"]
    for form in FORMATS:
        again = api.file(finished["id"], form, decision=decided.json()["decision"])
        assert again == api.file(fresh["id"], form), form


# --- one clip ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/inference/predict", "/predict"])
@pytest.mark.parametrize("field", ["audio_file", "audio"])
def test_predict_answers_the_labs_front_end(
    api: Api, clip: Path, finished: dict[str, Any], path: str, field: str
) -> None:
    answer = api("POST", path, files={field: (clip.name, clip.read_bytes(), "audio/wav")})
    assert answer.status_code == 200, answer.text
    results = api("GET", finished["results_url"]).json()
    for part in ("predictions", "events"):
        assert answer.json()[part] == results[part]
    assert answer.json()["metadata"].keys() == results["metadata"].keys()


def test_predict_takes_a_configuration(api: Api, clip: Path) -> None:
    config = {"model": "reef@1.0.0", "threshold": 0.99, "target_class": "biological"}
    form = {"audio": (clip.name, clip.read_bytes(), "audio/wav")}
    answer = api("POST", "/predict", files=form, data={"config": json.dumps(config)}).json()
    assert answer["metadata"]["confidence_threshold"] == 0.99
    assert answer["metadata"]["target_class"] == "biological"


@pytest.mark.parametrize("path", ["/inference/predict", "/predict"])
def test_predict_answers_the_labs_newest_front_end(api: Api, clip: Path, finished: dict[str, Any], path: str) -> None:
    """It sends JSON with base64, a token and its own setting names, and reads json, audacity and raw."""
    text = base64.b64encode(clip.read_bytes()).decode()
    token = {"Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.x", "Origin": "https://lab.example"}
    settings = lab_settings()
    results = api("GET", finished["results_url"]).json()
    classes = api.file(finished["id"], "json")
    for more in (
        {"json": {"audio_data": text}},
        {"json": {"audio_base64": f"data:audio/wav;base64,{text}", **settings}},
        {"files": {"audio_file": ("clip.wav", text.encode(), "text/plain")}, "data": {"config": json.dumps(settings)}},
        {"files": {"audio_file": (None, text)}},
    ):
        answer = api("POST", path, headers=token, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["access-control-allow-origin"] == "https://lab.example"
        found = answer.json()
        assert found["raw"] == found["json"]["predictions"] == results["predictions"]
        assert found["json"]["events"] == results["events"]
        assert [line.split("\t")[2] for line in found["audacity"].splitlines()] == _runs(json.loads(classes))
    preflight = httpx.options(api.url + path, headers={
        "Origin": "https://lab.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-api-key",
    })  # fmt: skip
    allowed = preflight.headers["access-control-allow-headers"].lower().split(",")
    assert {"authorization", "content-type", "x-api-key"} <= {name.strip() for name in allowed}


def _runs(document: dict[str, Any]) -> list[str]:
    """Return the classes of runs of windows with the same class, without noise."""
    return [name for name, _ in groupby(each["class"] for each in document["predictions"]) if name != "noise"]


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_head_of_an_open_route_needs_no_key(api: Api, path: str) -> None:
    answer = httpx.head(api.url + path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_quote_of_a_thousand_recordings_is_answered_in_time(api: Api, s3: Any, stack: Stack, tmp_path: Path) -> None:
    """The gateway waits 29 seconds for an answer."""
    path = tmp_path / "a.wav"
    soundfile.write(path, [0.0] * 48_000, 48_000)
    content = path.read_bytes()

    def upload(number: int) -> str:
        begun = api("POST", "/uploads", json={"filename": f"20230210_{number:06d}.wav", "size": len(content)}).json()
        httpx.put(begun["put"]["url"], content=content, headers=begun["put"]["headers"]).raise_for_status()
        api("POST", f"/uploads/{begun['id']}/complete").raise_for_status()
        return str(begun["id"])

    with ThreadPoolExecutor(8) as pool:
        uploads = list(pool.map(upload, range(1_000)))
    began = time.monotonic()
    answer = api("POST", "/executions", params={"dry_run": "true"}, json={"recordings": uploads})
    seconds = time.monotonic() - began
    print(f"\na quote of 1,000 recordings: {answer.status_code} after {seconds:.1f} s")
    if answer.status_code == 413:  # on a busy machine, the typed error is in time
        _check_error(answer, 413, "QuoteTooLarge", "in several requests")
    else:
        assert answer.json()["quote"]["recordings"] == 1_000
    assert seconds < 29


# --- refused requests --------------------------------------------------------------------------------------------

WAV = ("clip.wav", b"RIFF", "audio/wav")
BROKEN_FORM = b'--x\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n\r\nRIFF'
FORM = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}

REFUSED: list[tuple[str, str, str, dict[str, Any], int, str, str]] = [
    ("an unknown path", "GET", "/nothing", {}, 404, "RouteNotFound", "no such path"),
    ("another method", "PUT", "/uploads", {}, 405, "MethodNotAllowed", "POST only"),
    ("no body", "POST", "/uploads", {}, 400, "InvalidRequest", "body"),
    ("a body that is not JSON", "POST", "/uploads", {"content": b"{"}, 400, "InvalidRequest", "JSON"),
    ("another content type", "POST", "/uploads", {"content": b"a", "headers": {"content-type": "text/xml"}},
     415, "UnsupportedMediaType", "application/json"),
    ("a mistyped field", "POST", "/uploads", {"json": {"filename": "a.wav", "size": "big"}},
     400, "InvalidRequest", "body.size"),
    ("an unknown field", "POST", "/uploads", {"json": {"filename": "a.wav", "size": 1, "tenant": "other"}},
     400, "InvalidRequest", "body.tenant"),
    ("a path for a name", "POST", "/uploads", {"json": {"filename": "../../etc/a.wav", "size": 1}},
     400, "InvalidRequest", "without folders"),
    ("a Windows path", "POST", "/uploads", {"json": {"filename": "..\\a.wav", "size": 1}},
     400, "InvalidRequest", "without folders"),
    ("a name with a newline", "POST", "/uploads", {"json": {"filename": "a\n.wav", "size": 1}},
     400, "InvalidRequest", "control characters"),
    ("another extension", "POST", "/uploads", {"json": {"filename": "a.exe", "size": 1}},
     400, "InvalidRequest", "must end in one of"),
    ("an empty file", "POST", "/uploads", {"json": {"filename": "a.wav", "size": 0}}, 400, "InvalidRequest", "size"),
    ("a file of a petabyte", "POST", "/uploads", {"json": {"filename": "a.wav", "size": 10**15}},
     400, "InvalidRequest", "size"),
    ("a malformed hash", "POST", "/uploads", {"json": {"filename": "a.wav", "size": 1, "sha256": "xyz"}},
     400, "InvalidRequest", "sha256"),
    ("an unknown upload", "GET", f"/uploads/{NOTHING}", {}, 404, "UploadNotFound", "no upload"),
    ("a malformed upload id", "GET", "/uploads/..%2Fx", {}, 404, "RouteNotFound", ""),
    ("completing an unknown upload", "POST", f"/uploads/{NOTHING}/complete", {}, 404, "UploadNotFound", "no upload"),
    ("an unknown execution", "GET", f"/executions/{UNKNOWN}", {}, 404, "ExecutionNotFound", "no execution"),
    ("stopping an unknown execution", "DELETE", f"/executions/{UNKNOWN}", {}, 404, "ExecutionNotFound", "no execution"),
    ("an upload id instead of an execution id", "GET", f"/executions/{NOTHING}", {}, 404, "RouteNotFound", ""),
    ("no recordings", "POST", "/executions", {"json": {"recordings": []}}, 400, "InvalidRequest", "recordings"),
    ("1,001 recordings", "POST", "/executions", {"json": {"recordings": [NOTHING] * 1001}},
     400, "InvalidRequest", "recordings"),
    ("an unknown recording", "POST", "/executions", {"json": {"recordings": [NOTHING]}},
     404, "UploadNotFound", "no upload"),
    ("a key with a space", "POST", "/executions",
     {"json": {"recordings": [NOTHING]}, "headers": {"Idempotency-Key": "a b"}},
     400, "InvalidRequest", "idempotency-key"),
    ("a webhook to a private address", "POST", "/executions", {"json": {"recordings": [NOTHING], "webhook": "https://127.0.0.1/x"}},
     400, "InvalidRequest", "127.0.0.1"),
    ("a webhook without https", "POST", "/executions", {"json": {"recordings": [NOTHING], "webhook": "http://lab.org"}},
     400, "InvalidRequest", "https"),
    ("a page of 0 executions", "GET", "/executions?limit=0", {}, 400, "InvalidRequest", "limit"),
    ("an unknown format", "GET", f"/executions/{UNKNOWN}/results?format=docx", {}, 400, "InvalidRequest", "format"),
    ("an unknown model", "GET", "/models/nemo/1.0.0", {}, 404, "ModelNotFound", "nemo"),
    ("JSON without a clip", "POST", "/predict", {"json": {}}, 400, "InvalidRequest", "no audio_data"),
    ("a clip without a form", "POST", "/predict", {"content": b"RIFF", "headers": {"content-type": "audio/wav"}},
     415, "UnsupportedMediaType", "multipart/form-data"),
    ("a clip that is not base64", "POST", "/predict", {"json": {"audio_data": "UklG!"}},
     400, "InvalidRequest", "'!' at offset 4"),
    ("a clip in base64 that is not audio", "POST", "/inference/predict", {"json": {"audio_base64": "UklGRg=="}},
     400, "UnreadableRecording", "clip"),
    ("an even smoothing window", "POST", "/predict", {"json": {"audio_data": "UklG", "smoothing_window": 4}},
     400, "InvalidSettings", "smoothing_window"),
    ("a setting under two names", "POST", "/predict",
     {"json": {"audio_data": "UklG", "threshold": 0.5, "confidence_threshold": 0.6}},
     400, "InvalidSettings", "are one setting"),
    ("memory for a clip", "POST", "/predict", {"json": {"audio_data": "UklG", "memory_mb": 10240}},
     400, "InvalidSettings", "memory_mb is a setting of the stack"),
    ("a processor for a clip in a form", "POST", "/predict",
     {"files": {"audio": WAV}, "data": {"config": '{"architecture": "x86_64"}'}},
     400, "InvalidSettings", "architecture"),
    ("two clips in a form", "POST", "/predict", {"files": [("audio", WAV), ("audio_file", WAV)]},
     400, "InvalidRequest", "the same field"),
    ("a form of too many parts", "POST", "/predict",
     {"files": {"audio": WAV}, "data": {f"x{number}": "1" for number in range(30)}}, 400, "InvalidRequest", "parts"),
    ("5.2 MB of base64", "POST", "/predict", {"json": {"audio_data": "A" * 5_500_000}},
     413, "ClipTooLarge", "4 MB (4000000 bytes)"),
    ("JSON of 100,000 levels", "POST", "/uploads", {"content": b"[" * 100_000, "headers": JSON},
     400, "InvalidRequest", "levels"),
    ("JSON of 100,000 levels with a clip", "POST", "/predict", {"content": b'{"a":' * 100_000, "headers": JSON},
     400, "InvalidRequest", "levels"),
    ("JSON of 100,000 levels in a form", "POST", "/predict",
     {"files": {"audio": WAV}, "data": {"config": "[" * 10_000}}, 400, "InvalidRequest", "levels"),
    ("a number of 5,000 digits", "POST", "/uploads",
     {"content": b'{"filename":"a.wav","size":' + b"9" * 5_000 + b"}", "headers": JSON},
     400, "InvalidRequest", "5000 characters"),
    ("a number of 5,000 digits in a query", "GET", "/executions?limit=" + "9" * 5_000, {},
     400, "InvalidRequest", "limit"),
    ("a number larger than a double", "POST", "/executions",
     {"content": b'{"recordings":[],"settings":{"threshold":1e999}}', "headers": JSON},
     400, "InvalidRequest", "double"),
    ("NaN", "POST", "/executions", {"content": b'{"recordings":[],"settings":{"threshold":NaN}}', "headers": JSON},
     400, "InvalidRequest", "NaN"),
    ("a name twice", "POST", "/uploads", {"content": b'{"filename":"a.wav","size":1,"size":2}', "headers": JSON},
     400, "InvalidRequest", "'size' twice"),
    ("half a surrogate pair", "POST", "/uploads", {"content": b'{"filename":"\\ud800.wav","size":1}', "headers": JSON},
     400, "InvalidRequest", "surrogate"),
    ("a list instead of an object", "POST", "/uploads", {"json": [1]}, 400, "InvalidRequest", "not a list"),
    ("a list to complete an upload", "POST", f"/uploads/{NOTHING}/complete", {"json": [1]},
     400, "InvalidRequest", "not a list"),
    ("a form instead of JSON", "POST", "/uploads", {"files": {"audio": WAV}},
     415, "UnsupportedMediaType", "application/json"),
    ("JSON in capitals", "POST", "/uploads",
     {"content": b'{"filename":"a.exe","size":1}', "headers": {"content-type": "APPLICATION/JSON; CHARSET=UTF-8"}},
     400, "InvalidRequest", "must end in one of"),
    ("a page after an unknown execution", "GET", f"/executions?from={UNKNOWN}", {},
     400, "InvalidRequest", "your list has no"),
    ("a page after a malformed id", "GET", "/executions?from=2", {}, 400, "InvalidRequest", "from"),
    ("a page of parts after a malformed number", "GET", f"/uploads/{NOTHING}/parts?from=x", {},
     400, "InvalidRequest", "from"),
    ("a form without a clip", "POST", "/predict", {"files": {"other": WAV}}, 400, "InvalidRequest", "other"),
    ("a truncated form", "POST", "/predict", {"content": BROKEN_FORM, "headers": FORM},
     400, "InvalidRequest", "incomplete"),
    ("a form without a boundary", "POST", "/predict",
     {"content": BROKEN_FORM, "headers": {"content-type": "multipart/form-data"}}, 400, "InvalidRequest", "boundary"),
    ("a clip that is not audio", "POST", "/predict", {"files": {"audio": WAV}}, 400, "UnreadableRecording", "clip.wav"),
    ("an empty clip", "POST", "/predict", {"files": {"audio": ("a.wav", b"", "audio/wav")}},
     400, "EmptyRecording", "a.wav"),
    ("a configuration that is not JSON", "POST", "/predict", {"files": {"audio": WAV}, "data": {"config": "{"}},
     400, "InvalidRequest", "config"),
    ("a configuration with a typing mistake", "POST", "/predict",
     {"files": {"audio": WAV}, "data": {"config": '{"treshold": 1}'}}, 400, "InvalidSettings", "treshold"),
    ("an unknown model for a clip", "POST", "/predict",
     {"files": {"audio": WAV}, "data": {"config": '{"model": "nemo"}'}}, 404, "ModelNotFound", "nemo"),
    ("a clip of 5 MB", "POST", "/predict", {"files": {"audio": ("a.wav", b"0" * 5_000_000, "audio/wav")}},
     413, "ClipTooLarge", "POST /uploads"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "error", "words"),
    [row[1:] for row in REFUSED],
    ids=[r[0] for r in REFUSED],
)
def test_refused_request_has_the_documented_error(
    api: Api, method: str, path: str, request_: dict[str, Any], status: int, error: str, words: str
) -> None:
    answer = api(method, path, **request_)
    _check_error(answer, status, error, words)


@pytest.mark.parametrize("key", [None, "", "wrong", "x" * 200])
@pytest.mark.parametrize(("method", "path"), [("GET", "/models"), ("POST", "/executions"), ("POST", "/predict")])
def test_request_without_a_valid_key_is_refused(api: Api, method: str, path: str, key: str | None) -> None:
    answer = httpx.request(method, api.url + path, headers={} if key is None else {"x-api-key": key})
    _check_error(answer, 403, "NotAllowed", "x-api-key")


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/docs"])
def test_open_route_needs_no_key(api: Api, path: str) -> None:
    assert httpx.get(api.url + path).status_code == 200


def test_resources_of_another_tenant_are_not_found(
    api: Api, other_tenant: Api, upload: str, finished: dict[str, Any]
) -> None:
    execution = f"/executions/{finished['id']}"
    for method, path, body in [
        ("GET", f"/uploads/{upload}", None),
        ("GET", f"/uploads/{upload}/parts", None),
        ("POST", f"/uploads/{upload}/complete", None),
        ("DELETE", f"/uploads/{upload}", None),
        ("POST", "/executions", {"recordings": [upload]}),
        ("POST", "/executions?dry_run=true", {"recordings": [upload]}),
    ]:
        _check_error(other_tenant(method, path, json=body), 404, "UploadNotFound", "no upload")
    for method, path, body in [
        ("GET", execution, None),
        ("DELETE", execution, None),
        ("POST", f"{execution}/resume", None),
        ("GET", f"{execution}/results", None),
        ("GET", f"{execution}/results?format=csv", None),
        ("POST", f"{execution}/decisions", {"threshold": 0.6}),
    ]:
        _check_error(other_tenant(method, path, json=body), 404, "ExecutionNotFound", "no execution")
    _check_error(other_tenant("GET", f"/executions?from={finished['id']}"), 400, "InvalidRequest", "your list has no")
    listed = other_tenant("GET", "/executions").json()["executions"]
    assert finished["id"] not in [each["id"] for each in listed]
    assert api("GET", f"/uploads/{upload}").status_code == 200


def test_invalid_request_is_refused_before_the_start(api: Api, upload: str) -> None:
    def start(**more: Any) -> httpx.Response:
        return api("POST", "/executions", json={"recordings": [upload], **more})

    _check_error(start(model="nemo"), 404, "ModelNotFound", "nemo")
    _check_error(start(model="reef@9.9.9"), 404, "ModelNotFound", "9.9.9")
    _check_error(start(settings={"threshold": 2}), 400, "InvalidRequest", "threshold")
    _check_error(start(settings={"treshold": 0.5}), 400, "InvalidRequest", "treshold")
    _check_error(start(settings={"median_windows": 4}), 400, "InvalidSettings", "odd")
    _check_error(start(settings={"target_class": "whale"}), 400, "InvalidSettings", "whale")
    _check_error(start(settings={"window_seconds": 3}), 400, "InvalidSettings", "window_seconds")


def test_key_above_its_rate_is_throttled(aws: LocalAws, stack: Stack) -> None:
    key = new_key(aws, stack, throttle={"rateLimit": 0.001, "burstLimit": 2})
    answers = [httpx.get(f"{stack.api_url}/models", headers={"x-api-key": key}) for _ in range(5)]
    assert answers[0].status_code == 200
    _check_error(answers[-1], 429, "TooManyRequests", "wait")
    assert int(answers[-1].headers["retry-after"]) > 0


def _check_error(answer: httpx.Response, status: int, error: str, words: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert words in answer.json()["message"]
    assert set(answer.json()) <= {"error", "message", "details", "request_id"}
    assert answer.json()["request_id"]
    for secret in ("Traceback", "s3://", "bucket", "arn:aws", ".py"):
        assert secret not in answer.text


# --- uploads -----------------------------------------------------------------------------------------------------


def test_put_link_takes_only_the_announced_size(api: Api) -> None:
    upload = api("POST", "/uploads", json={"filename": "a.wav", "size": 10}).json()
    put = upload["put"]
    assert httpx.put(put["url"], content=b"0" * 11, headers=put["headers"]).status_code == 403
    assert api("POST", f"/uploads/{upload['id']}/complete").json()["error"] == "UploadIncomplete"
    assert httpx.put(put["url"], content=b"0" * 10, headers=put["headers"]).status_code == 200
    assert api("POST", f"/uploads/{upload['id']}/complete").json()["status"] == "COMPLETE"
    again = api("POST", f"/uploads/{upload['id']}/complete")
    assert (again.status_code, again.json()["status"]) == (200, "COMPLETE")


def test_parts_may_arrive_in_any_order_and_twice(api: Api) -> None:
    size = (64 << 20) + 5
    upload = api("POST", "/uploads", json={"filename": "a.wav", "size": size}).json()
    parts = upload["multipart"]
    assert (upload["put"], parts["part_count"], len(parts["parts"]), parts["next"]) == (None, 5, 5, None)
    path = f"/uploads/{upload['id']}"
    for part in reversed(parts["parts"][1:]):
        assert httpx.put(part["url"], content=bytes(part["size"])).status_code == 200
    missing = api("POST", f"{path}/complete")
    assert (missing.status_code, missing.json()["error"]) == (409, "UploadIncomplete")
    assert "1 of 5 parts" in missing.json()["message"]
    page = api("GET", f"{path}/parts").json()["parts"]
    assert [part["etag"] is None for part in page] == [True, False, False, False, False]
    httpx.put(page[0]["url"], content=bytes(page[0]["size"])).raise_for_status()
    etag = httpx.put(page[0]["url"], content=bytes(page[0]["size"])).headers["etag"]
    wrong = api("POST", f"{path}/complete", json={"parts": [{"number": 1, "etag": "other"}]})
    assert (wrong.status_code, wrong.json()["error"]) == (409, "UploadIncomplete")
    done = api("POST", f"{path}/complete", json={"parts": [{"number": 1, "etag": etag}]})
    assert (done.status_code, done.json()["status"]) == (200, "COMPLETE")
    assert api("GET", f"{path}/parts").status_code == 409
    assert api("DELETE", path).status_code == 204
    assert api("GET", path).status_code == 404


def test_large_upload_has_its_links_in_pages(api: Api) -> None:
    upload = api("POST", "/uploads", json={"filename": "day.wav", "size": 5 << 30}).json()
    pages, path = [upload["multipart"]], upload["multipart"]["next"]
    while path:
        pages.append(api("GET", path).json())
        path = pages[-1]["next"]
    parts = [part for page in pages for part in page["parts"]]
    assert [part["number"] for part in parts] == list(range(1, 321))
    assert sum(part["size"] for part in parts) == 5 << 30
    past = api("GET", f"/uploads/{upload['id']}/parts?from=321")
    assert past.json() == {"parts": [], "next": None}
    assert api("DELETE", f"/uploads/{upload['id']}").status_code == 204


def test_upload_that_is_not_completed_in_time_expires(api: Api, aws: LocalAws, stack: Stack, clip: Path) -> None:
    complete, half = api.upload(clip), api("POST", "/uploads", json={"filename": "a.wav", "size": 10}).json()["id"]
    for upload in (complete, half):
        _expire(aws, stack, upload)
    for method, path in [
        ("GET", f"/uploads/{half}"),
        ("GET", f"/uploads/{half}/parts"),
        ("POST", f"/uploads/{half}/complete"),
    ]:
        _check_error(api(method, path), 410, "UploadExpired", "upload it again")
    answer = api("POST", "/executions", json={"recordings": [complete]})
    _check_error(answer, 410, "UploadExpired", "upload it again")
    assert api("DELETE", f"/uploads/{half}").status_code == 204


def test_incomplete_upload_cannot_be_analysed(api: Api) -> None:
    half = api("POST", "/uploads", json={"filename": "a.wav", "size": 10}).json()["id"]
    answer = api("POST", "/executions", json={"recordings": [half]})
    _check_error(answer, 409, "UploadIncomplete", "complete it first")


def _expire(aws: LocalAws, stack: Stack, upload: str) -> None:
    """Change the record of an upload so that it has expired."""
    table = next(
        name for name in aws.client("dynamodb").list_tables()["TableNames"] if name.startswith(stack.name + "-")
    )
    dynamodb = aws.client("dynamodb")
    item = dynamodb.get_item(TableName=table, Key={"id": {"S": upload}})["Item"]
    document = json.loads(item["document"]["S"])
    document["expires_at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    item["document"] = {"S": json.dumps(document)}
    dynamodb.put_item(TableName=table, Item=item)


# --- browsers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/models"), ("POST", "/predict"), ("GET", f"/executions/{UNKNOWN}")]
)
def test_only_pages_of_allowed_origins_may_call(api: Api, method: str, path: str) -> None:
    for origin in ("https://lab.example", "http://localhost:5173"):
        ask = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-api-key"}
        preflight = httpx.options(api.url + path, headers=ask)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        assert method in preflight.headers["access-control-allow-methods"]
        assert "x-api-key" in preflight.headers["access-control-allow-headers"].lower()
        answer = api(method, path, headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        assert "ETag" in answer.headers["access-control-expose-headers"]
    answer = api(method, path, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_page_can_read_an_error_of_the_gateway(api: Api) -> None:
    answer = httpx.get(f"{api.url}/models", headers={"Origin": "https://lab.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (403, "*")


def test_page_may_send_parts_and_read_their_etags(api: Api) -> None:
    upload = api("POST", "/uploads", json={"filename": "a.wav", "size": 10}).json()["put"]
    page = {"Origin": "https://lab.example"}
    preflight = httpx.options(upload["url"], headers={**page, "Access-Control-Request-Method": "PUT"})
    assert preflight.headers["access-control-allow-origin"] in {"https://lab.example", "*"}
    put = httpx.put(upload["url"], content=b"0" * 10, headers={**upload["headers"], **page})
    assert "ETag" in put.headers["access-control-expose-headers"]


# --- end of an execution -----------------------------------------------------------------------------------------


@pytest.fixture
def topic_messages(aws: LocalAws, stack: Stack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that returns all messages of the completion topic so far."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    queue = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    listening = sns.subscribe(TopicArn=stack.outputs["CompletionTopicArn"], Protocol="sqs", Endpoint=arn)
    received_messages: list[dict[str, Any]] = []

    def messages() -> list[dict[str, Any]]:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        received_messages.extend(json.loads(json.loads(message["Body"])["Message"]) for message in received)
        return received_messages

    yield messages
    sns.unsubscribe(SubscriptionArn=listening["SubscriptionArn"])


def test_end_is_sent_to_the_topic_and_to_the_webhook(
    api: Api, stack: Stack, upload: str, topic_messages: Callable[[], list[dict[str, Any]]]
) -> None:
    execution = api.start(upload, webhook="https://receiver.invalid/done")
    ended = api.ended(execution["id"])
    await_true(lambda: any(each["execution"] == execution["id"] for each in topic_messages()), "the message")
    message = next(each for each in topic_messages() if each["execution"] == execution["id"])
    assert message == {
        "execution": execution["id"],
        "status": "SUCCEEDED",
        "tenant": message["tenant"],
        "finished_at": ended["finished_at"],
    }
    # The receiver's name does not exist.
    await_true(lambda: "receiver.invalid" in stack.logs(), "the receiver's name in the log")
    await_true(lambda: '"again": true' in stack.logs(), "another attempt in the log")
