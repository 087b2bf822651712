"""Every object that a job leaves in the output bucket, with its tags, against the lifecycle rules of template.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from anemonefish.simulation.scene import scene, write_scene
from localstack import Stack
from tests.cloudformation import Stack as Template
from tests.lifecycle_rules import Fate, fate, rules_of
from tests.workflow.conftest import Api, await_true, tenant_of

RATE = 48_000
SCORES, AUDIO, KEPT = Fate(deleted=365), Fate(deleted=30), Fate()
ARCHIVED = Fate(moved=(("GLACIER_IR", 90), ("DEEP_ARCHIVE", 365)))
TEMPLATE = Template({"DeepArchiveDays": 365})
FATES = {
    r"(request|plan|manifest|review|reviewed)\.json": KEPT,
    r"(ranges|reports|transcodes)\.jsonl": KEPT,
    r"outcomes/\S+\.json": KEPT,
    r"parts/[0-9a-f]+/\d+-\d+\.npy": SCORES,
    r"audio/[0-9a-f]+/(\d+\.flac|index\.json)": AUDIO,
    r"results/review/clips/(\S+\.flac|clips\.csv|index\.html)": KEPT,
    r"results/review/\S+\.png": KEPT,
    r"results/(summary|effort|combined\.events)\.csv": KEPT,
    r"decisions/d-[0-9a-f]+/settings\.json": KEPT,
}
"""What the rules do with each object of a job, by its key in the job's folder; reports are below."""

REPORT = r"(results|decisions/d-[0-9a-f]+)/(long\.wav|short\.ogg)\.\S+"


