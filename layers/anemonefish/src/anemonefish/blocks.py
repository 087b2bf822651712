"""One block cache between an object and the decoder that reads it.

Owns :class:`BlockReader`: a seekable binary file over a :class:`~anemonefish.stores.ByteSource` that fetches
whole, aligned blocks and keeps the last few. A decoder jumps between header and data and reads a few KiB at
a time; the cache turns that into few, large, ranged reads, on a disk as on S3.

The decoder calls back from C, where a Python exception cannot travel. A failed read therefore looks like the
end of the file *and is kept* in :attr:`BlockReader.error`; whoever drives the decoder must look there first.
"""

from __future__ import annotations

import io
from collections import OrderedDict

from anemonefish.errors import AnemonefishError
from anemonefish.stores import ByteSource

__all__ = ["BLOCK_BYTES", "BlockReader"]

BLOCK_BYTES = 1 << 20
"""1 MiB: a minute of 48 kHz mono in 16 bit is six of them; 60 s out of 2 GB took 7 GETs when measured."""

_KEPT_BLOCKS = 8


class BlockReader(io.RawIOBase):
    """A seekable, read-only binary file over a byte source.

    Attributes
    ----------
    error : AnemonefishError or None
        The first error a read met; reads after it return nothing.
    """

    def __init__(self, source: ByteSource, block_bytes: int = BLOCK_BYTES) -> None:
        super().__init__()
        self._source = source
        self._block_bytes = block_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self.error: AnemonefishError | None = None

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._source.size

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
        """Move to a position; positions past the end are allowed and read as the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        """Fill ``buffer`` from the position on; return how many bytes were there."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self.size:
            index, offset = divmod(self._position, self._block_bytes)
            block = self._block(index)
            piece = block[offset : offset + len(view) - filled]
            if not piece:
                break
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._position += len(piece)
        return filled

    def _block(self, index: int) -> bytes:
        if index in self._blocks:
            self._blocks.move_to_end(index)
            return self._blocks[index]
        if self.error is not None:
            return b""
        try:
            block = self._source.read(index * self._block_bytes, self._block_bytes)
        except AnemonefishError as error:
            self.error = error
            return b""
        self._blocks[index] = block
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return block
