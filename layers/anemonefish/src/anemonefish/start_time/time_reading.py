"""A time that was read from a file name or a header, with its zone where one is written beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from anemonefish.start_time.time_zones import GivenZone, format_utc
from anemonefish.start_time.zone_suffixes import Abbreviation, offset_text

__all__ = ["TimeReading", "microseconds_of_fraction"]


@dataclass(frozen=True, slots=True)
class TimeReading:
    """A time as it is written somewhere.

    Attributes
    ----------
    local : datetime
        Date and time of day, without a zone.
    zone : tzinfo, Abbreviation or None
        The zone that is written beside the time.
    source : str
        Where the time is written, for example ``name (iso)``.
    """

    local: datetime
    zone: tzinfo | Abbreviation | None
    source: str

    @property
    def utc(self) -> datetime | None:
        """The time in UTC; None without a zone, and for an abbreviation.

        Raises
        ------
        OverflowError
            The time lies outside the years 1 to 9999.
        """
        return self.local.replace(tzinfo=self.zone).astimezone(UTC) if isinstance(self.zone, tzinfo) else None

    def with_offset(self, given: GivenZone | None) -> TimeReading:
        """Replace an abbreviation by its offset, where the letters, or the zone that the user gave, tell which it is.

        Any other time is returned unchanged.
        """
        if not isinstance(self.zone, Abbreviation):
            return self
        offset = self.zone.offset()
        if offset is None and given is not None:
            offset = self.zone.offset_beside(self.local, given.info)
        if offset is None:
            return self
        source = f"{self.source} in {self.zone.text} ({offset_text(offset)})"
        return TimeReading(self.local, timezone(timedelta(minutes=offset)), source)

    def checked(self) -> TimeReading:
        """Return the reading unchanged.

        Raises
        ------
        OverflowError
            The time lies outside the years 1 to 9999 in UTC.
        """
        _ = self.utc
        return self

    def describe(self) -> str:
        """Return the time as messages show it: in UTC if that is known."""
        return format_utc(self.utc) if self.utc is not None else f"{self.local.isoformat(' ')} local time"


def microseconds_of_fraction(digits: str) -> int:
    """Return the digits after a decimal point as microseconds; further digits are dropped."""
    return int(digits[:6].ljust(6, "0"))
