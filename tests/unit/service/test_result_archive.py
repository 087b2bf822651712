"""Results in the archive: their download is refused with what to do, and they are restored on request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from moto.moto_api import state_manager

from anemonefish import clock
from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.s3_archive import Archive, StorageState
from anemonefish.errors import ExecutionNotFound, ResultArchived, StorageError, WrongState
from anemonefish.service import result_archive
from anemonefish.service.execution_record import Execution
from anemonefish.service.result_archive import ResultArchive
from tests.fakes.service_stack import BEGAN, FakeStack, refused


@pytest.fixture
def slow_restore() -> Iterator[None]:
    """Let a restore take two looks at an object."""
    state_manager.set_transition("s3::keyrestore", {"progression": "manual", "times": 2})
    yield
    state_manager.unset_transition("s3::keyrestore")


@pytest.fixture
def results(reef: FakeStack, bucket: str) -> ResultArchive:
    return ResultArchive(table=reef.table, store=reef.store, archive=Archive(bucket), now=lambda: reef.now)


@pytest.fixture
def succeeded(reef: FakeStack) -> Execution:
    ended = reef.end(reef.start(), "SUCCEEDED")
    assert ended is not None
    return ended


def put(bucket: str, execution: Execution, name: str, storage: str = "DEEP_ARCHIVE") -> str:
    key = f"jobs/lab/{execution.id}/{name}"
    client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}", StorageClass=storage)
    return key


@pytest.mark.parametrize("storage", ["STANDARD", "GLACIER_IR"])
def test_file_that_is_sent_at_once_is_readable(
    results: ResultArchive, bucket: str, succeeded: Execution, storage: str
) -> None:
    results.check_readable(succeeded, put(bucket, succeeded, "results/a.json", storage), "a.json")
    results.check_readable(succeeded, "jobs/lab/none", "none")


def test_archived_file_is_refused_with_what_to_do(results: ResultArchive, bucket: str, succeeded: Execution) -> None:
    key = put(bucket, succeeded, "results/a.json")
    with pytest.raises(ResultArchived, match=rf"a\.json is in the archive.*POST /executions/{succeeded.id}/restore"):
        results.check_readable(succeeded, key, "a.json")


def test_restore_asks_for_every_archived_file_and_no_other(
    results: ResultArchive, bucket: str, succeeded: Execution
) -> None:
    archived = [put(bucket, succeeded, name) for name in ("results/a.json", "decisions/d-1/a.json")]
    others = [put(bucket, succeeded, "results/b.json", "GLACIER_IR"), put(bucket, succeeded, "parts/x.npy", "STANDARD")]
    other = put(bucket, replace(succeeded, id=f"{succeeded.id}x"), "results/a.json")
    asked = results.restore("lab", succeeded.id, "standard")
    assert asked.restore == {
        "tier": "standard",
        "requested_at": clock.to_text(BEGAN),
        "ready_by": clock.to_text(BEGAN + timedelta(hours=12)),
        "kept_until": clock.to_text(BEGAN + timedelta(days=7)),
        "files": 2,
        "files_left": 0,
    }
    for key in archived:
        results.check_readable(asked, key, "a.json")
    restored = [client("s3").head_object(Bucket=bucket, Key=key).get("Restore") for key in [*archived, *others, other]]
    assert [header is not None for header in restored] == [True, True, False, False, False]


def test_file_that_is_being_restored_says_since_when(
    reef: FakeStack, results: ResultArchive, bucket: str, succeeded: Execution, slow_restore: None
) -> None:
    key = put(bucket, succeeded, "results/a.json")
    asked = results.restore("lab", succeeded.id, "bulk")
    ready = clock.to_text(BEGAN + timedelta(hours=48))
    with pytest.raises(ResultArchived, match=f"since {clock.to_text(BEGAN)}.*by {ready}"):
        results.check_readable(asked, key, "a.json")
    assert reef.executions.get("lab", succeeded.id) == asked


def test_restore_twice_keeps_the_first_times_and_extends_the_copies(
    reef: FakeStack, results: ResultArchive, bucket: str, succeeded: Execution
) -> None:
    put(bucket, succeeded, "results/a.json")
    first = results.restore("lab", succeeded.id, "bulk").restore
    reef.now += timedelta(days=3)
    second = results.restore("lab", succeeded.id, "standard").restore
    assert first is not None
    assert second == first | {"kept_until": clock.to_text(BEGAN + timedelta(days=10))}


@pytest.mark.parametrize("code", ["RestoreAlreadyInProgress", "InvalidObjectState", "NoSuchKey"])
def test_file_that_needs_no_request_is_no_error(
    results: ResultArchive, bucket: str, succeeded: Execution, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    put(bucket, succeeded, "results/a.json")
    monkeypatch.setattr(client("s3"), "restore_object", refused(code))
    asked = results.restore("lab", succeeded.id, "standard")
    assert asked.restore is not None
    assert asked.restore["files_left"] == 0


def test_refused_request_is_a_storage_error(
    results: ResultArchive, bucket: str, succeeded: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, succeeded, "results/a.json")
    monkeypatch.setattr(client("s3"), "restore_object", refused("AccessDenied"))
    with pytest.raises(StorageError, match="AccessDenied"):
        results.restore("lab", succeeded.id, "standard")


def test_files_without_time_are_counted_and_asked_for_by_the_next_call(
    results: ResultArchive, bucket: str, succeeded: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [put(bucket, succeeded, f"results/{number}.json") for number in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(result_archive, "_SECONDS", -1.0)
        assert results.restore("lab", succeeded.id, "standard").restore is not None
        assert Archive(bucket).state(keys[0]) is StorageState.ARCHIVED
    asked = results.restore("lab", succeeded.id, "standard").restore
    assert asked is not None
    assert (asked["files"], asked["files_left"]) == (3, 0)
    assert {Archive(bucket).state(key) for key in keys} == {StorageState.READABLE}


def test_copies_that_are_being_made_are_not_asked_for_again(
    results: ResultArchive, bucket: str, succeeded: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 lists the state of a restore, moto does not."""
    running, waiting = (f"jobs/lab/{succeeded.id}/results/{name}.json" for name in "ab")
    pages: list[dict[str, Any]] = [
        {
            "Contents": [
                {"Key": running, "StorageClass": "DEEP_ARCHIVE", "RestoreStatus": {"IsRestoreInProgress": True}}
            ]
        },
        {"Contents": [{"Key": waiting, "StorageClass": "DEEP_ARCHIVE"}]},
    ]
    paginator = Mock(paginate=lambda Prefix, **_: pages if Prefix.endswith("/results/") else [])
    monkeypatch.setattr(client("s3"), "get_paginator", lambda _: paginator)
    answer = {"ResponseMetadata": {"HTTPStatusCode": 202}}
    call = Mock(return_value=answer)
    monkeypatch.setattr(client("s3"), "restore_object", call)
    results.restore("lab", succeeded.id, "bulk")
    [request] = [each.kwargs for each in call.mock_calls]
    assert request == {
        "Bucket": bucket,
        "Key": waiting,
        "RestoreRequest": {"Days": 7, "GlacierJobParameters": {"Tier": "Bulk"}},
    }


