"""Binary files that can be seeked, as parsers and decoders use them.

Owns :class:`BinaryFile`, the two methods that a parser of headers needs, and :class:`SeekableFile`, the common part of
the read-only files that decoders are given.
"""

from __future__ import annotations

import io
from typing import Protocol

__all__ = ["BinaryFile", "SeekableFile", "peek_at", "read_at"]


class BinaryFile(Protocol):
    """A binary file with the two methods that parsers call."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...  # noqa: D102
    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102


def read_at(file: BinaryFile, offset: int, length: int) -> bytes:
    """Return the bytes from ``offset`` on, fewer than ``length`` at the end of the file; this moves its position."""
    file.seek(offset)
    return file.read(max(0, length))


class SeekableFile(io.RawIOBase):
    """A read-only file of known size; a subclass fills a buffer from :attr:`_position` on in ``readinto``.

    Parameters
    ----------
    size : int
        Length in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._position = 0

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; a position past the end is allowed, and nothing can be read there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position


def peek_at(file: SeekableFile, offset: int, length: int) -> bytes:
    """Return the bytes from ``offset`` on, fewer than ``length`` at the end of the file, and keep its position."""
    position = file.tell()
    data = read_at(file, offset, length)
    file.seek(position)
    return data
