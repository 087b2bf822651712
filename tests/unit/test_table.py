"""Records in DynamoDB (moto, in this process): who may write, what is read, and how an owner's are listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.ledger import Account, Ledger
from anemonefish.errors import StorageError

NUMBERS = count()
KEYS = ("id", "listed", "created", "attention", "due")


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """A DynamoDB of our own."""
    lock = Lock()

    def at_once(real: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*given: Any, **named: Any) -> Any:  # DynamoDB checks and writes in one step, moto in two
            with lock:
                return real(*given, **named)

        return locked

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setattr(DynamoDBBackend, "put_item", at_once(DynamoDBBackend.put_item))
        patch.setattr(DynamoDBBackend, "update_item", at_once(DynamoDBBackend.update_item))
        client.cache_clear()
        yield client("dynamodb")
    client.cache_clear()


@pytest.fixture
def name(dynamodb: Any) -> str:
    """An empty table as the template makes it."""
    made = f"records-{next(NUMBERS)}"
    dynamodb.create_table(
        TableName=made,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in KEYS],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_owner",
                "KeySchema": [
                    {"AttributeName": "listed", "KeyType": "HASH"},
                    {"AttributeName": "created", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "by_due",
                "KeySchema": [
                    {"AttributeName": "attention", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
    )
    return made


@pytest.fixture
def table(name: str) -> RecordTable:
    return RecordTable(name)


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


# --- one record --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_a_record_is_read_as_it_was_written(table: RecordTable, listed: bool) -> None:
    document = {"text": "Größe ☃ 🐠", "none": None, "number": 0.1, "large": 2**60, "list": [{"a": []}], "": True}
    record = a_record(document=document, listed=listed)
    assert table.create(record)
    assert table.read(record.id) == record
    assert table.read_many([record.id]) == {record.id: record}


def test_what_was_never_written_is_nothing(table: RecordTable) -> None:
    assert table.read("e-nothing") is None
    assert table.read_many(["e-nothing"]) == {}
    assert table.read_many([]) == {}


def test_a_record_is_created_once(table: RecordTable) -> None:
    assert table.create(a_record())
    assert not table.create(a_record(document={"number": "another"}))
    assert table.read(a_record().id) == a_record()


def test_of_many_creators_one_wins_and_knows_it(table: RecordTable) -> None:
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda number: table.create(a_record(document={"by": number})), range(32)))
    assert won.count(True) == 1
    found = table.read(a_record().id)
    assert found is not None
    assert found.document == {"by": won.index(True)}


def test_a_replacement_keeps_all_but_the_document(table: RecordTable) -> None:
    table.create(a_record())
    assert table.replace(a_record(), {"number": "new"})
    assert table.read(a_record().id) == a_record(document={"number": "new"}, revision=1)


def test_a_replacement_may_last_longer(table: RecordTable) -> None:
    table.create(a_record())
    assert table.replace(a_record(), {}, 1_900_000_000)
    found = table.read(a_record().id)
    assert found is not None
    assert found.expires == 1_900_000_000


@pytest.mark.parametrize("seen", [0, 1, 3, -1])
def test_nobody_replaces_what_he_has_not_seen(table: RecordTable, seen: int) -> None:
    table.create(a_record())
    for revision in range(2):
        assert table.replace(a_record(revision=revision), {"revision": revision})
    assert not table.replace(a_record(revision=seen), {"number": "blind"})
    found = table.read(a_record().id)
    assert found is not None
    assert (found.document, found.revision) == ({"revision": 1}, 2)


def test_what_is_not_there_cannot_be_replaced(table: RecordTable) -> None:
    assert not table.replace(a_record(), {"number": "ghost"})
    assert table.read(a_record().id) is None


def test_no_replacement_of_many_is_lost(table: RecordTable) -> None:
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


def test_dynamodb_finds_the_attributes_that_the_template_names(table: RecordTable, dynamodb: Any, name: str) -> None:
    table.create(a_record())
    table.create(a_record(1, listed=False))
    items = {item["id"]["S"]: item for item in dynamodb.scan(TableName=name)["Items"]}
    item = items[a_record().id]
    assert item["expires"] == {"N": "1800000000"}  # the attribute of the time to live, in seconds
    assert (item["listed"], item["created"]) == ({"S": "reef"}, {"S": a_record().created})
    assert json.loads(item["document"]["S"]) == {"number": 0}
    assert "listed" not in items[a_record(1).id]


# --- several -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [1, 100, 101, 201])
def test_many_records_are_read_at_once(table: RecordTable, many: int) -> None:
    for number in range(many):
        table.create(a_record(number))
    wanted = [a_record(number).id for number in range(many)]
    assert table.read_many([*wanted, "e-nothing"]) == {each: a_record(n) for n, each in enumerate(wanted)}


def test_a_record_that_is_asked_for_twice_is_read_once(table: RecordTable) -> None:
    table.create(a_record())
    assert table.read_many([a_record().id] * 201) == {a_record().id: a_record()}


def test_what_a_batch_left_over_is_asked_for_again(
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
def test_pages_are_newest_first_without_gaps_or_repeats(table: RecordTable, limit: int) -> None:
    for number in (3, 0, 9, 1, 8, 2, 7, 4, 6, 5):  # not in order
        table.create(a_record(number))
    seen: list[str] = []
    while page := ids(table.page("reef", limit, seen[-1] if seen else None)):
        assert len(page) <= limit
        seen += page
    assert seen == [a_record(number).id for number in range(9, -1, -1)]


def test_a_page_goes_on_behind_its_last_record_whatever_was_added_meanwhile(table: RecordTable) -> None:
    for number in range(4):
        table.create(a_record(number))
    first = ids(table.page("reef", 2))
    table.create(a_record(50))
    assert first + ids(table.page("reef", 2, first[-1])) == [a_record(number).id for number in (3, 2, 1, 0)]


def test_records_that_are_not_listed_are_in_no_page(table: RecordTable) -> None:
    table.create(a_record(0, listed=False))
    table.create(a_record(1))
    assert ids(table.page("reef", 10)) == [a_record(1).id]


def test_a_replaced_record_stays_in_its_place(table: RecordTable) -> None:
    for number in range(3):
        table.create(a_record(number))
    table.replace(a_record(1), {"number": "new"})
    page = list(table.page("reef", 10))
    assert [record.document["number"] for record in page] == [2, "new", 0]


def test_a_page_has_the_records_of_its_owner_only(table: RecordTable) -> None:
    for number in range(3):
        table.create(a_record(number, "reef"))
        table.create(a_record(number, "atoll"))
    assert ids(table.page("reef", 10)) == [a_record(number, "reef").id for number in (2, 1, 0)]
    assert ids(table.page("nobody", 10)) == []


def test_anothers_record_is_no_place_to_go_on_from(table: RecordTable) -> None:
    for number in range(3):
        table.create(a_record(number, "reef"))
        table.create(a_record(number, "atoll"))
    found = ids(table.page("reef", 10, a_record(1, "atoll").id))
    assert found == ids(table.page("reef", 10))  # as if nobody had named it: it tells nothing of the other's


def test_a_place_nobody_knows_is_the_beginning(table: RecordTable) -> None:
    table.create(a_record())
    assert ids(table.page("reef", 10, "e-nothing")) == [a_record().id]


# --- trouble -----------------------------------------------------------------------------------------------------


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
def test_a_table_that_is_not_there_is_worth_another_try(dynamodb: Any, call: Callable[[RecordTable], object]) -> None:
    with pytest.raises(StorageError, match="AWS answered ResourceNotFoundException") as caught:
        call(RecordTable("gone"))
    assert caught.value.retryable


def test_a_table_that_does_not_answer_is_worth_another_try(
    table: RecordTable, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(dynamodb, "get_item", silent)
    with pytest.raises(StorageError, match="the record: AWS did not answer"):
        table.read("e-1")


# --- what is due -------------------------------------------------------------------------------------------------


def test_what_is_due_is_found_for_all_owners_the_longest_overdue_first(table: RecordTable) -> None:
    for number, (owner, minute) in enumerate([("reef", 7), ("lab", 3), ("reef", 5), ("lab", 9)]):
        table.create(a_record(number, owner, due=f"2026-11-23T10:0{minute}:00.000Z"))
    table.create(a_record(9))
    now = "2026-11-23T10:07:00.000Z"
    assert table.due(now, 10) == ["e-lab-0001", "e-reef-0002", "e-reef-0000"]
    assert table.due(now, 2) == ["e-lab-0001", "e-reef-0002"]


def test_a_replacement_says_when_a_record_is_due_next(table: RecordTable) -> None:
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


def test_lists_of_an_owner_are_apart(table: RecordTable) -> None:
    for number in range(4):
        table.create(a_record(number, kind="uploads" if number % 2 else ""))
    assert ids(table.page("reef", 10)) == ["e-reef-0002", "e-reef-0000"]
    assert ids(table.page("reef", 10, kind="uploads")) == ["e-reef-0003", "e-reef-0001"]
    since = "2026-11-23T10:00:02.000Z"
    assert ids(table.since("reef", since, "uploads")) == ["e-reef-0003"]
    found = table.read("e-reef-0003")
    assert found is not None
    assert found.kind == "uploads"


def test_a_page_is_whole_where_dynamodb_answers_a_megabyte_at_a_time(table: RecordTable) -> None:
    for number in range(8):
        table.create(a_record(number, document={"text": "x" * 300_000}))
    assert len(ids(table.page("reef", 8))) == 8
    assert len(ids(table.page("reef", 5))) == 5


# --- the ledger --------------------------------------------------------------------------------------------------


def test_a_set_holds_no_more_names_than_it_may(name: str) -> None:
    ledger = Ledger(name)
    assert [ledger.enter("reef", each, 2) for each in ("a", "b", "a", "c")] == [True, True, True, False]
    ledger.leave("reef", "b")
    ledger.leave("reef", "never in")
    ledger.leave("nobody", "a")
    assert ledger.enter("reef", "c", 2)
    assert ledger.enter("reef", "d", None)
    assert ledger.read("reef").running == {"a", "c", "d"}
    assert ledger.read("nobody") == Account()


def test_a_set_that_became_empty_takes_names_again(name: str) -> None:
    ledger = Ledger(name)
    ledger.enter("reef", "a", 1)
    ledger.leave("reef", "a")
    assert ledger.enter("reef", "b", 1)


def test_a_sum_stays_within_its_limit(name: str) -> None:
    ledger = Ledger(name)
    assert not ledger.add("reef", 11, 10, "2026")
    assert [ledger.add("reef", amount, 10, "2026") for amount in (6, 5, 4, 1)] == [True, False, True, False]
    ledger.subtract("reef", 3)
    ledger.subtract("nobody", 3)
    account = ledger.read("reef")
    assert (account.stored, account.changes, account.changed) == (7, 3, "2026")
    assert ledger.correct("reef", account, 2)
    assert not ledger.correct("reef", account, 9)  # it has changed since
    assert ledger.read("reef").stored == 2


def test_additions_at_once_do_not_pass_the_limit_together(name: str) -> None:
    ledger = Ledger(name)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: ledger.add("reef", 1, 10, "2026"), range(40))) == 10
        assert sum(pool.map(lambda number: ledger.enter("reef", f"{number}", 3), range(40))) == 3
