"""Find the times in a file name: what the patterns match, turned into times.

A name may match several patterns, or one pattern twice. Matches that mean the same time count once; a date or a time of
day that does not exist is reported, and is not a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from anemonefish.start_time.name_patterns import PATTERNS, NamePattern
from anemonefish.start_time.time_reading import TimeReading, microseconds_of_fraction
from anemonefish.start_time.zone_suffixes import DASHES, Abbreviation, offset_zone, parse_zone

__all__ = ["Match", "is_doubtful_offset", "matches_of", "only_time", "times_of"]

Match = tuple[NamePattern, re.Match[str]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_HOUR = 15  # minutes; the offsets of all time zones are multiples of it


def matches_of(name: str, pattern: NamePattern | None) -> list[Match]:
    """Return every match in a file name, of one pattern or of all :data:`PATTERNS`."""
    if pattern is not None:
        return [(pattern, match) for match in pattern.expression.finditer(name)]
    return [
        (known, match)
        for known in PATTERNS.values()
        for match in known.expression.finditer(name)
        if not _may_be_any_number(known, match)
    ]


def _may_be_any_number(pattern: NamePattern, match: re.Match[str]) -> bool:
    """Say whether the hexadecimal digits of an AudioMoth are all decimal: then any number looks like them."""
    return pattern.name == "audiomoth_hex" and match["epoch"].isdecimal()


def is_doubtful_offset(match: re.Match[str]) -> bool:
    """Say whether the characters after a time may be the next number of the name instead of an offset.

    ``-0330`` is an offset in ISO 8601 only. After ``UTC`` or ``GMT`` every number that can be an offset is one; any
    other, such as ``UTC-001``, is doubtful.
    """
    zone = re.sub(r"^[ _-]?\(?(?=[A-Za-z])|\)$", "", match.groupdict().get("z") or "").translate(DASHES)
    if zone[:3].upper() in {"UTC", "GMT"}:
        try:
            minutes = (offset_zone(zone).utcoffset(None)) // timedelta(minutes=1)
        except ValueError:
            return True
        return minutes % _QUARTER_HOUR != 0
    if not zone.startswith("-"):
        return False
    digits = zone[1:].replace(":", "")
    is_offset = len(digits) == 4 and "01" <= digits[:2] <= "12" and digits[2:] in {"00", "15", "30", "45"}
    return not (is_offset and "T" in match["all"])


def times_of(matches: Iterable[Match]) -> tuple[list[TimeReading], str]:
    """Return the different times among matches, and the text of the first match whose time does not exist."""
    readings: list[tuple[re.Match[str], TimeReading]] = []
    impossible = ""
    for pattern, match in matches:
        try:
            readings.append((match, _reading_of(pattern, match).checked()))
        except (ValueError, OverflowError):
            impossible = impossible or match["all"]
    # A date with a year of four digits is certain: a match that begins inside it is not another date.
    certain = [match.span("all") for match, _ in readings if match.groupdict().get("Y")]
    different: dict[tuple[datetime, datetime | Abbreviation | None], TimeReading] = {}
    for match, reading in readings:
        if any(first < match.start() < last for first, last in certain):
            continue
        zone = reading.zone if isinstance(reading.zone, Abbreviation) else reading.utc
        different.setdefault((reading.local, zone), reading)
    return list(different.values()), impossible


def only_time(name: str, pattern: NamePattern) -> TimeReading | None:
    """Return the one time that a pattern finds in a file name; None where it finds none, or several."""
    times, _ = times_of(matches_of(name, pattern))
    return times[0] if len(times) == 1 else None


def _reading_of(pattern: NamePattern, match: re.Match[str]) -> TimeReading:
    """Turn a match into a time; ValueError where the date or the time of day does not exist."""
    groups = {key: value for key, value in match.groupdict().items() if value is not None}
    source = f"name ({pattern.name})"
    if "epoch" in groups:
        moment = _EPOCH + timedelta(seconds=int(groups["epoch"], 16))
        return TimeReading(moment.replace(tzinfo=None), UTC, source)
    year = int(groups["Y"]) if "Y" in groups else _full_year(int(groups["y"]))
    hour = _hour_of_day(int(groups["H"]), groups.get("p") or groups.get("q"))
    time_of_day = hour, int(groups["M"]), int(groups.get("S", "0")), microseconds_of_fraction(groups.get("f", ""))
    if "j" in groups:
        local = datetime(year, 1, 1, *time_of_day) + timedelta(days=int(groups["j"]) - 1)
        if local.year != year:
            raise ValueError("the year has no such day")
    else:
        local = datetime(year, int(groups["m"]), int(groups["d"].replace("_", "0")), *time_of_day)
    return TimeReading(local, parse_zone(groups["z"]) if "z" in groups else None, source)


def _hour_of_day(hour: int, half: str | None) -> int:
    """Return the hour from 0 to 23 of an hour that may be followed by am or pm."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("a clock with am and pm has no such hour")
    return hour % 12 + (12 if half == "pm" else 0)


def _full_year(year: int) -> int:
    """Return the year of two digits as POSIX defines it: 69 to 99 belong to the last century."""
    return year + (1900 if year >= 69 else 2000)
