"""Stores for jobs, models and recordings: one interface to a local folder or an S3 bucket.

Owns the :class:`Store` and :class:`ByteSource` interfaces and opens the one that a URI names. Both implementations use
the same keys, so a job has the same files on a laptop and in an account. Writes are atomic: a reader sees the whole
file or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from anemonefish.stores.object_kinds import Kind

__all__ = ["ByteSource", "Kind", "Store", "open_source", "open_store", "read_companion"]

S3_SCHEME = "s3://"


class ByteSource(Protocol):
    """One immutable file or object, read by offset.

    Attributes
    ----------
    name : str
        Name of the recording in error messages.
    size : int
        Length in bytes.
    version : str
        Opaque text that changes whenever the bytes change. Opening the URI with it reads these bytes, or raises
        :class:`~anemonefish.errors.RecordingChanged`.
    read_ahead : bool
        Whether a reader should fetch the next bytes in a thread while the decoder works on the last ones.
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
        """Release the open file, if there is one."""
        ...


class Store(Protocol):
    """A flat space of keys (``a/b/c``) holding immutable bytes.

    Attributes
    ----------
    at_once : int
        How many concurrent reads or writes make a job faster.
    """

    @property
    def at_once(self) -> int: ...  # noqa: D102

    @property
    def uri(self) -> str:
        """Address of the store: an absolute folder path, or ``s3://bucket``."""
        ...

    def read(self, key: str) -> bytes:
        """Return the bytes under ``key``; raise :class:`FileNotFoundError` when there are none."""
        ...

    def write(self, key: str, data: bytes, kind: Kind | None = None) -> None:
        """Write ``data`` under ``key``, atomically; its kind says how long an account keeps it."""
        ...

    def upload(self, key: str, path: Path, kind: Kind | None = None) -> None:
        """Copy a local file to ``key``, atomically; ``kind`` as for :meth:`write`."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is a file or object under ``key``."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, sorted."""
        ...


def open_store(uri: str) -> Store:
    """Return the store at a folder path or at ``s3://bucket``."""
    if uri.startswith(S3_SCHEME):
        from anemonefish.stores.s3 import S3Store  # boto3 is imported only when S3 is used

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
        The version that was planned; the current one unless given.
    name : str, optional
        Name of the recording in error messages; ``uri`` unless given.

    Raises
    ------
    RecordingNotFound
        There is no file or object at ``uri``, or it cannot be read.
    RecordingChanged
        The current version is not ``version``.
    StorageError
        The store did not answer.
    """
    if uri.startswith(S3_SCHEME):
        from anemonefish.stores.s3 import S3Source

        return S3Source.open(uri, version, name or uri)
    from anemonefish.stores.folder import LocalSource

    return LocalSource.open(uri, version, name or uri)


def read_companion(uri: str, most: int) -> bytes | None:
    """Return the first bytes of a small file beside a recording, if there is one.

    Parameters
    ----------
    uri : str
        A local path, or ``s3://bucket/key``.
    most : int
        Largest number of bytes to read.

    Returns
    -------
    bytes or None
        None when there is no such file, or when it may not be read.

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
