"""Uploads in S3 and DynamoDB (moto, in this process): names, sizes, parts, links, and whose they are."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Lock
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from anemonefish import clock
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.s3_links import LINK_SECONDS, StoredObject, Transfers
from anemonefish.errors import (
    InvalidRequest,
    StorageError,
    StorageLimitReached,
    UploadExpired,
    UploadIncomplete,
    UploadNotFound,
    WrongState,
)
from anemonefish.jobs.request import RecordingRequest
from anemonefish.service import upload_record
from anemonefish.service.upload_names import FILENAME, LONGEST_FILENAME
from anemonefish.service.upload_record import MOST_BYTES, Upload, new_id
from anemonefish.service.uploads import Uploads

MIB, GIB = 1 << 20, 1 << 30
KEEP = timedelta(days=30)
BEGAN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
NUMBERS = count()


@pytest.fixture(scope="module")
def cloud() -> Iterator[None]:
    """S3 and DynamoDB of our own."""
    lock = Lock()

    def at_once(real: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*given: Any, **named: Any) -> Any:  # DynamoDB checks and writes in one step, moto in two
            with lock:
                return real(*given, **named)

        return locked

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(DynamoDBBackend, "put_item", at_once(DynamoDBBackend.put_item))
        patch.setattr(DynamoDBBackend, "update_item", at_once(DynamoDBBackend.update_item))
        client.cache_clear()
        for service in ("s3", "dynamodb"):
            client(service)
        yield
    client.cache_clear()


@pytest.fixture
def bucket(cloud: None) -> str:
    name = f"reef-{next(NUMBERS)}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def table(cloud: None) -> RecordTable:
    name = f"records-{next(NUMBERS)}"
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("id", "listed", "created")],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_owner",
                "KeySchema": [
                    {"AttributeName": "listed", "KeyType": "HASH"},
                    {"AttributeName": "created", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return RecordTable(name)


@pytest.fixture
def time() -> SimpleNamespace:
    """A clock that goes when it is told to."""
    return SimpleNamespace(now=BEGAN)


@pytest.fixture
def store(table: RecordTable, bucket: str, time: SimpleNamespace) -> Uploads:
    return Uploads(table=table, transfers=Transfers(bucket), keep=KEEP, now=lambda: time.now)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one MiB from one MiB on."""
    monkeypatch.setattr(upload_record, "_PART_BYTES", MIB)
    monkeypatch.setattr(upload_record, "_SINGLE_BYTES", MIB)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


def put(bucket: str, upload: Upload, data: bytes) -> None:
    client("s3").put_object(Bucket=bucket, Key=upload.key, Body=data)


def put_part(bucket: str, upload: Upload, number: int, size: int | None = None) -> str:
    body = bytes([number]) * (upload.part_bytes(number) if size is None else size)
    answer = client("s3").upload_part(
        Bucket=bucket, Key=upload.key, UploadId=upload.multipart, PartNumber=number, Body=body
    )
    return str(answer["ETag"])


def upload_of(size: int) -> Upload:
    """Return an upload of a size that need not be allowed."""
    return Upload(
        id="u-1", owner="lab", filename="a.wav", key="k", size=size, status="OPEN", created_at="", expires_at=""
    )


