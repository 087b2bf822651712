"""What local recordings hold, as a hash of their bytes.

Owns reading a file from end to end once, and remembering what was found as long as its size and modification time
stay, so that a journal of scores survives renamed folders and copied files. Objects of S3 are not read: their entity
tag is such a hash already. Never decides whether a recording is sound; a file that cannot be read has no hash, and
whoever opens it says why.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import BinaryIO

from anemonefish.jobs.plan import Plan, PlannedRecording
from anemonefish.stores.folder import atomic_file, local_path

__all__ = ["with_contents"]

_FILES_AT_ONCE = 4
"""Hashing leaves Python's lock: some cores' worth, and no more seeks than a disk of a field laptop bears."""

_BLOCK = 1 << 20

_Known = dict[str, list[int | str]]


def with_contents(plan: Plan, journal: Path) -> Plan:
    """Return the plan with the SHA-256 of each local recording that can be analysed.

    Parameters
    ----------
    plan : Plan
    journal : Path
        Where hashes are remembered, as ``{path: [size, modified in ns, hash]}``; a file that is damaged is made anew.

    Raises
    ------
    StorageError
        The journal cannot be written.
    """
    known = _read(journal)
    stop = Event()
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        try:
            found = list(pool.map(lambda recording: _look(recording, known, stop), plan.recordings))
        except BaseException:  # Ctrl-C does not wait for the end of a long recording
            stop.set()
            raise
    known |= {recording.uri: fact for recording, fact in zip(plan.recordings, found, strict=True) if fact}
    with atomic_file(journal) as path:
        path.write_text(json.dumps(known, indent=0))
    recordings = (
        replace(recording, content=str(fact[2])) if fact else recording
        for recording, fact in zip(plan.recordings, found, strict=True)
    )
    return replace(plan, recordings=tuple(recordings))


def _read(journal: Path) -> _Known:
    with suppress(OSError, ValueError):
        known = json.loads(journal.read_text())
        if isinstance(known, dict):
            return known
    return {}


def _look(recording: PlannedRecording, known: _Known, stop: Event) -> list[int | str] | None:
    """Return size, modification time and hash of a file; None for what is no readable file."""
    uri = recording.uri
    if recording.analysis is None or uri.startswith("s3://"):
        return None
    path = local_path(uri)
    try:
        with path.open("rb") as file:
            before = _facts(path)
            if known.get(uri, [])[:2] == before:
                return known[uri]
            digest = _sha256(file, stop)
            # A recording that is still being written has no content yet.
            return [*before, digest] if _facts(path) == before else None
    except OSError:
        return None


def _sha256(file: BinaryIO, stop: Event) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_BLOCK))
    while (length := file.readinto(buffer)) and not stop.is_set():  # type: ignore[attr-defined]
        digest.update(buffer[:length])
    return digest.hexdigest()


def _facts(path: Path) -> list[int | str]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]
