"""When a recording was made: its start in UTC, from its name, its header or its user. Never a guess.

Owns the file-name patterns of recorders and what their headers say. A clock without a zone is not UTC: such a start is
unknown until its user names the zone, and so is an hour that a zone has twice, or never. Every file has a start of its
own, so duty cycles and holes are what they were. Clocks that drift are not mended. Reads headers only.

In this order: what the user gives; a name that tells its zone; a header that tells its zone; a name, then a header, in
the zone that the user names.

Sources: EBU Tech 3285 (bext); GUANO Metadata Specification 1.0; Open Acoustic Devices, AudioMoth firmware (comment,
names); Ocean Instruments, SoundTrap User Guide; JASCO AMAR, Ocean Sonics icListen and Wildlife Acoustics file names as
found in published deployments; the lab's names.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import BinaryIO
from zoneinfo import ZoneInfo

from anemonefish.containers import riff_chunks
from anemonefish.errors import InvalidRequest, InvalidSettings

__all__ = ["Start", "find_start", "given_start", "moment", "read_clocks", "zone_of"]

_MICRO = 1_000_000
_LONGEST_CHUNK = 65_536
_EARLIEST, _LATEST = 1980, 2100  # a name full of digits is not a date of 0213

_FRACTION = r"(?:\.(?P<fraction>\d{1,6}))?"
_ZONE = r"(?P<zone>Z|[+-]\d{2}:?\d{2})?"

_NAMES = (
    # 2019-09-20T00:42:48, 2019-09-20_00-42-48 and 20190920T004248Z, 20190920_004248, with fractions and a zone
    re.compile(
        r"(?<!\d)(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)[T_ -](?P<hour>\d\d)[-:_]?(?P<minute>\d\d)[-:_]?"
        rf"(?P<second>\d\d){_FRACTION}{_ZONE}(?!\d)"
    ),
    # SoundTrap: 5123.201231120000
    re.compile(
        r"(?<=\d\.)(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)"
    ),
    # 220925_223510
    re.compile(
        r"(?<!\d)(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)[T_-](?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
        rf"{_FRACTION}{_ZONE}(?!\d)"
    ),
)
_AUDIOMOTH_NAME = re.compile(r"[0-9A-F]{8}")  # the first firmwares: seconds of the Unix clock
_AUDIOMOTH_COMMENT = re.compile(
    r"Recorded at (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d{3}))? "
    r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4}) \(UTC(?P<zone>[+-]\d{1,2}(?::\d\d)?)?\)"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?")


@dataclass(frozen=True, slots=True)
class Start:
    """When the first sample was taken.

    Attributes
    ----------
    utc : str or None
        ISO 8601 with six decimals and a Z; None while it is not known.
    source : str
        Where it is from, or why it is not known and what to do.
    """

    utc: str | None
    source: str


@dataclass(frozen=True, slots=True)
class _Clock:
    """A date and time as somebody wrote it; without a zone it is local."""

    time: datetime
    source: str

    @property
    def zoned(self) -> bool:
        return self.time.tzinfo is not None


def find_start(name: str, clocks: Callable[[], list[tuple[str, datetime]]], time_zone: str | None) -> Start:
    """Return the start of a recording that nobody gave.

    Parameters
    ----------
    name : str
        Its file name; folders are ignored.
    clocks : callable
        Returns what :func:`read_clocks` does; called only when the name does not tell enough.
    time_zone : str or None
        Zone of every clock that tells none: ``UTC``, ``+10:00`` or an IANA name.

    Raises
    ------
    InvalidSettings
        There is no such zone.
    """
    zone = None if time_zone is None else zone_of(time_zone)
    in_name = _in_name(name)
    told = [] if in_name is None else [in_name]
    if in_name is None or not in_name.zoned:
        told += [_Clock(time, source) for source, time in clocks()]
    if (zoned := next((clock for clock in told if clock.zoned), None)) is not None:
        return Start(_print(zoned.time.astimezone(UTC)), zoned.source)
    if not told:
        return Start(None, "neither the name nor the header tells when it began; give its start")
    if zone is None:
        return Start(None, f"{told[0].source} says {told[0].time.isoformat(' ')} without a zone; set time_zone")
    return _in_zone(told[0], zone, str(time_zone))


def given_start(text: str) -> Start:
    """Return the start that a user gave; raise :class:`InvalidRequest` unless it is ISO 8601 with a zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.min
    if time.tzinfo is None:
        raise InvalidRequest(f"start {text!r} must be ISO 8601 with a zone, such as 2023-02-10T00:00:01+10:00")
    return Start(_print(time.astimezone(UTC)), "given")


def moment(start: Start | None, sample: int, sample_rate: int) -> str | None:
    """Return the UTC of a sample, to the nearest microsecond; None while the start is not known."""
    if start is None or start.utc is None:
        return None
    microseconds = (2 * sample * _MICRO + sample_rate) // (2 * sample_rate)
    return _print(datetime.fromisoformat(start.utc) + timedelta(microseconds=microseconds))


