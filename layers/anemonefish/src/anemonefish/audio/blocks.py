"""One block cache between an object and the decoder that reads it.

Owns :class:`BlockReader`: a seekable binary file over a :class:`~anemonefish.stores.ByteSource`. A decoder jumps
between header and data and reads a few KiB at a time; what is fetched are aligned blocks: a small one where it jumps,
twice as many at once wherever it reads on, and of a source that is far away the next ones already while it decodes. So
a header costs little, a long stretch costs few requests, and nobody waits for the next. Where the reader is told how
far the decoder will read, nothing beyond is fetched ahead. What is kept is bounded.

The decoder calls back from C, where a Python exception cannot travel. A failed read therefore looks like the
end of the file *and is kept* in :attr:`BlockReader.error`; whoever drives the decoder must look there first.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from anemonefish.errors import AnemonefishError
from anemonefish.stores import ByteSource

__all__ = ["BLOCK_BYTES", "BlockReader"]

BLOCK_BYTES = 1 << 16
"""64 KiB: what a jump costs. A FLAC decoder jumps a dozen times until it has found a sample."""

_MOST_BLOCKS = 16
"""Blocks fetched at once, after some steps: 1 MiB, eleven seconds of 48 kHz in 16 bit."""

_KEPT_BLOCKS = 128
"""8 MiB."""


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
        self._end = -(-source.size // block_bytes)
        self._run = 1  # blocks of the next request
        self._next = -1  # the block with which the decoder would read on
        self._ahead: tuple[int, int, Future[bytes]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead") if source.read_ahead else None
        self.error: AnemonefishError | None = None

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._source.size

    def expect(self, stop: int) -> None:
        """Let nothing beyond the byte ``stop`` be fetched before it is asked for."""
        self._end = -(-min(stop, self.size) // self._block_bytes)

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

    def close(self) -> None:
        """Wait for what is being fetched, and forget it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        super().close()

    def _block(self, index: int) -> bytes:
        if index not in self._blocks and self.error is None:
            try:
                self._fetch(index)
            except AnemonefishError as error:
                self.error = error
        block = self._blocks.get(index, b"")
        if block:
            self._blocks.move_to_end(index)
        return block

    def _fetch(self, index: int) -> None:
        if self._ahead is not None and self._ahead[0] <= index < self._ahead[0] + self._ahead[1]:
            first, count, future = self._ahead
            self._ahead = None
            data = future.result()
            self._run = min(2 * self._run, _MOST_BLOCKS)
        else:
            self._run = min(2 * self._run, _MOST_BLOCKS) if index == self._next else 1
            first, count = index, self._run_from(index)
            data = self._read(first, count)
        self._keep(first, data)
        self._next = first + count
        if self._pool is not None and self._run > 1 and self._next < self._end:
            ahead = self._run_from(self._next)
            self._ahead = self._next, ahead, self._pool.submit(self._read, self._next, ahead)

    def _run_from(self, index: int) -> int:
        """Return how many blocks to fetch from ``index`` on: one at least, for it is asked for."""
        return max(1, min(self._run, self._end - index))

    def _read(self, first: int, count: int) -> bytes:
        return self._source.read(first * self._block_bytes, count * self._block_bytes)

    def _keep(self, first: int, data: bytes) -> None:
        for number, offset in enumerate(range(0, len(data), self._block_bytes)):
            self._blocks[first + number] = data[offset : offset + self._block_bytes]
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
