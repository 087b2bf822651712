"""Read the time zones that recorders and programs write behind a time: offsets, and abbreviations such as ``PDT``.

:data:`ABBREVIATIONS` is the table of abbreviations, and :data:`ZONE` is what may follow a time directly. The table is
part of the program, so a name means the same on every machine, with any time zone database or without one. An
abbreviation with several meanings, or one that is also an ordinary word, counts only if the user gave a time zone that
agrees with one of its meanings. Offsets are counted in minutes.

Sources: IANA time zone database 2025b (every alphabetic abbreviation that a place has used since 1990); its release
notes 2014f (Australian ``EST``, ``CST`` and ``WST`` became ``AEST``, ``ACST`` and ``AWST``; before, summer time had the
same letters) and 2016g to 2017a (abbreviations such as ``SGT`` or ``FJT`` were replaced by numbers, but programs still
write them); PostgreSQL ``timezone/tznames/Australia``. Second meanings in everyday use (Arabia, Bangladesh, Malaysia,
Singapore, Western Indonesia) are listed too, and make an abbreviation ambiguous.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

__all__ = [
    "ABBREVIATIONS",
    "DASHES",
    "ORDINARY_WORDS",
    "ZONE",
    "Abbreviation",
    "offset_text",
    "offset_zone",
    "parse_zone",
]

_MEANINGS = {
    "ACDT": "+10:30 Australia/Adelaide",
    "ACST": "+09:30 Australia/Darwin",
    "ADT": "-03:00 America/Halifax",
    "AEDT": "+11:00 Australia/Sydney",
    "AEST": "+10:00 Australia/Brisbane",
    "AKDT": "-08:00 America/Anchorage",
    "AKST": "-09:00 America/Anchorage",
    "AST": "-04:00 America/Puerto_Rico; +03:00 Asia/Riyadh",
    "AWDT": "+09:00 Australia/Perth",
    "AWST": "+08:00 Australia/Perth",
    "BST": "+01:00 Europe/London; +06:00 Asia/Dhaka; +11:00 Pacific/Bougainville",
    "CAT": "+02:00 Africa/Maputo",
    "CDT": "-05:00 America/Chicago; -04:00 America/Havana; +09:00 Asia/Shanghai; +10:30 Australia/Adelaide",
    "CEST": "+02:00 Europe/Paris",
    "CET": "+01:00 Europe/Paris",
    "CHST": "+10:00 Pacific/Guam",
    "CST": "-06:00 America/Chicago; -05:00 America/Havana; +08:00 Asia/Shanghai; +09:30 Australia/Darwin; "
    "+10:30 Australia/Adelaide",
    "EAT": "+03:00 Africa/Nairobi",
    "EDT": "-04:00 America/New_York; +11:00 Australia/Sydney",
    "EEST": "+03:00 Europe/Athens",
    "EET": "+02:00 Europe/Athens",
    "EST": "-05:00 America/New_York; +10:00 Australia/Brisbane; +11:00 Australia/Sydney",
    "FJT": "+12:00 Pacific/Fiji",
    "GST": "+04:00 Asia/Dubai; +10:00 Pacific/Guam",
    "HDT": "-09:00 America/Adak",
    "HKT": "+08:00 Asia/Hong_Kong",
    "HST": "-10:00 Pacific/Honolulu",
    "ICT": "+07:00 Asia/Bangkok",
    "IDT": "+03:00 Asia/Jerusalem",
    "IST": "+05:30 Asia/Kolkata; +02:00 Asia/Jerusalem; +01:00 Europe/Dublin",
    "JST": "+09:00 Asia/Tokyo",
    "KST": "+09:00 Asia/Seoul; +08:30 Asia/Pyongyang",
    "LHDT": "+11:00 Australia/Lord_Howe",
    "LHST": "+10:30 Australia/Lord_Howe",
    "MDT": "-06:00 America/Denver",
    "MEST": "+02:00 Europe/Paris",
    "MET": "+01:00 Europe/Paris",
    "MSD": "+04:00 Europe/Moscow",
    "MSK": "+03:00 Europe/Moscow; +04:00 Europe/Moscow",
    "MST": "-07:00 America/Denver; +08:00 Asia/Kuala_Lumpur",
    "MVT": "+05:00 Indian/Maldives",
    "MYT": "+08:00 Asia/Kuala_Lumpur",
    "NCT": "+11:00 Pacific/Noumea",
    "NDT": "-02:30 America/St_Johns",
    "NST": "-03:30 America/St_Johns",
    "NZDT": "+13:00 Pacific/Auckland",
    "NZST": "+12:00 Pacific/Auckland",
    "PDT": "-07:00 America/Los_Angeles",  # and +09:00 in the Philippines until July 1990: no recorder is that old
    "PGT": "+10:00 Pacific/Port_Moresby",
    "PHT": "+08:00 Asia/Manila",
    "PKT": "+05:00 Asia/Karachi",
    "PST": "-08:00 America/Los_Angeles; +08:00 Asia/Manila",
    "SAST": "+02:00 Africa/Johannesburg; +09:30 Australia/Adelaide",
    "SBT": "+11:00 Pacific/Guadalcanal",
    "SGT": "+08:00 Asia/Singapore",
    "SST": "-11:00 Pacific/Pago_Pago; +08:00 Asia/Singapore; +11:00 Pacific/Guadalcanal",
    "VUT": "+11:00 Pacific/Efate",
    "WAT": "+01:00 Africa/Lagos",
    "WEST": "+01:00 Europe/Lisbon",
    "WET": "+00:00 Europe/Lisbon",
    "WIB": "+07:00 Asia/Jakarta",
    "WIT": "+09:00 Asia/Jayapura; +07:00 Asia/Jakarta",
    "WITA": "+08:00 Asia/Makassar",
    "WST": "+08:00 Australia/Perth; +13:00 Pacific/Apia",
}

ORDINARY_WORDS = frozenset({"CAT", "EAT", "FJT", "ICT", "MET", "MVT", "NCT", "PGT", "SBT", "VUT", "WAT", "WEST", "WET"})
"""Abbreviations that may also be a word or the code of a site; they count only if the given time zone agrees."""


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """An abbreviation that stands behind a time.

    Attributes
    ----------
    text : str
        In capitals.
    meanings : tuple of (int, str)
        Offsets from UTC in minutes, each with a place whose clocks show it.
    """

    text: str
    meanings: tuple[tuple[int, str], ...]

    def offset(self) -> int | None:
        """Return the offset in minutes, or None where the abbreviation is ambiguous."""
        return self.meanings[0][0] if len(self.meanings) == 1 and self.text not in ORDINARY_WORDS else None

    def offset_beside(self, wall: datetime, given: tzinfo) -> int | None:
        """Return the offset in minutes that clocks of a given zone had under this abbreviation.

        Parameters
        ----------
        wall : datetime
            The local time, without a zone.
        given : tzinfo
            A place, or a fixed offset.

        Returns
        -------
        int or None
            None where the zone uses no meaning of the abbreviation at that time, or two of them in an hour that a clock
            change repeated.
        """
        shown = [wall.replace(tzinfo=given, fold=fold) for fold in (0, 1)]
        known = {meaning for meaning, _ in self.meanings}
        called = {_minutes(moment) for moment in shown if (moment.tzname() or "").upper() == self.text}
        offsets = called or {_minutes(moment) for moment in shown} & known
        return offsets.pop() if len(offsets) == 1 else None


def _minutes(moment: datetime) -> int:
    return round((moment.utcoffset() or timedelta()) / timedelta(minutes=1))


def _offset_minutes(text: str) -> int:
    hours, minutes = text[1:].split(":")
    return (-1 if text[0] == "-" else 1) * (60 * int(hours) + int(minutes))


def _abbreviation(text: str, meanings: str) -> Abbreviation:
    parts = (meaning.split(" ") for meaning in meanings.split("; "))
    return Abbreviation(text, tuple((_offset_minutes(offset), place) for offset, place in parts))


ABBREVIATIONS = {text: _abbreviation(text, meanings) for text, meanings in _MEANINGS.items()}
"""Every abbreviation by its letters, in capitals."""

_SIGNS = "+\\-\u2010-\u2015\u2212\ufe63\uff0b\uff0d"
_SIGN = f"[{_SIGNS}]"
_WORDS = "|".join(sorted(ABBREVIATIONS, key=len, reverse=True))

# All digits after UTC are matched, even if they are no offset: a part of them would be another offset.
ZONE = (
    rf"(?:_?Z|z|[ _-]?\(?(?:(?i:UTC|GMT)(?: ?{_SIGN}\d++(?:[:.]\d++)?+h?)?+|(?i:{_WORDS}))\)?"
    rf"|{_SIGN}\d\d:?\d\d|[+\uff0b]\d\d(?!\.\d))(?![0-9A-Za-z])"
)
"""A zone directly behind a time, as a regular expression without groups."""

_OFFSET = re.compile(r"(?:UTC|GMT)?\s?([+-])(?:(\d{1,2})(?:([:.])(\d{1,2}))?|(\d\d)(\d\d))h?", re.IGNORECASE)
_FRACTIONS = {"0": 0, "00": 0, "15": 15, "25": 15, "30": 30, "45": 45, "5": 30, "50": 30, "75": 45}
_MOST_OFFSET = 14 * 60  # Line Islands; -12:00 is the other end
DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-") | {"\uff0b": "+"})


def offset_zone(text: str) -> timezone:
    """Return the zone of ``Z``, ``UTC``, ``GMT``, or an offset such as ``+10:00``, ``-0330``, ``UTC-5`` or ``GMT+5.5``.

    Raises
    ------
    ValueError
        The text is no offset, or lies outside -14:00 to +14:00.
    """
    text = text.translate(DASHES).strip()
    if text.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an offset from UTC")
    sign, short, point, part, hours, minutes = match.groups()
    if short is not None:
        hours, minutes = short, part or "00"
    if point == ".":
        minutes = str(_FRACTIONS.get(minutes, 60))
    elif len(minutes) != 2:
        raise ValueError(f"{text!r} is not an offset from UTC")
    total = 60 * int(hours) + int(minutes)
    if int(minutes) > 59 or total > _MOST_OFFSET:
        raise ValueError(f"{text!r} is not an offset from UTC; offsets go from -12:00 to +14:00")
    return timezone(timedelta(minutes=-total if sign == "-" else total))


def parse_zone(text: str) -> timezone | Abbreviation | None:
    """Return the zone of a text that matches :data:`ZONE`; None for a word that only looks like a zone.

    Raises
    ------
    ValueError
        The text begins like an offset but is none, such as ``UTC-001``, which may be a number.
    """
    text = re.sub(r"^[ _-]?\(?(?=[A-Za-z])|\)$", "", text)
    abbreviation = ABBREVIATIONS.get(text.upper())
    if abbreviation is None:
        return offset_zone(text)
    small = text.islower() and abbreviation.text not in ORDINARY_WORDS
    # Programs write capitals, and some tools lower the case of whole names; `West` and `Cat` are words.
    return abbreviation if text.isupper() or small or text == "ChST" else None


def offset_text(minutes: int) -> str:
    """Return an offset in minutes as text, such as ``+10:00``."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
