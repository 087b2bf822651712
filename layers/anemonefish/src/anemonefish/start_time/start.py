"""When a recording began, in UTC: from its name, from its header, or given. Never guessed.

Owns the table of file-name patterns (:data:`PATTERNS`), the reading of the times that recorders write into headers, and
the one way from a sample to a moment. A local time without a time zone is not a UTC time: the answer then has the local
time, and says what is missing. A local time that a clock change repeats or skips is an error, not a choice. An
abbreviation that could be several zones is asked about; the time zone that was given never replaces it.

What counts, first to last:

1. a start that was given;
2. metadata with their own zone: a SoundTrap's log, a GUANO timestamp with an offset, ``wamd``, ``harp``,
   ``RecordingStart``, an AudioMoth comment;
3. a name with its own zone: ``Z``, an offset, an abbreviation such as ``PDT``, or a count of seconds since 1970;
4. a name and the time zone that was given;
5. metadata without a zone and the time zone that was given: the same, ``ICRD`` or ``DATE``, at last ``bext``,
   which EBU Tech 3285 defines without a zone and some programs fill in when they copy the file.

Everything is counted in whole microseconds; nothing here is a float. Never opens a file: :mod:`.audio.headers`
reads the headers.

Sources of the times in headers: GUANO specification 1.0, "Timestamp"; Wildlife Acoustics, SM5 User Guide, "GUANO
Metadata Fields" (with the offset of the recorder); Open Acoustic Devices, AudioMoth firmware, ``setHeaderComment`` (1.0
named no zone); Microsoft/IBM RIFF MCI (``ICRD``); EBU Tech 3285 v2 (``OriginationDate``, ``OriginationTime``,
``TimeReference``); ISO 8601; QutEcoacoustics/emu, FrontierLabs.cs (the comment ``RecordingStart`` of Frontier Labs,
without a zone in firmware 3.08); Wildlife Acoustics, wa_meta.h 1.0 (``wamd``); MarineBioAcousticsRC/Triton rdxwavhd.m
(``harp``). SoundTraps write no time into the WAV, but into a ``.log.xml`` beside it:
:func:`anemonefish.audio.headers.soundtrap_start`. Zones in letters: :mod:`anemonefish.start_time.zone_suffixes`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from anemonefish.audio.headers import BroadcastExtension, Metadata
from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.notes import Note
from anemonefish.sample_times import MICROSECONDS, microseconds_of
from anemonefish.start_time.zone_suffixes import (
    DASHES,
    ORDINARY_WORDS,
    ZONE,
    Abbreviation,
    offset_text,
    offset_zone,
    parse_zone,
)

__all__ = [
    "PATTERNS",
    "NamePattern",
    "RecordingStart",
    "find_start",
    "format_utc",
    "parse_pattern",
    "parse_start",
    "parse_time_zone",
    "utc_of",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOLERANCE = timedelta(seconds=5)
"""Between name and header: recorders take the one when they open the file, the other when samples arrive."""

_LONGEST_NAME = 255  # what file systems allow


@dataclass(frozen=True, slots=True)
class RecordingStart:
    """When a recording began, as far as it is known.

    Attributes
    ----------
    utc : datetime or None
        The moment of sample 0, in UTC; None where it is not known.
    source : str
        Where it comes from, e.g. ``name (iso) and time zone Europe/Paris``; empty where nothing was found.
    local : datetime or None
        The time as it was found, without a zone; None where nothing was found.
    reason : str
        Why ``utc`` is not known, and the mend; empty where it is.
    notes : tuple of Note
        What a user should know: name and header that disagree, an abbreviation that contradicts the time zone that was
        given, a clock that was never set. The messages are without the recording's name.
    """

    utc: datetime | None
    source: str = ""
    local: datetime | None = None
    reason: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class NamePattern:
    """One way to write a time into a file name.

    Attributes
    ----------
    name : str
        What it is called in settings and answers.
    example : str
        A real name.
    written : str
        A regular expression with the groups ``Y`` or ``y``, ``m``, ``d``, ``H``, ``M``, ``S``, ``f`` (fraction), ``p``
        or ``q`` (am or pm), ``z`` (zone), ``j`` (day of the year); or ``epoch``, seconds since 1970 in hexadecimal
        digits.
    recorders : str
        Who writes it.
    zone : str
        ``yes``, ``no``, or when.
    source : str
        Where it is documented.
    """

    name: str
    example: str
    written: str
    recorders: str
    zone: str
    source: str = ""

    @property
    def expression(self) -> re.Pattern[str]:
        """The regular expression, compiled when the first name is held against it."""
        return _compiled(self.written)


_YEAR, _SHORT_YEAR = r"(?P<Y>(?:19|20)\d\d)", r"(?P<y>\d\d)"
_MONTH, _DAY = r"(?P<m>\d\d)", r"(?P<d>\d\d)"
_HOUR, _MINUTE, _SECOND = r"(?P<H>\d\d)", r"(?P<M>\d\d)", r"(?P<S>\d\d)"
_DATE, _SHORT_DATE = _YEAR + _MONTH + _DAY, _SHORT_YEAR + _MONTH + _DAY
_TIME = _HOUR + _MINUTE + _SECOND
_BLANK_DATE = _YEAR + r"(?P<m>[ \d]\d)(?P<d>[ _\d]\d)"
_BLANK_TIME = r"(?P<H>[ \d]\d)(?P<M>[ \d]\d)(?P<S>[ \d]\d)"
# Three or six digits are a fraction only where nothing but the zone and the ending follow: `_001_` is a counter.
_FRACTION = rf"(?:[._,](?P<f>\d{{6}}|\d{{3}})(?={ZONE}|(?:\.[A-Za-z]\w*)*$))?"
_TAIL = rf"{_FRACTION}(?P<z>{ZONE})?(?!\d)"
_ISO_TAIL = rf"{_FRACTION}(?P<z>{ZONE}|-\d\d(?![0-9A-Za-z]))?(?!\d)"  # ISO 8601 allows `-05`: asked about
# Behind digits without a separator, `-0330` was always the next number.
_WORD_TAIL = rf"(?P<z>(?![-\u2010-\u2015\u2212]\d){ZONE})?(?!\d)"
_ALONE = r"(?<!\d)"


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re.Pattern[str]:
    # Looking ahead finds times that overlap too: of three numbers in a row, two pairs may be dates.
    return re.compile(f"(?=(?P<all>{expression}))")


PATTERNS: dict[str, NamePattern] = {
    each.name: each
    for each in (
        NamePattern(
            "iso",
            "AMAR173.4.20190920T004248Z.wav",
            _ALONE + _BLANK_DATE + "T" + _BLANK_TIME + _ISO_TAIL,
            "JASCO AMAR; icListen at Ocean Networks Canada (ICLISTENHF1251_20130813T063620.983Z); Frontier Labs BAR "
            "(20190508T020000+1000_REC; some firmwares write a blank for a zero: 201905 8T020000); any "
            "ISO 8601 in its basic form",
            "if it ends in Z, UTC, an offset or letters such as PDT",
            "ISO 8601; MarineBioAcousticsRC/Triton wavname2dnum.m (AMAR); Ocean Networks Canada "
            "file names; xaviermouy/FishSound_Finder deployment_info.csv; ecoacoustics/known-problems FL008",
        ),
        NamePattern(
            "frontier_labs",
            "S20240815T091156.982648+1000_E20240815T091251.967555+1000_-12.34567+78.98102.wav",
            (
                r"(?<![0-9A-Za-z])S"
                + _DATE
                + "T"
                + _TIME
                + r"(?:\.?(?P<f>\d{6}|\d{3}))?(?P<z>Z|[+-]\d{4})_E\d{8}T[\d.]{6,13}(?:Z|[+-]\d{4})(?!\d)"
            ),
            "Frontier Labs, newer firmware: start, then end",
            "yes: an offset",
            "QutEcoacoustics/emu issues 426 and 427",
        ),
        NamePattern(
            "date_time",
            "SMA01234_20230210_000001.wav",
            _ALONE + _DATE + r"[_$-]" + _TIME + _TAIL,
            "AudioMoth (20200214_191730.WAV, triggered …T.WAV); Wildlife Acoustics SM2, SM3, SM4, Mini ($ instead of _ "
            "where GPS set the clock); icListen (SBW1391_20181001_120000); SanctSound; PAMGuard "
            "(PAM_20171108_094819_000, milliseconds last); the lab's 20230210_000001_LL_B55_M_R",
            "if it ends in Z, UTC, an offset or letters such as PDT",
            "sonicscrewdriver parseFilename() (AudioMoth); Wildlife Acoustics, SM3BAT User Guide, 8.1; "
            "seewave songmeter(); PAMGuard StandardFileDate; xaviermouy/ecosound "
            "filename_to_datetime",
        ),
        NamePattern(
            "separated",
            "channelA_2021-10-11_13-11-09.wav",
            (
                _ALONE
                + _YEAR
                + r"(?P<s>[-_.])"
                + _MONTH
                + r"(?P=s)"
                + _DAY
                + r"(?:[-_T ]|__)"
                + _HOUR
                + r"(?P<t>[-_:.]?)"
                + _MINUTE
                + r"(?P=t)"
                + _SECOND
                + _TAIL
            ),
            "RTsys RESEA; older JASCO (…1277236867.2010-06-22-20-01-07); Ocean Observatories Initiative "
            "(OO-HYEA2--YDH-2015-12-16T023000.000000); Orcasound (clips: 2020_09_27_12_05_55_PDT); OSEkit "
            "(2024_02_24_19_56_18_000000+0100)",
            "if it ends in Z, UTC, an offset or letters such as PDT",
            "lifewatch/pyhydrophone (RTSys); Project-OSmOSE/OSEkit issue 374; xaviermouy/ecosound time_stamp.py; "
            "orcasound/orcanode issue 7; orcasound/orca-hls-utils get_readable_clipname",
        ),
        NamePattern(
            "birdnet_pi",
            "2022-11-21-birdnet-16:09:08.wav",
            (
                _ALONE
                + _YEAR
                + "-"
                + _MONTH
                + "-"
                + _DAY
                + r"-birdnet-(?:(?!\d)\w+-)?"
                + _HOUR
                + r"(?P<t>[:_.-]|%3A|[\u2236\ua789\uf03a\uff1a])"
                + _MINUTE
                + r"(?:(?P=t)"
                + _SECOND
                + r"(?P<p>[ap]m)?|(?P<q>[ap]m))"
                + _WORD_TAIL
            ),
            "BirdNET-Pi, also with the stream's name (2022-11-21-birdnet-RTSP_1-16:09:08), and with another sign for "
            "the colon (Windows allows none); older versions with 04:09:08pm or 04:09pm",
            "no: the computer's time zone",
            "mcguirepr89/BirdNET-Pi and Nachtzuster/BirdNET-Pi scripts/birdnet_recording.sh",
        ),
        NamePattern(
            "soundtrap",
            "6075.220210084905.wav",
            r"(?<![0-9.])\d{3,10}\." + _SHORT_DATE + _TIME + _WORD_TAIL,
            "Ocean Instruments SoundTrap: serial number, then YYMMDDHHMMSS",
            "no: the recorder's clock is set from a computer, to its zone or to UTC",
            "Ocean Instruments, SoundTrap ST500 User Manual, 3.2",
        ),
        NamePattern(
            "compact",
            "SanctSound_SB01_01_1678032935_181112190000.wav",
            r"(?:^|(?<=[_-]))" + _SHORT_DATE + _TIME + _WORD_TAIL,
            "renamed SoundTrap files, Avisoft",
            "no",
            "MarineBioAcousticsRC/Triton wavname2dnum.m; xaviermouy/ecosound time_stamp.py",
        ),
        NamePattern(
            "compact_long",
            "hydrophone_20230210000001.wav",
            _ALONE + _DATE + _TIME + _TAIL,
            "any",
            "if it ends in Z, UTC, an offset or letters such as PDT",
            "PAMGuard StandardFileDate",
        ),
        NamePattern(
            "compact_minute",
            "hydrophone_202302100005.wav",
            r"(?:^|(?<=[_-]))" + _DATE + _HOUR + _MINUTE + _WORD_TAIL,
            "any; where the same twelve digits could be YYMMDDHHMMSS too, neither is believed",
            "no",
            "PAMGuard StandardFileDate (formats with and without seconds)",
        ),
        NamePattern(
            "short_date",
            "sample_220925_223510.wav",
            _ALONE + _SHORT_DATE + r"[_T-]" + _TIME + _TAIL,
            "OSEkit; HARP and NOAA noise reference stations (NRS08-140523-001620); SanctSound (…_181112T190000Z). The "
            "year comes first: for names with the day first, give a pattern",
            "if it ends in Z, UTC, an offset or letters such as PDT",
            "MarineBioAcousticsRC/Triton wavname2dnum.m; Project-OSmOSE/OSEkit; xaviermouy/ecosound time_stamp.py",
        ),
        NamePattern(
            "dsg",
            "0222.DSG_RAWD_HMS_21_50_ 0__DMY_ 1_ 7_10.wav",
            (
                r"HMS_ ?(?P<H>\d\d?)_ ?(?P<M>\d\d?)_ ?(?P<S>\d\d?)__"
                r"DMY_ ?(?P<d>\d\d?)_ ?(?P<m>\d\d?)_ ?(?P<y>\d\d?)" + _WORD_TAIL
            ),
            "Loggerhead Instruments DSG",
            "no",
            "PAMGuard StandardFileDate (example)",
        ),
        NamePattern(
            "audiomoth_hex",
            "5E90A4D4.WAV",
            r"^(?P<epoch>[5-7][0-9A-F]{7})(?=\.|$)",
            "the first AudioMoths: seconds since 1970. Names of decimal digits only could be anything else: they are "
            "read so where this pattern is asked for by name",
            "yes: UTC",
            "seewave audiomoth(); OpenSoundscape audiomoth_start_time",
        ),
    )
}
"""Every pattern by its name. A name is held against all of them; it counts if they find one time in it, not two."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A time that stands somewhere, with a zone if one stands beside it."""

    wall: datetime
    zone: tzinfo | Abbreviation | None
    source: str

    @property
    def utc(self) -> datetime | None:
        zoned = isinstance(self.zone, tzinfo)
        return self.wall.replace(tzinfo=self.zone).astimezone(UTC) if zoned else None  # type: ignore[arg-type]

    def settled(self, given: _Zone | None) -> _Reading:
        """Return the same time with the offset that its abbreviation has, alone or beside the zone that was given."""
        if not isinstance(self.zone, Abbreviation):
            return self
        offset = self.zone.offset()
        if offset is None and given is not None:
            offset = self.zone.offset_beside(self.wall, given.info)
        if offset is None:
            return self
        source = f"{self.source} in {self.zone.text} ({offset_text(offset)})"
        return _Reading(self.wall, timezone(timedelta(minutes=offset)), source)


