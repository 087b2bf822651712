"""A folder of results: one run at a time writes there, and replaces what the run before it wrote.

Owns the lock, the manifest of the folder and the exchange of old results for new ones::

    {out}/...                        results, clips, pictures; and whatever the user puts beside them
    {out}/.anemonefish/lock          held by the run that works here, and free when that ends, however it ends
    {out}/.anemonefish/manifest.json the files of the last run with their hashes; written last
    {out}/.anemonefish/new/          the results of a run that has not finished

New results are written to ``new`` first. When all of them are there, each takes the place of the old one, files of the
last run that the new one does not have are removed, and the manifest is written. Until then the old results are whole.
A file that is not in the manifest, or was changed since, is the user's: it is never removed, and a run that would have
to overwrite it refuses. Knows nothing of recordings and scores.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from anemonefish.canonical import dump_json
from anemonefish.errors import StorageError
from anemonefish.recording_names import is_own_clip
from anemonefish.stores.folder import UNFINISHED, LocalStore, atomic_file

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["JOURNAL", "ResultsFolder", "owned_files"]

JOURNAL = ".anemonefish"
"""The folder inside a folder of results that holds scores, plans, the lock and the manifest."""

_MANIFEST = f"{JOURNAL}/manifest.json"
_NEW = f"{JOURNAL}/new"
_LAST = "summary.csv"  # takes its place when all others have
_SHOWN = 3

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
"""What file systems answer that have no locks."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was written: nobody else has changed it while these facts hold.

    Attributes
    ----------
    sha256 : str
    size, modified : int
        In bytes and nanoseconds; 0 where only the hash is known.
    """

    sha256: str
    size: int = 0
    modified: int = 0

    @classmethod
    def of(cls, path: Path, sha256: str | None = None) -> Self:
        facts = path.stat()
        return cls(sha256 or _sha256(path), facts.st_size, facts.st_mtime_ns)

    def is_unchanged(self, path: Path) -> bool:
        """Say whether the file at a path is this one; it is read only when its time does not tell."""
        try:
            facts = path.lstat()
            if (facts.st_size, facts.st_mtime_ns) == (self.size, self.modified):
                return True
            return path.is_file() and _sha256(path) == self.sha256
        except OSError:
            return False


_Files = dict[str, list[_File]]
"""What each file may be, by its name: two things while old results are exchanged for new ones."""


class ResultsFolder:
    """A folder of results that this process alone writes to, as a context.

    Parameters
    ----------
    out : Path

    Raises
    ------
    StorageError
        On entering: another run works there, or the folder cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._store = LocalStore(out)
        self._lock = _Lock(out)
        self._owned: _Files = {}
        self._made = False

    def __enter__(self) -> Self:
        try:
            self._made = not self._out.exists()
            (self._out / JOURNAL).mkdir(parents=True, exist_ok=True)
            crashed = self._lock.acquire()
        except OSError as error:
            raise StorageError(
                f"{self._out}: cannot be written ({error.strerror}); make room, or choose another folder"
            ) from None
        if crashed:
            self._sweep()
        shutil.rmtree(self.new, ignore_errors=True)
        self._owned = _read_owned(self._out)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._sweep()
        shutil.rmtree(self.new, ignore_errors=True)
        self._lock.release()
        with suppress(OSError):  # nothing was kept: the folder is not left behind
            (self._out / JOURNAL).rmdir()
            if self._made:
                self._out.rmdir()

    @property
    def new(self) -> Path:
        """Where new results are written before they take their place."""
        return self._out / _NEW

    @property
    def new_prefix(self) -> str:
        """The same as a prefix of keys."""
        return _NEW

    def check_free(self, names: Iterable[str]) -> None:
        """Raise :class:`StorageError` where a result would overwrite a file of the user's."""
        taken = [name for name in names if not self._is_free(name)]
        if taken:
            more = f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else ""
            raise StorageError(
                f"{self._out}: {', '.join(taken[:_SHOWN])}{more} would be overwritten, but no run "
                f"wrote it there, or it was changed since; move it, or choose another folder with --out"
            )

    def check_inputs(self, paths: Iterable[Path]) -> None:
        """Raise :class:`StorageError` where a recording is a result of this folder, which the run would remove."""
        root = self._out.resolve()
        for path in paths:
            inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
            if inside in self._owned:
                raise StorageError(
                    f"{path}: this is a result of an earlier run in this folder, which a new run replaces; choose "
                    f"another folder with --out"
                )

    def publish(self, hashes: Mapping[str, str], not_looked_at: Sequence[str] = ()) -> None:
        """Let the new results take the place of the old ones.

        Parameters
        ----------
        hashes : mapping of str to str
            SHA-256 of new results by name, as far as somebody has computed them.
        not_looked_at : sequence of str
            Files that were found and are no recordings; kept in the manifest.

        Raises
        ------
        StorageError
            A file of the user's is in the way, or the disk does not take it.
        """
        names = sorted(
            (path.relative_to(self.new).as_posix() for path in self.new.rglob("*") if path.is_file()),
            key=lambda name: (name == _LAST, name),
        )
        self.check_free(names)
        files = {name: [_File.of(self.new / name, hashes.get(name))] for name in names}
        same = {name: file for name in names if (file := self._same(name, files[name][0].sha256)) is not None}
        files |= {name: [file] for name, file in same.items()}
        # Should the exchange be cut short, the next run knows both the old and the new files as its own.
        self._write_manifest(
            {name: files.get(name, []) + self._owned.get(name, []) for name in files | self._owned}, not_looked_at
        )
        for name in names:
            if name not in same:  # a result that is the same stays where it is, with its time
                self._move(name)
        for name in self._owned.keys() - files.keys():
            self._remove(name)
        self._write_manifest(files, not_looked_at)
        self._owned = files

    def _is_free(self, name: str) -> bool:
        path = self._store.path(name)
        if any(folder.exists() and not folder.is_dir() for folder in path.parents):
            return False
        return not os.path.lexists(path) or any(file.is_unchanged(path) for file in self._owned.get(name, ()))

    def _same(self, name: str, sha256: str) -> _File | None:
        """Return the old result where the new one has the same bytes."""
        for file in self._owned.get(name, ()):
            if file.sha256 == sha256 and file.is_unchanged(self._out / name):
                return _File.of(self._out / name, sha256)
        return None

    def _move(self, name: str) -> None:
        target = self._store.path(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.new / name).replace(target)
        except OSError as error:
            raise StorageError(
                f"{target}: cannot be written ({error.strerror}); make room, or choose another folder"
            ) from None

    def _remove(self, name: str) -> None:
        """Remove a result of the last run, and the folders that are empty without it."""
        path = self._out / name
        if not any(file.is_unchanged(path) for file in self._owned[name]):
            return
        with suppress(OSError):  # a folder that is not empty, or a file that is gone already
            path.unlink()
            for folder in path.parents:
                if folder == self._out:
                    break
                folder.rmdir()

    def _write_manifest(self, files: _Files, not_looked_at: Sequence[str]) -> None:
        document = {
            "files": {
                name: [[file.sha256, file.size, file.modified] for file in each] for name, each in sorted(files.items())
            },
            "not_looked_at": list(not_looked_at),
        }
        with atomic_file(self._out / _MANIFEST) as path:
            path.write_bytes(dump_json(document))

    def _sweep(self) -> None:
        """Remove what a run that was stopped had not finished writing."""
        for path in (self._out / JOURNAL).rglob(f"{UNFINISHED}*"):
            with suppress(OSError):
                path.unlink()