def signed(url: str) -> dict[str, str]:
    """Return the query of a link."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


# --- names -------------------------------------------------------------------------------------------------------

USABLE = [
    "20230210_000001_LL_B55_M_R.wav",
    "a.wav",
    "A.WAV",
    "a.Flac",
    "a b.wav",
    "a..wav",
    "a.mp3.wav",
    "-rf.wav",
    "~a.wav",
    "a%2F..%2Fb.wav",
    "a?b#c&d=e+f.wav",
    "a\"b'c;d.wav",
    "Größe ☃ 🐠.wav",
    "海葵.wav",
    "a\u0301.wav",
    "x" * (LONGEST_FILENAME - 5) + ".flac",
    "🐠" * (LONGEST_FILENAME - 5) + ".flac",
    *(f"a{extension}" for extension in sorted(AUDIO_EXTENSIONS)),
]


@pytest.mark.parametrize("name", USABLE)
def test_a_usable_name_becomes_the_end_of_a_key_below_its_tenant(store: Uploads, bucket: str, name: str) -> None:
    upload = store.open("lab-1", name, 4)
    assert re.fullmatch(r"u-[a-z2-7]{26}", upload.id)
    assert upload.key == f"uploads/lab-1/{upload.id}/{name}"
    assert len(upload.key.encode()) <= 1024  # S3's limit, whatever the name
    put(bucket, upload, b"1234")
    done = store.complete("lab-1", upload.id)
    request = done.request(bucket)  # refuses what no job could take
    assert request == RecordingRequest(f"s3://{bucket}/{upload.key}", name, name, done.etag)


@pytest.mark.parametrize(
    "name",
    [
        "../a.wav", "..\\a.wav", "/a.wav", "a/b.wav", "a\\b.wav", "C:\\a.wav", "./a.wav", ".a.wav", "..wav",
        "a\n.wav", "a\r.wav", "a\t.wav", "a\0.wav", "a\x1b[31m.wav", "a\x7f.wav", "a\x85.wav", "a\x9f.wav", "\x00.wav",
        "x" * (LONGEST_FILENAME - 4) + ".flac", "x" * 5_000 + ".wav",
    ],
)  # fmt: skip
def test_a_name_is_never_a_path(store: Uploads, table: RecordTable, name: str) -> None:
    with pytest.raises(InvalidRequest, match="without folders, control characters or a leading dot") as caught:
        store.open("lab", name, 4)
    assert len(str(caught.value)) < 400
    assert all(letter.isprintable() for letter in str(caught.value))


@pytest.mark.parametrize(
    "name",
    ["", "a", "wav", ".wav.txt", "a.exe", "a.wav.exe", "a.wav ", "a.wav\n", "a.wav/", "a.wav\0", "a.wa", "a.wavx",
     "a.\uff57av"],
)  # fmt: skip
def test_a_name_must_end_as_recordings_do(store: Uploads, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"must end in one of \.aac .*\.webm"):
        store.open("lab", name, 4)


@given(st.text(max_size=20), st.sampled_from(sorted(AUDIO_EXTENSIONS)))
def test_whatever_the_pattern_takes_a_job_takes(stem: str, extension: str) -> None:
    name = stem + extension
    if re.fullmatch(FILENAME, name):
        assert RecordingRequest("s3://reef/a", name, name).name == name
    else:
        assert not stem or stem.startswith(".") or re.search(r"[/\\\x00-\x1f\x7f-\x9f]", stem)


# --- sizes and parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 64 * MIB - 1, 64 * MIB])
def test_up_to_64_mib_are_one_put(store: Uploads, size: int) -> None:
    upload = store.open("lab", "a.wav", size)
    assert upload.multipart is None
    url, _ = store.put_link(upload)
    assert unquote(urlsplit(url).path) == f"/{upload.key}"
    with pytest.raises(WrongState, match="it is one PUT"):
        store.part_links(upload, 1)


@pytest.mark.parametrize(
    ("size", "parts", "last"),
    [
        (64 * MIB + 1, 5, 1),
        (80 * MIB - 1, 5, 16 * MIB - 1),
        (80 * MIB, 5, 16 * MIB),
        (80 * MIB + 1, 6, 1),
        (5 * GIB, 320, 16 * MIB),
        (5 * GIB + 1, 321, 1),
        (MOST_BYTES, 3_200, 16 * MIB),
    ],
)
def test_more_is_cut_into_parts_of_16_mib(store: Uploads, size: int, parts: int, last: int) -> None:
    upload = store.open("lab", "a.wav", size)
    assert upload.multipart is not None
    assert (upload.part_size, upload.part_count) == (16 * MIB, parts)
    assert (upload.part_bytes(1), upload.part_bytes(parts - 1), upload.part_bytes(parts)) == (16 * MIB, 16 * MIB, last)


@given(st.integers(1, 5 << 40))
def test_parts_add_up_and_are_such_as_s3_takes(size: int) -> None:
    upload = upload_of(size)
    assert upload.part_size % MIB == 0
    assert 5 * MIB <= upload.part_size <= 5 * GIB
    assert 1 <= upload.part_count <= 10_000
    assert 1 <= upload.part_bytes(upload.part_count) <= upload.part_size
    assert (upload.part_count - 1) * upload.part_size + upload.part_bytes(upload.part_count) == size


@pytest.mark.parametrize("size", [0, -1, MOST_BYTES + 1, 10**18])
def test_a_size_that_is_none_is_refused_and_nothing_is_begun(store: Uploads, bucket: str, size: int) -> None:
    with pytest.raises(InvalidRequest, match=rf"size must be from 1 to {MOST_BYTES} bytes, not {size}"):
        store.open("lab", "a.wav", size)
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize(
    ("size", "first", "numbers", "following"),
    [
        (80 * MIB, 1, range(1, 6), None),
        (5 * GIB, 1, range(1, 101), 101),
        (5 * GIB, 2, range(2, 102), 102),
        (5 * GIB, 220, range(220, 320), 320),
        (5 * GIB, 221, range(221, 321), None),
        (5 * GIB, 320, range(320, 321), None),
        (5 * GIB, 321, range(0), None),
        (5 * GIB, 10_000, range(0), None),
        (100 * 16 * MIB, 1, range(1, 101), None),
        (100 * 16 * MIB + 1, 1, range(1, 101), 101),
    ],
)
def test_links_come_in_pages_of_a_hundred(
    store: Uploads, size: int, first: int, numbers: range, following: int | None
) -> None:
    upload = store.open("lab", "a.wav", size)
    links, then = store.part_links(upload, first)
    assert [link.number for link in links] == list(numbers)
    assert then == following
    assert all(link.size == upload.part_bytes(link.number) and link.etag is None for link in links)
    assert [signed(link.url)["partNumber"] for link in links] == [str(number) for number in numbers]
    assert {signed(link.url)["uploadId"] for link in links} <= {upload.multipart}


def test_only_a_part_that_has_arrived_whole_carries_its_tag(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 104 * MIB + 5)
    whole = {2, 100, 101, 105}
    tags = {number: put_part(bucket, upload, number, None if number in whole else 7) for number in range(1, 106)}
    first, _ = store.part_links(upload, 1)
    assert {link.number: link.etag for link in first if link.etag} == {2: tags[2], 100: tags[100]}
    second, _ = store.part_links(upload, 101)
    assert {link.number: link.etag for link in second if link.etag} == {101: tags[101], 105: tags[105]}
    assert second[-1].size == 5


def test_more_parts_than_s3_lists_at_once_are_all_seen(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anemonefish.cloud.s3_links._PARTS_PER_PAGE", 2)
    transfers = Transfers(bucket)
    number = transfers.begin_parts("k", None)
    for part in (5, 1, 3, 4, 2):
        client("s3").upload_part(Bucket=bucket, Key="k", UploadId=number, PartNumber=part, Body=b"0" * part)
    found = transfers.parts("k", number)
    assert found is not None
    assert [(part.number, part.size) for part in found] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    some = transfers.parts("k", number, after=1, most=3)
    assert some is not None
    assert [part.number for part in some] == [2, 3, 4]
    assert transfers.parts("k", "no such upload") is None


# --- links -------------------------------------------------------------------------------------------------------


def check_link(url: str, bucket: str, headers: set[str]) -> None:
    parts, query = urlsplit(url), signed(url)
    assert (parts.scheme, parts.netloc) == ("https", f"{bucket}.s3.us-east-1.amazonaws.com")
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].endswith("/us-east-1/s3/aws4_request")
    assert int(query["X-Amz-Expires"]) == LINK_SECONDS == 3600
    assert set(query["X-Amz-SignedHeaders"].split(";")) == headers


def test_a_put_link_holds_for_its_bytes_only(store: Uploads, bucket: str) -> None:
    upload = store.open("lab", "a.wav", 10)
    url, headers = store.put_link(upload)
    check_link(url, bucket, {"host", "content-length", "content-type", "if-none-match"})
    assert headers == {"content-type": "application/octet-stream", "if-none-match": "*"}
    other = store.put_link(replace(upload, size=11))[0]
    assert signed(other)["X-Amz-Signature"] != signed(url)["X-Amz-Signature"]


def test_a_hash_is_part_of_what_is_signed(store: Uploads, bucket: str) -> None:
    digest = hashlib.sha256(b"reef").digest()
    upload = store.open("lab", "a.wav", 4, digest.hex())
    assert upload.sha256_checked
    url, headers = store.put_link(upload)
    check_link(url, bucket, {"host", "content-length", "content-type", "if-none-match", "x-amz-checksum-sha256"})
    assert base64.b64decode(headers["x-amz-checksum-sha256"]) == digest
    wrong = store.put_link(replace(upload, sha256="0" * 64))[0]
    assert signed(wrong)["X-Amz-Signature"] != signed(url)["X-Amz-Signature"]


def test_without_a_hash_nobody_checks_one(store: Uploads) -> None:
    assert not store.open("lab", "a.wav", 4).sha256_checked


def test_the_hash_of_parts_is_kept_with_the_object_and_not_checked(
    store: Uploads, bucket: str, small_parts: None
) -> None:
    upload = store.open("lab", "a.wav", MIB + 1, "ab" * 32)
    assert not upload.sha256_checked
    for number in (1, 2):
        put_part(bucket, upload, number)
    store.complete("lab", upload.id)
    assert client("s3").head_object(Bucket=bucket, Key=upload.key)["Metadata"] == {"sha256": "ab" * 32}


def test_a_link_of_a_part_takes_no_further_headers(store: Uploads, bucket: str) -> None:
    links, _ = store.part_links(store.open("lab", "a.wav", 65 * MIB, "ab" * 32), 1)
    check_link(links[0].url, bucket, {"host", "content-length"})
    assert len({signed(link.url)["X-Amz-Signature"] for link in links}) == len(links)


@pytest.mark.parametrize(
    ("filename", "plain"),
    [
        ("a.wav.csv", "a.wav.csv"),
        ("Größe ☃.csv", "Gr__e _.csv"),
        ('a"; filename="evil.exe', "a_; filename=_evil.exe"),
        ("a\\b.csv", "a_b.csv"),
        ("a\r\nX-Header: y.csv", "a__X-Header: y.csv"),
    ],
)
def test_a_download_has_its_name_and_nothing_else_in_its_header(bucket: str, filename: str, plain: str) -> None:
    url = Transfers(bucket).get_link("jobs/lab/e-1/results/a", filename, "text/csv")
    check_link(url, bucket, {"host"})
    assert signed(url)["response-content-type"] == "text/csv"
    head, _, encoded = signed(url)["response-content-disposition"].partition("; filename*=UTF-8''")
    assert head == f'attachment; filename="{plain}"'
    assert re.fullmatch(r"[A-Za-z0-9._~%-]*", encoded)
    assert unquote(encoded) == filename


# --- completing --------------------------------------------------------------------------------------------------


def test_an_upload_whose_bytes_have_arrived_is_a_recording(
    store: Uploads, bucket: str, table: RecordTable, time: SimpleNamespace
) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    time.now += timedelta(hours=3)
    done = store.complete("lab", upload.id)
    etag = client("s3").head_object(Bucket=bucket, Key=upload.key)["ETag"]
    expires = clock.to_text(BEGAN + KEEP)  # when the bucket drops it, counted from when it was begun
    assert done == replace(upload, status="COMPLETE", etag=etag, expires_at=expires)
    assert store.get("lab", upload.id) == done
    assert store.recordings("lab", [upload.id]) == [done]


def test_an_upload_is_not_complete_before_its_bytes_are_there(store: Uploads) -> None:
    upload = store.open("lab", "a.wav", 4)
    with pytest.raises(UploadIncomplete, match=r"a\.wav\): nothing has arrived"):
        store.complete("lab", upload.id)
    assert store.get("lab", upload.id) == upload


@pytest.mark.parametrize("data", [b"", b"123", b"12345"])
def test_other_bytes_than_announced_are_no_recording(store: Uploads, bucket: str, data: bytes) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, data)
    with pytest.raises(UploadIncomplete, match=rf"{len(data)} bytes arrived, 4 were announced"):
        store.complete("lab", upload.id)
    put(bucket, upload, b"1234")  # the mend that the message names
    assert store.complete("lab", upload.id).status == "COMPLETE"


def test_a_second_time_changes_nothing(store: Uploads, bucket: str, table: RecordTable) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    done = store.complete("lab", upload.id)
    put(bucket, upload, b"4321")  # the link still holds
    assert store.complete("lab", upload.id) == done
    record = table.read(upload.id)
    assert record is not None
    assert record.revision == 1
    with pytest.raises(WrongState, match="it is complete"):
        store.part_links(replace(done, multipart="m"), 1)


def test_parts_become_one_object(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB + 3)
    for number in (3, 1, 2):
        put_part(bucket, upload, number)
    done = store.complete("lab", upload.id)
    body = client("s3").get_object(Bucket=bucket, Key=upload.key)["Body"].read()
    assert body == b"\1" * MIB + b"\2" * MIB + b"\3" * 3
    assert (done.status, store.complete("lab", upload.id)) == ("COMPLETE", done)


def test_missing_parts_are_counted_and_the_first_is_named(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 4 * MIB)
    put_part(bucket, upload, 1)
    put_part(bucket, upload, 3)
    with pytest.raises(UploadIncomplete, match="2 of 4 parts have not arrived, the first is 2"):
        store.complete("lab", upload.id)
    for number in (2, 4):
        put_part(bucket, upload, number)
    assert store.complete("lab", upload.id).status == "COMPLETE"


@pytest.mark.parametrize(("number", "size", "wanted"), [(2, 5, MIB), (3, 2, 3), (3, MIB, 3), (1, MIB + 1, MIB)])
def test_a_part_of_another_length_is_named(
    store: Uploads, bucket: str, small_parts: None, number: int, size: int, wanted: int
) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB + 3)
    for each in (1, 2, 3):
        put_part(bucket, upload, each, size if each == number else None)
    with pytest.raises(UploadIncomplete, match=rf"part {number} has {size} bytes, not {wanted}"):
        store.complete("lab", upload.id)


def test_a_part_nobody_asked_for_is_refused(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    for number in (1, 2):
        put_part(bucket, upload, number)
    put_part(bucket, upload, 3, size=1)
    with pytest.raises(UploadIncomplete, match="part 3 has 1 bytes"):
        store.complete("lab", upload.id)


@pytest.mark.parametrize("quote", ["", '"'])
def test_tags_are_compared_with_or_without_their_quotes(
    store: Uploads, bucket: str, small_parts: None, quote: str
) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    tags = {number: quote + put_part(bucket, upload, number).strip('"') + quote for number in (1, 2)}
    assert store.complete("lab", upload.id, tags).status == "COMPLETE"


@pytest.mark.parametrize(("tags", "named"), [({1: "0" * 32}, 1), ({2: ""}, 2), ({3: "0" * 32}, 3)])
def test_a_tag_of_other_bytes_names_its_part(
    store: Uploads, bucket: str, small_parts: None, tags: dict[int, str], named: int
) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    for number in (1, 2):
        put_part(bucket, upload, number)
    with pytest.raises(UploadIncomplete, match=rf"part {named} is not the one that was sent"):
        store.complete("lab", upload.id, tags)
    assert store.get("lab", upload.id).status == "OPEN"


def test_parts_that_were_joined_by_a_call_that_died_are_complete(
    store: Uploads, bucket: str, small_parts: None
) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    assert upload.multipart is not None
    for number in (1, 2):
        put_part(bucket, upload, number)
    transfers = Transfers(bucket)
    transfers.join_parts(upload.key, upload.multipart, transfers.parts(upload.key, upload.multipart) or [])
    assert store.complete("lab", upload.id, {1: "whatever"}).status == "COMPLETE"


def test_many_calls_complete_an_upload_once(store: Uploads, bucket: str, table: RecordTable) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.complete("lab", upload.id), range(16)))
    assert all(answer == answers[0] for answer in answers)
    record = table.read(upload.id)
    assert record is not None
    assert (record.revision, record.document) == (1, asdict(answers[0]))


def test_a_write_whose_answer_got_lost_is_a_write(store: Uploads, bucket: str) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    with lost_answer():
        assert store.complete("lab", upload.id).status == "COMPLETE"


class lost_answer:  # noqa: N801
    """The first answer of DynamoDB to a write is lost after it was done, and the client sends it again."""

    def __enter__(self) -> None:
        self.times = 0
        client("dynamodb").meta.events.register_first("needs-retry.dynamodb.PutItem", self._again, "lost")

    def _again(self, attempts: int, **_: Any) -> int | None:
        self.times += attempts == 1
        return 0 if attempts == 1 and self.times == 1 else None

    def __exit__(self, *_: object) -> None:
        client("dynamodb").meta.events.unregister("needs-retry.dynamodb.PutItem", self._again, "lost")
        assert self.times > 0


def test_an_upload_that_is_deleted_while_it_is_completed_stays_deleted(
    store: Uploads, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    real = Transfers.find

    def find(transfers: Transfers, key: str) -> StoredObject | None:
        found = real(transfers, key)
        store.delete("lab", upload.id)
        return found

    monkeypatch.setattr(Transfers, "find", find)
    with pytest.raises(UploadNotFound, match="it was deleted"):
        store.complete("lab", upload.id)
    monkeypatch.undo()
    assert Transfers(bucket).find(upload.key) is None


# --- deleting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("parts", [0, 2])
def test_what_is_deleted_is_gone_with_its_bytes(
    store: Uploads, bucket: str, small_parts: None, complete: bool, parts: int
) -> None:
    upload = store.open("lab", "a.wav", parts * MIB or 4)
    if parts:
        for number in range(1, parts + 1):
            put_part(bucket, upload, number)
    else:
        put(bucket, upload, b"1234")
    if complete:
        store.complete("lab", upload.id)
    store.delete("lab", upload.id)
    s3 = client("s3")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    calls: list[Callable[[], object]] = [
        lambda: store.get("lab", upload.id),
        lambda: store.complete("lab", upload.id),
        lambda: store.delete("lab", upload.id),
        lambda: store.recordings("lab", [upload.id]),
    ]
    for call in calls:
        with pytest.raises(UploadNotFound, match="it was deleted"):
            call()


def test_an_upload_can_be_deleted_though_nothing_of_it_is_left(store: Uploads, bucket: str) -> None:
    upload = store.open("lab", "a.wav", 65 * MIB)
    client("s3").abort_multipart_upload(Bucket=bucket, Key=upload.key, UploadId=upload.multipart)
    store.delete("lab", upload.id)
    with pytest.raises(UploadNotFound):
        store.get("lab", upload.id)


@pytest.fixture
def versioned(bucket: str) -> str:
    """Let the bucket keep versions, as the stack's does."""
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def test_every_version_of_a_deleted_upload_is_gone(store: Uploads, versioned: str) -> None:
    upload, other = store.open("lab", "a.wav", 4), store.open("lab", "a.wav", 4)
    s3 = client("s3")
    for data in (b"1234", b"5678"):
        put(versioned, upload, data)
    s3.delete_object(Bucket=versioned, Key=upload.key)  # leaves a delete marker
    put(versioned, other, b"1234")
    s3.put_object(Bucket=versioned, Key=f"{upload.key}x", Body=b"of somebody else")
    store.delete("lab", upload.id)
    left = s3.list_object_versions(Bucket=versioned)
    assert {each["Key"] for each in left["Versions"]} == {other.key, f"{upload.key}x"}
    assert "DeleteMarkers" not in left


