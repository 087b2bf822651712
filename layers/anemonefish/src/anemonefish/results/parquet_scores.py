"""Write the scores of a recording as Parquet: one row per window, with exact float32 scores.

The file's metadata hold the recording, the model and the settings, so that :mod:`anemonefish.results.read` can decide
the events again. The same result has the same bytes in every process.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from anemonefish.results.recording_result import RecordingResult

if TYPE_CHECKING:
    from arro3.core import Schema

__all__ = ["BAND_LEVELS", "PEAK_HZ", "write_parquet_scores"]

PEAK_HZ, BAND_LEVELS = "peak_hz", "band_levels"
"""Columns with the band levels of the windows (:class:`~anemonefish.profiles.band_levels.BandLevels`)."""

_ROW_GROUP = 131_072
"""Windows of a row group: the least that a reader loads, and what is copied in memory while it is written."""

_CREATED_BY = "anemonefish version 1"
"""The version of the layout, in the form that readers parse. The library would write its own version here, and the
bytes would change with each of its releases."""


def write_parquet_scores(file: BinaryIO, result: RecordingResult) -> None:
    """Write one row per window: its times, the scores of all classes, and the smoothed scores of the target classes.

    The metadata are one JSON document under one key, because the library writes several keys in an order that changes
    from process to process. The file is built in memory, where it takes less space than the scores, because the library
    crashes on a full disk and raises no exception.
    """
    from arro3.core import DataType, Field, RecordBatch, RecordBatchReader, Schema
    from arro3.io import write_parquet

    types = {"int64": DataType.int64(), "float64": DataType.float64(), "float32": DataType.float32()}
    fields = [Field(name, types[str(column.dtype)], nullable=False) for name, column in _columns(result, 0, 0)]
    if result.levels is not None:
        element = Field("element", DataType.uint8(), nullable=False)
        fields.append(Field(BAND_LEVELS, DataType.list(element, result.levels.codes.shape[1]), nullable=False))
    schema = Schema(fields)
    groups = (
        RecordBatch.from_arrays(_arrays(result, schema, first, first + _ROW_GROUP), schema=schema)
        for first in range(0, len(result.scores), _ROW_GROUP)
    )
    buffer = io.BytesIO()
    write_parquet(
        RecordBatchReader.from_batches(schema, groups),
        buffer,
        max_row_group_size=_ROW_GROUP,
        compression="zstd(3)",
        dictionary_enabled=False,
        encoding="byte_stream_split",
        column_encoding={
            "start_sample": "delta_binary_packed",
            "end_sample": "delta_binary_packed",
            f"{BAND_LEVELS}.list.element": "plain",  # older readers know no other encoding of small integers
        },
        key_value_metadata={"anemonefish": json.dumps(result.origin(), ensure_ascii=False, allow_nan=False)},
        created_by=_CREATED_BY,
        skip_arrow_metadata=True,
    )
    file.write(buffer.getbuffer())


def _columns(result: RecordingResult, first: int, stop: int) -> list[tuple[str, NDArray[Any]]]:
    """Return the names and values of the columns for a range of windows, in the order of the file."""
    grid, scores, smoothed = result.analysis.grid, result.scores[first:stop], result.smoothed[first:stop]
    classes = result.spec.classes
    starts = np.arange(first, first + len(scores), dtype=np.int64) * grid.hop
    stops = starts + grid.window
    return [
        ("start_sample", starts),
        ("end_sample", stops),
        ("start_time", _seconds(starts, result.sample_rate)),
        ("end_time", _seconds(stops, result.sample_rate)),
        *((name, np.ascontiguousarray(scores[:, column])) for column, name in enumerate(classes)),
        *((f"smoothed_{name}", np.ascontiguousarray(smoothed[:, column])) for name, column in result.targets.items()),
        *_peaks(result, first, stop),
    ]


def _peaks(result: RecordingResult, first: int, stop: int) -> list[tuple[str, NDArray[np.float32]]]:
    if result.levels is None:
        return []
    return [(PEAK_HZ, result.levels.peak_hz(slice(first, stop), result.sample_rate).astype(np.float32))]


def _arrays(result: RecordingResult, schema: Schema, first: int, stop: int) -> list[Any]:
    """Return the columns as the library takes them; band levels are lists of the same length."""
    from arro3.core import Array, fixed_size_list_array

    arrays: list[Any] = [column for _, column in _columns(result, first, stop)]
    if result.levels is not None:
        codes = np.ascontiguousarray(result.levels.codes[first:stop])
        values = Array.from_numpy(codes.reshape(-1))
        arrays.append(fixed_size_list_array(values, codes.shape[1], type=schema.field(BAND_LEVELS).type))
    return arrays


def _seconds(samples: NDArray[np.int64], sample_rate: int) -> NDArray[np.float64]:
    """Return :func:`anemonefish.sample_times.seconds` of each sample; exact up to 285 years."""
    whole, rest = np.divmod(samples, sample_rate)
    microseconds = whole * 1_000_000 + (2 * rest * 1_000_000 + sample_rate) // (2 * sample_rate)
    return np.asarray(microseconds / 1_000_000, np.float64)
