"""Damaged FLAC files: count the samples that are there, and decode what is around damage.

STREAMINFO may not state the number of samples (0 means unknown), or state a wrong one: :func:`count_samples` finds the
last frame that can be decoded. Where a frame is damaged, libsndfile stops for good: :func:`decode_around_damage`
decodes each frame by itself, puts silence in place of those that cannot be decoded, and keeps every other sample in its
place.

What a stretch decodes to depends on its own frames alone, so the result is the same wherever reading began.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from anemonefish.audio.flac_frames import SEARCH_WINDOW, FlacFrame, StreamInfo, frame_headers, longest_frame
from anemonefish.audio.seekable import BinaryFile, read_at
from anemonefish.notes import Note

__all__ = ["Hole", "count_samples", "decode_around_damage"]

_NEAR = 1 << 18
"""Bytes that are searched frame by frame; a longer stretch is halved first."""

_FEW_FRAMES = 16
"""Frames that are skipped one by one; a frame further away is searched for."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Samples ``[start, stop)`` that no intact frame holds; the frame of ``stop`` begins at the byte ``offset``.

    Where ``start`` equals ``stop``, nothing is missing and the hole only says from which byte to continue decoding.
    """

    start: int
    stop: int
    offset: int


def count_samples(file: BinaryFile, size: int, info: StreamInfo) -> tuple[int, tuple[Note, ...]]:
    """Return how many samples the file holds up to its last intact frame, and what is wrong in STREAMINFO.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    info : StreamInfo

    Returns
    -------
    samples : int
        0 where no frame was found.
    notes : tuple of Note
    """
    last, cut = _last_frame(file, size, info)
    found = last.stop if last is not None else 0
    said = info.samples
    numbers: dict[str, int | float | str] = {"header_samples": said, "samples": found}
    notes: list[Note] = []
    # A header that promises up to one frame more, after a frame of full length, means that the last frame is lost.
    full = last is not None and last.stop - last.start == info.block
    cut_to = said if cut is not None or (full and 0 < said - found <= (info.block or 0)) else 0
    if cut is not None and said <= found < cut.start + (info.block or 65_535):
        cut_to = max(said, cut.stop)
    if said == 0:
        words = f"the header does not say how many samples there are; {found} were found and read"
        notes.append(Note("header-length", words, numbers))
    elif found > said:
        words = f"the header says {said} samples, but {found} are there; all of them were read"
        notes.append(Note("header-length", words, numbers))
    elif found < said and cut_to <= found:
        words = f"the header says {said} samples, but the file ends with a whole frame after {found}; all were read"
        notes.append(Note("header-length", words, numbers))
    if found and cut_to > found and found != said:
        rate = max(1, info.sample_rate)
        words = f"the header promises {said} samples, but the file" if said > found else "the file"
        words += f" ends at byte {size}, after {found} that can be decoded"
        words += f"; {(cut_to - found) / rate:.6f} s from {found / rate:.6f} s on are missing"
        stretch = {"start_sample": found, "stop_sample": cut_to, "sample_rate": rate}
        notes.append(Note("ends-early", words, {**numbers, **stretch}))
    return found, tuple(notes)


def decode_around_damage(
    file: BinaryFile, size: int, info: StreamInfo, start: int, stop: int, dtype: DTypeLike, hole: Hole | None = None
) -> tuple[NDArray[Any], list[tuple[int, int]], Hole | None]:
    """Decode the samples ``[start, stop)`` frame by frame; samples that cannot be decoded are zero.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    info : StreamInfo
    start, stop : int
        Samples per channel.
    dtype : {"float32", "float64", "int32"}
    hole : Hole, optional
        The one that an earlier call returned, so that a long hole is searched once only.

    Returns
    -------
    frames : ndarray, shape (stop - start, channels)
    missing : list of (int, int)
        Stretches of samples within ``[start, stop)`` that are zero because their frame is missing or damaged.
    hole : Hole or None
        The last hole in the file so far, for the next call.
    """
    frames = np.zeros((stop - start, info.channels), dtype)
    missing, reached = [], start
    begin = info.audio if hole is None or start < hole.start else hole.offset
    if hole is None or not hole.start <= start <= hole.stop + _FEW_FRAMES * (info.block or 4096):
        begin = _frame_before(file, size, info, start, begin)
    for frame, data in _frames_from(file, size, info, begin):
        samples = _decode(info, frame, data, dtype) if frame.stop > reached else None
        if samples is None:
            continue
        if frame.start > reached:
            hole = Hole(reached, frame.start, frame.offset)
        if frame.start >= stop:
            break
        first, end = max(frame.start, reached), min(frame.stop, stop)
        frames[first - start : end - start] = samples[first - frame.start : end - frame.start]
        if first > reached:
            missing.append((reached, first))
        reached = end
        if reached == stop:
            hole = Hole(frame.start, frame.start, frame.offset)
            break
    else:
        hole = Hole(reached, 1 << 36, size)
    if reached < stop:
        missing.append((reached, stop))
    return frames, missing, hole


def _decode(info: StreamInfo, frame: FlacFrame, data: bytes, dtype: DTypeLike) -> NDArray[Any] | None:
    """Decode one frame; None when it is damaged."""
    count = frame.stop - frame.start
    try:
        with soundfile.SoundFile(io.BytesIO(info.with_samples(count) + data)) as decoder:
            samples: NDArray[Any] = decoder.read(count, dtype=np.dtype(dtype).name, always_2d=True)
    except soundfile.LibsndfileError:
        return None
    return samples if len(samples) == count else None


def _frame_before(file: BinaryFile, size: int, info: StreamInfo, sample: int, low: int) -> int:
    """Return an offset shortly before the frame of a sample, at ``low`` or later."""
    high = size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = next(frame_headers(file, middle, high, info), None)
        if found is not None and found.start <= sample:
            low = found.offset
        else:
            high = middle
    return low


def _frames_from(file: BinaryFile, size: int, info: StreamInfo, offset: int) -> Iterator[tuple[FlacFrame, bytes]]:
    """Yield the frames from an offset on, each with its bytes up to the header of the next frame."""
    frame: FlacFrame | None = None
    for following in frame_headers(file, offset, size, info):
        if frame is not None:
            yield frame, _frame_bytes(file, info, frame, following.offset)
        frame = following
    if frame is not None:
        yield frame, _frame_bytes(file, info, frame, size)


def _frame_bytes(file: BinaryFile, info: StreamInfo, frame: FlacFrame, stop: int) -> bytes:
    return read_at(file, frame.offset, min(stop - frame.offset, longest_frame(info)))


def _last_frame(file: BinaryFile, size: int, info: StreamInfo) -> tuple[FlacFrame | None, FlacFrame | None]:
    """Return the last frame that can be decoded, and the first one after it, which cannot."""
    cut: FlacFrame | None = None
    stop = size
    step = max(SEARCH_WINDOW, longest_frame(info))
    while stop > info.audio:
        begin = max(info.audio, stop - step)
        if begin > info.audio and next(frame_headers(file, begin, stop, info), None) is None:
            # Many bytes after the last frame are no frames: find its end by halving instead of walking back to it.
            stop = _end_of_frames(file, info, begin)
            continue
        for frame in reversed(list(frame_headers(file, begin, stop, info))):
            if _decode(info, frame, read_at(file, frame.offset, longest_frame(info)), "float32") is not None:
                return frame, cut
            cut = frame
        stop = begin
    return None, cut


def _end_of_frames(file: BinaryFile, info: StreamInfo, stop: int) -> int:
    """Return an offset before ``stop`` with the last frame header shortly before it."""
    step = max(SEARCH_WINDOW, longest_frame(info))
    low, high = info.audio, stop
    while high - low > step:
        middle = (low + high) // 2
        if next(frame_headers(file, middle, min(high, middle + step), info), None) is not None:
            low = middle
        else:
            high = middle
    return high
