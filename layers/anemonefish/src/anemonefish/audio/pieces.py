"""A transcoded recording: FLAC pieces of equal length, read as one recording.

Owns the keys of the pieces, their index, and :class:`PieceReader`, which reads any stretch across them. The index is
written after the last piece, so a recording with an index was complete. The output bucket deletes pieces after some
days, so they may be gone by now. The pieces hold the samples that the decoder of the original returned, in 24 bits::

    {prefix}/000000.flac ...   PIECE_SAMPLES samples each, the last one fewer
    {prefix}/index.json        rate, channels, samples, container and codec of the original, and its notes
    {prefix}/failure.json      instead of an index: why the recording cannot be decoded (written by workflow.transcode)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anemonefish.audio.reader import AudioFile, open_audio
from anemonefish.audio.samples import AudioFacts, check_channel
from anemonefish.audio.signal_meter import SignalMeter
from anemonefish.errors import RecordingNotFound, TruncatedRecording
from anemonefish.notes import MISSING, Note
from anemonefish.stores import Kind, Store

__all__ = [
    "DECODING",
    "PIECE_SAMPLES",
    "PieceReader",
    "Transcoded",
    "audio_deleted",
    "check_whole",
    "find_transcoded",
    "piece_key",
    "read_index",
    "write_index",
]

DECODING = 2
"""Version of the rules by which samples are laid out in pieces. It is part of the prefix, so that pieces and failures
that were stored under older rules are not used."""

PIECE_SAMPLES = 1 << 21
"""Samples of a piece: 44 s at 48 kHz, about 5 MB. A worker reads up to one piece too much at either end of its range,
and an interrupted transcoder loses at most the pieces it was working on."""


def piece_key(prefix: str, number: int) -> str:
    """Return the key of a piece."""
    return f"{prefix}/{number:06d}.flac"


@dataclass(frozen=True, slots=True)
class Transcoded:
    """What the index says of a transcoded recording.

    Attributes
    ----------
    facts : AudioFacts
        ``frames`` counts the samples of the pieces, including the silence in place of missing samples.
    notes : tuple of Note
        What a user should know about the recording.
    """

    facts: AudioFacts
    notes: tuple[Note, ...] = ()


def write_index(store: Store, prefix: str, transcoded: Transcoded) -> None:
    """Write the index, which says that all pieces are stored."""
    document = {**asdict(transcoded.facts), "notes": [asdict(note) for note in transcoded.notes]}
    store.write(f"{prefix}/index.json", json.dumps(document).encode(), Kind.AUDIO)


def read_index(store: Store, prefix: str) -> Transcoded | None:
    """Return the index of a transcoded recording; None unless all of its pieces were stored.

    Indexes of older versions have no notes.
    """
    try:
        document = json.loads(store.read(f"{prefix}/index.json"))
    except FileNotFoundError:
        return None
    notes = Note.list_from(document.pop("notes", ()))
    return Transcoded(AudioFacts(**document), notes)


def find_transcoded(store: Store, prefix: str) -> Transcoded | None:
    """Return the index of a transcoded recording; None unless all of its pieces are stored now."""
    transcoded = read_index(store, prefix)
    if transcoded is None:
        return None
    stored = set(store.keys(f"{prefix}/"))
    pieces = range(-(-transcoded.facts.frames // PIECE_SAMPLES))
    return transcoded if all(piece_key(prefix, number) in stored for number in pieces) else None


def audio_deleted(name: str) -> RecordingNotFound:
    """Return the error for a recording whose pieces are gone."""
    return RecordingNotFound(
        f"{name}: its transcoded audio was deleted, which is kept as long as an uploaded recording; upload the "
        f"recording again and start a new job"
    )


def check_whole(name: str, notes: Sequence[Note]) -> None:
    """Raise :class:`TruncatedRecording` where a note reports missing sound: for the setting ``damaged: refuse``.

    Pieces are the same with either setting, so the notes are checked each time and the refusal is not stored.
    """
    missing = [note.message for note in notes if note.code in MISSING]
    if missing:
        more = f"; and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise TruncatedRecording(
            f"{name}: {'; '.join(missing[:3])}{more}; copy the file again from the recorder, "
            f"or set damaged to keep, to analyse what is there"
        )


class PieceReader:
    """Reads the samples of a transcoded recording, as :class:`~anemonefish.audio.reader.AudioFile` reads an original.

    Parameters
    ----------
    store : Store
    prefix : str
        Prefix of the pieces' keys.
    facts : AudioFacts
        Those of :func:`read_index`.
    name : str
        Name of the recording in error messages.
    channel : int or None
        As for :func:`~anemonefish.audio.reader.open_audio`.
    dtype : {"float32", "float64"}

    Raises
    ------
    UnsupportedRecording
        There is no such channel.
    RecordingNotFound
        While reading: a piece was deleted.
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
        """Pass every sample that is read to a meter."""
        self._meter = meter

    def expect(self, stop: int) -> None:
        """Do nothing: a piece is fetched when its first sample is read."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the samples ``[start, stop)``, shape ``(stop - start,)``; errors as of ``AudioFile.read``."""
        stretches = [np.empty(0, self._dtype)]
        for number in range(start // PIECE_SAMPLES, -(-stop // PIECE_SAMPLES)):
            first = number * PIECE_SAMPLES
            stretches.append(self._piece(number).read(max(start - first, 0), min(stop - first, PIECE_SAMPLES)))
        return stretches[1] if len(stretches) == 2 else np.concatenate(stretches)

    def _piece(self, number: int) -> AudioFile:
        if self._open is None or self._open[0] != number:
            self.close()
            uri = f"{self._store.uri}/{piece_key(self._prefix, number)}"
            name = f"{self._name} (transcoded, piece {number})"
            try:
                self._open = number, open_audio(uri, name=name, channel=self._channel, dtype=self._dtype)
            except RecordingNotFound:
                raise audio_deleted(self._name) from None
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