# --- how much ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_store(table: RecordTable, versioned: str, time: SimpleNamespace) -> Uploads:
    """Uploads of a stack where each tenant may store ten bytes."""
    return Uploads(table=table, transfers=Transfers(versioned), keep=KEEP, now=lambda: time.now, most_bytes=10)


def test_a_tenant_stores_no_more_bytes_than_it_may(small_store: Uploads, versioned: str) -> None:
    first = small_store.open("lab", "a.wav", 6)
    assert small_store.open("lab", "b.wav", 4)  # exactly the limit
    with pytest.raises(StorageLimitReached, match=r"c\.wav: 1 bytes .* 10 of 10 bytes .* delete uploads") as caught:
        small_store.open("lab", "c.wav", 1)
    assert caught.value.status == 413
    assert small_store.open("other", "c.wav", 10)  # another tenant has its own
    small_store.delete("lab", first.id)
    assert small_store.stored("lab") == 4
    assert small_store.open("lab", "c.wav", 6)
    with pytest.raises(StorageLimitReached, match="11 bytes"):
        small_store.open("third", "d.wav", 11)


def test_many_announcements_at_once_do_not_pass_the_limit(small_store: Uploads) -> None:
    def announce(_: int) -> bool:
        try:
            return bool(small_store.open("lab", "a.wav", 1))
        except StorageLimitReached:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(announce, range(30))) == 10


