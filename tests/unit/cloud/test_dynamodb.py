"""Records in DynamoDB (moto, in this process): who may write, what is read, and how an owner's are listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.errors import StorageError


def a_record(number: int = 0, owner: str = "reef", **more: Any) -> Record:
    made = Record(
        id=f"e-{owner}-{number:04d}",
        owner=owner,
        created=f"2026-11-23T10:{number // 60:02d}:{number % 60:02d}.000Z",
        document={"number": number},
        expires=1_800_000_000,
        listed=True,
    )
    return replace(made, **more)


def ids(records: Iterator[Record]) -> list[str]:
    return [record.id for record in records]


@pytest.mark.parametrize("listed", [True, False])
def test_record_is_read_back(table: RecordTable, listed: bool) -> None:
    document = {"text": "Größe ☃ 🐠", "none": None, "number": 0.1, "large": 2**60, "list": [{"a": []}], "": True}
    record = a_record(document=document, listed=listed)
    assert table.create(record)
    assert table.read(record.id) == record
    assert table.read_many([record.id]) == {record.id: record}


def test_missing_record_is_none(table: RecordTable) -> None:
    assert table.read("e-nothing") is None
    assert table.read_many(["e-nothing"]) == {}
    assert table.read_many([]) == {}


def test_record_is_created_once(table: RecordTable) -> None:
    assert table.create(a_record())
    assert not table.create(a_record(document={"number": "another"}))
    assert table.read(a_record().id) == a_record()


def test_one_of_concurrent_creations_succeeds(table: RecordTable) -> None:
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda number: table.create(a_record(document={"by": number})), range(32)))
    assert won.count(True) == 1
    found = table.read(a_record().id)
    assert found is not None
    assert found.document == {"by": won.index(True)}


def test_replacement_changes_the_document_only(table: RecordTable) -> None:
    table.create(a_record())
    assert table.replace(a_record(), {"number": "new"})
    assert table.read(a_record().id) == a_record(document={"number": "new"}, revision=1)


def test_replacement_can_extend_the_expiry(table: RecordTable) -> None:
    table.create(a_record())
    assert table.replace(a_record(), {}, 1_900_000_000)
    found = table.read(a_record().id)
    assert found is not None
    assert found.expires == 1_900_000_000


@pytest.mark.parametrize("seen", [0, 1, 3, -1])
def test_replacement_of_another_revision_fails(table: RecordTable, seen: int) -> None:
    table.create(a_record())
    for revision in range(2):
        assert table.replace(a_record(revision=revision), {"revision": revision})
    assert not table.replace(a_record(revision=seen), {"number": "blind"})
    found = table.read(a_record().id)
    assert found is not None
    assert (found.document, found.revision) == ({"revision": 1}, 2)


def test_missing_record_cannot_be_replaced(table: RecordTable) -> None:
    assert not table.replace(a_record(), {"number": "ghost"})
    assert table.read(a_record().id) is None


def test_no_concurrent_replacement_is_lost(table: RecordTable) -> None:
    table.create(a_record(document={"count": 0}))

    def add(_: int) -> None:
        while True:
            record = table.read(a_record().id)
            assert record is not None
            if table.replace(record, {"count": record.document["count"] + 1}):
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    found = table.read(a_record().id)
    assert found is not None
    assert (found.document["count"], found.revision) == (24, 24)


def test_items_have_the_attributes_of_the_template(table: RecordTable, dynamodb: Any, name: str) -> None:
    table.create(a_record())
    table.create(a_record(1, listed=False))
    items = {item["id"]["S"]: item for item in dynamodb.scan(TableName=name)["Items"]}
    item = items[a_record().id]
    assert item["expires"] == {"N": "1800000000"}  # the attribute of the time to live, in seconds
    assert (item["listed"], item["created"]) == ({"S": "reef"}, {"S": a_record().created})
    assert json.loads(item["document"]["S"]) == {"number": 0}
    assert "listed" not in items[a_record(1).id]


@pytest.mark.parametrize("many", [1, 100, 101, 201])
def test_many_records_are_read_in_batches(table: RecordTable, many: int) -> None:
    for number in range(many):
        table.create(a_record(number))
    wanted = [a_record(number).id for number in range(many)]
    assert table.read_many([*wanted, "e-nothing"]) == {each: a_record(n) for n, each in enumerate(wanted)}


def test_repeated_id_is_read_once(table: RecordTable) -> None:
    table.create(a_record())
    assert table.read_many([a_record().id] * 201) == {a_record().id: a_record()}


def test_unprocessed_keys_are_requested_again(
    table: RecordTable, dynamodb: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        table.create(a_record(number))
    real = dynamodb.batch_get_item
    asked: list[int] = []

    def two_at_a_time(RequestItems: Any) -> Any:  # as DynamoDB does above 16 MB
        keys = RequestItems[name]["Keys"]
        asked.append(len(keys))
        answer = real(RequestItems={name: {**RequestItems[name], "Keys": keys[:2]}})
        answer["UnprocessedKeys"] = {name: {**RequestItems[name], "Keys": keys[2:]}} if keys[2:] else {}
        return answer

    monkeypatch.setattr(dynamodb, "batch_get_item", two_at_a_time)
    assert len(table.read_many([a_record(number).id for number in range(5)])) == 5
    assert asked == [5, 3, 1]


@pytest.mark.parametrize("limit", [1, 3, 9, 10, 11])
def test_record_pages_are_newest_first_without_gaps_or_repeats(table: RecordTable, limit: int) -> None:
    for number in (3, 0, 9, 1, 8, 2, 7, 4, 6, 5):  # not in order
        table.create(a_record(number))
    seen: list[str] = []
    while page := ids(table.page("reef", limit, seen[-1] if seen else None)):
        assert len(page) <= limit
        seen += page
    assert seen == [a_record(number).id for number in range(9, -1, -1)]


def test_next_page_begins_after_the_last_record_despite_additions(table: RecordTable) -> None:
    for number in range(4):
        table.create(a_record(number))
    first = ids(table.page("reef", 2))
    table.create(a_record(50))
    assert first + ids(table.page("reef", 2, first[-1])) == [a_record(number).id for number in (3, 2, 1, 0)]


def test_unlisted_records_are_in_no_page(table: RecordTable) -> None:
    table.create(a_record(0, listed=False))
    table.create(a_record(1))
    assert ids(table.page("reef", 10)) == [a_record(1).id]


def test_replaced_record_keeps_its_place(table: RecordTable) -> None:
    for number in range(3):
        table.create(a_record(number))
    table.replace(a_record(1), {"number": "new"})
    page = list(table.page("reef", 10))
    assert [record.document["number"] for record in page] == [2, "new", 0]


def test_page_has_the_records_of_its_owner_only(table: RecordTable) -> None:
    for number in range(3):
        table.create(a_record(number, "reef"))
        table.create(a_record(number, "atoll"))
    assert ids(table.page("reef", 10)) == [a_record(number, "reef").id for number in (2, 1, 0)]
    assert ids(table.page("nobody", 10)) == []


def test_page_after_a_record_of_another_owner_begins_at_the_start(table: RecordTable) -> None:
    for number in range(3):
        table.create(a_record(number, "reef"))
        table.create(a_record(number, "atoll"))
    found = ids(table.page("reef", 10, a_record(1, "atoll").id))
    assert found == ids(table.page("reef", 10))  # as if nobody had named it: it tells nothing of the other's


def test_page_after_an_unknown_record_begins_at_the_start(table: RecordTable) -> None:
    table.create(a_record())
    assert ids(table.page("reef", 10, "e-nothing")) == [a_record().id]


@pytest.mark.parametrize(
    "call",
    [
        lambda table: table.create(a_record()),
        lambda table: table.replace(a_record(), {}),
        lambda table: table.read("e-1"),
        lambda table: table.read_many(["e-1"]),
        lambda table: list(table.page("reef", 1)),
    ],
    ids=["create", "replace", "read", "read_many", "page"],
)
def test_missing_table_is_a_storage_error(dynamodb: Any, call: Callable[[RecordTable], object]) -> None:
    with pytest.raises(StorageError, match="AWS answered ResourceNotFoundException") as caught:
        call(RecordTable("gone"))
    assert caught.value.retryable


def test_silent_table_is_a_storage_error(table: RecordTable, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(dynamodb, "get_item", silent)
    with pytest.raises(StorageError, match="the record: AWS did not answer"):
        table.read("e-1")


def test_due_records_of_all_owners_are_listed_longest_overdue_first(table: RecordTable) -> None:
    for number, (owner, minute) in enumerate([("reef", 7), ("lab", 3), ("reef", 5), ("lab", 9)]):
        table.create(a_record(number, owner, due=f"2026-11-23T10:0{minute}:00.000Z"))
    table.create(a_record(9))
    now = "2026-11-23T10:07:00.000Z"
    assert table.due(now, 10) == ["e-lab-0001", "e-reef-0002", "e-reef-0000"]
    assert table.due(now, 2) == ["e-lab-0001", "e-reef-0002"]


def test_replacement_sets_when_the_record_is_due_next(table: RecordTable) -> None:
    record = a_record(due="2026-11-23T10:00:00.000Z")
    table.create(record)
    assert table.read(record.id) == record
    assert table.replace(record, {}, due="2026-11-23T11:00:00.000Z")
    assert table.due("2026-11-23T10:30:00.000Z", 10) == []
    later = table.read(record.id)
    assert later is not None
    assert later.due == "2026-11-23T11:00:00.000Z"
    assert table.replace(later, {})
    assert table.due("2027", 10) == []


def test_lists_of_one_owner_are_separate(table: RecordTable) -> None:
    for number in range(4):
        table.create(a_record(number, kind="uploads" if number % 2 else ""))
    assert ids(table.page("reef", 10)) == ["e-reef-0002", "e-reef-0000"]
    assert ids(table.page("reef", 10, kind="uploads")) == ["e-reef-0003", "e-reef-0001"]
    since = "2026-11-23T10:00:02.000Z"
    assert ids(table.since("reef", since, "uploads")) == ["e-reef-0003"]
    found = table.read("e-reef-0003")
    assert found is not None
    assert found.kind == "uploads"


def test_page_is_complete_beyond_the_megabyte_of_one_answer(table: RecordTable) -> None:
    for number in range(8):
        table.create(a_record(number, document={"text": "x" * 300_000}))
    assert len(ids(table.page("reef", 8))) == 8
    assert len(ids(table.page("reef", 5))) == 5
