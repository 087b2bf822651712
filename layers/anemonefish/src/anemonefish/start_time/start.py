"""Find when a recording began, in UTC: from its file name, its header, or a start that the user gave.

A time is never guessed. A local time without a time zone is not a UTC time: the answer then has the local time, and
says what is missing. A local time that a clock change repeated or skipped is an error. An abbreviation that may be
several zones is reported with its meanings; the time zone that the user gave does not replace it.

The sources, the most trusted first:

1. a start that the user gave;
2. header times with their own zone: a SoundTrap's log, a GUANO timestamp with an offset, ``wamd``, ``harp``,
   ``RecordingStart``, an AudioMoth comment;
3. a file name with its own zone: ``Z``, an offset, an abbreviation such as ``PDT``, or a count of seconds since 1970;
4. a file name and the time zone that the user gave;
5. header times without a zone and the time zone that the user gave: the same, ``ICRD`` or ``DATE``, and last ``bext``,
   which EBU Tech 3285 defines without a zone and some programs fill in when they copy the file.

Other sources that contradict the chosen one become notes. Times are counted in whole microseconds. No file is opened
here: :mod:`anemonefish.audio.headers` reads the headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from anemonefish.audio.headers import Metadata
from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.notes import Note
from anemonefish.start_time.file_names import file_name_of, read_file_name
from anemonefish.start_time.header_times import TOLERANCE, read_header_times, read_iso
from anemonefish.start_time.name_patterns import parse_pattern
from anemonefish.start_time.pattern_hints import START_OPTION, how_to_give_start, option, pattern_that_reads
from anemonefish.start_time.time_reading import TimeReading
from anemonefish.start_time.time_zones import GivenZone, parse_time_zone, utc_from_local
from anemonefish.start_time.zone_suffixes import ORDINARY_WORDS, Abbreviation, offset_text

__all__ = ["RecordingStart", "find_start", "parse_start"]

_QUARTER_HOUR = timedelta(minutes=15)
_LARGEST_DIFFERENCE = timedelta(hours=26)
"""Between the local times of two zones: offsets go from -12:00 to +14:00."""

_FIRST_TIMES = (
    (datetime(1904, 1, 1), timedelta(days=31)),  # Apple's and MP4's zero
    (datetime(1969, 12, 31, 10), timedelta(days=31, hours=14)),  # Unix's, also west of Greenwich
    (datetime(1980, 1, 1), timedelta(days=31)),  # FAT's, and on the sixth that of GPS
    (datetime(2000, 1, 1), timedelta(days=31)),  # that of most clock chips
    (datetime(2001, 1, 1), timedelta(days=1)),
    (datetime(2010, 1, 1), timedelta(days=1)),
    (datetime(2014, 1, 1), timedelta(days=1)),
)
"""The first time that an unset clock shows, and how long after it a recording counts as made by such a clock."""


@dataclass(frozen=True, slots=True)
class RecordingStart:
    """When a recording began, as far as it is known.

    Attributes
    ----------
    utc : datetime or None
        The time of sample 0, in UTC; None where it is not known.
    source : str
        Where it comes from, e.g. ``name (iso) and time zone Europe/Paris``; empty where nothing was found.
    local : datetime or None
        The time as it was found, without a zone; None where nothing was found.
    reason : str
        Why ``utc`` is not known, and what to do; empty where it is known.
    notes : tuple of Note
        What a user should know: name and header that disagree, an abbreviation that contradicts the time zone that was
        given, a clock that was never set. The messages do not contain the recording's name.
    """

    utc: datetime | None
    source: str = ""
    local: datetime | None = None
    reason: str = ""
    notes: tuple[Note, ...] = ()


def find_start(
    name: str,
    metadata: Metadata | None = None,
    *,
    time_zone: str | None = None,
    pattern: str | None = None,
    start: str | None = None,
) -> RecordingStart:
    """Return when a recording began, or why that is not known.

    Parameters
    ----------
    name : str
        Its file name, path or key; the part after the last slash is read.
    metadata : Metadata, optional
        What its header says.
    time_zone : str, optional
        The zone of local times: see :func:`anemonefish.start_time.time_zones.parse_time_zone`.
    pattern : str, optional
        How to read the name, instead of all known patterns: see
        :func:`anemonefish.start_time.name_patterns.parse_pattern`.
    start : str, optional
        The start itself: see :func:`parse_start`.

    Raises
    ------
    InvalidSettings
        ``time_zone``, ``pattern`` or ``start`` is invalid.
    UnsupportedRecording
        A clock change in the time zone repeated or skipped the local time.
    """
    zone = None if time_zone is None else GivenZone(time_zone, parse_time_zone(time_zone))
    given_pattern = None if pattern is None else parse_pattern(pattern)
    if start is not None:
        return RecordingStart(parse_start(start), "given")
    from_name, problem = read_file_name(file_name_of(name), given_pattern)
    from_header = () if metadata is None else tuple(read_header_times(metadata))
    readings = tuple(reading.with_offset(zone) for reading in _ranked(from_name, from_header, zone))
    if not readings:
        nothing = f"neither its name nor its header has a date with a time; {how_to_give_start(file_name_of(name))}"
        return RecordingStart(None, reason=f"{name}: {problem or nothing}")
    chosen = readings[0]
    notes = tuple(
        chain(
            (Note("start", problem),) if problem else (),
            _disagreements(chosen, readings[1:], zone),
            _contradicted_zone(chosen, zone, from_name),
            _pauses(chosen, metadata),
            _unset_clock(chosen.local),
        )
    )
    if chosen.utc is not None:
        return RecordingStart(chosen.utc, chosen.source, chosen.local, notes=notes)
    if isinstance(chosen.zone, Abbreviation):
        reason = f"{name}: {_ambiguous_zone(file_name_of(name), chosen, chosen.zone, zone)}"
        return RecordingStart(None, chosen.source, chosen.local, reason, notes)
    if zone is None:
        return RecordingStart(None, chosen.source, chosen.local, _missing_zone(name, chosen), notes)
    source = f"{chosen.source} and time zone {zone.text}"
    return RecordingStart(utc_from_local(chosen.local, zone, name), source, chosen.local, notes=notes)


def parse_start(text: str) -> datetime:
    """Return the time that the setting ``start`` means: ISO 8601 with its offset, e.g. ``2019-09-20T00:42:48.5Z``.

    Raises
    ------
    InvalidSettings
        The text is no such time, or has no offset.
    """
    reading = read_iso(text, "given") if re.match(r"\d{4}-", text) else None
    if reading is None:
        raise InvalidSettings(
            f"start {text!r} is not a time; write it as 2019-09-20T00:42:48Z or 2019-09-20T10:42:48+10:00"
        )
    if reading.utc is None:
        raise InvalidSettings(f"start {text!r} has no offset; end it with Z for UTC, or with one such as +10:00")
    return reading.utc


def _ranked(
    from_name: TimeReading | None, from_header: tuple[TimeReading, ...], zone: GivenZone | None
) -> tuple[TimeReading, ...]:
    """Return the times, the most trusted first: header times with a zone, the name, header times without one."""
    zoned = tuple(reading for reading in from_header if reading.with_offset(zone).utc is not None)
    local = tuple(reading for reading in from_header if reading.with_offset(zone).utc is None)
    return (*zoned, *(() if from_name is None else (from_name,)), *local)


# What the user should know about the chosen time


def _disagreements(chosen: TimeReading, others: tuple[TimeReading, ...], zone: GivenZone | None) -> Iterator[Note]:
    """Yield a note for each time that differs from the chosen one."""
    for other in others:
        if _differ(chosen, other, zone):
            used, unused = chosen.describe(), other.describe()
            yield Note(
                "start",
                f"{chosen.source} says {used}, {other.source} says {unused}; the first is used",
                {"used": used, "other": unused},
            )


def _differ(one: TimeReading, other: TimeReading, zone: GivenZone | None) -> bool:
    moments = [reading.utc or (_utc_or_none(reading, zone) if zone else None) for reading in (one, other)]
    if moments[0] is not None and moments[1] is not None:
        return abs(moments[0] - moments[1]) > TOLERANCE
    difference = abs(one.local - other.local)
    if one.zone is None and other.zone is None:
        return difference > TOLERANCE
    # One of the zones is unknown, so a difference that can be an offset, a multiple of 15 minutes, proves nothing.
    rest = min(difference % _QUARTER_HOUR, -difference % _QUARTER_HOUR)
    return difference > _LARGEST_DIFFERENCE or rest > TOLERANCE


def _utc_or_none(reading: TimeReading, zone: GivenZone) -> datetime | None:
    """Return the UTC time of a local time; None where the zone leaves it open."""
    if reading.zone is not None:
        return None
    try:
        return utc_from_local(reading.local, zone, "")
    except UnsupportedRecording:
        return None


def _contradicted_zone(chosen: TimeReading, given: GivenZone | None, from_name: TimeReading | None) -> Iterator[Note]:
    """Yield a note where an abbreviation in the name is used although the user gave another time zone."""
    if given is None or from_name is None or not isinstance(from_name.zone, Abbreviation):
        return
    if chosen.utc is None or chosen != from_name.with_offset(given):
        return
    offset = (chosen.local - chosen.utc.replace(tzinfo=None)) // timedelta(minutes=1)
    if offset != from_name.zone.offset_beside(chosen.local, given.info):
        text = from_name.zone.text
        yield Note(
            "start",
            f"the name says {text} ({offset_text(offset)}), which counts although time_zone is {given.text}",
            {"name": text, "time_zone": given.text},
        )


def _pauses(chosen: TimeReading, metadata: Metadata | None) -> Iterator[Note]:
    """Yield a note where the recorder paused within the file, so that later times are too early."""
    if metadata is not None and metadata.pauses:
        yield Note(
            "start",
            f"the header (harp) lists {metadata.pauses} pauses within the recording; times behind the first pause are "
            f"too early, because samples are counted from the start ({chosen.source})",
            {"pauses": metadata.pauses},
        )


def _unset_clock(local: datetime) -> Iterator[Note]:
    """Yield a note where the recorder's clock was probably never set."""
    if any(first <= local < first + period for first, period in _FIRST_TIMES):
        yield Note(
            "clock-not-set",
            f"the start {local.isoformat(' ')} lies where clocks begin that were never set, so the times are probably "
            f"not those of the recording; if you know the start, give it, {START_OPTION}",
            {"start": local.isoformat()},
        )


