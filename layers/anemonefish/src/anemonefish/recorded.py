"""When a recording began, in UTC: from its name, from its header, or given. Never guessed.

Owns the table of file-name patterns (:data:`PATTERNS`), the reading of the times that recorders write into headers, and
the one way from a sample to a moment. A local time without a time zone is not a UTC time: the answer then has the local
time, and says what is missing. A local time that a clock change repeats or skips is an error, not a choice.

What counts, first to last:

1. a start that was given;
2. metadata with their own zone: a GUANO timestamp with an offset, an AudioMoth comment;
3. a name with its own zone: ``Z``, an offset, or a count of seconds since 1970;
4. a name and the time zone that was given;
5. metadata without a zone and the time zone that was given: a GUANO timestamp, ``ICRD`` or ``DATE``, at last ``bext``,
   which EBU Tech 3285 defines without a zone and some programs fill in when they copy the file.

Everything is counted in whole microseconds; nothing here is a float. Never opens a file: :mod:`anemonefish.metadata`
reads the headers.

Sources of the times in headers: GUANO specification 1.0, "Timestamp"; Wildlife Acoustics, SM5 User Guide, "GUANO
Metadata Fields" (with the offset of the recorder); Open Acoustic Devices, AudioMoth firmware, ``setHeaderComment`` (1.0
named no zone); Microsoft/IBM RIFF MCI (``ICRD``); EBU Tech 3285 v2 (``OriginationDate``, ``OriginationTime``,
``TimeReference``); ISO 8601. SoundTraps write no time into the WAV, but into an ``.xml`` file beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.metadata import BroadcastExtension, Metadata

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

_MICRO = 1_000_000
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
    notes : tuple of str
        What a user should know: name and header that disagree.
    """

    utc: datetime | None
    source: str = ""
    local: datetime | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamePattern:
    """One way to write a time into a file name.

    Attributes
    ----------
    name : str
        What it is called in settings and answers.
    example : str
        A real name.
    expression : re.Pattern of str
        Groups ``Y`` or ``y``, ``m``, ``d``, ``H``, ``M``, ``S``, ``f`` (fraction), ``z`` (zone), ``j`` (day of the
        year); or ``epoch``, seconds since 1970 in hexadecimal digits.
    recorders : str
        Who writes it.
    zone : str
        ``yes``, ``no``, or when.
    source : str
        Where it is documented.
    """

    name: str
    example: str
    expression: re.Pattern[str]
    recorders: str
    zone: str
    source: str = ""


_YEAR, _SHORT_YEAR = r"(?P<Y>(?:19|20)\d\d)", r"(?P<y>\d\d)"
_MONTH, _DAY = r"(?P<m>\d\d)", r"(?P<d>\d\d)"
_HOUR, _MINUTE, _SECOND = r"(?P<H>\d\d)", r"(?P<M>\d\d)", r"(?P<S>\d\d)"
_DATE, _SHORT_DATE = _YEAR + _MONTH + _DAY, _SHORT_YEAR + _MONTH + _DAY
_TIME = _HOUR + _MINUTE + _SECOND
_ZONE = r"(?:_?Z|_?UTC(?:[+-]\d\d?(?::?\d\d)?)?|[+-]\d\d:?\d\d)(?![0-9A-Za-z])"
# Three or six digits are a fraction only where nothing but the zone and the ending follow: `_001_` is a counter.
_FRACTION = rf"(?:[._,](?P<f>\d{{6}}|\d{{3}})(?={_ZONE}|(?:\.[A-Za-z]\w*)*$))?"
_TAIL = rf"{_FRACTION}(?P<z>{_ZONE})?(?!\d)"
_ALONE = r"(?<!\d)"


def _shape(expression: str) -> re.Pattern[str]:
    # Looking ahead finds times that overlap too: of three numbers in a row, two pairs may be dates.
    return re.compile(f"(?=(?P<all>{expression}))")


