"""Time zones that a user gives, and the conversion between local times and UTC.

:func:`parse_time_zone` reads the setting ``time_zone``. :func:`utc_from_local` refuses a local time that a clock change
repeated or skipped. :func:`utc_of` gives the UTC time of a sample, and :func:`format_utc` prints it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.sample_times import microseconds_of
from anemonefish.start_time.zone_suffixes import DASHES, offset_zone

__all__ = ["GivenZone", "format_utc", "parse_time_zone", "utc_from_local", "utc_of"]

_KNOWN_PLACE = "Europe/London"
"""A place that every time zone database has."""


@dataclass(frozen=True, slots=True)
class GivenZone:
    """A time zone that the user gave: as written, and as a time zone."""

    text: str
    info: tzinfo


def parse_time_zone(text: str, setting: str = "time_zone") -> tzinfo:
    """Return the time zone that a setting means.

    Parameters
    ----------
    text : str
        ``UTC``; an offset such as ``+10:00``, ``UTC+10`` or ``-03:30``, positive east of Greenwich; or the name of a
        place in the IANA database, such as ``Asia/Tokyo``. Abbreviations are refused, because many are ambiguous:
        ``EST`` is used in New York and in Brisbane.
    setting : str
        Its name, for the message of an error.

    Raises
    ------
    InvalidSettings
        The text is none of these, or this machine has no time zone database.
    """
    try:
        return offset_zone(text)
    except ValueError:
        pass
    if re.match(r"(?:UTC|GMT)?\s?[-+\d]", text.translate(DASHES), re.IGNORECASE):
        raise InvalidSettings(
            f"{setting} {text!r} is not an offset from UTC; offsets go from -12:00 to +14:00, e.g. +10:00 or -03:30"
        )
    if not re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+)+", text):
        raise InvalidSettings(
            f"{setting} {text!r} is not a time zone; give UTC, an offset such as +10:00, or a place in the IANA "
            f"database such as Australia/Brisbane"
        )
    place = _place(text)
    if place is not None:
        return place
    if _place(_KNOWN_PLACE) is None:
        raise InvalidSettings(
            f"{setting} {text!r} cannot be looked up: this machine has no time zone database; give an offset such as "
            f"+10:00, or install the package tzdata"
        )
    raise InvalidSettings(f"{setting} {text!r} is not a place in the IANA database, such as Australia/Brisbane")


def _place(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown, not a zone file, or a folder of the database
        return None


def utc_from_local(local: datetime, zone: GivenZone, name: str) -> datetime:
    """Return the UTC time at which clocks of a zone showed a local time.

    Parameters
    ----------
    local : datetime
        Without a time zone.
    zone : GivenZone
    name : str
        The recording, for the message of an error.

    Raises
    ------
    UnsupportedRecording
        A clock change repeated or skipped the local time.
    """
    first, second = (local.replace(tzinfo=zone.info, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    offsets = f"{_offset(first)} or {_offset(second)}"
    if first.astimezone(UTC).astimezone(zone.info).replace(tzinfo=None) != local:
        raise UnsupportedRecording(
            f"{name}: {local.isoformat(' ')} did not exist in {zone.text}, where clocks were set forward; the recorder "
            f"kept another time: give its fixed offset, --set time_zone={offsets}, or UTC"
        )
    raise UnsupportedRecording(
        f"{name}: {local.isoformat(' ')} happened twice in {zone.text}, where clocks were set back; "
        f"give the offset of the recorder's clock, --set time_zone={offsets}, or the start itself"
    )


def _offset(moment: datetime) -> str:
    return moment.isoformat()[-6:]


def utc_of(start: datetime, sample: int, sample_rate: int) -> datetime:
    """Return the UTC time of a sample, rounded to the nearest microsecond by integer arithmetic.

    Parameters
    ----------
    start : datetime
        The time of sample 0, with a time zone.
    sample : int
    sample_rate : int
        Samples per second as the header says; the drift of the recorder's clock is not corrected.
    """
    if start.tzinfo is None:
        raise ValueError("the start of a recording needs a time zone")
    return start.astimezone(UTC) + timedelta(microseconds=microseconds_of(sample, sample_rate))


def format_utc(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC: ``2019-09-20T00:42:48.000000Z``."""
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone to be printed in UTC")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