@dataclass(frozen=True, slots=True)
class _Zone:
    """A time zone as it was given."""

    text: str
    info: tzinfo


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
        Its file name or key; only what follows the last slash counts.
    metadata : Metadata, optional
    time_zone : str, optional
        What local times are local to: see :func:`parse_time_zone`.
    pattern : str, optional
        How to read the name, instead of all of :data:`PATTERNS`: see :func:`parse_pattern`.
    start : str, optional
        The start itself: see :func:`parse_start`.

    Raises
    ------
    InvalidSettings
        ``time_zone``, ``pattern`` or ``start`` cannot be understood.
    UnsupportedRecording
        The local time exists twice, or not at all, in the time zone.
    """
    zone = None if time_zone is None else _Zone(time_zone, parse_time_zone(time_zone))
    asked = None if pattern is None else parse_pattern(pattern)
    if start is not None:
        return RecordingStart(parse_start(start), "given")
    from_name, trouble = _read_name(_base(name), asked)
    readings = tuple(
        each.settled(zone)
        for each in _ranked(from_name, () if metadata is None else tuple(_read_metadata(metadata)), zone)
    )
    if not readings:
        nothing = f"neither its name nor its header has a date with a time; {_mend(_base(name))}"
        return RecordingStart(None, reason=f"{name}: {trouble or nothing}")
    chosen = readings[0]
    notes = tuple(
        chain(
            (Note("start", trouble),) if trouble else (),
            _disagreements(chosen, readings[1:], zone),
            _contradictions(chosen, zone, from_name),
            _pauses(chosen, metadata),
            _unset_clock(chosen.wall),
        )
    )
    if chosen.utc is not None:
        return RecordingStart(chosen.utc, chosen.source, chosen.wall, notes=notes)
    if isinstance(chosen.zone, Abbreviation):
        reason = f"{name}: {_unclear(_base(name), chosen, chosen.zone, zone)}"
        return RecordingStart(None, chosen.source, chosen.wall, reason, notes)
    if zone is None:
        return RecordingStart(None, chosen.source, chosen.wall, _no_zone(name, chosen), notes)
    source = f"{chosen.source} and time zone {zone.text}"
    return RecordingStart(_localised(chosen.wall, zone, name), source, chosen.wall, notes=notes)


def _base(name: str) -> str:
    """Return what follows the last slash, without the front of what is longer than a file name."""
    return re.split(r"[/\\]", name)[-1][-_LONGEST_NAME:]


def _ranked(from_name: _Reading | None, from_header: tuple[_Reading, ...], zone: _Zone | None) -> tuple[_Reading, ...]:
    """Sort by what counts first: the header with its own zone, the name, the header without."""
    zoned = tuple(each for each in from_header if each.settled(zone).utc is not None)
    local = tuple(each for each in from_header if each.settled(zone).utc is None)
    return (*zoned, *(() if from_name is None else (from_name,)), *local)


def _contradictions(chosen: _Reading, given: _Zone | None, from_name: _Reading | None) -> Iterator[Note]:
    """Say that an abbreviation in the name counts although another time zone was given."""
    if given is None or from_name is None or not isinstance(from_name.zone, Abbreviation):
        return
    if chosen.utc is None or chosen != from_name.settled(given):
        return
    offset = (chosen.wall - chosen.utc.replace(tzinfo=None)) // timedelta(minutes=1)
    if offset != from_name.zone.offset_beside(chosen.wall, given.info):
        text = from_name.zone.text
        yield Note(
            "start",
            f"the name says {text} ({offset_text(offset)}), which counts although time_zone is {given.text}",
            {"name": text, "time_zone": given.text},
        )


def _pauses(chosen: _Reading, metadata: Metadata | None) -> Iterator[Note]:
    if metadata is not None and metadata.pauses:
        yield Note(
            "start",
            f"the header (harp) lists {metadata.pauses} pauses within the recording; times behind the first pause are "
            f"too early, because samples are counted from the start ({chosen.source})",
            {"pauses": metadata.pauses},
        )


_UNSET = (
    (datetime(1904, 1, 1), timedelta(days=31)),  # Apple's and MP4's zero
    (datetime(1969, 12, 31, 10), timedelta(days=31, hours=14)),  # Unix's, also west of Greenwich
    (datetime(1980, 1, 1), timedelta(days=31)),  # FAT's, and on the sixth that of GPS
    (datetime(2000, 1, 1), timedelta(days=31)),  # that of most clock chips
    (datetime(2001, 1, 1), timedelta(days=1)),
    (datetime(2010, 1, 1), timedelta(days=1)),
    (datetime(2014, 1, 1), timedelta(days=1)),
)
"""Where clocks begin that nobody set, and how long after that a recording is still taken for one of theirs."""


def _unset_clock(wall: datetime) -> Iterator[Note]:
    if any(first <= wall < first + most for first, most in _UNSET):
        yield Note(
            "clock-not-set",
            f"the start {wall.isoformat(' ')} lies where clocks begin that were never set, so the times are probably "
            f"not those of the recording; if you know the start, give it, {_START}",
            {"start": wall.isoformat()},
        )


def _unclear(base: str, reading: _Reading, abbreviation: Abbreviation, given: _Zone | None) -> str:
    """Ask which zone an abbreviation is, with settings that answer it for this very recording."""
    text = abbreviation.text
    offsets = [f"{offset_text(offset)} (as in {place})" for offset, place in abbreviation.meanings]
    beside = f", and the time zone {given.text} is none of them at that time" if given is not None else ""
    word = " or an ordinary word" if text in ORDINARY_WORDS else ""
    mend = " or ".join(f"--set time_zone={offset_text(offset)}" for offset, _ in abbreviation.meanings)
    pattern = _pattern_for(base, _Reading(reading.wall, None, "")) if reading.source.startswith("name") else None
    ignore = "" if pattern is None else f"; or if {text} is no zone, {_set('name_pattern', pattern)} with a time_zone"
    return (
        f"{reading.source} says {reading.wall.isoformat(' ')} {text}, which may be {' or '.join(offsets)}{word}"
        f"{beside}; say which, {mend}{ignore}"
    )


def _no_zone(name: str, reading: _Reading) -> str:
    return (
        f"{name}: {reading.source} says {reading.wall.isoformat(' ')}, but not in which time zone; give it, e.g. "
        f"--set time_zone=UTC, --set time_zone=+10:00 or --set time_zone=Europe/Paris"
    )


def _localised(wall: datetime, zone: _Zone, name: str) -> datetime:
    """Return the one moment at which clocks of the zone showed ``wall``."""
    first, second = (wall.replace(tzinfo=zone.info, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    offsets = f"{_offset(first)} or {_offset(second)}"
    if first.astimezone(UTC).astimezone(zone.info).replace(tzinfo=None) != wall:
        raise UnsupportedRecording(
            f"{name}: {wall.isoformat(' ')} did not exist in {zone.text}, where clocks were set forward; the recorder "
            f"kept another time: give its fixed offset, --set time_zone={offsets}, or UTC"
        )
    raise UnsupportedRecording(
        f"{name}: {wall.isoformat(' ')} happened twice in {zone.text}, where clocks were set back; "
        f"give the offset of the recorder's clock, --set time_zone={offsets}, or the start itself"
    )


def _offset(moment: datetime) -> str:
    return moment.isoformat()[-6:]


def _disagreements(chosen: _Reading, others: tuple[_Reading, ...], zone: _Zone | None) -> Iterator[Note]:
    for other in others:
        if _apart(chosen, other, zone):
            yield Note(
                "start",
                f"{chosen.source} says {_shown(chosen)}, {other.source} says {_shown(other)}; the first is used",
                {"used": _shown(chosen), "other": _shown(other)},
            )


def _apart(one: _Reading, other: _Reading, zone: _Zone | None) -> bool:
    moments = [each.utc or (_quietly_localised(each, zone) if zone else None) for each in (one, other)]
    if moments[0] is not None and moments[1] is not None:
        return abs(moments[0] - moments[1]) > _TOLERANCE
    difference = abs(one.wall - other.wall)
    if one.zone is None and other.zone is None:
        return difference > _TOLERANCE
    # Without its zone a time can only disagree with a known one by what is not an offset: zones go by quarters.
    quarter = timedelta(minutes=15)
    return difference > timedelta(hours=26) or min(difference % quarter, -difference % quarter) > _TOLERANCE


def _quietly_localised(reading: _Reading, zone: _Zone) -> datetime | None:
    if reading.zone is not None:
        return None
    try:
        return _localised(reading.wall, zone, "")
    except UnsupportedRecording:
        return None


def _shown(reading: _Reading) -> str:
    return format_utc(reading.utc) if reading.utc is not None else f"{reading.wall.isoformat(' ')} local time"


def _read_name(base: str, asked: NamePattern | None) -> tuple[_Reading | None, str]:
    """Return the one time in a name, or what is wrong with it; neither where it has none and none was asked for."""
    matches = [
        (pattern, match)
        for pattern in (PATTERNS.values() if asked is None else (asked,))
        for match in pattern.expression.finditer(base)
        if asked is not None or not _could_be_anything(pattern, match)
    ]
    doubtful = [match for _, match in matches if asked is None and _doubtful_offset(match)]
    if doubtful:
        return None, _doubt(base, doubtful[0])
    found, broken = _times(matches)
    if len(found) == 1:
        return found[0], "" if asked is None else _left_out(base, matches)
    if found:
        return None, f"several times can be read in its name; say which with a pattern: {_choices(base, found)}"
    if broken:
        return None, f"{broken!r} is written like a time, but there is none such; {_mend(base)}"
    return None, f"its name does not fit the pattern {asked.name}; {_mend(base)}" if asked is not None else ""


def _left_out(base: str, matches: list[tuple[NamePattern, re.Match[str]]]) -> str:
    """Say that a pattern without a zone stops before one."""
    for pattern, match in matches:
        behind = re.match(ZONE, base[match.end("all") :])
        if behind is None or "z" in match.groupdict() or not any(letter.isalpha() for letter in behind[0]):
            continue
        try:
            zone = parse_zone(behind[0])
        except ValueError:
            continue
        if isinstance(zone, tzinfo) or (zone is not None and zone.offset() is not None):
            return f"behind the time its name says {behind[0]!r}, which the pattern {pattern.name} leaves out; add %z"
    return ""


def _doubt(base: str, match: re.Match[str]) -> str:
    """Say that the end of a time may be an offset, with one pattern for each answer."""
    patterns = [_written(match, zoned=zoned) for zoned in (False, True)]
    works = [each for each in patterns if each is not None and _reads(base, each) is not None]
    mend = " or ".join(_set("name_pattern", each) for each in works)
    return (
        f"the end of {match['all']!r} may be an offset from UTC or a number; say which with a pattern, {mend}"
        if works
        else f"the end of {match['all']!r} may be an offset from UTC or a number; give the start, {_START}"
    )


def _choices(base: str, found: list[_Reading]) -> str:
    patterns = [(each, _pattern_for(base, each)) for each in found]
    known = [f"{_set('name_pattern', text)} reads {_shown(each)}" for each, text in patterns if text is not None]
    return ", ".join(known) if known else f"{', '.join(map(_shown, found))}; or give the start, {_START}"


def _times(matches: list[tuple[NamePattern, re.Match[str]]]) -> tuple[list[_Reading], str]:
    """Return the different times among matches, and the first that is written like one and does not exist."""
    read: list[tuple[re.Match[str], _Reading]] = []
    broken = ""
    for pattern, match in matches:
        try:
            read.append((match, _checked(_reading_of(pattern, match))))
        except (ValueError, OverflowError):
            broken = broken or match["all"]
    # A year of four digits leaves no doubt about what follows: its hours begin no other date.
    sure = [match.span("all") for match, _ in read if match.groupdict().get("Y")]
    kept = [reading for match, reading in read if not any(first < match.start() < last for first, last in sure)]
    different: dict[tuple[datetime, datetime | Abbreviation | None], _Reading] = {}
    for reading in kept:
        zone = reading.zone if isinstance(reading.zone, Abbreviation) else reading.utc
        different.setdefault((reading.wall, zone), reading)
    return list(different.values()), broken


_START = "e.g. --set start=2019-09-20T00:42:48Z"


def _set(name: str, value: str) -> str:
    """Return an option as it can be pasted into a shell."""
    return f"--set {shlex.quote(f'{name}={value}')}"


def _mend(base: str) -> str:
    """Say how the start of a recording can be given; a pattern is shown only if it can read this very name."""
    for text in _trials(base):
        reading = _reads(base, text)
        if reading is not None:
            return f"give a pattern, e.g. {_set('name_pattern', text)} reads {_shown(reading)}, or the start, {_START}"
    return f"give the start, {_START}"


_TRIAL_DATES = (
    *("%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d", "%d-%m-%Y", "%d_%m_%Y", "%d.%m.%Y", "%d%m%Y", "%m-%d-%Y"),
    *("%Y%d%m", "%y-%m-%d", "%y.%m.%d", "%d-%m-%y", "%d.%m.%y", "%d%m%y", "%Y%j"),
)
_TRIAL_TIMES = ("%H%M%S", "%H-%M-%S", "%H_%M_%S", "%H.%M.%S", "%H:%M:%S", "%H%M", "%H-%M", "%H_%M", "%H:%M")
_TRIAL_SIGNS = ("_", "-", "T", " ")


def _trials(base: str) -> Iterator[str]:
    """Yield patterns that people write and whose date is in a name, to find one for a name that none of ours reads."""
    for date in _TRIAL_DATES:
        if re.search(rf"(?<!\d){_expression(date)}", base) is None:
            continue
        for sign in (*_TRIAL_SIGNS, *("*" if re.search(r"\W|_", date.replace("%", "")) else "")):
            yield from (f"{date}{sign}{time}" for time in _TRIAL_TIMES)


def _only_reading(base: str, pattern: NamePattern) -> _Reading | None:
    """Return the one time that a pattern reads in a name; None where that is none, or several."""
    found, _ = _times([(pattern, match) for match in pattern.expression.finditer(base)])
    return found[0] if len(found) == 1 else None


def _reads(base: str, text: str) -> _Reading | None:
    try:
        return _only_reading(base, parse_pattern(text))
    except InvalidSettings:
        return None


def _pattern_for(base: str, wanted: _Reading) -> str | None:
    """Return a pattern as a user would give it, that reads just this time in this name; None where there is none."""
    for pattern in PATTERNS.values():
        for match in pattern.expression.finditer(base):
            text = _written(match, zoned=wanted.zone is not None)
            if text is None:
                continue
            first, last = match.span("all")
            after = re.match(r"[^\d*]{0,12}", base[last:])
            before = re.search(r"[^\d*]{0,12}$", base[:first])
            around = [(before[0] if before else "").replace("%", "%%"), (after[0] if after else "").replace("%", "%%")]
            ending = re.search(r"\.\w*$|$", base)
            to_the_end = f"*{ending[0] if ending else ''}"
            for candidate in (text, text + around[1], around[0] + text, text + around[1] + to_the_end):
                reading = _reads(base, candidate)
                if reading is not None and (reading.wall, reading.zone) == (wanted.wall, wanted.zone):
                    return candidate
    return None


def _written(match: re.Match[str], *, zoned: bool) -> str | None:
    """Return a match as a pattern of directives; None where those cannot say it."""
    offset, text = match.start("all"), match["all"]
    spans = sorted((match.start(name), match.end(name), name) for name in match.groupdict() if match[name] is not None)
    pieces, at = [], offset
    for first, last, name in spans:
        if name == "z" and not zoned:
            continue
        if name in _DIRECTIVES:
            pieces.append(text[at - offset : first - offset].replace("%", "%%") + f"%{name}")
            at = last
    end = match.start("z") if match.groupdict().get("z") and not zoned else match.end("all")
    rest = text[at - offset : end - offset].replace("%", "%%")
    written = "".join(pieces) + rest
    return None if "*" in written or match.groupdict().get("epoch") else written


def _could_be_anything(pattern: NamePattern, match: re.Match[str]) -> bool:
    return pattern.name == "audiomoth_hex" and match["epoch"].isdecimal()


def _doubtful_offset(match: re.Match[str]) -> bool:
    """Say whether what follows a time may as well be the next number.

    ``-0330`` is an offset in ISO 8601 only; behind ``UTC`` or ``GMT`` all is an offset that can be one, and the rest,
    such as ``UTC-001``, is asked about.
    """
    zone = re.sub(r"^[ _-]?\(?(?=[A-Za-z])|\)$", "", match.groupdict().get("z") or "").translate(DASHES)
    if zone[:3].upper() in {"UTC", "GMT"}:
        try:
            minutes = (offset_zone(zone).utcoffset(None)) // timedelta(minutes=1)
        except ValueError:
            return True
        return minutes % 15 != 0
    if not zone.startswith("-"):
        return False
    digits = zone[1:].replace(":", "")
    is_offset = len(digits) == 4 and "01" <= digits[:2] <= "12" and digits[2:] in {"00", "15", "30", "45"}
    return not (is_offset and "T" in match["all"])


def _reading_of(pattern: NamePattern, match: re.Match[str]) -> _Reading:
    """Turn a match into a time; ValueError where the digits are none."""
    groups = {key: value for key, value in match.groupdict().items() if value is not None}
    source = f"name ({pattern.name})"
    if "epoch" in groups:
        return _Reading((_EPOCH + timedelta(seconds=int(groups["epoch"], 16))).replace(tzinfo=None), UTC, source)
    year = int(groups["Y"]) if "Y" in groups else _full_year(int(groups["y"]))
    hour = _hour(int(groups["H"]), groups.get("p") or groups.get("q"))
    clock = hour, int(groups["M"]), int(groups.get("S", "0")), _microseconds(groups.get("f", ""))
    if "j" in groups:
        wall = datetime(year, 1, 1, *clock) + timedelta(days=int(groups["j"]) - 1)
        if wall.year != year:
            raise ValueError("no such day")
    else:
        wall = datetime(year, int(groups["m"]), int(groups["d"].replace("_", "0")), *clock)
    return _Reading(wall, parse_zone(groups["z"]) if "z" in groups else None, source)


def _hour(hour: int, half: str | None) -> int:
    """Return the hour of a day from that of a clock with am and pm; ValueError where such a clock has none."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no such hour")
    return hour % 12 + (12 if half == "pm" else 0)


