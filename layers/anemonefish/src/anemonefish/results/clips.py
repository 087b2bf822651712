"""Cut each event into a small FLAC file, a clip, so that people can listen to it.

A clip has the sample rate and the channels of the recording, and a padding before and after the event. Its samples are
exactly those of the recording for integer PCM of up to 24 bit; others are stored in 24 bit. Only the bytes that a clip
needs are read, from a disk or from S3. A clip is written under another name first, so a file that exists is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from anemonefish.audio.flac_encoder import encode_flac
from anemonefish.audio.pieces import PieceReader, audio_deleted, read_index
from anemonefish.audio.reader import AudioFile, open_audio
from anemonefish.audio.samples import LOUDEST, AudioFacts
from anemonefish.errors import (
    InvalidSamples,
    InvalidSettings,
    UnsupportedRecording,
)
from anemonefish.results.events import Event
from anemonefish.stores import Store
from anemonefish.stores.folder import atomic_file

__all__ = ["Clip", "ClipSource", "Clips", "choose_clips", "clip_name", "cut_clips"]

_BLOCK_FRAMES = 1 << 16
_MOST_CHANNELS = 8  # FLAC's limit
_HIGHEST_RATE = 655_350  # Hz, FLAC's limit
_LONGEST_NAME = 120  # letters of the recording in a clip's name; file systems allow 255 bytes in all

# The FLAC subtype of each codec. FLAC has 24 bits at most and no floats, so all other codecs use the widest.
_SUBTYPES = {"PCM_S8": "PCM_S8", "PCM_U8": "PCM_S8", "PCM_16": "PCM_16", "ULAW": "PCM_16", "ALAW": "PCM_16"}
_WIDEST = "PCM_24"
_FLOATS = frozenset({"FLOAT", "DOUBLE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSource:
    """A recording and the events to cut from it.

    Attributes
    ----------
    name : str
        Its name in the results.
    uri : str
        Path or ``s3://bucket/key``.
    sample_rate : int
        Sample rate of the analysis, in which the events are counted.
    events : tuple of Event
    version : str or None
        The version that was analysed; another version is an error.
    pieces : (Store, str) or None
        Store and prefix of the transcoded pieces, for a recording that was transcoded.
    """

    name: str
    uri: str
    sample_rate: int
    events: tuple[Event, ...]
    version: str | None = None
    pieces: tuple[Store, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip that was written.

    Attributes
    ----------
    path : Path
    recording : str
    event : Event
    start, stop : int
        Samples of the recording at its own sample rate, padding included.
    sample_rate : int
        Sample rate of the recording.
    """

    path: Path
    recording: str
    event: Event
    start: int
    stop: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Clips:
    """The result of :func:`cut_clips`.

    Attributes
    ----------
    clips : tuple of Clip
        In order of recordings and starts.
    left_out : int
        Number of events without a clip, because there are more than the limit.
    """

    clips: tuple[Clip, ...]
    left_out: int


def choose_clips(sources: Iterable[ClipSource], limit: int | None) -> tuple[list[ClipSource], int]:
    """Choose the events with the highest mean scores; where scores are equal, the first by recording name and start.

    Parameters
    ----------
    sources : iterable of ClipSource
    limit : int or None
        The most events of all recordings together; None for all.

    Returns
    -------
    kept : list of ClipSource
        The recordings with a chosen event, in the given order. Their events are in order of start.
    left_out : int
        Number of the other events.

    Raises
    ------
    InvalidSettings
        The limit is below 0.
    """
    if limit is not None and limit < 0:
        raise InvalidSettings(f"the number of clips must be at least 0, not {limit}")
    sources = list(sources)
    ranked = sorted(
        ((number, event) for number, source in enumerate(sources) for event in source.events),
        key=lambda pair: (-pair[1].mean_score, sources[pair[0]].name, pair[1].start, pair[1].stop, pair[1].label),
    )
    chosen = ranked[:limit]
    kept = []
    for number, source in enumerate(sources):
        events = sorted((event for owner, event in chosen if owner == number), key=lambda event: event.start)
        if events:
            kept.append(replace(source, events=tuple(events)))
    return kept, len(ranked) - len(chosen)


NameOfClip: TypeAlias = Callable[[ClipSource, Event], str]
"""Returns the file name of a clip without its ending."""


def _descriptive_name(source: ClipSource, event: Event) -> str:
    return clip_name(source.name, Fraction(event.start, source.sample_rate), event.label, event.mean_score)


