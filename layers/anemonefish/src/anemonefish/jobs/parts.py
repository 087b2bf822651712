"""Parts: the stored scores of one range of windows, and the scores of a recording read from all of its parts.

A part is a ``.npy`` array of raw scores, float32, shape ``(n_windows, n_classes)``, followed by one line of JSON with
what was observed in the samples (:class:`~anemonefish.audio.health.Observed`) and by a ``.npy`` array of band levels,
uint8 (:class:`~anemonefish.profiles.band_levels.BandLevels`), as many bytes as the scores of three classes. The workers
that score ranges write parts, and results are decided from them. Parts of older versions end after the scores or after
the line.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.health import Observed
from anemonefish.errors import DamagedPart, MissingParts
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import RangeTask
from anemonefish.models.bundle import ModelSpec, sha256
from anemonefish.profiles.band_levels import BandLevels

__all__ = ["Part", "StoredScores", "part_from_bytes", "part_to_bytes", "read_scores"]


@dataclass(frozen=True, slots=True)
class StoredScores:
    """The scores of one recording, from all of its parts.

    Attributes
    ----------
    scores : ndarray, shape (n_windows, n_classes), float32
    observed : Observed
        What was observed in the samples.
    levels : BandLevels or None
        None where a part was written by an older version.
    hashes : dict of str to str
        SHA-256 of each part, by the part's name.
    """

    scores: NDArray[np.float32]
    observed: Observed
    levels: BandLevels | None
    hashes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """The content of one part; ``observed`` is empty and ``levels`` is None in parts of older versions."""

    scores: NDArray[np.float32]
    observed: Observed
    levels: BandLevels | None


def part_to_bytes(scores: NDArray[np.float32], observed: Observed, levels: BandLevels | None = None) -> bytes:
    """Return the content of a part."""
    buffer = io.BytesIO()
    np.save(buffer, scores, allow_pickle=False)
    buffer.write(json.dumps(observed.to_dict(), separators=(",", ":")).encode() + b"\n")
    if levels is not None:
        np.save(buffer, levels.to_array(), allow_pickle=False)
    return buffer.getvalue()


def part_from_bytes(data: bytes, shape: tuple[int, int], key: str) -> Part:
    """Read the content of a part.

    Parameters
    ----------
    data : bytes
    shape : (int, int)
        Numbers of windows and classes that the part must have.
    key : str
        The key of the part, for messages.

    Raises
    ------
    DamagedPart
        The content is not an array of finite float32 scores of this shape, or its band levels do not fit.
    """
    buffer = io.BytesIO(data)
    try:
        np.lib.format.read_magic(buffer)
        found, by_columns, dtype = np.lib.format.read_array_header_1_0(buffer)
    except Exception:  # numpy parses the header as Python, and has errors of many kinds for a damaged one
        raise _not_an_array(key) from None
    # Compared before the scores are read, because a damaged header may name a shape that fills the memory.
    if found != shape or dtype != np.float32:
        raise _unfit(key, dtype, found, shape)
    try:
        scores = np.frombuffer(buffer.read(dtype.itemsize * math.prod(shape)), dtype)
        scores = scores.reshape(shape, order="F" if by_columns else "C")
        line = buffer.readline()
        observed = Observed.from_dict(json.loads(line)) if line else Observed()
        levels = _read_levels(buffer, shape[0])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _not_an_array(key) from None
    if not np.isfinite(scores).all():
        raise _unfit(key, dtype, found, shape)
    return Part(scores, observed, levels)


def _read_levels(buffer: io.BytesIO, n_windows: int) -> BandLevels | None:
    """Read the band levels of a part, if it has any.

    Raises
    ------
    ValueError
        They are damaged.
    """
    if not buffer.getbuffer()[buffer.tell() :]:
        return None
    try:
        np.lib.format.read_magic(buffer)
        (rows, columns), by_columns, dtype = np.lib.format.read_array_header_1_0(buffer)
    except Exception as error:  # numpy parses the header as Python, and has errors of many kinds for a damaged one
        raise ValueError(str(error)) from None
    content = buffer.read()
    if dtype != np.uint8 or by_columns or rows != n_windows or columns < 3 or len(content) != rows * columns:
        raise ValueError(f"band levels of {rows} x {columns} {dtype} do not fit {n_windows} windows")
    return BandLevels.from_array(np.frombuffer(content, np.uint8).reshape(rows, columns))


def _not_an_array(key: str) -> DamagedPart:
    return DamagedPart(f"{key} is not a stored array; delete it and run the job again")


def _unfit(key: str, dtype: np.dtype[Any], found: tuple[int, ...], shape: tuple[int, int]) -> DamagedPart:
    return DamagedPart(
        f"{key} holds {dtype} of shape {found}, its range needs finite float32 of shape {shape}; "
        f"delete it and run the job again"
    )


def read_scores(job: Job, spec: ModelSpec, tasks: Sequence[RangeTask]) -> StoredScores:
    """Read the parts of one recording and join them.

    Parameters
    ----------
    tasks : sequence of RangeTask
        All ranges of the recording, in order.

    Raises
    ------
    DamagedPart
        A part does not fit its range.
    MissingParts
        A part was deleted; an account keeps parts for some days only.
    """
    scores = np.empty((tasks[0].grid.n_windows if tasks else 0, len(spec.classes)), np.float32)
    hashes, observed, levels = {}, [], []
    with ExitStack() as stack:
        at_once = min(job.store.at_once, len(tasks))
        apply = stack.enter_context(ThreadPoolExecutor(at_once)).map if at_once > 1 else map
        contents = apply(lambda task: _read_part(job, task), tasks)
        for task, data in zip(tasks, contents, strict=True):
            part = part_from_bytes(data, (len(task.windows), len(spec.classes)), job.part_key(task))
            scores[task.windows.start : task.windows.stop] = part.scores
            observed.append(part.observed)
            levels.append(part.levels)
            hashes[task.name] = sha256(data)
    return StoredScores(scores, Observed.of_all(observed), BandLevels.joined(levels), hashes)


def _read_part(job: Job, task: RangeTask) -> bytes:
    try:
        return job.store.read(job.part_key(task))
    except FileNotFoundError:
        raise MissingParts(
            f"{task.path}: its scores were deleted ({job.part_key(task)}); start the job again"
        ) from None
