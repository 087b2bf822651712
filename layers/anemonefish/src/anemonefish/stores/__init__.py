"""Where jobs, models and recordings lie: one small interface, a local folder or S3 behind it.

Owns the :class:`Store` and :class:`ByteSource` interfaces and the way from a URI to one of them. Keys are
the same in both implementations, so a job looks alike on a laptop and in an account. A write is whole or
absent, never half. This package never knows what the bytes mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

__all__ = ["ByteSource", "Store", "open_source", "open_store", "read_companion"]

S3_SCHEME = "s3://"


class ByteSource(Protocol):
    """One immutable object, readable by offset.

    Attributes
    ----------
    name : str
        What its owner calls it; error messages do too.
    size : int
        Length in bytes.
    version : str
        Opaque text that changes whenever the bytes change; opening the URI with it reads these bytes or
        raises :class:`~anemonefish.errors.RecordingChanged`.
    read_ahead : bool
        Whether it pays to fetch the next bytes in a thread while a decoder works on the last ones.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def read_ahead(self) -> bool: ...  # noqa: D102

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes ``[offset, offset + length)``, fewer only at the end of the object."""
        ...

    def close(self) -> None:
        """Give back what the source holds open."""
        ...


class Store(Protocol):
    """A flat space of keys (``a/b/c``) holding immutable bytes.

    Attributes
    ----------
    at_once : int
        How many reads or writes at once are worth a thread each.
    """

    @property
    def at_once(self) -> int: ...  # noqa: D102

    @property
    def uri(self) -> str:
        """Where the store lies: a folder, or ``s3://bucket``."""
        ...

    def read(self, key: str) -> bytes:
        """Return the bytes under ``key``; raise :class:`FileNotFoundError` when there are none."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key``, whole or not at all."""
        ...

    def upload(self, key: str, path: Path) -> None:
        """Put the content of a local file under ``key``, whole or not at all."""
        ...

    def exists(self, key: str) -> bool:
        """Say whether there is something under ``key``."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, sorted."""
        ...


def open_store(uri: str) -> Store:
    """Return the store at a folder path or at ``s3://bucket``."""
    if uri.startswith(S3_SCHEME):
        from anemonefish.stores.s3 import S3Store  # boto3 is loaded only where S3 is meant

        return S3Store(uri.removeprefix(S3_SCHEME).rstrip("/"))
    from anemonefish.stores.folder import LocalStore

    return LocalStore(Path(uri))


def open_source(uri: str, version: str | None = None, name: str | None = None) -> ByteSource:
    """Open one recording by its path or ``s3://bucket/key``.

    Parameters
    ----------
    uri : str
        A local path, or ``s3://bucket/key``.
    version : str, optional
        The version that was planned on; without it, whatever lies there now.
    name : str, optional
        What error messages call it; ``uri`` unless given.

    Raises
    ------
    RecordingNotFound
        There is nothing at ``uri``.
    RecordingChanged
        What lies there is no longer ``version``.
    StorageError
        The store did not answer.
    """
    if uri.startswith(S3_SCHEME):
        from anemonefish.stores.s3 import S3Source

        return S3Source.open(uri, version, name or uri)
    from anemonefish.stores.folder import LocalSource

    return LocalSource.open(uri, version, name or uri)


def read_companion(uri: str, most: int) -> bytes | None:
    """Return the first bytes of a small file that may lie beside a recording.

    Parameters
    ----------
    uri : str
        A local path, or ``s3://bucket/key``.
    most : int
        How many bytes are read.

    Returns
    -------
    bytes or None
        None where there is no such file, or where it may not be read.

    Raises
    ------
    StorageError
        The store did not answer.
    """
    if uri.startswith(S3_SCHEME):
        from anemonefish.stores.s3 import read_first_bytes

        return read_first_bytes(uri, most)
    from anemonefish.stores.folder import local_path

    path = local_path(uri)
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError):
        return None