def test_execution_without_archived_files_is_refused(
    reef: FakeStack, results: ResultArchive, bucket: str, succeeded: Execution
) -> None:
    put(bucket, succeeded, "results/a.json", "GLACIER_IR")
    with pytest.raises(WrongState, match="is in the archive; download its results"):
        results.restore("lab", succeeded.id, "standard")
    with pytest.raises(WrongState, match="has no results, it is RUNNING"):
        results.restore("lab", reef.start().id, "standard")
    with pytest.raises(ExecutionNotFound):
        results.restore("other", succeeded.id, "standard")


def test_concurrent_change_of_the_record_is_kept(
    reef: FakeStack, results: ResultArchive, bucket: str, succeeded: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, succeeded, "results/a.json")
    replace_record, calls = RecordTable.replace, []

    def busy(self: RecordTable, record: Any, document: dict[str, Any], *args: Any, **more: Any) -> bool:
        calls.append(document)
        if len(calls) == 1:  # another request comes first
            replace_record(self, record, record.document | {"webhook": "https://other"})
        return replace_record(self, record, document, *args, **more)

    monkeypatch.setattr(RecordTable, "replace", busy)
    asked = results.restore("lab", succeeded.id, "standard")
    assert len(calls) == 2
    assert asked.webhook == "https://other"
    assert reef.record(asked).document["restore"]["files"] == 1


def test_all_files_are_listed_in_pages_with_their_sizes_and_whether_they_can_be_sent(
    results: ResultArchive, bucket: str, succeeded: Execution
) -> None:
    names = ["results/a b.json", "results/deployment/c.csv", "results/summary.csv", "results/é.txt"]
    for name in names:
        put(bucket, succeeded, name, "DEEP_ARCHIVE" if name.endswith(".json") else "STANDARD")
    put(bucket, succeeded, "decisions/d-1/a.json", "STANDARD")
    put(bucket, replace(succeeded, id=f"{succeeded.id}x"), "results/a.json", "STANDARD")
    folder, seen, after = f"jobs/lab/{succeeded.id}/results", [], ""
    while page := results.page(folder, after, 3):
        seen += [(each.key.removeprefix(f"{folder}/"), each.size, each.readable) for each in page]
        after = seen[-1][0]
    assert seen == [(name.removeprefix("results/"), 2, not name.endswith(".json")) for name in sorted(names)]


@pytest.mark.parametrize(("status", "readable"), [({"IsRestoreInProgress": True}, False), ({}, False), (None, False)])
def test_file_whose_copy_is_not_there_yet_is_not_readable(
    monkeypatch: pytest.MonkeyPatch, status: dict[str, Any] | None, readable: bool
) -> None:
    item = {"Key": "a", "Size": 1, "StorageClass": "DEEP_ARCHIVE"}
    restored = {"RestoreStatus": {"IsRestoreInProgress": False, "RestoreExpiryDate": BEGAN}}
    answers = [item | ({} if status is None else {"RestoreStatus": status}), item | restored]
    monkeypatch.setattr(
        "anemonefish.cloud.s3_archive.client", lambda _: Mock(list_objects_v2=lambda **_: {"Contents": answers})
    )
    assert [each.readable for each in Archive("b").page("", "", 2)] == [readable, True]
