"""The end of an execution is recorded once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.errors import (
    Failure,
)
from anemonefish.execution_states import CANCELLED, FAILED, SUCCEEDED
from anemonefish.service.execution_end import end_execution
from tests.fakes.service_stack import REASON, UPLOADS, FakeStack, lost_answer


@pytest.mark.parametrize(
    ("told", "failure", "status", "error"),
    [
        ("SUCCEEDED", None, SUCCEEDED, None),
        ("FAILED", REASON, FAILED, {"error": "TruncatedRecording", "message": "a.wav: the header promises more"}),
        ("TIMED_OUT", Failure("RangeFailed", "t"), FAILED, {"error": "RangeFailed", "message": "t"}),
        ("ABORTED", None, CANCELLED, None),
    ],
)
def test_end_is_recorded_with_its_status_and_error(
    reef: FakeStack, told: str, failure: Failure | None, status: str, error: dict[str, str] | None
) -> None:
    execution = reef.start()
    reef.now += timedelta(seconds=90)
    ended = reef.end(execution, told, failure)
    assert ended == replace(execution, status=status, finished_at="2026-11-23T10:01:30.000Z", error=error)
    assert reef.executions.get("lab", execution.id) == ended
    assert ended.ended
    assert ended.seconds == 90.0


@pytest.mark.parametrize("first", ["SUCCEEDED", "FAILED", "ABORTED"])
@pytest.mark.parametrize("second", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_second_end_changes_nothing(reef: FakeStack, first: str, second: str) -> None:
    execution = reef.start()
    ended = reef.end(execution, first, REASON if first == "FAILED" else None)
    before = reef.record(execution)
    reef.now += timedelta(hours=1)
    again = reef.end(execution, second, Failure("RangeFailed", "another"))
    same = (first, second) in {("FAILED", "TIMED_OUT")} or first == second
    assert again == (ended if same else None)  # told again, so that a notice which got lost goes out
    assert reef.record(execution) == before


@pytest.mark.parametrize("late", ["SUCCEEDED", "FAILED", "ABORTED"])
def test_end_of_an_earlier_attempt_changes_nothing(reef: FakeStack, late: str) -> None:
    first = reef.start()
    reef.end(first, "FAILED", REASON)
    second = reef.executions.resume("lab", first.id)
    before = reef.record(second)
    assert reef.end(first, late, REASON) is None
    assert reef.record(second) == before
    ended = reef.end(second, "SUCCEEDED")
    assert ended is not None
    assert (ended.status, ended.attempt, ended.error) == (SUCCEEDED, 2, None)
    assert reef.end(first, late, REASON) is None


@pytest.mark.parametrize("name", ["e-unknown-1", "e-", "by-hand", "u-a-1", "3f0c5c39-58d4-4d57-9d5e-8d5a2b7c6f01"])
def test_end_of_an_unknown_execution_is_ignored(reef: FakeStack, name: str) -> None:
    for identifier in ("u-a", "by"):
        document = asdict(UPLOADS[0])
        reef.table.create(Record(id=identifier, owner="lab", created="2026", document=document, expires=2_000_000_000))
    assert end_execution(reef.table, name, "SUCCEEDED", None) is None


def test_concurrent_ends_are_recorded_once(reef: FakeStack) -> None:
    execution = reef.start()
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: reef.end(execution, "SUCCEEDED"), range(8)))
    assert all(each == told[0] for each in told)
    assert reef.record(execution).revision == 2


def test_end_is_retried_after_a_concurrent_change(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = reef.start()
    real, ahead = RecordTable.replace, []

    def beaten(table: RecordTable, record: Record, document: dict[str, Any], expires: int | None = None) -> bool:
        if not ahead:
            ahead.append(real(table, record, {**record.document, "webhook": "changed meanwhile"}))
        return real(table, record, document, expires)

    monkeypatch.setattr(RecordTable, "replace", beaten)
    ended = reef.end(execution, "SUCCEEDED")
    assert ended is not None
    assert (ended.status, ended.webhook) == (SUCCEEDED, "changed meanwhile")


def test_end_is_returned_when_the_answer_of_its_write_is_lost(reef: FakeStack) -> None:
    execution = reef.start()
    with lost_answer():
        ended = reef.end(execution, "FAILED", REASON)
    assert ended == reef.executions.get("lab", execution.id)
    assert ended.status == FAILED
