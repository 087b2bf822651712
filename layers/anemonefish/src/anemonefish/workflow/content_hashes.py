"""Hash the content of local recordings, so that scores are found again after files were renamed or copied.

A file is read once; its hash is kept as long as its size and modification time stay the same. Objects of S3 are not
read, because their entity tag is such a hash. A file that cannot be read has no hash; opening it later gives the error.
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
"""Files hashed at once. Hashing releases Python's lock; few seeks, because field laptops have slow disks."""

_BLOCK = 1 << 20

_Known = dict[str, list[int | str]]


def with_contents(plan: Plan, journal: Path) -> Plan:
    """Return the plan with the SHA-256 of each local recording that can be analysed.

    Parameters
    ----------
    plan : Plan
    journal : Path
        File of the known hashes, as ``{path: [size, modified in ns, hash]}``; a damaged one is replaced.

    Raises
    ------
    StorageError
        The journal cannot be written.
    """
    known = _read(journal)
    stop = Event()
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        try:
            hashed = list(pool.map(lambda recording: _hashed(recording, known, stop), plan.recordings))
        except BaseException:  # after Ctrl-C, without waiting for the end of a long recording
            stop.set()
            raise
    known |= {recording.uri: fact for recording, fact in zip(plan.recordings, hashed, strict=True) if fact}
    with atomic_file(journal) as path:
        path.write_text(json.dumps(known, indent=0))
    recordings = (
        replace(recording, content=str(fact[2])) if fact else recording
        for recording, fact in zip(plan.recordings, hashed, strict=True)
    )
    return replace(plan, recordings=tuple(recordings))


def _read(journal: Path) -> _Known:
    with suppress(OSError, ValueError):
        known = json.loads(journal.read_text())
        if isinstance(known, dict):
            return known
    return {}


def _hashed(recording: PlannedRecording, known: _Known, stop: Event) -> list[int | str] | None:
    """Return size, modification time and hash of a file; None for a file that cannot be read."""
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
            # A recording that is still being written has no hash yet.
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
