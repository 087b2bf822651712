"""A transcoded recording: FLAC pieces of one length, read as one recording.

Owns where the pieces lie and what is known of them, and reading any stretch across them. An index is written when the
last piece is there, so an index that is found stands for a whole recording. Samples are those of the original as its
decoder gave them, in 24 bit. Never decodes anything but FLAC::

    {prefix}/000000.flac ...   PIECE_SAMPLES samples each, the last one fewer
    {prefix}/index.json        rate, channels, samples, container and codec of the original
    {prefix}/failure.json      instead of an index: why the recording cannot be decoded
"""

from __future__ import annotations

import json
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anemonefish.audio import AudioFacts, AudioFile, check_channel, open_audio
from anemonefish.health import SignalMeter
from anemonefish.stores import Store

__all__ = ["PIECE_SAMPLES", "PieceReader", "piece_key", "read_index", "write_index"]

PIECE_SAMPLES = 1 << 21
"""44 s at 48 kHz, some 5 MB: what a worker reads too much at either end of its range, and what is lost when a
transcoder is interrupted."""


def piece_key(prefix: str, number: int) -> str:
    """Return the key of a piece."""
    return f"{prefix}/{number:06d}.flac"


def write_index(store: Store, prefix: str, facts: AudioFacts) -> None:
    """Say that all pieces are there."""
    store.write(f"{prefix}/index.json", json.dumps(asdict(facts)).encode())


def read_index(store: Store, prefix: str) -> AudioFacts | None:
    """Return what is known of a transcoded recording; None unless it is whole."""
    try:
        return AudioFacts(**json.loads(store.read(f"{prefix}/index.json")))
    except FileNotFoundError:
        return None


class PieceReader:
    """The samples of a transcoded recording; the sister of :class:`~anemonefish.audio.AudioFile`.

    Parameters
    ----------
    store : Store
    prefix : str
        Where the pieces lie.
    facts : AudioFacts
        Of :func:`read_index`.
    name : str
        What error messages call the recording.
    channel : int or None
        As for :func:`~anemonefish.audio.open_audio`.
    dtype : {"float32", "float64"}

    Raises
    ------
    UnsupportedRecording
        There is no such channel.
    """

    def __init__(
        self, store: Store, prefix: str, facts: AudioFacts, name: str, channel: int | None, dtype: DTypeLike
    ) -> None:
        check_channel(name, facts, channel)
        self.facts = facts
        self._store = store
        self._prefix = prefix
        self._name = name
        self._channel = channel
        self._dtype = dtype
        self._open: tuple[int, AudioFile] | None = None
        self._meter: SignalMeter | None = None

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.facts.sample_rate

    @property
    def n_samples(self) -> int:
        """Length in samples of the mono signal."""
        return self.facts.frames

    def watch(self, meter: SignalMeter) -> None:
        """Show every sample that is read to a meter."""
        self._meter = meter

    def expect(self, stop: int) -> None:
        """Do nothing: a piece is fetched when its first sample is read."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the samples ``[start, stop)``, shape ``(stop - start,)``; errors as of ``AudioFile.read``."""
        found = [np.empty(0, self._dtype)]
        for number in range(start // PIECE_SAMPLES, -(-stop // PIECE_SAMPLES)):
            first = number * PIECE_SAMPLES
            found.append(self._piece(number).read(max(start - first, 0), min(stop - first, PIECE_SAMPLES)))
        return found[1] if len(found) == 2 else np.concatenate(found)

    def _piece(self, number: int) -> AudioFile:
        if self._open is None or self._open[0] != number:
            self.close()
            uri = f"{self._store.uri}/{piece_key(self._prefix, number)}"
            name = f"{self._name} (transcoded, piece {number})"
            self._open = number, open_audio(uri, name=name, channel=self._channel, dtype=self._dtype)
            if self._meter is not None:
                self._open[1].watch(self._meter, number * PIECE_SAMPLES)
        return self._open[1]

    def close(self) -> None:
        """Close the piece that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
