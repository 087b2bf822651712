"""Read the time in a recording's file name.

A name counts if it holds exactly one time. A name with two possible times is not read; the answer then says what is
wrong, and which settings would read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import tzinfo

from anemonefish.start_time.name_matches import Match, is_doubtful_offset, matches_of, times_of
from anemonefish.start_time.name_patterns import LONGEST_NAME, NamePattern
from anemonefish.start_time.pattern_hints import how_to_give_start, offset_or_number, pattern_for_each
from anemonefish.start_time.time_reading import TimeReading
from anemonefish.start_time.zone_suffixes import ZONE, parse_zone

__all__ = ["file_name_of", "read_file_name"]


def file_name_of(path: str) -> str:
    """Return the part of a path or key after the last slash, limited to the last 255 characters."""
    return re.split(r"[/\\]", path)[-1][-LONGEST_NAME:]


def read_file_name(name: str, pattern: NamePattern | None) -> tuple[TimeReading | None, str]:
    """Return the one time in a file name, and what is wrong with the name or left out of it.

    Parameters
    ----------
    name : str
    pattern : NamePattern or None
        The pattern that the user gave; None for all known ones.

    Returns
    -------
    reading : TimeReading or None
    problem : str
        Empty where there is none, and where a name without any time was read without a pattern.
    """
    matches = matches_of(name, pattern)
    if pattern is None:
        doubtful = next((match for _, match in matches if is_doubtful_offset(match)), None)
        if doubtful is not None:
            return None, offset_or_number(name, doubtful)
    times, impossible = times_of(matches)
    if len(times) == 1:
        return times[0], "" if pattern is None else _zone_left_out(name, matches)
    if times:
        choices = pattern_for_each(name, times)
        return None, f"several times can be read in its name; say which with a pattern: {choices}"
    if impossible:
        return None, f"{impossible!r} is written like a time, but there is none such; {how_to_give_start(name)}"
    if pattern is not None:
        return None, f"its name does not fit the pattern {pattern.name}; {how_to_give_start(name)}"
    return None, ""


def _zone_left_out(name: str, matches: Iterable[Match]) -> str:
    """Say that the user's pattern stops before a zone that the name has; empty where it does not."""
    for pattern, match in matches:
        suffix = re.match(ZONE, name[match.end("all") :])
        if suffix is None or "z" in match.groupdict() or not any(letter.isalpha() for letter in suffix[0]):
            continue
        try:
            zone = parse_zone(suffix[0])
        except ValueError:
            continue
        if isinstance(zone, tzinfo) or (zone is not None and zone.offset() is not None):
            return f"behind the time its name says {suffix[0]!r}, which the pattern {pattern.name} leaves out; add %z"
    return ""
