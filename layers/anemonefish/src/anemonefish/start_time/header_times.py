"""Read the times that recorders write into the headers of their files.

The most trusted come first: a GUANO timestamp, the times that :mod:`anemonefish.audio.headers` finds (``wamd``,
``harp``, a SoundTrap's log) and the comment ``RecordingStart``; the comment of an AudioMoth; ``ICRD`` and the date tags
of other formats; and last ``bext``, which some programs fill in when they copy a file. No file is opened here.

Sources: GUANO specification 1.0, "Timestamp"; Wildlife Acoustics, SM5 User Guide, "GUANO Metadata Fields" (with the
offset of the recorder); Open Acoustic Devices, AudioMoth firmware, ``setHeaderComment`` (1.0 named no zone);
Microsoft/IBM RIFF MCI (``ICRD``); EBU Tech 3285 v2 (``OriginationDate``, ``OriginationTime``, ``TimeReference``); ISO
8601; QutEcoacoustics/emu, FrontierLabs.cs (the comment ``RecordingStart`` of Frontier Labs, without a zone in firmware
3.08); Wildlife Acoustics, wa_meta.h 1.0 (``wamd``); MarineBioAcousticsRC/Triton rdxwavhd.m (``harp``). SoundTraps write
no time into the WAV, but into a ``.log.xml`` beside it: :func:`anemonefish.audio.headers.soundtrap_start`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from anemonefish.audio.headers import BroadcastExtension, Metadata
from anemonefish.sample_times import MICROSECONDS, microseconds_of
from anemonefish.start_time.time_reading import TimeReading, microseconds_of_fraction
from anemonefish.start_time.zone_suffixes import ZONE, offset_zone, parse_zone

__all__ = ["TOLERANCE", "read_header_times", "read_iso"]

TOLERANCE = timedelta(seconds=5)
"""Times that differ by less agree: recorders write one when they open the file and another when samples arrive."""

_DATE_TAGS = ("DATE", "DATE_RECORDED", "CREATIONDATE")
_ISO = re.compile(
    r"((?:19|20)\d\d)([-/:.])([ \d]\d)\2([ \d]\d)[T ]([ \d]\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"
    rf" ?({ZONE}|[+-]\d\d)?"
)
_AUDIOMOTH = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? (\d\d)/(\d\d)/(\d{4})"
    r"(?: \(((?:UTC|GMT)[^)]{0,8})\))? (?:by|during)\b"
)


def read_header_times(metadata: Metadata) -> Iterator[TimeReading]:
    """Yield the times of a header, those that mean the start of the recording first."""
    info, tags = metadata.info, metadata.tags
    starts = (
        (metadata.guano.get("Timestamp"), "GUANO Timestamp"),
        *((text, source) for source, text in metadata.starts.items()),
        (tags.get("RECORDINGSTART"), "RecordingStart"),
    )
    yield from _iso_times(starts)
    comments = (info.get("ICMT"), info.get("ANNO"), tags.get("COMMENT"), tags.get("DESCRIPTION"))
    readings = (_read_audiomoth(comment) for comment in comments if comment)
    if (first := next((reading for reading in readings if reading is not None), None)) is not None:
        yield first
    yield from _iso_times(((info.get("ICRD"), "ICRD"), *((tags.get(name), name) for name in _DATE_TAGS)))
    if metadata.broadcast is not None:
        reading = _read_broadcast(metadata.broadcast, metadata.sample_rate)
        if reading is not None:
            yield reading


def _iso_times(texts: tuple[tuple[str | None, str], ...]) -> Iterator[TimeReading]:
    for text, source in texts:
        if text and (reading := read_iso(text, source)) is not None:
            yield reading


def read_iso(text: str, source: str) -> TimeReading | None:
    """Read a date with a time of day; None for anything else, a date alone included."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    year, _, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        time_of_day = int(hour), int(minute), int(second or 0), microseconds_of_fraction(fraction or "")
        local = datetime(int(year), int(month), int(day), *time_of_day)
        known = None if zone is None else parse_zone(f"{zone}:00" if re.fullmatch(r"[+-]\d\d", zone) else zone)
        return TimeReading(local, known, source).checked()
    except (ValueError, OverflowError):
        return None


def _read_audiomoth(comment: str) -> TimeReading | None:
    """Read the comment of an AudioMoth, which writes an offset without a leading zero: ``UTC-3:30``."""
    match = _AUDIOMOTH.search(comment)
    if match is None:
        return None
    hour, minute, second, fraction, day, month, year, zone = match.groups()
    try:
        time_of_day = int(hour), int(minute), int(second), microseconds_of_fraction(fraction or "")
        local = datetime(int(year), int(month), int(day), *time_of_day)
        return TimeReading(local, None if zone is None else offset_zone(zone), "AudioMoth comment").checked()
    except (ValueError, OverflowError):
        return None


def _read_broadcast(broadcast: BroadcastExtension, sample_rate: int | None) -> TimeReading | None:
    """Read when the samples begin.

    ``TimeReference`` counts samples since midnight and is exact, but editing programs count from the start of a
    project. It is used if it agrees with the time of day in the same chunk.
    """
    date = re.fullmatch(r"(\d{4})[-_:./ ](\d\d)[-_:./ ](\d\d)", broadcast.date)
    time = re.fullmatch(r"(\d\d)[-_:. ](\d\d)[-_:. ](\d\d)", broadcast.time)
    if date is None or time is None:
        return None
    try:
        local = datetime(*(int(number) for number in (*date.groups(), *time.groups())))  # type: ignore[arg-type]
    except ValueError:
        return None
    if broadcast.time_reference and sample_rate:
        reference = microseconds_of(broadcast.time_reference, sample_rate)
        since_midnight = local - local.replace(hour=0, minute=0, second=0)
        # A reference of far more than a day does not fit into a timedelta.
        if reference < 86_400 * MICROSECONDS and abs(timedelta(microseconds=reference) - since_midnight) <= TOLERANCE:
            local = local - since_midnight + timedelta(microseconds=reference)
    return TimeReading(local, None, broadcast.chunk)
