"""Verdicts are kept apart by reviewer and execution, whoever writes at the same time, and whatever the names are."""

from __future__ import annotations

import base64
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.errors import InvalidRequest
from anemonefish.service import verdict_records
from anemonefish.service.execution_record import Execution
from anemonefish.service.verdict_records import StretchVerdict, VerdictRecords, checked_name
from tests.fakes.service_stack import lost_answer
from tests.fakes.uploads import BEGAN

KEEP = timedelta(days=30)


def execution(identifier: str = "e-1", owner: str = "lab") -> Execution:
    return Execution(
        id=identifier,
        owner=owner,
        fingerprint="",
        status="SUCCEEDED",
        model={},
        settings={},
        recordings=1,
        created_at="2026-11-23T10:00:00.000Z",
    )


def on(start: int, verdict: str | None = "yes", **more: object) -> StretchVerdict:
    given = {"recording": 0, "start": start, "stop": start + 100, "label": "anemonefish", "verdict": verdict}
    return StretchVerdict(**{**given, **more})  # type: ignore[arg-type]


@pytest.fixture
def records(table: RecordTable, time: SimpleNamespace) -> VerdictRecords:
    return VerdictRecords(table, KEEP, now=lambda: time.now)


def said(records: VerdictRecords, of: Execution | None = None) -> list[tuple[int, str | None, str]]:
    return [(each.start, each.verdict, each.reviewer) for each in records.read(of or execution())]


def test_later_verdict_replaces_the_earlier_one_of_its_reviewer_only(records: VerdictRecords) -> None:
    assert records.put(execution(), "Ana", [on(0), on(100, "no")]) == 2
    assert records.put(execution(), "Ben", [on(0, "unsure")]) == 1
    assert records.put(execution(), "Ana", [on(0, "other:grunt"), on(100, None)]) == 1
    assert sorted(said(records)) == [(0, "other:grunt", "Ana"), (0, "unsure", "Ben")]
    assert records.put(execution(), "Ana", [on(0, None), on(500, None)]) == 0
    assert said(records) == [(0, "unsure", "Ben")]


def test_verdicts_come_back_as_they_were_given(records: VerdictRecords) -> None:
    given = [
        on(5, "yes", calls=3, mark_start=10, mark_stop=20, kind="segment", recording=7),
        on(5, "no", label="biological", recording=7),
    ]
    records.put(execution(), "=Ana, 海", given)
    found = records.read(execution())
    assert {replace(each, reviewer="", judged_at="") for each in found} == set(given)
    assert {(each.reviewer, each.judged_at) for each in found} == {("=Ana, 海", "2026-11-23T10:00:00.000Z")}
    assert [each.sort_key for each in found] == sorted(each.sort_key for each in found)


def test_verdict_that_is_sent_again_keeps_its_time(
    records: VerdictRecords, time: SimpleNamespace, table: RecordTable
) -> None:
    records.put(execution(), "Ana", [on(0), on(100)])
    before = records.read(execution())
    time.now = BEGAN + timedelta(minutes=1)
    assert records.put(execution(), "Ana", [on(100), on(0)]) == 2
    assert records.read(execution()) == before
    records.put(execution(), "Ana", [on(100, "no")])
    assert [each.judged_at for each in records.read(execution())] == [
        "2026-11-23T10:00:00.000Z",
        "2026-11-23T10:01:00.000Z",
    ]


def test_requests_at_once_lose_no_verdict(records: VerdictRecords) -> None:
    names = [f"reviewer {number}" for number in range(4)]

    def put(number: int) -> None:
        records.put(execution(), names[number % 4], [on(number * 100)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(40)))
    assert sorted(said(records)) == sorted((number * 100, "yes", names[number % 4]) for number in range(40))


def test_verdict_is_stored_when_the_answer_of_its_write_is_lost(records: VerdictRecords) -> None:
    records.put(execution(), "Ana", [on(0)])
    with lost_answer():
        assert records.put(execution(), "Ana", [on(100)]) == 2
    assert len(said(records)) == 2


def test_refused_verdicts_do_not_count_their_reviewer(records: VerdictRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_records, "MOST_REVIEWERS", 1)
    monkeypatch.setattr(verdict_records, "MOST_VERDICTS", 1)
    with pytest.raises(InvalidRequest, match="more than are kept"):
        records.put(execution(), "Ana", [on(0), on(100)])
    assert records.put(execution(), "Ana", [replace(on(0), verdict=None)]) == 0
    assert records.put(execution(), "Ben", [on(0)]) == 1


def test_executions_are_kept_apart_and_their_records_expire_with_them(
    records: VerdictRecords, table: RecordTable
) -> None:
    records.put(execution("e-1"), "Ana", [on(0)])
    assert said(records, execution("e-2")) == []
    found = table.read("verdicts/e-1")
    assert found is not None
    assert (found.owner, found.expires, found.listed) == ("lab", int((BEGAN + KEEP).timestamp()), False)


def test_records_of_versions_with_more_or_fewer_columns_are_read(records: VerdictRecords, table: RecordTable) -> None:
    records.put(execution(), "Ana", [on(0, calls=2)])
    before = records.read(execution())
    [name] = table.read_many([verdict_records._of_reviewer(execution(), "Ana")])
    for columns, row in (
        (["label", "added", "recording", "stop", "start", "verdict"], ["anemonefish", 7, 0, 100, 0, "yes"]),
        (["recording", "start", "stop", "label", "verdict"], [0, 0, 100, "anemonefish", "yes"]),
    ):
        record = table.read(name)
        assert record is not None
        packed = base64.b64encode(zlib.compress(json.dumps([row]).encode())).decode()
        assert table.replace(record, {"reviewer": "Ana", "columns": columns, "verdicts": packed})
        assert records.read(execution()) == [replace(before[0], calls=None, judged_at="")]


def test_thousands_of_verdicts_fit_and_more_are_refused(
    records: VerdictRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [on(number * 10_007, "other:a long name of a fish", calls=None) for number in range(5_000)]
    assert records.put(execution(), "Ana", many) == 5_000
    assert len(said(records)) == 5_000
    with pytest.raises(InvalidRequest, match="would have 5001 verdicts"):
        records.put(execution(), "Ana", [on(1)])
    monkeypatch.setattr(verdict_records, "MOST_REVIEWERS", 2)
    records.put(execution(), "Ben", [on(0)])
    with pytest.raises(InvalidRequest, match="2 people have judged this execution"):
        records.put(execution(), "Cleo", [on(0)])
    records.put(execution(), "Ben", [on(1)])


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a\nb", "a\x00b", "\u202eana", "x" * 81, "\u2028"],
    ids=["empty", "blank", "line", "nul", "bidi", "long", "separator"],
)
def test_names_that_cannot_be_seen_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="reviewer must have 1 to 80 characters"):
        checked_name(name, "reviewer")


def test_names_that_look_alike_are_one() -> None:
    assert checked_name("Jose\u0301 ", "reviewer") == "Jos\u00e9"
