"""A lock on a folder of results: one run at a time writes there."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from anemonefish.errors import StorageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["FolderLock", "boot_id"]

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
"""Errors of file systems that have no locks."""


class FolderLock:
    """A lock on a folder of results, which ends with the process that holds it.

    It is a lock of the operating system on a file, where the file system has locks. Elsewhere it is a file that names
    its process; another run takes it over when that process has ended.

    Parameters
    ----------
    out : Path
        The folder of results.
    journal : str
        Name of the folder inside it that holds the lock.
    """

    def __init__(self, out: Path, journal: str) -> None:
        self._out = out
        self._path = out / journal / "lock"
        self._owner = out / journal / "lock.owner"
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock; return whether the run before this one was killed.

        Raises
        ------
        StorageError
            Another run holds it.
        OSError
            The folder cannot be written.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            before = _read_record(os.pread(handle, 4096, 0))
            if not _flock(handle) or self._owner.exists():
                self._take_over()
            if not self._path.exists() or not os.path.samestat(os.fstat(handle), self._path.stat()):
                raise BlockingIOError  # another run has just ended and removed the file that was opened here
            os.ftruncate(handle, 0)
            os.pwrite(handle, _own_record(), 0)
        except BlockingIOError:
            os.close(handle)
            raise self._busy(before) from None
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return bool(before)

    def release(self) -> None:
        """Release the lock."""
        if self._handle is not None:
            with suppress(OSError):
                self._owner.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _take_over(self) -> None:
        """Create the file that names this process, or take over that of a process which has ended."""
        try:
            self._create_owner()
        except FileExistsError:
            mine = self._owner.with_name(f"lock.owner-{os.getpid()}")
            text = self._owner.read_bytes()
            record = _read_record(text)
            if record and _may_live(record):
                raise self._busy(record) from None
            self._owner.replace(mine)  # one of several that try at the same time succeeds
            try:
                if mine.read_bytes() != text:
                    raise self._busy(record)
                self._create_owner()
            except FileExistsError:
                raise self._busy(record) from None
            finally:
                mine.unlink(missing_ok=True)

    def _create_owner(self) -> None:
        handle = os.open(self._owner, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            os.write(handle, _own_record())
        finally:
            os.close(handle)

    def _busy(self, record: Mapping[str, Any]) -> StorageError:
        who = f" (process {record['pid']} on {record['host']})" if record else ""
        elsewhere = record and record.get("host") != socket.gethostname()
        last = f"; if that computer has stopped, delete {self._owner}" if elsewhere and self._owner.exists() else ""
        return StorageError(
            f"{self._out}: another run writes there now{who}; wait until it has ended, or choose another folder with "
            f"--out{last}"
        )


def _flock(handle: int) -> bool:
    """Lock an open file; return False where the file system has no locks, raise BlockingIOError where it is locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _own_record() -> bytes:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "boot": boot_id()}).encode()


def _read_record(text: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        record = json.loads(text)
        if isinstance(record, dict) and {"pid", "host", "boot"} <= record.keys():
            return record
    return {}


def _may_live(record: Mapping[str, Any]) -> bool:
    """Say whether the process of a record may still run; it may when it is on another computer."""
    if record["host"] != socket.gethostname():
        return True
    if record["boot"] != boot_id():
        return False
    try:
        os.kill(int(record["pid"]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return True


def boot_id() -> str:
    """Return the identifier of the last start of this computer; empty where the system has none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