def _full_year(year: int) -> int:
    """Return the year of two digits as POSIX has it: 69 to 99 are of the last century."""
    return year + (1900 if year >= 69 else 2000)


def _microseconds(digits: str) -> int:
    return int(digits[:6].ljust(6, "0"))


_DATE_TAGS = ("DATE", "DATE_RECORDED", "CREATIONDATE")


def _read_metadata(metadata: Metadata) -> Iterator[_Reading]:
    """Yield the times of a header, those that mean the start of the recording first."""
    info, tags = metadata.info, metadata.tags
    stated = (
        (metadata.guano.get("Timestamp"), "GUANO Timestamp"),
        *((text, source) for source, text in metadata.starts.items()),
        (tags.get("RECORDINGSTART"), "RecordingStart"),
    )
    for text, source in stated:
        if text and (reading := _read_iso(text, source)) is not None:
            yield reading
    comments = (info.get("ICMT"), info.get("ANNO"), tags.get("COMMENT"), tags.get("DESCRIPTION"))
    for comment in comments:
        if comment and (reading := _read_audiomoth(comment)) is not None:
            yield reading
            break
    for text, source in ((info.get("ICRD"), "ICRD"), *((tags.get(name), name) for name in _DATE_TAGS)):
        if text and (reading := _read_iso(text, source)) is not None:
            yield reading
    if metadata.broadcast is not None:
        reading = _read_broadcast(metadata.broadcast, metadata.sample_rate)
        if reading is not None:
            yield reading


