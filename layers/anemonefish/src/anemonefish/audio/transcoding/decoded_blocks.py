"""Blocks of decoded samples, and the silence between them.

A decoder yields blocks of samples and, as whole numbers, the lengths of stretches that it has no samples for. Owns the
conversion of a decoded frame to a block (:func:`to_24_bit`) and that of such numbers to silent blocks
(:func:`with_silence`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "BlockOrSilence", "block_length", "part_of", "to_24_bit", "with_silence"]

Block = NDArray[np.int32]
"""Decoded samples, shape ``(n, channels)``, in the upper 24 bits."""

BlockOrSilence = Block | int
"""A block, or a number of samples of silence."""

_SILENT_BLOCK = 1 << 16
"""Samples of silence in one block, so that silence of hours is never held at once."""

_FULL_SCALE = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31, "s64": 1 << 63, "flt": 1, "dbl": 1}
"""The value of full scale in each of FFmpeg's sample formats."""

_DTYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}


def to_24_bit(frame: Any) -> Block:
    """Return the samples of a frame that PyAV decoded, rounded to 24 bits."""
    kind = frame.format.name.removesuffix("p")
    middle = 128 if kind == "u8" else 0
    samples = (_planes(frame).T.astype(np.float64) - middle) * ((1 << 23) / _FULL_SCALE[kind])
    whole = np.clip(np.rint(samples), -(1 << 23), (1 << 23) - 1).astype(np.int32)
    return np.ascontiguousarray(whole << 8)


def _planes(frame: Any) -> NDArray[Any]:
    """Return the samples of a frame, shape ``(channels, n)``."""
    kind, channels = frame.format.name, len(frame.layout.channels)
    if not kind.endswith("p"):
        interleaved: NDArray[Any] = frame.to_ndarray()
        return interleaved.reshape(-1, channels).T
    # Of eight channels, PyAV lists nine planes, and its to_ndarray crashes the process by reading the ninth.
    dtype = _DTYPES[kind.removesuffix("p")]
    return np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in frame.planes[:channels]])


def with_silence(items: Iterator[BlockOrSilence]) -> Iterator[Block]:
    """Yield the blocks, with silent blocks in place of the numbers.

    Silence before the first block is yielded with that block, which has the number of channels.
    """
    before = 0
    channels = 0
    for item in items:
        if not isinstance(item, int):
            channels = item.shape[1]
            yield from _silence(before, channels)
            before = 0
            yield item
        elif channels:
            yield from _silence(item, channels)
        else:
            before += item


def _silence(samples: int, channels: int) -> Iterator[Block]:
    for start in range(0, samples, _SILENT_BLOCK):
        yield np.zeros((min(_SILENT_BLOCK, samples - start), channels), np.int32)


def block_length(item: BlockOrSilence) -> int:
    """Return the number of samples of a block or of silence."""
    return item if isinstance(item, int) else len(item)


def part_of(item: BlockOrSilence, start: int, stop: int) -> BlockOrSilence:
    """Return the samples ``[start, stop)`` of a block or of silence."""
    return max(0, stop - start) if isinstance(item, int) else item[start:stop]
