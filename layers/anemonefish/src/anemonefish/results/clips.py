"""Clips: each event as a small FLAC, to be heard and judged.

Owns cutting: which samples of the recording an event with its padding is, the clip's name, and which events are left
out when there are too many. A clip has the recording's own rate and channels and, for integer samples up to 24 bit, its
very samples. Reads only the bytes it needs, block by block, from a disk or from S3.

A clip that is there is whole. Never scales, filters or resamples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from anemonefish.audio.flac_encoder import encode_flac
from anemonefish.audio.pieces import PieceReader, read_index
from anemonefish.audio.reader import AudioFile, open_audio
from anemonefish.audio.samples import LOUDEST, AudioFacts
from anemonefish.errors import (
    InvalidSamples,
    InvalidSettings,
    RecordingNotFound,
    UnsupportedRecording,
)
from anemonefish.results.events import Event
from anemonefish.stores import Store
from anemonefish.stores.folder import atomic_file

__all__ = ["Clip", "ClipSource", "Clips", "choose_clips", "clip_name", "cut_clips"]

_BLOCK_FRAMES = 1 << 16
_MOST_CHANNELS = 8  # FLAC's limit
_HIGHEST_RATE = 655_350  # Hz, FLAC's limit
_LONGEST_NAME = 120  # letters of the recording in a clip's name: file systems end at 255 bytes

# What holds every sample of a codec, or comes nearest: FLAC has 24 bits at most, and no floats.
_SUBTYPES = {"PCM_S8": "PCM_S8", "PCM_U8": "PCM_S8", "PCM_16": "PCM_16", "ULAW": "PCM_16", "ALAW": "PCM_16"}
_WIDEST = "PCM_24"
_FLOATS = frozenset({"FLOAT", "DOUBLE"})


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A recording and the events to cut from it.

    Attributes
    ----------
    name : str
        As in the results.
    uri : str
        Path or ``s3://bucket/key``.
    sample_rate : int
        Samples per second in which the events count: that of the analysis.
    events : tuple of Event
    version : str or None
        The version that was analysed; another is refused.
    pieces : (Store, str) or None
        Where a transcoded recording lies.
    """

    name: str
    uri: str
    sample_rate: int
    events: tuple[Event, ...]
    version: str | None = None
    pieces: tuple[Store, str] | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip that was written.

    Attributes
    ----------
    path : Path
    recording : str
    event : Event
    start, stop : int
        Samples of the recording, at its own rate: padding included.
    sample_rate : int
        The recording's own.
    """

    path: Path
    recording: str
    event: Event
    start: int
    stop: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Clips:
    """What :func:`cut_clips` made.

    Attributes
    ----------
    clips : tuple of Clip
        By recording and start.
    left_out : int
        Events above the limit.
    """

    clips: tuple[Clip, ...]
    left_out: int


def choose_clips(sources: Iterable[ClipSource], limit: int | None) -> tuple[list[ClipSource], int]:
    """Keep the events with the highest mean scores; of equal ones the earlier recording's and the earlier.

    Parameters
    ----------
    sources : iterable of ClipSource
    limit : int or None
        How many in all; None keeps every event.

    Returns
    -------
    kept : list of ClipSource
        Those of which anything is kept, in their order, events in order of their start.
    left_out : int

    Raises
    ------
    InvalidSettings
        A limit below 0.
    """
    if limit is not None and limit < 0:
        raise InvalidSettings(f"the number of clips must be at least 0, not {limit}")
    listed = list(sources)
    ranked = sorted(
        ((number, event) for number, source in enumerate(listed) for event in source.events),
        key=lambda each: (-each[1].mean_score, listed[each[0]].name, each[1].start, each[1].stop, each[1].label),
    )
    chosen = ranked[:limit]
    kept = []
    for number, source in enumerate(listed):
        events = sorted((event for which, event in chosen if which == number), key=lambda event: event.start)
        if events:
            kept.append(replace(source, events=tuple(events)))
    return kept, len(ranked) - len(chosen)


def cut_clips(
    sources: Iterable[ClipSource], folder: Path, *, padding_seconds: float = 1.0, limit: int | None = None
) -> Clips:
    """Cut events out of recordings and write them as FLAC.

    Parameters
    ----------
    sources : iterable of ClipSource
    folder : Path
        Made if it is not there.
    padding_seconds : float
        Sound before and after, as far as the recording reaches.
    limit : int, optional
        The most clips to write; the highest mean scores first.

    Raises
    ------
    InvalidSettings
        A padding or limit out of range.
    RecordingError
        A recording cannot be read; clips that were written stay.
    UnsupportedRecording
        More channels, or a higher rate, than FLAC holds.
    """
    if not 0 <= padding_seconds <= 3600:
        raise InvalidSettings(f"the padding of a clip must be from 0 to 3600 seconds, not {padding_seconds!r}")
    kept, left_out = choose_clips(sources, limit)
    taken: set[str] = set()
    made: list[Clip] = []
    for source in kept:
        cut = _cut if source.pieces is None else _cut_transcoded
        made += cut(source, folder, Fraction(str(padding_seconds)), taken)
    return Clips(tuple(made), left_out)


def clip_name(recording: str, start_seconds: Fraction, label: str, score: float) -> str:
    """Return a clip's file name, without its ending: sortable by recording and time, safe on every system.

    Examples
    --------
    >>> clip_name("reef/day 1.wav", Fraction("47.8"), "anemonefish", 0.5121)
    'reef_day_1.wav_000047.800s_anemonefish_0.512'
    """
    milliseconds = int(start_seconds * 1000)
    whole, rest = divmod(milliseconds, 1000)
    return (
        f"{_safe(recording)[-_LONGEST_NAME:]}_{whole:06d}.{rest:03d}s_{_safe(label)[: _LONGEST_NAME // 4]}_{score:.3f}"
    )


def _safe(text: str) -> str:
    """Keep plain letters, digits, points and hyphens; a name must survive every archive and every system."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "_" for letter in text)
    return kept.lstrip(".") or "_"