_ISO = re.compile(
    r"((?:19|20)\d\d)([-/:.])([ \d]\d)\2([ \d]\d)[T ]([ \d]\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"
    rf" ?({ZONE}|[+-]\d\d)?"
)


def _read_iso(text: str, source: str) -> _Reading | None:
    """Read a date and a time of day; a date alone says nothing of when a recording began."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    year, _, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        clock = int(hour), int(minute), int(second or 0), _microseconds(fraction or "")
        wall = datetime(int(year), int(month), int(day), *clock)
        known = None if zone is None else parse_zone(f"{zone}:00" if re.fullmatch(r"[+-]\d\d", zone) else zone)
        return _checked(_Reading(wall, known, source))
    except (ValueError, OverflowError):
        return None


def _checked(reading: _Reading) -> _Reading:
    """Return a reading as it is; OverflowError where its moment lies beyond the years 1 to 9999."""
    _ = reading.utc
    return reading


_AUDIOMOTH = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? (\d\d)/(\d\d)/(\d{4})"
    r"(?: \(((?:UTC|GMT)[^)]{0,8})\))? (?:by|during)\b"
)


def _read_audiomoth(comment: str) -> _Reading | None:
    """Read the comment of an AudioMoth; the offset stands in it without a leading zero: ``UTC-3:30``."""
    match = _AUDIOMOTH.search(comment)
    if match is None:
        return None
    hour, minute, second, fraction, day, month, year, zone = match.groups()
    try:
        clock = int(hour), int(minute), int(second), _microseconds(fraction or "")
        wall = datetime(int(year), int(month), int(day), *clock)
        return _checked(_Reading(wall, None if zone is None else offset_zone(zone), "AudioMoth comment"))
    except (ValueError, OverflowError):
        return None


def _read_broadcast(broadcast: BroadcastExtension, sample_rate: int | None) -> _Reading | None:
    """Read when the samples begin.

    ``TimeReference`` counts samples since midnight and is exact, but editors count from the start of a project. It
    is used where it agrees with the time beside it.
    """
    date = re.fullmatch(r"(\d{4})[-_:./ ](\d\d)[-_:./ ](\d\d)", broadcast.date)
    time = re.fullmatch(r"(\d\d)[-_:. ](\d\d)[-_:. ](\d\d)", broadcast.time)
    if date is None or time is None:
        return None
    try:
        wall = datetime(*(int(each) for each in (*date.groups(), *time.groups())))  # type: ignore[arg-type]
    except ValueError:
        return None
    if broadcast.time_reference and sample_rate:
        micro = microseconds_of(broadcast.time_reference, sample_rate)
        since_midnight = wall - wall.replace(hour=0, minute=0, second=0)
        # Far more than a day would not even fit a timedelta.
        if micro < 86_400 * MICROSECONDS and abs(timedelta(microseconds=micro) - since_midnight) <= _TOLERANCE:
            wall = wall - since_midnight + timedelta(microseconds=micro)
    return _Reading(wall, None, broadcast.chunk)


_PROBE = "Europe/London"


def parse_time_zone(text: str) -> tzinfo:
    """Return a time zone.

    Parameters
    ----------
    text : str
        ``UTC``; an offset such as ``+10:00``, ``UTC+10`` or ``-03:30``, positive east of Greenwich; or the name of a
        place in the IANA database, such as ``Asia/Tokyo``. Abbreviations are refused: ``EST`` is New York's and
        Brisbane's.

    Raises
    ------
    InvalidSettings
        It is none of these, or this machine has no time zone database.
    """
    try:
        return offset_zone(text)
    except ValueError:
        pass
    if re.match(r"(?:UTC|GMT)?\s?[-+\d]", text.translate(DASHES), re.IGNORECASE):
        raise InvalidSettings(
            f"time_zone {text!r} is no offset from UTC: those go from -12:00 to +14:00, e.g. +10:00 or -03:30"
        )
    if not re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+)+", text):
        raise InvalidSettings(
            f"time_zone {text!r} is no time zone; give UTC, an offset such as +10:00, or a place of the IANA "
            f"database such as Australia/Brisbane"
        )
    place = _place(text)
    if place is not None:
        return place
    if _place(_PROBE) is None:
        raise InvalidSettings(
            f"time_zone {text!r} cannot be looked up: this machine has no time zone database; give an offset such as "
            f"+10:00, or install the package tzdata"
        )
    raise InvalidSettings(f"time_zone {text!r} is no place of the IANA database, such as Australia/Brisbane")


def _place(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # not found; no zone file; a folder of the database
        return None


def parse_start(text: str) -> datetime:
    """Return a start that was given: ISO 8601 with its offset, e.g. ``2019-09-20T00:42:48.5Z``.

    Raises
    ------
    InvalidSettings
        It is no such moment, or has no offset.
    """
    reading = _read_iso(text, "given") if re.match(r"\d{4}-", text) else None
    if reading is None:
        raise InvalidSettings(
            f"start {text!r} is no time; write it as 2019-09-20T00:42:48Z or 2019-09-20T10:42:48+10:00"
        )
    if reading.utc is None:
        raise InvalidSettings(f"start {text!r} has no offset; end it with Z for UTC, or with one such as +10:00")
    return reading.utc


_DIRECTIVES = {
    "Y": _YEAR,
    "y": _SHORT_YEAR,
    "m": _MONTH,
    "d": _DAY,
    "j": r"(?P<j>\d{3})",
    "H": _HOUR,
    "M": _MINUTE,
    "S": _SECOND,
    "f": r"(?P<f>\d{1,6})",
    "z": rf"(?P<z>{ZONE}|[+-]\d\d(?!\d))",
}


@lru_cache(maxsize=256)
def parse_pattern(text: str) -> NamePattern:
    """Return the pattern of a setting.

    Parameters
    ----------
    text : str
        The name of one of :data:`PATTERNS`; or how the time is written in the name, as in ``strptime``:
        ``%Y`` or ``%y``, ``%m`` and ``%d`` or ``%j``, ``%H``, ``%M``, ``%S``, ``%f`` (fraction of a second), ``%z``
        (``Z`` or an offset), ``%%``; and ``*`` once for anything between. It may stand anywhere in the name. No
        regular expressions: a pattern comes with a request, and some of those never end.

    Raises
    ------
    InvalidSettings
        Unknown directives, or no complete date and time.
    """
    if text in PATTERNS:
        return PATTERNS[text]
    if len(text) > _LONGEST_NAME:
        raise InvalidSettings(f"name_pattern is longer than a file name can be: {text[:40]!r}…")
    parts = _parts(text)
    directives = [part[1:] for part in parts if part.startswith("%") and part != "%%"]
    unknown = [each for each in directives if each not in _DIRECTIVES]
    if unknown:
        raise InvalidSettings(f"name_pattern {text!r} has %{unknown[0]}; it can have %{' %'.join(_DIRECTIVES)}")
    if len(set(directives)) != len(directives) or parts.count("*") > 1:
        raise InvalidSettings(f"name_pattern {text!r} has a directive, or *, more than once")
    given = set(directives)
    one_year = len(given & {"Y", "y"}) == 1
    if not one_year or (given & {"m", "d", "j"} not in ({"m", "d"}, {"j"})) or not given >= {"H", "M"}:
        raise InvalidSettings(
            f"name_pattern {text!r} has no complete date and time, such as %Y%m%d_%H%M%S, and is none of "
            f"{', '.join(PATTERNS)}"
        )
    return NamePattern(text, "", rf"(?<!\d){_expression(text)}(?!\d)", "", "with %z")


def _expression(text: str) -> str:
    """Return the regular expression of a pattern of directives."""
    return "".join(_pattern_part(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    return re.findall(r"%.|[^%]|%$", text, re.DOTALL)


def _pattern_part(part: str) -> str:
    if part == "*":
        return ".*?"
    if part.startswith("%") and part != "%%":
        return _DIRECTIVES[part[1:]]
    return re.escape(part[-1])


def utc_of(start: datetime, sample: int, sample_rate: int) -> datetime:
    """Return the moment of a sample, to the nearest microsecond, halves up, by integer arithmetic.

    Parameters
    ----------
    start : datetime
        The moment of sample 0, with a zone.
    sample : int
    sample_rate : int
        Samples per second as the header has it: a clock that drifts is not corrected.
    """
    if start.tzinfo is None:
        raise ValueError("a start without a time zone is no moment")
    return start.astimezone(UTC) + timedelta(microseconds=microseconds_of(sample, sample_rate))


def format_utc(moment: datetime) -> str:
    """Print a moment as ISO 8601 in UTC: ``2019-09-20T00:42:48.000000Z``."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone is no moment")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
