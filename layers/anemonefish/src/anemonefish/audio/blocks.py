"""Read a recording in blocks, so that a decoder on top of a remote object causes few requests.

Owns :class:`BlockReader`: a seekable binary file over a :class:`~anemonefish.stores.ByteSource`. A decoder jumps
between header and data and reads a few KiB at a time. The reader fetches aligned blocks instead: one block where the
decoder jumps, and twice as many at once wherever it reads on. Of a remote source, the next blocks are fetched while the
decoder works. So a header costs few bytes, and a long stretch costs few requests. A caller that knows how far the
decoder will read says so with :meth:`BlockReader.expect`; nothing beyond is then fetched ahead. A bounded number of
blocks is kept.

The decoder calls back from C, where no Python exception can pass. A failed read therefore looks like the end of the
file, and its error is kept in :attr:`BlockReader.error`; the caller of a decoder must check it first.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from anemonefish.audio.seekable import SeekableFile
from anemonefish.errors import AnemonefishError
from anemonefish.step_times import step
from anemonefish.stores import ByteSource

__all__ = ["BLOCK_BYTES", "BlockReader"]

BLOCK_BYTES = 1 << 16
"""64 KiB are fetched for a jump. A FLAC decoder jumps a dozen times until it has found a sample."""

_MOST_BLOCKS = 16
"""Most blocks fetched at once: 1 MiB, or eleven seconds of 48 kHz in 16 bit."""

_KEPT_BLOCKS = 128
"""Most blocks kept: 8 MiB."""


class BlockReader(SeekableFile):
    """A seekable, read-only binary file over a byte source.

    Attributes
    ----------
    error : AnemonefishError or None
        The error of the first read that failed; reads after it return nothing.
    """

    def __init__(self, source: ByteSource, block_bytes: int = BLOCK_BYTES) -> None:
        super().__init__(source.size)
        self._source = source
        self._block_bytes = block_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._end = -(-source.size // block_bytes)
        self._run = 1  # number of blocks in the next request
        self._next = -1  # the block that follows the last one fetched
        self._ahead: tuple[int, int, Future[bytes]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead") if source.read_ahead else None
        self.error: AnemonefishError | None = None

    def expect(self, stop: int) -> None:
        """Say that no byte from ``stop`` on will be read, so that none is fetched ahead."""
        self._end = -(-min(stop, self._size) // self._block_bytes)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        """Fill ``buffer`` from the position on; return the number of bytes read."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self._size:
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
        """Wait for the request that is running, and drop its result."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        super().close()

    def _block(self, index: int) -> bytes:
        if index not in self._blocks and self.error is None:
            try:
                with step("fetch"):
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
        """Return how many blocks to fetch from ``index`` on; at least that one."""
        return max(1, min(self._run, self._end - index))

    def _read(self, first: int, count: int) -> bytes:
        return self._source.read(first * self._block_bytes, count * self._block_bytes)

    def _keep(self, first: int, data: bytes) -> None:
        for number, offset in enumerate(range(0, len(data), self._block_bytes)):
            self._blocks[first + number] = data[offset : offset + self._block_bytes]
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