def _cut(source: ClipSource, folder: Path, padding: Fraction, taken: set[str]) -> list[Clip]:
    made = []
    with open_audio(source.uri, version=source.version, name=source.name) as audio:
        facts = audio.facts
        _check_flac(source.name, facts)
        for event in source.events:
            start, stop = _interval(event, source.sample_rate, facts, padding)
            begins = Fraction(event.start, source.sample_rate)
            path = folder / _free(clip_name(source.name, begins, event.label, event.mean_score), taken)
            _write(_frames(audio, source.name, start, stop), facts, path)
            made.append(Clip(path, source.name, event, start, stop, facts.sample_rate))
    return made


def _cut_transcoded(source: ClipSource, folder: Path, padding: Fraction, taken: set[str]) -> list[Clip]:
    """Cut out of pieces, which have 24 bits: channel by channel, for a clip is short."""
    assert source.pieces is not None
    store, prefix = source.pieces
    transcoded = read_index(store, prefix)
    if transcoded is None:
        raise RecordingNotFound(f"{source.name}: its transcoded pieces are gone; start a new job")
    facts = transcoded.facts
    readers = [
        PieceReader(store, prefix, facts, source.name, channel, "float64") for channel in range(1, facts.channels + 1)
    ]
    made = []
    for event in source.events:
        start, stop = _interval(event, source.sample_rate, facts, padding)
        begins = Fraction(event.start, source.sample_rate)
        path = folder / _free(clip_name(source.name, begins, event.label, event.mean_score), taken)
        frames = np.stack([reader.read(start, stop) for reader in readers], axis=1)
        with atomic_file(path) as temporary:
            temporary.write_bytes(encode_flac((frames * 2.0**31).astype(np.int32), facts.sample_rate))
        made.append(Clip(path, source.name, event, start, stop, facts.sample_rate))
    for reader in readers:
        reader.close()
    return made


def _interval(event: Event, rate: int, facts: AudioFacts, padding: Fraction) -> tuple[int, int]:
    """Return the samples of an event with its padding, inside the recording."""
    around = padding * facts.sample_rate
    start = Fraction(event.start * facts.sample_rate, rate) - around
    stop = Fraction(event.stop * facts.sample_rate, rate) + around
    return max(0, start.__floor__()), min(facts.frames, stop.__ceil__())


def _free(name: str, taken: set[str]) -> str:
    """Return the file's name, numbered if another event has it already; systems may not tell cases apart."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free.lower())
    return f"{free}.flac"


def _check_flac(name: str, facts: AudioFacts) -> None:
    if facts.channels > _MOST_CHANNELS or facts.sample_rate > _HIGHEST_RATE:
        raise UnsupportedRecording(
            f"{name}: FLAC holds {_MOST_CHANNELS} channels at {_HIGHEST_RATE} Hz, the recording has {facts.channels} "
            f"at {facts.sample_rate} Hz; cut its clips with another program"
        )


def _write(blocks: Iterable[NDArray[Any]], facts: AudioFacts, path: Path) -> None:
    subtype = _SUBTYPES.get(facts.codec, _WIDEST)
    with (
        atomic_file(path) as temporary,
        soundfile.SoundFile(temporary, "w", facts.sample_rate, facts.channels, subtype, format="FLAC") as clip,
    ):
        for frames in blocks:
            clip.write(frames)


def _frames(audio: AudioFile, name: str, start: int, stop: int) -> Iterator[NDArray[Any]]:
    """Yield the samples ``[start, stop)`` of every channel in blocks, shape (n, channels), int32 or float64.

    Integers travel as integers of 32 bit, whose upper bits are the sample: nothing is rounded on the way.
    """
    dtype = "float64" if audio.facts.codec in _FLOATS else "int32"
    for first in range(start, stop, _BLOCK_FRAMES):
        frames = audio.frames(first, min(first + _BLOCK_FRAMES, stop), dtype)
        if dtype == "float64" and not np.all(np.abs(frames) <= LOUDEST):
            raise InvalidSamples(
                f"{name}: a sample after {first} is not a finite number near full scale; export the recording again "
                f"as 16 or 24 bit PCM"
            )
        yield frames