def objects_of(s3: Any, stack: Stack, prefix: str) -> dict[str, tuple[int, dict[str, str]]]:
    """Return size and tags of every object below a prefix, by its key."""
    bucket, found = stack.outputs["OutputBucketName"], {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            tags = s3.get_object_tagging(Bucket=bucket, Key=item["Key"])["TagSet"]
            found[item["Key"]] = (item["Size"], {tag["Key"]: tag["Value"] for tag in tags})
    return found


@pytest.fixture(scope="module")
def job(api: Api, s3: Any, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Run a job with a long and a transcoded recording, decide again; return the execution's id and its prefix."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(1)
    write_scene(scene(66, seed=1), folder / "long.wav")
    with soundfile.SoundFile(folder / "short.ogg", "w", RATE, 1, "VORBIS", format="OGG") as file:
        file.write(rng.uniform(-0.1, 0.1, 3 * RATE))
    settings = {
        "hop_seconds": 0.006, "formats": ["json", "csv", "parquet"], "review": ["clips", "pictures"],
    }  # fmt: skip
    uploads = [api.upload(folder / name) for name in ("long.wav", "short.ogg")]
    execution = api.start(*uploads, settings=settings)["id"]
    ended = api.ended(execution)
    assert ended["status"] == "SUCCEEDED", ended
    await_true(lambda: api("GET", f"/executions/{execution}").json()["review"]["status"] != "PENDING", "the review")
    decision = api("POST", f"/executions/{execution}/decisions", json={"threshold": 0.7}).json()["decision"]
    for form in ("json", "raven"):
        api.file(execution, form, decision=decision)
    return execution, f"jobs/{tenant_of(s3, stack, execution)}/{execution}"


def test_every_object_of_a_job_is_kept_archived_or_deleted_as_its_kind_says(
    job: tuple[str, str], s3: Any, stack: Stack
) -> None:
    _, prefix = job
    rules = rules_of(TEMPLATE, "OutputBucket")
    found, lines = {}, []
    for key, (size, tags) in objects_of(s3, stack, f"{prefix}/").items():
        name = key.removeprefix(f"{prefix}/")
        expected = [value for pattern, value in FATES.items() if re.fullmatch(pattern, name)]
        if re.fullmatch(REPORT, name) and not expected:
            expected = [ARCHIVED if size >= 1 << 20 else KEPT]
        assert len(expected) == 1, f"{name}: the test does not say what happens to it"
        found[name] = fate(rules, key, size, tags)
        assert found[name] == expected[0], f"{name}: {tags}"
        lines.append(f"{name:80} {size:>9} {tags} {found[name]}")
    print("", *lines, sep="\n")
    for pattern in (*FATES, REPORT):
        assert any(re.fullmatch(pattern, name) for name in found), f"the job wrote no {pattern}"
    archived = [name for name in found if found[name] == ARCHIVED]
    assert {name.partition("/")[0] for name in archived} == {"results", "decisions"}


def test_archived_report_is_refused_restored_and_downloaded(
    job: tuple[str, str], api: Api, s3: Any, stack: Stack
) -> None:
    execution, prefix = job
    bucket, path = stack.outputs["OutputBucketName"], f"/executions/{execution}"
    before, results = api.file(execution, "json"), api("GET", f"{path}/results").json()
    assert results["predictions_url"] is not None
    assert api("POST", f"{path}/restore").json()["error"] == "WrongState"
    for key, (size, tags) in objects_of(s3, stack, f"{prefix}/").items():
        moved = dict(fate(rules_of(TEMPLATE, "OutputBucket"), key, size, tags).moved)
        for storage in sorted(moved, key=lambda name: moved[name]):  # as the bucket does in the course of a year
            source = {"Bucket": bucket, "Key": key}
            s3.copy_object(Bucket=bucket, Key=key, CopySource=source, StorageClass=storage)

    for query in ("format=json", "format=json&redirect=false"):
        answer = api("GET", f"{path}/results?{query}")
        assert (answer.status_code, answer.json()["error"]) == (409, "ResultArchived")
        assert f"POST {path}/restore" in answer.json()["message"]
    archived = api("GET", f"{path}/results").json()
    clips = [
        [(event["start_sample"], event["clip"]["name"]) for event in each["events"]] for each in (results, archived)
    ]
    assert clips[0] == clips[1] != []
    assert (archived["predictions_url"], archived["predictions_error"]["error"]) == (None, "ResultArchived")
    assert api("GET", f"{path}/results?recording=1&format=json&redirect=false").status_code == 200  # it is small
    assert api("GET", f"{path}/files").status_code == 200
    assert api("GET", path).json()["restore"] is None

    answer = api("POST", f"{path}/restore?tier=bulk")
    restore = answer.json()["restore"]
    assert (answer.status_code, restore["tier"], restore["files"], restore["files_left"]) == (202, "bulk", 2, 0)
    refused = api("GET", f"{path}/results?format=json")
    assert (refused.status_code, refused.json()["error"]) == (409, "ResultArchived")
    assert f"since {restore['requested_at']}" in refused.json()["message"]
    again = api("POST", f"{path}/restore?tier=bulk").json()["restore"]
    assert again == restore | {"kept_until": again["kept_until"]}
    assert api("GET", path).json()["restore"] == again
    await_true(lambda: api("GET", f"{path}/results?format=json&redirect=false").status_code == 200, "the restore")
    assert api.file(execution, "json") == before


def test_deciding_again_after_the_scores_were_deleted_says_so(
    job: tuple[str, str], api: Api, s3: Any, stack: Stack
) -> None:
    execution, prefix = job
    before = api.file(execution, "csv")
    delete(s3, stack, prefix, SCORES)
    for recording in (0, 1):  # one at a time: the function keeps the scores of two recordings
        answer = api("POST", f"/executions/{execution}/decisions?recording={recording}", json={"threshold": 0.61})
        if answer.status_code == 200:
            continue
        assert (answer.status_code, answer.json()["error"]) == (410, "ScoresDeleted")
        assert "are kept for 365 days" in answer.json()["message"]
    answer = api("GET", f"/executions/{execution}/results?recording=1")
    assert (answer.status_code, answer.json()["error"]) == (410, "ScoresDeleted")
    assert api.file(execution, "csv") == before
    status = api("GET", f"/executions/{execution}").json()
    assert status["ranges_done"] == status["ranges_total"] > 1
    assert api("GET", f"/executions/{execution}/files").status_code == 200


def delete(s3: Any, stack: Stack, prefix: str, wanted: Fate) -> list[str]:
    """Delete what the rules delete, as the bucket does after its days; return the keys."""
    rules = rules_of(TEMPLATE, "OutputBucket")
    objects = objects_of(s3, stack, f"{prefix}/").items()
    keys = [key for key, (size, tags) in objects if fate(rules, key, size, tags) == wanted]
    for key in keys:
        s3.delete_object(Bucket=stack.outputs["OutputBucketName"], Key=key)
    assert keys
    return keys


def test_resume_after_scores_and_audio_were_deleted(
    api: Api, s3: Any, stack: Stack, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    """A job that failed computes its scores again; a recording without its transcoded audio says what to do."""
    with soundfile.SoundFile(tmp_path / "short.ogg", "w", RATE, 1, "VORBIS", format="OGG") as file:
        file.write(np.random.default_rng(2).uniform(-0.1, 0.1, 3 * RATE))
    whole = make_recording("whole.wav", frames=3 * RATE)
    uploads = [api.upload(whole), api.upload(tmp_path / "short.ogg")]
    expected = api.start(uploads[0])["id"]
    assert api.ended(expected)["status"] == "SUCCEEDED"
    execution = api.start(*uploads)["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"
    prefix = f"jobs/{tenant_of(s3, stack, execution)}/{execution}"
    bucket = stack.outputs["OutputBucketName"]
    delete(s3, stack, prefix, SCORES)
    delete(s3, stack, prefix, AUDIO)
    for name in objects_of(s3, stack, f"{prefix}/"):  # as if the job had been stopped before its reports
        if re.match(r"manifest\.json|results/|outcomes/", name.removeprefix(f"{prefix}/")):
            s3.delete_object(Bucket=bucket, Key=name)
    _, tenant, identifier = prefix.split("/")
    resumed = stack.run({"job": {"tenant": tenant, "id": identifier}, "resume": True})
    assert resumed.status == "SUCCEEDED", resumed.cause
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=f"{prefix}/manifest.json")["Body"].read())
    first, second = manifest["recordings"]
    assert first["failure"] is None
    assert api.file(execution, "json") == api.file(expected, "json")
    assert second["failure"]["error"] == "RecordingNotFound"
    assert "its transcoded audio was deleted" in second["failure"]["message"]
