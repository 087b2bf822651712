"""Keep the data of the local AWS in a folder between runs, also if its process is killed.

ministack keeps everything in memory, and saves a part of it when it ends. With this module it writes, before it
answers::

    objects/          S3: every object, by ministack itself
    parts/            S3: the parts of uploads that are not complete yet
    records.sqlite    DynamoDB: every item
    key.json          the first API key; its id is the tenant to whom the records and objects belong
    lock              held while the folder is used

The stack itself is deployed anew at every start, so a new version of template.yaml needs no migration. Its buckets and
its table get the names that they had, and find their content again. Executions that ran are not kept: what Step
Functions does is in memory only. :mod:`localstack.recovery` ends their records.

It runs in ministack's process and replaces private functions of it, as :mod:`localstack.ministack_main` does.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["KeptParts", "KeptRecords", "keep", "lock_folder", "map_file"]

_LOCK_SECONDS = 10.0
"""A service that was killed a moment ago may still hold the lock."""


class KeptRecords:
    """The items of all tables in a file that only its user may read.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.touch(mode=0o600)  # SQLite gives its journal the same mode
        path.chmod(0o600)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # The journal is written before the answer. It survives the end of the process, whatever ends it.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS items (owner TEXT, key TEXT, item TEXT, PRIMARY KEY (owner, key))"
        )

    def write(self, table: str, key: str, item: dict[str, Any] | None) -> None:
        """Store an item, or delete it with None."""
        with self._lock:
            if item is None:
                self._database.execute("DELETE FROM items WHERE owner = ? AND key = ?", (table, key))
            else:
                values = (table, key, json.dumps(item))
                self._database.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", values)

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return the items of a table."""
        with self._lock:
            rows = self._database.execute("SELECT item FROM items WHERE owner = ? ORDER BY key", (table,))
            return [json.loads(text) for (text,) in rows]


class KeptParts:
    """The parts of uploads that are not complete, in a folder for each upload.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, upload: str, description: dict[str, Any]) -> None:
        """Store an upload without its parts."""
        (self._folder / upload).mkdir(parents=True, exist_ok=True)
        described = {name: value for name, value in description.items() if name != "parts"}
        _write(self._folder / upload / "upload.json", json.dumps(described).encode())

    def add(self, upload: str, number: int, part: dict[str, Any]) -> None:
        """Store a part, and let it lie in the file instead of in memory."""
        path = self._folder / upload / str(number)
        _write(path, part["body"])
        _write(path.with_suffix(".json"), json.dumps({**part, "body": None}).encode())
        part["body"] = map_file(path)

    def end(self, upload: str) -> None:
        """Delete the parts of an upload that was completed or aborted."""
        shutil.rmtree(self._folder / upload, ignore_errors=True)

    def uploads(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each upload with its parts; a part whose writing was interrupted is left out."""
        for path in sorted(self._folder.glob("*/upload.json")):
            parts = {}
            for described in path.parent.glob("[0-9]*.json"):
                part = json.loads(described.read_text(encoding="utf-8"))
                parts[int(described.stem)] = {**part, "body": map_file(described.with_suffix(""))}
            yield path.parent.name, {**json.loads(path.read_text(encoding="utf-8")), "parts": parts}


def map_file(path: Path) -> bytes | mmap.mmap:
    """Return the content of a file; a range of it is read without the rest."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else b""


def lock_folder(folder: Path, patience: float = _LOCK_SECONDS) -> Any:
    """Make a folder that only its user may read, and lock it until the process ends.

    Returns
    -------
    file object
        Closing it releases the lock.

    Raises
    ------
    BlockingIOError
        Another process has it locked.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / "lock").open("w")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                raise BlockingIOError(f"{folder} is used by another service that runs; stop it first") from None
            time.sleep(0.1)


def keep(folder: Path) -> Any:
    """Let ministack keep its data in a folder, which ``S3_DATA_DIR`` must be below as ``objects``.

    Returns
    -------
    file object
        The lock; hold it until the process ends.
    """
    lock = lock_folder(folder)
    _keep_objects(folder / "parts")
    _keep_records(KeptRecords(folder / "records.sqlite"))
    _keep_first_key(folder / "key.json")
    return lock


def _keep_objects(folder: Path) -> None:
    from ministack.services import s3  # type: ignore[import-not-found]
    from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found]

    account = "000000000000"
    s3._buckets._data.pop((account, "packages"), None)  # of the last deployment
    shutil.rmtree(Path(s3.DATA_DIR, account, "packages"), ignore_errors=True)
    create, persist, get, read = provisioners._s3_create, s3._persist_object, s3._get_object, s3._read_body
    request = threading.local()

    def create_with_content(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        """Create a bucket under the name that it always has; ministack would choose another name each time."""
        provisioners._NAME_SEED.set("kept")
        name = properties.get("BucketName") or provisioners._physical_name(
            stack, logical_id, lowercase=True, max_len=63
        )
        kept = s3._buckets.pop(name, None)
        made = create(logical_id, properties, stack)
        if kept is not None:
            s3._buckets[name]["objects"] = kept["objects"]
        return made

    def read_body(bucket: str, key: str, record: dict[str, Any]) -> Any:
        """Map the file of which a range is read; ministack would read all of it for each range."""
        path = s3._object_disk_path(bucket, key) if record.get("body") is None else None
        if path is None or not getattr(request, "is_range", False):
            return read(bucket, key, record)
        return map_file(Path(path))

    def get_range(bucket: str, key: str, headers: dict[str, str], *rest: Any) -> Any:
        request.is_range = bool(headers.get("range"))
        try:
            status, about, body = get(bucket, key, headers, *rest)
        finally:
            request.is_range = False
        return status, about, bytes(body) if isinstance(body, mmap.mmap) else body

    def persist_without_copy(bucket: str, key: str, record: Any) -> None:
        """Write an object, and forget the copy that ministack keeps in memory for its version."""
        persist(bucket, key, record)
        if isinstance(record, dict) and record.get("body") is None:
            for version in s3._object_versions.get((bucket, key)) or ():
                if version["version_id"] == record.get("version_id"):
                    version["data"] = None

    provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["create"] = create_with_content
    s3._read_body = read_body
    s3._get_object = get_range
    s3._persist_object = persist_without_copy
    _keep_parts(s3, KeptParts(folder), account)


def _keep_parts(s3: Any, kept: KeptParts, account: str) -> None:
    create, add, complete, abort = (
        s3._create_multipart_upload,
        s3._upload_part,
        s3._complete_multipart_upload,
        s3._abort_multipart_upload,
    )
    for upload, description in kept.uploads():
        s3._multipart_uploads._data[(account, upload)] = description

    def begin(*args: Any, **more: Any) -> Any:
        answer = create(*args, **more)
        found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer[2])
        if found:
            upload = found[1].decode()
            kept.begin(upload, s3._multipart_uploads[upload])
        return answer

    def add_part(bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str]) -> Any:
        answer = add(bucket, key, body, query, headers)
        if answer[0] == 200:
            upload, number = s3._qp(query, "uploadId"), int(s3._qp(query, "partNumber"))
            kept.add(upload, number, s3._multipart_uploads[upload]["parts"][number])
        return answer

    def ending(function: Callable[..., Any], place: int) -> Callable[..., Any]:
        def end(*args: Any, **more: Any) -> Any:
            answer = function(*args, **more)
            if answer[0] < 300:
                kept.end(s3._qp(args[place], "uploadId"))
            return answer

        return end

    s3._create_multipart_upload = begin
    s3._upload_part = add_part
    s3._complete_multipart_upload = ending(complete, 3)
    s3._abort_multipart_upload = ending(abort, 2)


def _keep_records(kept: KeptRecords) -> None:
    from ministack.services import dynamodb
    from ministack.services.cloudformation import provisioners

    emit, create = dynamodb._emit_stream_event, provisioners._ddb_create

    def emit_and_write(
        table: str, event: str, old: dict[str, Any] | None, new: dict[str, Any] | None, *rest: Any, **more: Any
    ) -> None:
        described = dynamodb._tables.get(table)
        item = new or old
        if described is not None and item is not None:
            names = [name for name in (described["pk_name"], described["sk_name"]) if name]
            kept.write(table, json.dumps([item[name] for name in names]), None if event == "REMOVE" else new)
        emit(table, event, old, new, *rest, **more)

    def create_with_items(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name, attributes = create(logical_id, properties, stack)
        for item in kept.items(name):
            answer = dynamodb._put_item({"TableName": name, "Item": item})
            if answer[0] != 200:
                raise ValueError(f"an item of {name} was not restored: {answer[2]!r}")
        return name, attributes

    dynamodb._emit_stream_event = emit_and_write
    provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]["create"] = create_with_items


def _keep_first_key(path: Path) -> None:
    from ministack.services import apigateway_v1
    from ministack.services.cloudformation import provisioners

    create = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::ApiKey"]["create"]

    def create_same(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        made, attributes = create(logical_id, properties, stack)
        record = apigateway_v1._api_keys[made]
        if path.exists():
            record |= json.loads(path.read_text(encoding="utf-8"))
            del apigateway_v1._api_keys[made]
            apigateway_v1._api_keys[record["id"]] = record
        else:
            _write(path, json.dumps({name: record[name] for name in ("id", "value")}).encode())
        return record["id"], {**attributes, "APIKeyId": record["id"]}

    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::ApiKey"]["create"] = create_same


def _write(path: Path, content: Any) -> None:
    """Write a file that only its user may read; an interrupted write leaves no half of it."""
    part = path.with_name(f"{path.name}.tmp")
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(path)
