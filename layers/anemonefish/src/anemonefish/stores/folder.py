"""Read and write the files of a local folder.

:class:`LocalStore` is a folder as a :class:`~anemonefish.stores.Store`, :class:`LocalSource` is one file that is read
by offset. A file is written under a temporary name in the same folder and then renamed, so a reader sees all of it or
nothing. A key that leads out of the folder is refused.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO
from urllib.parse import quote_from_bytes, unquote_to_bytes

from anemonefish.errors import InvalidRequest, RecordingChanged, RecordingNotFound, StorageError, UnreadableRecording
from anemonefish.stores.object_kinds import Kind

__all__ = ["UNFINISHED", "LocalSource", "LocalStore", "atomic_file", "check_is_file", "local_path", "local_uri"]

UNFINISHED = ".unfinished-"
"""Prefix of the names of files that are still being written."""

_FILE_SCHEME = "file://"


def local_uri(path: Path) -> str:
    """Return the URI of an absolute path: the path itself, or a ``file://`` URI when it is not valid UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return _FILE_SCHEME + quote_from_bytes(os.fsencode(path))
    return str(path)


def local_path(uri: str) -> Path:
    """Return the path of a URI that :func:`local_uri` made."""
    if uri.startswith(_FILE_SCHEME):
        return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix(_FILE_SCHEME))))
    return Path(uri)


class atomic_file:  # noqa: N801 - used as a verb, like open()
    """A temporary path beside ``target`` that replaces it when the block ends without an error.

    Raises
    ------
    StorageError
        The file cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        self._temporary = self._target.with_name(f"{UNFINISHED}{token_hex(8)}")
        try:
            try:
                self._create()
            except FileNotFoundError:
                self._target.parent.mkdir(parents=True, exist_ok=True)
                self._create()
        except OSError as error:
            raise self._unwritable(error) from None
        return self._temporary

    def _create(self) -> None:
        """Create the temporary file, which must not exist, with the permissions of the user's umask."""
        os.close(os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            try:
                self._temporary.replace(self._target)
            except OSError as error:
                self._temporary.unlink(missing_ok=True)
                raise self._unwritable(error) from None
        else:
            self._temporary.unlink(missing_ok=True)
            if isinstance(value, OSError):
                raise self._unwritable(value) from None

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self._target}: cannot be written ({error.strerror}); make room, or choose another folder"
        )


class LocalStore:
    """A folder; keys are paths below ``root``."""

    at_once = 1
    """Local files are read and written fast, so threads bring nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return str(self._root)

    def path(self, key: str) -> Path:
        """Return the path of a key; raise :class:`InvalidRequest` for one that leaves the folder."""
        folder, _, name = key.rpartition("/")
        parent = _resolved(self._root, folder)
        path = parent / name
        if name in {"", ".", ".."} or path.is_symlink():
            path = path.resolve()
        if not path.is_relative_to(self._root):
            raise InvalidRequest(f"key {key!r} leads out of the store; use a relative key without '..'")
        return path

    def read(self, key: str) -> bytes:
        """Return the bytes under ``key``; raise :class:`FileNotFoundError` when there are none."""
        return self.path(key).read_bytes()

    def write(self, key: str, data: bytes, kind: Kind | None = None) -> None:  # noqa: ARG002 - a folder keeps all
        """Write ``data`` under ``key`` by rename, unless the file holds exactly these bytes.

        A journaling file system writes a renamed file to the disk at once, which takes longer than reading the old one.
        """
        path = self.path(key)
        if _holds(path, data):
            return
        with atomic_file(path) as temporary:
            temporary.write_bytes(data)

    def upload(self, key: str, path: Path, kind: Kind | None = None) -> None:  # noqa: ARG002 - a folder keeps all
        """Copy a file to ``key`` by rename."""
        with atomic_file(self.path(key)) as temporary:
            shutil.copyfile(path, temporary)

    def exists(self, key: str) -> bool:
        """Return whether there is a file under ``key``."""
        return self.path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, sorted; temporary files are not keys."""
        folder = self.path(prefix.rpartition("/")[0])
        begin = len(str(self._root).rstrip(os.sep)) + 1
        keys = (path[begin:].replace(os.sep, "/") for path in _files_below(str(folder)))
        yield from sorted(key for key in keys if key.startswith(prefix))


@lru_cache(maxsize=1024)
def _resolved(root: Path, folder: str) -> Path:
    """Return a folder with its symbolic links resolved; cached, because a job writes thousands of files into few."""
    return (root / folder).resolve()


def _files_below(folder: str) -> Iterator[str]:
    """Yield the paths of the files below a folder, except temporary ones, in no particular order."""
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path)
            elif entry.is_file() and not entry.name.startswith("."):
                yield entry.path


def _holds(path: Path, data: bytes) -> bool:
    """Return whether a file holds exactly these bytes."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


class LocalSource:
    """A local file, read by offset; its version is its modification time and size."""

    read_ahead = False
    """The operating system already reads ahead."""

    def __init__(self, name: str, file: BinaryIO, size: int, version: str) -> None:
        self._file = file
        self.name = name
        self.size = size
        self.version = version

    @classmethod
    def open(cls, uri: str, version: str | None, name: str) -> LocalSource:
        """Open a file; see :func:`anemonefish.stores.open_source`."""
        try:
            path = local_path(uri)
            check_is_file(path, name)
            file = path.open("rb")
        except FileNotFoundError:
            raise RecordingNotFound(f"{name}: {_absence(path)}") from None
        except PermissionError:
            raise RecordingNotFound(f"{name}: permission denied; make it readable, or leave it out") from None
        except (OSError, ValueError) as error:  # links in a circle, a name that is too long, a disk error
            reason = error.strerror if isinstance(error, OSError) else error
            raise RecordingNotFound(f"{name}: cannot be opened ({reason}); check the path and the disk") from None
        status = os.fstat(file.fileno())
        current = f"{status.st_mtime_ns}-{status.st_size}"
        if version is not None and version != current:
            file.close()
            raise RecordingChanged(f"{name}: the file changed after the job was planned; start a new job")
        return cls(name, file, status.st_size, current)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes ``[offset, offset + length)``."""
        try:
            return os.pread(self._file.fileno(), length, offset)
        except OSError as error:
            raise UnreadableRecording(
                f"{self.name}: the disk cannot read the bytes at {offset} ({error.strerror}); copy the file again from "
                f"the recorder, or check the disk"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_is_file(path: Path, name: str) -> None:
    """Raise unless ``path`` is a file; opening a pipe would wait for its writer for ever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        effective = os.access in os.supports_effective_ids
        if not os.access(path, os.R_OK | os.X_OK, effective_ids=effective):
            raise RecordingNotFound(
                f"{name}: this folder cannot be read (permission denied); change its permissions, or leave it out"
            )
        raise RecordingNotFound(f"{name}: this is a folder, not a recording; name a file in it")
    if not stat.S_ISREG(mode):
        raise RecordingNotFound(f"{name}: this is a pipe or a device, not a file; save the recording as a file first")


def _absence(path: Path) -> str:
    if path.is_symlink():
        return "this is a link to a file that is not there; repair the link, or leave it out"
    return "there is no such file; check the path"