# Why the UTC time is not known


def _ambiguous_zone(file_name: str, reading: TimeReading, abbreviation: Abbreviation, given: GivenZone | None) -> str:
    """Say which zones an abbreviation may be, with settings that decide it for this recording."""
    text = abbreviation.text
    offsets = [f"{offset_text(offset)} (as in {place})" for offset, place in abbreviation.meanings]
    beside = f", and the time zone {given.text} is none of them at that time" if given is not None else ""
    word = " or an ordinary word" if text in ORDINARY_WORDS else ""
    zones = " or ".join(f"--set time_zone={offset_text(offset)}" for offset, _ in abbreviation.meanings)
    without_zone = TimeReading(reading.local, None, "")
    pattern = pattern_that_reads(file_name, without_zone) if reading.source.startswith("name") else None
    ignore = "" if pattern is None else f"; or if {text} is no zone, {option('name_pattern', pattern)} with a time_zone"
    return (
        f"{reading.source} says {reading.local.isoformat(' ')} {text}, which may be {' or '.join(offsets)}{word}"
        f"{beside}; say which, {zones}{ignore}"
    )


def _missing_zone(name: str, reading: TimeReading) -> str:
    return (
        f"{name}: {reading.source} says {reading.local.isoformat(' ')}, but not in which time zone; give it, e.g. "
        f"--set time_zone=UTC, --set time_zone=+10:00 or --set time_zone=Europe/Paris"
    )
