"""Find settings that would read the time in a name, for the messages about names that were not understood.

A message shows a pattern only if that pattern reads exactly one time in this very name, so a user can paste it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from anemonefish.errors import InvalidSettings
from anemonefish.start_time.name_matches import only_time
from anemonefish.start_time.name_patterns import DIRECTIVES, PATTERNS, parse_pattern, pattern_expression
from anemonefish.start_time.time_reading import TimeReading

__all__ = [
    "START_OPTION",
    "how_to_give_start",
    "offset_or_number",
    "option",
    "pattern_for_each",
    "pattern_that_reads",
]

START_OPTION = "e.g. --set start=2019-09-20T00:42:48Z"
"""How the start itself is given."""

_TRIAL_DATES = (
    *("%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d", "%d-%m-%Y", "%d_%m_%Y", "%d.%m.%Y", "%d%m%Y", "%m-%d-%Y"),
    *("%Y%d%m", "%y-%m-%d", "%y.%m.%d", "%d-%m-%y", "%d.%m.%y", "%d%m%y", "%Y%j"),
)
_TRIAL_TIMES = ("%H%M%S", "%H-%M-%S", "%H_%M_%S", "%H.%M.%S", "%H:%M:%S", "%H%M", "%H-%M", "%H_%M", "%H:%M")
_TRIAL_SEPARATORS = ("_", "-", "T", " ")


def option(setting: str, value: str) -> str:
    """Return the option that gives a setting, as it can be pasted into a shell."""
    return f"--set {shlex.quote(f'{setting}={value}')}"


def how_to_give_start(name: str) -> str:
    """Say how the start of a recording can be given: by a pattern if one reads its name, or directly."""
    for text in _trial_patterns(name):
        reading = _time_read_by(name, text)
        if reading is not None:
            shown = option("name_pattern", text)
            return f"give a pattern, e.g. {shown} reads {reading.describe()}, or the start, {START_OPTION}"
    return f"give the start, {START_OPTION}"


def _trial_patterns(name: str) -> Iterator[str]:
    """Yield common patterns that are not in :data:`PATTERNS` and whose date is in the name."""
    for date in _TRIAL_DATES:
        if re.search(rf"(?<!\d){pattern_expression(date)}", name) is None:
            continue
        has_separators = re.search(r"\W|_", date.replace("%", "")) is not None
        for separator in (*_TRIAL_SEPARATORS, *("*" if has_separators else "")):
            yield from (f"{date}{separator}{time}" for time in _TRIAL_TIMES)


def offset_or_number(name: str, match: re.Match[str]) -> str:
    """Say that the end of a match may be an offset or a number, with a pattern for each of the two."""
    patterns = [_as_directives(match, with_zone=with_zone) for with_zone in (False, True)]
    working = [text for text in patterns if text is not None and _time_read_by(name, text) is not None]
    options = " or ".join(option("name_pattern", text) for text in working)
    return (
        f"the end of {match['all']!r} may be an offset from UTC or a number; say which with a pattern, {options}"
        if working
        else f"the end of {match['all']!r} may be an offset from UTC or a number; give the start, {START_OPTION}"
    )


def pattern_for_each(name: str, times: Sequence[TimeReading]) -> str:
    """Return a pattern for each of the times that a name holds."""
    patterns = [(reading, pattern_that_reads(name, reading)) for reading in times]
    known = [f"{option('name_pattern', text)} reads {reading.describe()}" for reading, text in patterns if text]
    described = ", ".join(reading.describe() for reading in times)
    return ", ".join(known) if known else f"{described}; or give the start, {START_OPTION}"


def pattern_that_reads(name: str, wanted: TimeReading) -> str | None:
    """Return a pattern of directives that reads just this time in a name; None where there is none."""
    for pattern in PATTERNS.values():
        for match in pattern.expression.finditer(name):
            text = _as_directives(match, with_zone=wanted.zone is not None)
            if text is None:
                continue
            for candidate in _with_surroundings(name, match, text):
                reading = _time_read_by(name, candidate)
                if reading is not None and (reading.local, reading.zone) == (wanted.local, wanted.zone):
                    return candidate
    return None


def _with_surroundings(name: str, match: re.Match[str], text: str) -> tuple[str, ...]:
    """Return a pattern alone, and with the characters around the match: those tell it from a second time."""
    first, last = match.span("all")
    before = re.search(r"[^\d*]{0,12}$", name[:first])
    after = re.match(r"[^\d*]{0,12}", name[last:])
    prefix, suffix = ((found[0] if found else "").replace("%", "%%") for found in (before, after))
    ending = re.search(r"\.\w*$|$", name)
    rest = f"*{ending[0] if ending else ''}"
    return text, text + suffix, prefix + text, text + suffix + rest


def _as_directives(match: re.Match[str], *, with_zone: bool) -> str | None:
    """Return a match as a pattern of directives; None where directives cannot express it."""
    groups = match.groupdict()
    offset, text = match.start("all"), match["all"]
    spans = sorted((match.start(group), match.end(group), group) for group in groups if match[group] is not None)
    parts, position = [], offset
    for first, last, group in spans:
        if group == "z" and not with_zone:
            continue
        if group in DIRECTIVES:
            parts.append(text[position - offset : first - offset].replace("%", "%%") + f"%{group}")
            position = last
    end = match.start("z") if groups.get("z") and not with_zone else match.end("all")
    pattern = "".join(parts) + text[position - offset : end - offset].replace("%", "%%")
    return None if "*" in pattern or groups.get("epoch") else pattern


def _time_read_by(name: str, text: str) -> TimeReading | None:
    """Return the one time that a pattern reads in a name; None also for an invalid pattern."""
    try:
        return only_time(name, parse_pattern(text))
    except InvalidSettings:
        return None
