"""Uploads are announced, sent in one PUT or in parts, completed and deleted (S3 and DynamoDB of moto)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish import clock
from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.s3_links import LINK_SECONDS, StoredObject, Transfers
from anemonefish.errors import (
    InvalidRequest,
    StorageError,
    UploadExpired,
    UploadIncomplete,
    UploadNotFound,
    WrongState,
)
from anemonefish.service.upload_record import MOST_BYTES, Upload, new_id
from anemonefish.service.uploads import Uploads
from tests.fakes.uploads import BEGAN, GIB, KEEP, MIB, put, put_part, signed, upload_of

# --- sizes and parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 64 * MIB - 1, 64 * MIB])
def test_file_of_up_to_64_mib_is_one_put(store: Uploads, size: int) -> None:
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
def test_larger_file_is_cut_into_parts_of_16_mib(store: Uploads, size: int, parts: int, last: int) -> None:
    upload = store.open("lab", "a.wav", size)
    assert upload.multipart is not None
    assert (upload.part_size, upload.part_count) == (16 * MIB, parts)
    assert (upload.part_bytes(1), upload.part_bytes(parts - 1), upload.part_bytes(parts)) == (16 * MIB, 16 * MIB, last)


@given(st.integers(1, 5 << 40))
def test_parts_add_up_to_the_size_within_the_limits_of_s3(size: int) -> None:
    upload = upload_of(size)
    assert upload.part_size % MIB == 0
    assert 5 * MIB <= upload.part_size <= 5 * GIB
    assert 1 <= upload.part_count <= 10_000
    assert 1 <= upload.part_bytes(upload.part_count) <= upload.part_size
    assert (upload.part_count - 1) * upload.part_size + upload.part_bytes(upload.part_count) == size


@pytest.mark.parametrize("size", [0, -1, MOST_BYTES + 1, 10**18])
def test_size_out_of_range_is_refused_and_begins_nothing(store: Uploads, bucket: str, size: int) -> None:
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
def test_links_are_returned_in_pages_of_a_hundred(
    store: Uploads, size: int, first: int, numbers: range, following: int | None
) -> None:
    upload = store.open("lab", "a.wav", size)
    links, then = store.part_links(upload, first)
    assert [link.number for link in links] == list(numbers)
    assert then == following
    assert all(link.size == upload.part_bytes(link.number) and link.etag is None for link in links)
    assert [signed(link.url)["partNumber"] for link in links] == [str(number) for number in numbers]
    assert {signed(link.url)["uploadId"] for link in links} <= {upload.multipart}


def test_only_complete_parts_carry_their_tag(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 104 * MIB + 5)
    whole = {2, 100, 101, 105}
    tags = {number: put_part(bucket, upload, number, None if number in whole else 7) for number in range(1, 106)}
    first, _ = store.part_links(upload, 1)
    assert {link.number: link.etag for link in first if link.etag} == {2: tags[2], 100: tags[100]}
    second, _ = store.part_links(upload, 101)
    assert {link.number: link.etag for link in second if link.etag} == {101: tags[101], 105: tags[105]}
    assert second[-1].size == 5


def test_parts_beyond_one_page_of_s3_are_listed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_put_link_is_signed_for_its_length(store: Uploads, bucket: str) -> None:
    upload = store.open("lab", "a.wav", 10)
    url, headers = store.put_link(upload)
    check_link(url, bucket, {"host", "content-length", "content-type", "if-none-match"})
    assert headers == {"content-type": "application/octet-stream", "if-none-match": "*"}
    other = store.put_link(replace(upload, size=11))[0]
    assert signed(other)["X-Amz-Signature"] != signed(url)["X-Amz-Signature"]


def test_hash_is_signed(store: Uploads, bucket: str) -> None:
    digest = hashlib.sha256(b"reef").digest()
    upload = store.open("lab", "a.wav", 4, digest.hex())
    assert upload.sha256_checked
    url, headers = store.put_link(upload)
    check_link(url, bucket, {"host", "content-length", "content-type", "if-none-match", "x-amz-checksum-sha256"})
    assert base64.b64decode(headers["x-amz-checksum-sha256"]) == digest
    wrong = store.put_link(replace(upload, sha256="0" * 64))[0]
    assert signed(wrong)["X-Amz-Signature"] != signed(url)["X-Amz-Signature"]


def test_upload_without_a_hash_is_not_checked(store: Uploads) -> None:
    assert not store.open("lab", "a.wav", 4).sha256_checked


def test_hash_of_parts_is_stored_with_the_object_but_not_checked(
    store: Uploads, bucket: str, small_parts: None
) -> None:
    upload = store.open("lab", "a.wav", MIB + 1, "ab" * 32)
    assert not upload.sha256_checked
    for number in (1, 2):
        put_part(bucket, upload, number)
    store.complete("lab", upload.id)
    assert client("s3").head_object(Bucket=bucket, Key=upload.key)["Metadata"] == {"sha256": "ab" * 32}


def test_link_of_a_part_signs_its_length_only(store: Uploads, bucket: str) -> None:
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
def test_download_header_has_the_file_name_only(bucket: str, filename: str, plain: str) -> None:
    url = Transfers(bucket).get_link("jobs/lab/e-1/results/a", filename, "text/csv")
    check_link(url, bucket, {"host"})
    assert signed(url)["response-content-type"] == "text/csv"
    head, _, encoded = signed(url)["response-content-disposition"].partition("; filename*=UTF-8''")
    assert head == f'attachment; filename="{plain}"'
    assert re.fullmatch(r"[A-Za-z0-9._~%-]*", encoded)
    assert unquote(encoded) == filename


# --- completing --------------------------------------------------------------------------------------------------


def test_upload_is_complete_when_its_bytes_have_arrived(
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


def test_upload_without_bytes_is_incomplete(store: Uploads) -> None:
    upload = store.open("lab", "a.wav", 4)
    with pytest.raises(UploadIncomplete, match=r"a\.wav\): nothing has arrived"):
        store.complete("lab", upload.id)
    assert store.get("lab", upload.id) == upload


@pytest.mark.parametrize("data", [b"", b"123", b"12345"])
def test_upload_of_another_length_is_incomplete(store: Uploads, bucket: str, data: bytes) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, data)
    with pytest.raises(UploadIncomplete, match=rf"{len(data)} bytes arrived, 4 were announced"):
        store.complete("lab", upload.id)
    put(bucket, upload, b"1234")  # the mend that the message names
    assert store.complete("lab", upload.id).status == "COMPLETE"


def test_second_completion_changes_nothing(store: Uploads, bucket: str, table: RecordTable) -> None:
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


def test_parts_are_joined_into_one_object(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB + 3)
    for number in (3, 1, 2):
        put_part(bucket, upload, number)
    done = store.complete("lab", upload.id)
    body = client("s3").get_object(Bucket=bucket, Key=upload.key)["Body"].read()
    assert body == b"\1" * MIB + b"\2" * MIB + b"\3" * 3
    assert (done.status, store.complete("lab", upload.id)) == ("COMPLETE", done)


def test_error_counts_missing_parts_and_names_the_first(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 4 * MIB)
    put_part(bucket, upload, 1)
    put_part(bucket, upload, 3)
    with pytest.raises(UploadIncomplete, match="2 of 4 parts have not arrived, the first is 2"):
        store.complete("lab", upload.id)
    for number in (2, 4):
        put_part(bucket, upload, number)
    assert store.complete("lab", upload.id).status == "COMPLETE"


@pytest.mark.parametrize(("number", "size", "wanted"), [(2, 5, MIB), (3, 2, 3), (3, MIB, 3), (1, MIB + 1, MIB)])
def test_error_names_a_part_of_another_length(
    store: Uploads, bucket: str, small_parts: None, number: int, size: int, wanted: int
) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB + 3)
    for each in (1, 2, 3):
        put_part(bucket, upload, each, size if each == number else None)
    with pytest.raises(UploadIncomplete, match=rf"part {number} has {size} bytes, not {wanted}"):
        store.complete("lab", upload.id)


def test_unexpected_part_is_refused(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    for number in (1, 2):
        put_part(bucket, upload, number)
    put_part(bucket, upload, 3, size=1)
    with pytest.raises(UploadIncomplete, match="part 3 has 1 bytes"):
        store.complete("lab", upload.id)


@pytest.mark.parametrize("quote", ["", '"'])
def test_tags_are_compared_without_their_quotes(store: Uploads, bucket: str, small_parts: None, quote: str) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    tags = {number: quote + put_part(bucket, upload, number).strip('"') + quote for number in (1, 2)}
    assert store.complete("lab", upload.id, tags).status == "COMPLETE"


@pytest.mark.parametrize(("tags", "named"), [({1: "0" * 32}, 1), ({2: ""}, 2), ({3: "0" * 32}, 3)])
def test_error_names_the_part_with_another_tag(
    store: Uploads, bucket: str, small_parts: None, tags: dict[int, str], named: int
) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    for number in (1, 2):
        put_part(bucket, upload, number)
    with pytest.raises(UploadIncomplete, match=rf"part {named} is not the one that was sent"):
        store.complete("lab", upload.id, tags)
    assert store.get("lab", upload.id).status == "OPEN"


def test_parts_that_an_interrupted_call_joined_are_complete(store: Uploads, bucket: str, small_parts: None) -> None:
    upload = store.open("lab", "a.wav", 2 * MIB)
    assert upload.multipart is not None
    for number in (1, 2):
        put_part(bucket, upload, number)
    transfers = Transfers(bucket)
    transfers.join_parts(upload.key, upload.multipart, transfers.parts(upload.key, upload.multipart) or [])
    assert store.complete("lab", upload.id, {1: "whatever"}).status == "COMPLETE"


def test_concurrent_completions_complete_once(store: Uploads, bucket: str, table: RecordTable) -> None:
    upload = store.open("lab", "a.wav", 4)
    put(bucket, upload, b"1234")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.complete("lab", upload.id), range(16)))
    assert all(answer == answers[0] for answer in answers)
    record = table.read(upload.id)
    assert record is not None
    assert (record.revision, record.document) == (1, asdict(answers[0]))


def test_completion_succeeds_when_the_answer_of_its_write_is_lost(store: Uploads, bucket: str) -> None:
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


def test_upload_that_is_deleted_during_its_completion_stays_deleted(
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
def test_delete_removes_the_upload_and_its_bytes(
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


def test_upload_without_bytes_in_s3_can_be_deleted(store: Uploads, bucket: str) -> None:
    upload = store.open("lab", "a.wav", 65 * MIB)
    client("s3").abort_multipart_upload(Bucket=bucket, Key=upload.key, UploadId=upload.multipart)
    store.delete("lab", upload.id)
    with pytest.raises(UploadNotFound):
        store.get("lab", upload.id)


def test_delete_removes_every_version(store: Uploads, versioned: str) -> None:
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


# --- the list ----------------------------------------------------------------------------------------------------


def test_uploads_are_listed_newest_first_in_pages(store: Uploads, bucket: str, time: SimpleNamespace) -> None:
    made = []
    for number in range(5):
        time.now = BEGAN + timedelta(minutes=number)
        made.append(store.open("lab", f"{number}.wav", 4))
    store.open("other", "theirs.wav", 4)
    put(bucket, made[1], b"1234")
    made[1] = store.complete("lab", made[1].id)
    pages, after = [], None
    while page := store.page("lab", 2, after):
        pages.append(page)
        after = page[-1].id
    assert [upload for page in pages for upload in page] == made[::-1]
    assert [len(page) for page in pages] == [2, 2, 1]


def test_deleted_upload_leaves_the_list_and_still_begins_the_next_page(store: Uploads, time: SimpleNamespace) -> None:
    made = []
    for number in range(4):
        time.now = BEGAN + timedelta(minutes=number)
        made.append(store.open("lab", f"{number}.wav", 4))
    first = store.page("lab", 2)
    store.delete("lab", first[-1].id)
    assert store.page("lab", 2, first[-1].id) == [made[1], made[0]]
    assert store.page("lab", 9) == [made[3], made[1], made[0]]


def test_expired_upload_is_listed_as_expired(store: Uploads, time: SimpleNamespace) -> None:
    upload = store.open("lab", "a.wav", 4)
    time.now = BEGAN + timedelta(days=1)
    assert store.page("lab", 9) == [replace(upload, status="EXPIRED")]
    with pytest.raises(UploadExpired):
        store.get("lab", upload.id)


def test_page_after_an_upload_of_somebody_else_is_refused(store: Uploads, table: RecordTable) -> None:
    theirs = store.open("other", "a.wav", 4)
    table.create(Record(id="e-1", owner="lab", created="2026", document={"status": "RUNNING"}, expires=2_000_000_000))
    for after in (theirs.id, "u-nothing", "e-1"):
        with pytest.raises(InvalidRequest, match="your list has no upload"):
            store.page("lab", 9, after)


# --- time --------------------------------------------------------------------------------------------------------


def test_open_upload_expires_after_a_day(store: Uploads, bucket: str, time: SimpleNamespace) -> None:
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


def test_complete_upload_expires_with_its_object(store: Uploads, bucket: str, time: SimpleNamespace) -> None:
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


def test_record_is_kept_a_week_longer_than_its_upload(store: Uploads, bucket: str, table: RecordTable) -> None:
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


def test_upload_of_another_tenant_is_not_found(store: Uploads, bucket: str) -> None:
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


def test_record_of_another_kind_is_not_found_as_an_upload(store: Uploads, table: RecordTable) -> None:
    table.create(Record(id="e-1", owner="lab", created="2026", document={"status": "RUNNING"}, expires=2_000_000_000))
    for call in (store.get, store.complete, store.delete):
        with pytest.raises(UploadNotFound):
            call("lab", "e-1")


def test_recordings_are_returned_in_the_requested_order(store: Uploads, bucket: str) -> None:
    made = [store.open("lab", f"{letter}.wav", 4) for letter in "abc"]
    for upload in made:
        put(bucket, upload, b"1234")
        store.complete("lab", upload.id)
    a, b, c = (upload.id for upload in made)
    assert [each.filename for each in store.recordings("lab", [c, a, b, a])] == ["c.wav", "a.wav", "b.wav", "a.wav"]
    with pytest.raises(UploadNotFound, match="'u-nothing'"):
        store.recordings("lab", [a, "u-nothing", b])


def test_error_names_the_incomplete_upload(store: Uploads, bucket: str) -> None:
    made = [store.open("lab", name, 4) for name in ("a.wav", "b.wav")]
    put(bucket, made[0], b"1234")
    store.complete("lab", made[0].id)
    with pytest.raises(UploadIncomplete, match=r"b\.wav\) is not complete; complete it first"):
        store.recordings("lab", [upload.id for upload in made])


def test_identifiers_are_unique() -> None:
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
def test_missing_bucket_is_a_storage_error(cloud: None, call: Callable[[Transfers], object]) -> None:
    with pytest.raises(StorageError, match="the upload: AWS answered NoSuchBucket"):
        call(Transfers("gone"))


def test_missing_object_is_none(bucket: str) -> None:
    assert Transfers(bucket).find("uploads/lab/u-1/a.wav") is None


def test_record_of_an_upload_is_json(store: Uploads, table: RecordTable) -> None:
    upload = store.open("lab", "Größe.wav", 65 * MIB, "ab" * 32)
    record = table.read(upload.id)
    assert record is not None
    assert Upload(**json.loads(json.dumps(record.document))) == upload
    assert (record.owner, record.listed, record.kind) == ("lab", True, "uploads")