def test_an_upload_that_cannot_be_begun_takes_no_room(small_store: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RecordTable, "create", Mock(side_effect=StorageError("ill")))
        with pytest.raises(StorageError):
            small_store.open("lab", "a.wav", 10)
    assert small_store.open("lab", "a.wav", 10)


def test_bytes_that_a_call_left_behind_when_it_died_are_counted_again(
    small_store: Uploads, versioned: str, time: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = small_store.open("lab", "kept.wav", 3)
    put(versioned, kept, b"123")
    small_store.complete("lab", kept.id)
    small_store.open("lab", "announced.wav", 2)
    with monkeypatch.context() as patch:
        patch.setattr(RecordTable, "create", Mock(side_effect=KeyboardInterrupt))  # the process ends here
        with pytest.raises(KeyboardInterrupt):
            small_store.open("lab", "a.wav", 5)
    assert small_store.stored("lab") == 10
    with pytest.raises(StorageLimitReached):  # it may still be on its way into the table
        small_store.open("lab", "b.wav", 1)
    time.now += timedelta(seconds=61)
    assert small_store.stored("lab") == 5
    assert small_store.open("lab", "b.wav", 5)


def test_what_expired_or_was_deleted_by_the_bucket_is_counted_no_more(
    small_store: Uploads, versioned: str, time: SimpleNamespace
) -> None:
    gone, waits = small_store.open("lab", "gone.wav", 4), small_store.open("lab", "waits.wav", 4)
    put(versioned, gone, b"1234")
    put(versioned, waits, b"1234")
    small_store.complete("lab", gone.id)
    small_store.open("lab", "never-sent.wav", 2)
    time.now += timedelta(days=5)
    client("s3").delete_object(Bucket=versioned, Key=gone.key, VersionId=version_of(versioned, gone.key))
    assert small_store.stored("lab") == 4  # bytes that nobody completed are stored all the same
    assert small_store.open("lab", "a.wav", 6)


def test_a_count_is_no_use_when_an_upload_is_begun_meanwhile(
    small_store: Uploads, time: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_store.open("lab", "a.wav", 4)
    time.now += timedelta(minutes=2)
    real = Transfers.sizes

    def slow(transfers: Transfers, prefix: str) -> dict[str, int]:
        found = real(transfers, prefix)
        monkeypatch.setattr(Transfers, "sizes", real)
        small_store.open("lab", "b.wav", 5)
        return found

    monkeypatch.setattr(Transfers, "sizes", slow)
    assert small_store.stored("lab") == 9


def version_of(bucket: str, key: str) -> str:
    return str(client("s3").list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]["VersionId"])


# --- time --------------------------------------------------------------------------------------------------------


def test_an_open_upload_has_a_day(store: Uploads, bucket: str, time: SimpleNamespace) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    assert upload.expires_at == "2026-11-24T10:00:00.000Z"
    time.now = BEGAN + timedelta(days=1, milliseconds=-1)
    assert store.get("lab", upload.id) == upload
    time.now += timedelta(milliseconds=1)
    for call in (store.get, store.complete):
        with pytest.raises(UploadExpired, match=r"expired at 2026-11-24T10:00:00\.000Z; upload it again") as caught:
            call("lab", upload.id)
        assert caught.value.status == 410
    store.delete("lab", upload.id)


def test_a_recording_lasts_as_long_as_the_bucket_keeps_it(store: Uploads, bucket: str, time: SimpleNamespace) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    done = store.complete("lab", upload.id)
    time.now = BEGAN + KEEP - timedelta(milliseconds=1)
    assert store.recordings("lab", [upload.id]) == [done]
    time.now = BEGAN + KEEP
    for call in (store.get, store.complete):
        with pytest.raises(UploadExpired):
            call("lab", upload.id)
    with pytest.raises(UploadExpired):
        store.recordings("lab", [upload.id])


def test_a_record_outlives_its_upload_by_a_week(store: Uploads, bucket: str, table: RecordTable) -> None:
    upload = store.open("lab", "a.wav", 4)
    week = timedelta(days=7)

    def expires() -> int:
        record = table.read(upload.id)
        assert record is not None
        return record.expires

    assert expires() == (BEGAN + timedelta(days=1) + week).timestamp()
    put(bucket, upload, b"1234")
    store.complete("lab", upload.id)
    assert expires() == (BEGAN + KEEP + week).timestamp()


# --- whose -------------------------------------------------------------------------------------------------------


def test_another_tenants_upload_is_not_there(store: Uploads, bucket: str) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    calls: list[Callable[[], object]] = [
        lambda: store.get("other", upload.id),
        lambda: store.complete("other", upload.id),
        lambda: store.delete("other", upload.id),
        lambda: store.recordings("other", [upload.id]),
    ]
    for call in calls:
        with pytest.raises(UploadNotFound) as caught:
            call()
        assert str(caught.value) == f"there is no upload '{upload.id}'; it may have expired"
    assert store.complete("lab", upload.id).status == "COMPLETE"


def test_a_record_of_something_else_is_no_upload(store: Uploads, table: RecordTable) -> None:
    table.create(Record(id="e-1", owner="lab", created="2026", document={"status": "RUNNING"}, expires=2_000_000_000))
    for call in (store.get, store.complete, store.delete):
        with pytest.raises(UploadNotFound):
            call("lab", "e-1")


def test_recordings_come_in_the_order_asked_for(store: Uploads, bucket: str) -> None:
    made = [store.open("lab", f"{letter}.wav", 4) for letter in "abc"]
    for upload in made:
        put(bucket, upload, b"1234")
        store.complete("lab", upload.id)
    a, b, c = (upload.id for upload in made)
    assert [each.filename for each in store.recordings("lab", [c, a, b, a])] == ["c.wav", "a.wav", "b.wav", "a.wav"]
    with pytest.raises(UploadNotFound, match="'u-nothing'"):
        store.recordings("lab", [a, "u-nothing", b])


def test_one_upload_that_is_not_complete_is_named(store: Uploads, bucket: str) -> None:
    made = [store.open("lab", name, 4) for name in ("a.wav", "b.wav")]
    put(bucket, made[0], b"1234")
    store.complete("lab", made[0].id)
    with pytest.raises(UploadIncomplete, match=r"b\.wav\) is not complete; complete it first"):
        store.recordings("lab", [upload.id for upload in made])


def test_an_identifier_is_never_made_twice() -> None:
    made = {new_id("u") for _ in range(10_000)}
    assert len(made) == 10_000
    assert all(re.fullmatch(r"u-[a-z2-7]{26}", each) for each in made)


# --- trouble -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda gone: gone.begin_parts("k", None),
        lambda gone: gone.parts("k", "m"),
        lambda gone: gone.join_parts("k", "m", []),
        lambda gone: gone.delete("k"),
    ],
    ids=["begin", "parts", "join", "delete"],
)
def test_a_bucket_that_is_not_there_is_worth_another_try(cloud: None, call: Callable[[Transfers], object]) -> None:
    with pytest.raises(StorageError, match="the upload: AWS answered NoSuchBucket"):
        call(Transfers("gone"))


def test_an_object_that_is_not_there_is_none(bucket: str) -> None:
    assert Transfers(bucket).find("uploads/lab/u-1/a.wav") is None


def test_what_is_kept_of_an_upload_is_json(store: Uploads, table: RecordTable) -> None:
    upload = store.open("lab", "Größe.wav", 65 * MIB, "ab" * 32)
    record = table.read(upload.id)
    assert record is not None
    assert Upload(**json.loads(json.dumps(record.document))) == upload
    assert (record.owner, record.listed, record.kind) == ("lab", True, "uploads")