def cut_clips(
    sources: Iterable[ClipSource],
    folder: Path,
    *,
    padding_seconds: float = 1.0,
    limit: int | None = None,
    name_of: NameOfClip = _descriptive_name,
) -> Clips:
    """Cut events from recordings and write them as FLAC.

    Parameters
    ----------
    sources : iterable of ClipSource
    folder : Path
        Created if it does not exist.
    padding_seconds : float
        Length of sound before and after each event; less at the beginning and the end of the recording.
    limit : int, optional
        The most clips to write; events with the highest mean scores are chosen.
    name_of : callable
        The name of each clip; by default :func:`clip_name`.

    Raises
    ------
    InvalidSettings
        Padding or limit is out of range.
    RecordingError
        A recording cannot be read; clips that were written before are kept.
    UnsupportedRecording
        A recording has more channels or a higher sample rate than FLAC allows.
    """
    if not 0 <= padding_seconds <= 3600:
        raise InvalidSettings(f"the padding of a clip must be from 0 to 3600 seconds, not {padding_seconds!r}")
    kept, left_out = choose_clips(sources, limit)
    used_names: set[str] = set()
    clips: list[Clip] = []
    for source in kept:
        cut = _cut if source.pieces is None else _cut_transcoded
        clips += cut(source, folder, Fraction(str(padding_seconds)), name_of, used_names)
    return Clips(tuple(clips), left_out)


def clip_name(recording: str, start_seconds: Fraction, label: str, score: float) -> str:
    """Return the file name of a clip, without its ending: it sorts by recording and time, and every system accepts it.

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
    """Replace everything but ASCII letters, digits, points and hyphens, which every archive and system accepts."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "_" for letter in text)
    return kept.lstrip(".") or "_"


def _cut(source: ClipSource, folder: Path, padding: Fraction, name_of: NameOfClip, used_names: set[str]) -> list[Clip]:
    clips = []
    with open_audio(source.uri, version=source.version, name=source.name) as audio:
        facts = audio.facts
        _check_flac(source.name, facts)
        for event in source.events:
            start, stop = _interval(event, source.sample_rate, facts, padding)
            path = folder / _free(name_of(source, event), used_names)
            _write(_frames(audio, source.name, start, stop), facts, path)
            clips.append(_clip(path, source, event, start, stop, facts))
    return clips


def _cut_transcoded(
    source: ClipSource, folder: Path, padding: Fraction, name_of: NameOfClip, used_names: set[str]
) -> list[Clip]:
    """Cut events from transcoded pieces, which have 24 bits; channels are read one after the other."""
    assert source.pieces is not None
    store, prefix = source.pieces
    transcoded = read_index(store, prefix)
    if transcoded is None:
        raise audio_deleted(source.name)
    facts = transcoded.facts
    readers = [
        PieceReader(store, prefix, facts, source.name, channel, "float64") for channel in range(1, facts.channels + 1)
    ]
    clips = []
    for event in source.events:
        start, stop = _interval(event, source.sample_rate, facts, padding)
        path = folder / _free(name_of(source, event), used_names)
        frames = np.stack([reader.read(start, stop) for reader in readers], axis=1)
        with atomic_file(path) as temporary:
            temporary.write_bytes(encode_flac((frames * 2.0**31).astype(np.int32), facts.sample_rate))
        clips.append(_clip(path, source, event, start, stop, facts))
    for reader in readers:
        reader.close()
    return clips


def _clip(path: Path, source: ClipSource, event: Event, start: int, stop: int, facts: AudioFacts) -> Clip:
    return Clip(path=path, recording=source.name, event=event, start=start, stop=stop, sample_rate=facts.sample_rate)


def _interval(event: Event, rate: int, facts: AudioFacts, padding: Fraction) -> tuple[int, int]:
    """Return the samples of an event with its padding, within the recording."""
    around = padding * facts.sample_rate
    start = Fraction(event.start * facts.sample_rate, rate) - around
    stop = Fraction(event.stop * facts.sample_rate, rate) + around
    return max(0, start.__floor__()), min(facts.frames, stop.__ceil__())


def _free(name: str, used_names: set[str]) -> str:
    """Return a file name that no other clip has; a number is added where needed. Some systems ignore upper case."""
    number, free = 1, name
    while free.lower() in used_names:
        number += 1
        free = f"{name}_{number}"
    used_names.add(free.lower())
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

    Integer PCM is read into the upper bits of int32, so nothing is rounded.
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