PATTERNS: dict[str, NamePattern] = {
    each.name: each
    for each in (
        NamePattern(
            "iso",
            "AMAR173.4.20190920T004248Z.wav",
            _shape(_ALONE + _DATE + "T" + _TIME + _TAIL),
            "JASCO AMAR; icListen at Ocean Networks Canada (ICLISTENHF1251_20130813T063620.983Z); any "
            "ISO 8601 in its basic form",
            "if it ends in Z or an offset",
            "ISO 8601; MarineBioAcousticsRC/Triton wavname2dnum.m (AMAR); Ocean Networks Canada "
            "file names; xaviermouy/FishSound_Finder deployment_info.csv",
        ),
        NamePattern(
            "date_time",
            "SMA01234_20230210_000001.wav",
            _shape(_ALONE + _DATE + r"[_$-]" + _TIME + _TAIL),
            "AudioMoth (20200214_191730.WAV, triggered …T.WAV); Wildlife Acoustics SM2, SM3, SM4, Mini ($ instead of _ "
            "where GPS set the clock); icListen (SBW1391_20181001_120000); SanctSound; PAMGuard "
            "(PAM_20171108_094819_000, milliseconds last); the lab's 20230210_000001_LL_B55_M_R",
            "if it ends in Z, UTC or an offset",
            "sonicscrewdriver parseFilename() (AudioMoth); Wildlife Acoustics, SM3BAT User Guide, 8.1; "
            "seewave songmeter(); PAMGuard StandardFileDate; xaviermouy/ecosound "
            "filename_to_datetime",
        ),
        NamePattern(
            "separated",
            "channelA_2021-10-11_13-11-09.wav",
            _shape(
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
            "(OO-HYEA2--YDH-2015-12-16T023000.000000); Orcasound; OSEkit (2024_02_24_19_56_18_000000+0100)",
            "if it ends in Z, UTC or an offset",
            "lifewatch/pyhydrophone (RTSys); Project-OSmOSE/OSEkit issue 374; xaviermouy/ecosound time_stamp.py; "
            "orcasound/orcanode issue 7",
        ),
        NamePattern(
            "soundtrap",
            "6075.220210084905.wav",
            _shape(r"(?<![0-9.])\d{3,10}\." + _SHORT_DATE + _TIME + r"(?!\d)"),
            "Ocean Instruments SoundTrap: serial number, then YYMMDDHHMMSS",
            "no: the recorder's clock is set from a computer, to its zone or to UTC",
            "Ocean Instruments, SoundTrap ST500 User Manual, 3.2",
        ),
        NamePattern(
            "compact",
            "SanctSound_SB01_01_1678032935_181112190000.wav",
            _shape(r"(?:^|(?<=[_-]))" + _SHORT_DATE + _TIME + r"(?!\d)"),
            "renamed SoundTrap files, Avisoft",
            "no",
            "MarineBioAcousticsRC/Triton wavname2dnum.m; xaviermouy/ecosound time_stamp.py",
        ),
        NamePattern(
            "compact_long",
            "hydrophone_20230210000001.wav",
            _shape(_ALONE + _DATE + _TIME + _TAIL),
            "any",
            "if it ends in Z, UTC or an offset",
            "PAMGuard StandardFileDate",
        ),
        NamePattern(
            "compact_minute",
            "hydrophone_202302100005.wav",
            _shape(r"(?:^|(?<=[_-]))" + _DATE + _HOUR + _MINUTE + r"(?!\d)"),
            "any; where the same twelve digits could be YYMMDDHHMMSS too, neither is believed",
            "no",
            "PAMGuard StandardFileDate (formats with and without seconds)",
        ),
        NamePattern(
            "short_date",
            "sample_220925_223510.wav",
            _shape(_ALONE + _SHORT_DATE + r"[_T-]" + _TIME + _TAIL),
            "OSEkit; HARP and NOAA noise reference stations (NRS08-140523-001620); SanctSound (…_181112T190000Z). The "
            "year comes first: for names with the day first, give a pattern",
            "if it ends in Z, UTC or an offset",
            "MarineBioAcousticsRC/Triton wavname2dnum.m; Project-OSmOSE/OSEkit; xaviermouy/ecosound time_stamp.py",
        ),
        NamePattern(
            "dsg",
            "0222.DSG_RAWD_HMS_21_50_ 0__DMY_ 1_ 7_10.wav",
            _shape(
                r"HMS_ ?(?P<H>\d\d?)_ ?(?P<M>\d\d?)_ ?(?P<S>\d\d?)__"
                r"DMY_ ?(?P<d>\d\d?)_ ?(?P<m>\d\d?)_ ?(?P<y>\d\d?)(?!\d)"
            ),
            "Loggerhead Instruments DSG",
            "no",
            "PAMGuard StandardFileDate (example)",
        ),
        NamePattern(
            "audiomoth_hex",
            "5E90A4D4.WAV",
            _shape(r"^(?P<epoch>[5-7][0-9A-F]{7})(?=\.|$)"),
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
    zone: tzinfo | None
    source: str

    @property
    def utc(self) -> datetime | None:
        return None if self.zone is None else self.wall.replace(tzinfo=self.zone).astimezone(UTC)


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
    from_name, trouble = _read_name(name, asked)
    readings = _ranked(from_name, () if metadata is None else tuple(_read_metadata(metadata)))
    if not readings:
        nothing = f"{name}: neither its name nor its header has a date with a time; {_START_MEND}"
        return RecordingStart(None, reason=trouble or nothing)
    chosen = readings[0]
    notes = (*((trouble,) if trouble else ()), *_disagreements(chosen, readings[1:], zone))
    if chosen.zone is not None:
        return RecordingStart(chosen.utc, chosen.source, chosen.wall, notes=notes)
    if zone is None:
        return RecordingStart(None, chosen.source, chosen.wall, _no_zone(name, chosen), notes)
    source = f"{chosen.source} and time zone {zone.text}"
    return RecordingStart(_localised(chosen.wall, zone, name), source, chosen.wall, notes=notes)


def _ranked(from_name: _Reading | None, from_header: tuple[_Reading, ...]) -> tuple[_Reading, ...]:
    """Sort by what counts first: the header with its own zone, the name, the header without."""
    zoned = tuple(each for each in from_header if each.zone is not None)
    local = tuple(each for each in from_header if each.zone is None)
    return (*zoned, *(() if from_name is None else (from_name,)), *local)


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


def _disagreements(chosen: _Reading, others: tuple[_Reading, ...], zone: _Zone | None) -> Iterator[str]:
    for other in others:
        if _apart(chosen, other, zone):
            yield f"{chosen.source} says {_shown(chosen)}, {other.source} says {_shown(other)}; the first is used"


def _apart(one: _Reading, other: _Reading, zone: _Zone | None) -> bool:
    moments = [each.utc or (_quietly_localised(each.wall, zone) if zone else None) for each in (one, other)]
    if moments[0] is not None and moments[1] is not None:
        return abs(moments[0] - moments[1]) > _TOLERANCE
    difference = abs(one.wall - other.wall)
    if one.zone is None and other.zone is None:
        return difference > _TOLERANCE
    # Without its zone a time can only disagree with a known one by what is not an offset: zones go by quarters.
    quarter = timedelta(minutes=15)
    return difference > timedelta(hours=26) or min(difference % quarter, -difference % quarter) > _TOLERANCE


def _quietly_localised(wall: datetime, zone: _Zone) -> datetime | None:
    try:
        return _localised(wall, zone, "")
    except UnsupportedRecording:
        return None


def _shown(reading: _Reading) -> str:
    return format_utc(reading.utc) if reading.utc is not None else f"{reading.wall.isoformat(' ')} local time"


def _read_name(name: str, asked: NamePattern | None) -> tuple[_Reading | None, str]:
    """Return the one time in a name, or what is wrong with it; neither where it has none and none was asked for."""
    base = re.split(r"[/\\]", name)[-1][-_LONGEST_NAME:]
    matches = [
        (pattern, match)
        for pattern in (PATTERNS.values() if asked is None else (asked,))
        for match in pattern.expression.finditer(base)
        if asked is not None or not _could_be_anything(pattern, match)
    ]
    doubtful = [match["all"] for _, match in matches if asked is None and _doubtful_offset(match)]
    if doubtful:
        return None, (
            f"{name}: the end of {doubtful[0]!r} may be an offset from UTC or a number; say which with a pattern, "
            f"--set name_pattern=%Y%m%d_%H%M%S or --set name_pattern=%Y%m%d_%H%M%S%z"
        )
    found, broken = _times(matches)
    if len(found) == 1:
        return found[0], ""
    if found:
        times = ", ".join(_shown(each) for each in found)
        return None, f"{name}: several times can be read in it ({times}); say which with a pattern, {_PATTERN_MEND}"
    if broken:
        return None, f"{name}: {broken!r} is written like a time, but there is none such; {_START_MEND}"
    return None, f"{name}: does not fit the pattern {asked.name}; {_START_MEND}" if asked is not None else ""


def _times(matches: list[tuple[NamePattern, re.Match[str]]]) -> tuple[list[_Reading], str]:
    """Return the different times among matches, and the first that is written like one and does not exist."""
    read: list[tuple[re.Match[str], _Reading]] = []
    broken = ""
    for pattern, match in matches:
        try:
            read.append((match, _reading_of(pattern, match)))
        except (ValueError, InvalidSettings):
            broken = broken or match["all"]
    # A year of four digits leaves no doubt about what follows: its hours begin no other date.
    sure = [match.span("all") for match, _ in read if match.groupdict().get("Y")]
    kept = [reading for match, reading in read if not any(first < match.start() < last for first, last in sure)]
    different: dict[tuple[datetime, timedelta | None], _Reading] = {}
    for reading in kept:
        different.setdefault((reading.wall, reading.wall.replace(tzinfo=reading.zone).utcoffset()), reading)
    return list(different.values()), broken


_PATTERN_MEND = "e.g. --set name_pattern=%Y%m%d_%H%M%S"
_START_MEND = f"give a pattern, {_PATTERN_MEND}, or the start, e.g. --set start=2019-09-20T00:42:48Z"


def _could_be_anything(pattern: NamePattern, match: re.Match[str]) -> bool:
    return pattern.name == "audiomoth_hex" and match["epoch"].isdecimal()


def _doubtful_offset(match: re.Match[str]) -> bool:
    """Say whether ``-0330`` behind a time may as well be the next number: it is an offset in ISO 8601 only."""
    zone = (match.groupdict().get("z") or "").lstrip("_").removeprefix("UTC")
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
    clock = int(groups["H"]), int(groups["M"]), int(groups.get("S", "0")), _microseconds(groups.get("f", ""))
    if "j" in groups:
        wall = datetime(year, 1, 1, *clock) + timedelta(days=int(groups["j"]) - 1)
        if wall.year != year:
            raise ValueError("no such day")
    else:
        wall = datetime(year, int(groups["m"]), int(groups["d"]), *clock)
    zone = _offset_zone(groups["z"].lstrip("_")) if "z" in groups else None
    return _Reading(wall, zone, source)


def _full_year(year: int) -> int:
    """Return the year of two digits as POSIX has it: 69 to 99 are of the last century."""
    return year + (1900 if year >= 69 else 2000)


def _microseconds(digits: str) -> int:
    return int(digits[:6].ljust(6, "0"))


def _read_metadata(metadata: Metadata) -> Iterator[_Reading]:
    """Yield the times of a header, those that mean the start of the recording first."""
    if (reading := _read_iso(metadata.guano.get("Timestamp", ""), "GUANO Timestamp")) is not None:
        yield reading
    info, tags = metadata.info, metadata.tags
    comments = (info.get("ICMT"), info.get("ANNO"), tags.get("COMMENT"), tags.get("DESCRIPTION"))
    for comment in comments:
        if comment and (reading := _read_audiomoth(comment)) is not None:
            yield reading
            break
    for text, source in ((info.get("ICRD"), "ICRD"), (tags.get("DATE"), "DATE")):
        if text and (reading := _read_iso(text, source)) is not None:
            yield reading
    if metadata.broadcast is not None:
        reading = _read_broadcast(metadata.broadcast, metadata.sample_rate)
        if reading is not None:
            yield reading


_ISO = re.compile(
    r"((?:19|20)\d\d)([-/:.])(\d\d)\2(\d\d)[T ]"
    r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)? ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?"
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
        return _Reading(wall, None if zone is None else _offset_zone(zone), source)
    except (ValueError, InvalidSettings):
        return None


_AUDIOMOTH = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? (\d\d)/(\d\d)/(\d{4})(?: \((UTC[^)]{0,8})\))? (?:by|during)\b"
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
        return _Reading(wall, None if zone is None else _offset_zone(zone), "AudioMoth comment")
    except (ValueError, InvalidSettings):
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
        micro = _rounded_microseconds(broadcast.time_reference, sample_rate)
        since_midnight = wall - wall.replace(hour=0, minute=0, second=0)
        # Far more than a day would not even fit a timedelta.
        if micro < 86_400 * _MICRO and abs(timedelta(microseconds=micro) - since_midnight) <= _TOLERANCE:
            wall = wall - since_midnight + timedelta(microseconds=micro)
    return _Reading(wall, None, broadcast.chunk)


_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(?:(\d{1,2})(?::(\d\d))?|(\d\d)(\d\d))")
_MOST_OFFSET = 14 * 60  # Line Islands; -12:00 is the other end
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
    if text in {"UTC", "Z"} or _OFFSET.fullmatch(text):
        return _offset_zone(text)
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


def _offset_zone(text: str) -> timezone:
    """Return the zone of ``Z``, ``UTC`` or an offset."""
    if text in {"UTC", "Z"}:
        return UTC
    match = _OFFSET.fullmatch(text)
    hours, minutes = (int(match[2] or match[4]), int(match[3] or match[5] or 0)) if match else (99, 0)
    if match is None or minutes > 59 or 60 * hours + minutes > _MOST_OFFSET:
        raise InvalidSettings(f"time_zone {text!r} is no offset from UTC: those go from -12:00 to +14:00")
    total = timedelta(hours=hours, minutes=minutes)
    return timezone(-total if match[1] == "-" else total)


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
    "z": r"(?P<z>Z|UTC|[+-]\d\d:?\d\d)",
}


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
    parts = re.findall(r"%.|[^%]|%$", text, re.DOTALL)
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
    expression = "".join(_pattern_part(part) for part in parts)
    return NamePattern(text, "", _shape(rf"(?<!\d){expression}(?!\d)"), "", "with %z")


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
    return start.astimezone(UTC) + timedelta(microseconds=_rounded_microseconds(sample, sample_rate))


def _rounded_microseconds(samples: int, sample_rate: int) -> int:
    return (2 * samples * _MICRO + sample_rate) // (2 * sample_rate)


def format_utc(moment: datetime) -> str:
    """Print a moment as ISO 8601 in UTC: ``2019-09-20T00:42:48.000000Z``."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone is no moment")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
