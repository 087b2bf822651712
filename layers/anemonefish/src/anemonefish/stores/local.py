"""A folder as a store, a file as a source of bytes.

Promises that a reader never sees half a file: writes go to a temporary name beside the target and are
renamed over it. Never follows a key out of the store's folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from anemonefish.errors import InvalidRequest, RecordingChanged, RecordingNotFound, StorageError

__all__ = ["LocalSource", "LocalStore", "atomic_file"]


class atomic_file:  # noqa: N801 - used as a verb, like open()
    """A temporary path beside ``target`` that replaces it when the block ends without an error.

    Raises
    ------
    StorageError
        The folder or the disk does not take it.
    """

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._target.parent, prefix=".unfinished-")
        except OSError as error:
            raise self._unwritable(error) from None
        os.close(handle)
        self._temporary = Path(name)
        return self._temporary

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            # mkstemp makes files private; results are as readable as anything else the user makes.
            mask = os.umask(0)
            os.umask(mask)
            try:
                self._temporary.chmod(0o666 & ~mask)
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
    """Keys are paths below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return str(self._root)

    def path(self, key: str) -> Path:
        """Return the path of a key; raise :class:`InvalidRequest` for one that leaves the folder."""
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root):
            raise InvalidRequest(f"key {key!r} leads out of the store; use a relative key without '..'")
        return path

    def read(self, key: str) -> bytes:
        """Return the bytes under ``key``; raise :class:`FileNotFoundError` when there are none."""
        return self.path(key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key`` by rename."""
        with atomic_file(self.path(key)) as temporary:
            temporary.write_bytes(data)

    def upload(self, key: str, path: Path) -> None:
        """Copy a file to ``key`` by rename."""
        with atomic_file(self.path(key)) as temporary:
            shutil.copyfile(path, temporary)

    def exists(self, key: str) -> bool:
        """Say whether there is a file under ``key``."""
        return self.path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, sorted; temporary files are not keys."""
        folder = self.path(prefix.rpartition("/")[0])
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        keys = (path.relative_to(self._root).as_posix() for path in found)
        yield from sorted(key for key in keys if key.startswith(prefix))


class LocalSource:
    """A local file, read by offset; its version is its modification time and size."""

    def __init__(self, name: str, file: BinaryIO, size: int, version: str) -> None:
        self._file = file
        self.name = name
        self.size = size
        self.version = version

    @classmethod
    def open(cls, uri: str, version: str | None, name: str) -> LocalSource:
        """Open a file; see :func:`anemonefish.stores.open_source`."""
        try:
            file = Path(uri).open("rb")  # noqa: SIM115 - lives as long as the source
        except FileNotFoundError:
            raise RecordingNotFound(f"{name}: there is no such file; check the path") from None
        except IsADirectoryError:
            raise RecordingNotFound(f"{name}: this is a folder, not a recording; name a file in it") from None
        except PermissionError:
            raise RecordingNotFound(f"{name}: permission denied; make the file readable") from None
        facts = os.fstat(file.fileno())
        found = f"{facts.st_mtime_ns}-{facts.st_size}"
        if version is not None and version != found:
            file.close()
            raise RecordingChanged(f"{name}: the file changed after the job was planned; start a new job")
        return cls(name, file, facts.st_size, found)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes ``[offset, offset + length)``."""
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
