"""Rows of the benchmark table, their wanted values, and the table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log10

__all__ = ["Row", "compared", "figure", "missing", "table"]

_COLUMNS = ("section", "what", "ours", "unit", "against", "ratio", "wanted", "holds")
_ALIGNED = ("---", "---", "---:", "---", "---:", "---:", "---", "---")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    section, what : str
        Section of the benchmark, and what was measured.
    value : float or None
        The figure; None if it could not be measured, and then ``what`` says why.
    unit : str
        Unit of ``value`` and ``baseline``.
    baseline : float or None
        The figure with which ``value`` is compared, measured in the same run.
    ratio : float or None
        How many times better ``value`` is than the baseline, unless ``what`` says otherwise.
    wanted : str
        The wanted value; empty if there is none.
    holds : bool or None
        Whether the wanted value is reached; None if there is none.
    """

    section: str
    what: str
    value: float | None
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    wanted: str = ""
    holds: bool | None = None


def compared(section: str, what: str, ours: float, theirs: float, unit: str, least: float | None = None) -> Row:
    """Return a row that compares two costs. The ratio says how many times cheaper ours is."""
    ratio = theirs / ours
    wanted = "" if least is None else f"≥ {least:g} ×"
    return Row(section, what, ours, unit, theirs, ratio, wanted, None if least is None else ratio >= least)


def figure(
    section: str, what: str, value: float, unit: str, *, least: float | None = None, most: float | None = None
) -> Row:
    """Return a row of one figure, with a lower or an upper limit if one is wanted."""
    if least is not None:
        return Row(section, what, value, unit, wanted=f"≥ {least:g} {unit}".strip(), holds=value >= least)
    if most is not None:
        return Row(section, what, value, unit, wanted=f"≤ {most:g} {unit}".strip(), holds=value <= most)
    return Row(section, what, value, unit)


def missing(section: str, what: str, reason: str, *, wanted: bool = True) -> Row:
    """Return a row for a figure that could not be measured. A wanted figure that is missing does not hold."""
    return Row(
        section, f"{what}: {reason}", None, "", wanted="a figure" if wanted else "", holds=False if wanted else None
    )


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [_COLUMNS, _ALIGNED, *(_cells(row) for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    holds = "" if row.holds is None else "yes" if row.holds else "**no**"
    what = row.what.replace("|", "/")
    ratio = "" if row.ratio is None else f"{_number(row.ratio)} ×"
    return row.section, what, _number(row.value), row.unit, _number(row.baseline), ratio, row.wanted, holds


def _number(value: float | None) -> str:
    """Return three significant digits, with an exponent only for very small numbers."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    digits = 2 - floor(log10(abs(value)))
    return f"{value:.1e}" if digits > 6 else f"{round(value, digits):,.{max(0, digits)}f}"