def zone_of(text: str) -> tzinfo:
    """Return a zone by its name or offset; raise :class:`InvalidSettings` when there is none."""
    if text.upper() in {"UTC", "Z", "GMT"}:
        return UTC
    if (found := _OFFSET.fullmatch(text)) is not None:
        return _offset(found)
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise InvalidSettings(
            f"time_zone {text!r} is not known; write UTC, an offset such as +10:00, or a name such as "
            f"Australia/Brisbane"
        ) from None


def read_clocks(file: BinaryIO, size: int) -> list[tuple[str, datetime]]:
    """Return the dates and times in the header of a WAV or RF64 file, those that tell their zone first.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] not in {b"RIFF", b"RF64", b"BW64"} or head[8:12] != b"WAVE":
        return []
    found: list[tuple[str, datetime]] = []
    for chunk in riff_chunks(file, size):
        if chunk.name in _READERS and chunk.length is not None:
            file.seek(chunk.offset)
            found += _READERS[chunk.name](file.read(min(chunk.length, _LONGEST_CHUNK)))
    return sorted(found, key=lambda clock: clock[1].tzinfo is None)


def _in_name(name: str) -> _Clock | None:
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or name
    for pattern in _NAMES:
        for match in pattern.finditer(stem):
            if (time := _time_of(match)) is not None:
                return _Clock(time, "the name")
    if _AUDIOMOTH_NAME.fullmatch(stem):
        time = datetime.fromtimestamp(int(stem, 16), UTC)
        return _Clock(time, "the name") if 2015 <= time.year < 2040 else None
    return None


def _time_of(match: re.Match[str]) -> datetime | None:
    fields = match.groupdict()
    year = int(fields["year"]) + (2000 if len(fields["year"]) == 2 else 0)
    month, day, hour, minute, second = (int(fields[unit]) for unit in ("month", "day", "hour", "minute", "second"))
    fraction = int((fields.get("fraction") or "").ljust(6, "0"))
    try:
        time = datetime(year, month, day, hour, minute, second, fraction, _zone_in(fields.get("zone")))
    except (ValueError, InvalidSettings):  # digits that look like a date and are none
        return None
    return time if _EARLIEST <= year <= _LATEST else None


def _zone_in(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    found = _OFFSET.fullmatch(text)
    return UTC if found is None else _offset(found)


def _offset(found: re.Match[str]) -> tzinfo:
    hours, minutes = int(found["hours"]), int(found["minutes"] or 0)
    if hours > 14 or minutes > 59:
        raise InvalidSettings(f"time_zone {found[0]!r}: no zone is that far from UTC")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if found["sign"] == "-" else offset)


def _in_zone(clock: _Clock, zone: tzinfo, name: str) -> Start:
    """Return a local time in UTC, unless the zone's clocks showed it twice, or never, when they were changed."""
    early, late = (clock.time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        return Start(
            None,
            f"{clock.source} says {clock.time.isoformat(' ')}, which clocks in {name} showed twice or never, because "
            f"they were changed; give its start, or the zone as an offset",
        )
    return Start(_print(early.astimezone(UTC)), f"{clock.source}, in {name}")


def _print(utc: datetime) -> str:
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


# --- headers -----------------------------------------------------------------------------------------------------


def _of_bext(data: bytes) -> Iterator[tuple[str, datetime]]:
    """Read the origination date and time of a broadcast WAV, which the standard gives no zone."""
    if len(data) < 346:
        return
    text = data[320:338].decode("ascii", "replace")
    digits = re.fullmatch(r"(\d{4}).(\d\d).(\d\d)(\d\d).(\d\d).(\d\d)", text)
    if digits is not None:
        year, month, day, hour, minute, second = map(int, digits.groups())
        try:
            yield "the header (bext)", datetime(year, month, day, hour, minute, second)
        except ValueError:
            return


def _of_guano(data: bytes) -> Iterator[tuple[str, datetime]]:
    """Read the time stamp of GUANO: ISO 8601, with a zone or without."""
    for line in data.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "Timestamp":
            try:
                yield "the header (GUANO)", datetime.fromisoformat(value.strip())
            except ValueError:
                return


def _of_list(data: bytes) -> Iterator[tuple[str, datetime]]:
    """Read the comment of an AudioMoth, which tells its zone."""
    if data[:4] != b"INFO":
        return
    offset = 4
    while offset + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, offset)
        if name == b"ICMT":
            text = data[offset + 8 : offset + 8 + length].decode("utf-8", "replace")
            if (match := _AUDIOMOTH_COMMENT.search(text)) is not None:
                time = _time_of(match)
                if time is not None:
                    yield "the header (AudioMoth)", time if time.tzinfo else time.replace(tzinfo=UTC)
        offset += 8 + length + (length & 1)


_READERS = {b"bext": _of_bext, b"guan": _of_guano, b"LIST": _of_list}