def owned_files(out: Path) -> frozenset[str]:
    """Return the names of the files that the last run wrote to a folder of results; of another folder none."""
    return frozenset(_read_owned(out))


def _read_owned(out: Path) -> _Files:
    try:
        document = json.loads((out / _MANIFEST).read_bytes())
        return {name: [_File(*file) for file in each] for name, each in document["files"].items()}
    except FileNotFoundError:
        return _read_owned_by_jobs(out)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # a damaged manifest owns nothing: all files are taken for the user's


def _read_owned_by_jobs(out: Path) -> _Files:
    """Return the results of versions that kept no manifest of the folder, by the manifests of their jobs."""
    owned: _Files = {}
    manifests = list((out / JOURNAL / "plans").glob("*/manifest.json"))
    for manifest in manifests:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = json.loads(manifest.read_bytes())
            for results in [document["overview"], *(each["results"] for each in document["recordings"])]:
                for name, sha256 in results.items():
                    owned.setdefault(name, []).append(_File(sha256))
    for path in (out / "review").rglob("*") if manifests else ():
        name = path.relative_to(out).as_posix()
        picture = name == "review/activity.png" or name.endswith(".timeline.png")
        if path.is_file() and (picture or is_own_clip(f"{os.path.splitext(name)[0]}.flac")):  # noqa: PTH122
            owned[name] = [_File.of(path)]
    return owned


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- one run at a time -----------------------------------------------------------------------------------------------


class _Lock:
    """The right to write to a folder, which ends with the process that has it.

    The system's lock on a file where the file system has locks; otherwise a file that names its process, which another
    run takes over when that process is gone.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._path = out / JOURNAL / "lock"
        self._owner = out / JOURNAL / "lock.owner"
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock; say whether the run before this one was killed.

        Raises
        ------
        StorageError
            Another run has it.
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
            os.pwrite(handle, _record(), 0)
        except BlockingIOError:
            os.close(handle)
            raise self._busy(before) from None
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return bool(before)

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            with suppress(OSError):
                self._owner.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _take_over(self) -> None:
        """Make the file that names this process; that of a process which is gone is taken over."""
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
            os.write(handle, _record())
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


def _record() -> bytes:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "boot": _boot()}).encode()


def _read_record(text: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        record = json.loads(text)
        if isinstance(record, dict) and {"pid", "host", "boot"} <= record.keys():
            return record
    return {}


def _may_live(record: Mapping[str, Any]) -> bool:
    """Say whether the process of a record may still run; of another computer nobody can tell."""
    if record["host"] != socket.gethostname():
        return True
    if record["boot"] != _boot():
        return False
    try:
        os.kill(int(record["pid"]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return True


def _boot() -> str:
    """Return what differs after every start of this computer; empty where the system does not say."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
