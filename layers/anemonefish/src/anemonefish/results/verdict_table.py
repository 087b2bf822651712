"""Write and read the table of verdicts: a CSV with one row per unit and reviewer, which a spreadsheet can open.

docs/review.md describes the columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from anemonefish.csv_cells import read_edited, write_rows
from anemonefish.errors import InvalidRequest, short_repr
from anemonefish.results.review_units import EVENT, SEGMENT
from anemonefish.results.verdicts import NO, OTHER, UNSURE, YES, Verdict
from anemonefish.sample_times import format_seconds
from anemonefish.stores.folder import atomic_file

__all__ = ["ANSWERS", "COLUMNS", "VERDICTS_CSV", "VerdictTable", "read_verdicts", "verdict_cells", "write_verdicts"]

VERDICTS_CSV = "verdicts.csv"

COLUMNS = (
    "review",
    "model",
    "model_hash",
    "median_windows",
    "threshold",
    "clip",
    "recording",
    "start_s",
    "stop_s",
    "start_sample",
    "stop_sample",
    "sample_rate",
    "class",
    "kind",
    "score",
    "stratum",
    "stratum_low",
    "stratum_high",
    "stratum_size",
    "stratum_seconds",
    "drawn",
    "verdict",
    "calls",
    "mark_start_s",
    "mark_stop_s",
    "reviewer",
    "judged_at",
)
ANSWERS = COLUMNS[COLUMNS.index("verdict") :]
"""The columns that a reviewer fills; the others come from the draw."""

T = TypeVar("T")

_COUNT = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """The rows of a table of verdicts.

    Attributes
    ----------
    rows : tuple of Verdict
    """

    rows: tuple[Verdict, ...]

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Names of the reviewers, sorted."""
        return tuple(sorted({row.reviewer for row in self.rows if row.is_judged}))

    def of(self, label: str) -> VerdictTable:
        """Return the verdicts about a class.

        Raises
        ------
        InvalidRequest
            There is none.
        """
        rows = tuple(row for row in self.rows if row.label == label)
        if not rows:
            known = " and ".join(sorted({row.label for row in self.rows})) or "no class"
            raise InvalidRequest(f"the verdicts are about {known}, and not about {label!r}")
        return VerdictTable(rows)


def verdict_cells(row: Verdict) -> tuple[object, ...]:
    """Return a row as cells under :data:`COLUMNS`."""
    return (
        row.review,
        row.model,
        row.model_hash,
        row.median_windows,
        f"{row.threshold:g}",
        row.clip,
        row.recording,
        format_seconds(row.start_sample, row.sample_rate),
        format_seconds(row.stop_sample, row.sample_rate),
        row.start_sample,
        row.stop_sample,
        row.sample_rate,
        row.label,
        row.kind,
        f"{row.score:.6f}",
        row.stratum,
        f"{row.stratum_low:g}",
        f"{row.stratum_high:g}",
        row.stratum_size,
        f"{row.stratum_seconds:.6f}",
        row.drawn,
        row.verdict,
        "" if row.calls is None else row.calls,
        *("" if time is None else f"{time:.6f}" for time in (row.mark_start_s, row.mark_stop_s)),
        row.reviewer,
        row.judged_at,
    )


def write_verdicts(path: Path, rows: Iterable[Verdict]) -> None:
    """Write a table of verdicts; a file that exists is replaced as a whole."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [COLUMNS, *map(verdict_cells, rows)])


def read_verdicts(path: Path) -> VerdictTable:
    """Read a table of verdicts, also after a spreadsheet has saved it with semicolons or other line ends.

    Raises
    ------
    InvalidRequest
        The file cannot be read, is no such table, or a cell is wrong; the message names its line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path}: cannot be read as a table of verdicts in UTF-8 ({error})") from None
    try:
        header, lines = read_edited(text)
    except ValueError as error:
        raise InvalidRequest(f"{path}: not a CSV ({error})") from None
    if missing := [column for column in COLUMNS if column not in header]:
        raise InvalidRequest(
            f"{path}: not a table of verdicts, or columns were removed: {', '.join(missing)}; take the file that the "
            f"page of the review saved"
        )
    rows = [_verdict(row, f"{path}, line {line}") for line, row in lines]
    _check_once(path, rows)
    return VerdictTable(tuple(rows))


def _check_once(path: Path, rows: Sequence[Verdict]) -> None:
    seen: set[tuple[tuple[str, str], str]] = set()
    for row in rows:
        if (row.key, row.reviewer) in seen:
            raise InvalidRequest(
                f"{path}: {row.clip} has two rows of the reviewer {row.reviewer!r}; delete the one that is wrong"
            )
        seen.add((row.key, row.reviewer))


def _verdict(row: dict[str, str], at: str) -> Verdict:
    """Read one row.

    Raises
    ------
    InvalidRequest
        A cell is wrong.
    """
    cell = _Cells(row, at)
    start, stop = cell.count("start_sample"), cell.count("stop_sample")
    verdict = cell.text("verdict", _is_verdict, "yes, no, unsure or other:CLASS, or empty")
    made = Verdict(
        review=cell.text("review", bool, "the review's name"),
        model=row["model"],
        model_hash=row["model_hash"],
        median_windows=cell.count("median_windows", least=1),
        threshold=cell.number("threshold"),
        clip=cell.text("clip", bool, "the name of a clip"),
        recording=cell.text("recording", bool, "the name of a recording"),
        start_sample=start,
        stop_sample=cell.checked("stop_sample", stop, stop > start, "greater than start_sample"),
        sample_rate=cell.count("sample_rate", least=1),
        label=cell.text("class", bool, "a class"),
        kind=cell.text("kind", lambda kind: kind in {EVENT, SEGMENT}, f"{EVENT} or {SEGMENT}"),
        score=cell.number("score"),
        stratum=cell.text("stratum", bool, "a stratum"),
        stratum_low=cell.number("stratum_low"),
        stratum_high=cell.number("stratum_high"),
        stratum_size=cell.count("stratum_size", least=1),
        stratum_seconds=cell.number("stratum_seconds"),
        drawn=cell.count("drawn", least=1),
        verdict=verdict,
        calls=cell.count("calls", least=1) if row["calls"] else None,
        mark_start_s=cell.number("mark_start_s") if row["mark_start_s"] else None,
        mark_stop_s=cell.number("mark_stop_s") if row["mark_stop_s"] else None,
        reviewer=row["reviewer"] if verdict else "",
        judged_at=cell.text("judged_at", _is_utc, "a time in UTC, such as 2026-11-29T10:00:00Z") if verdict else "",
    )
    cell.checked("drawn", made.drawn, made.drawn <= made.stratum_size, "at most stratum_size")
    cell.checked("calls", row["calls"], made.calls is None or verdict == YES, "empty unless the verdict is yes")
    marked = (made.mark_start_s is None) + (made.mark_stop_s is None)
    in_order = marked == 2 or (marked == 0 and (made.mark_start_s or 0) < (made.mark_stop_s or 0))
    cell.checked("mark_stop_s", row["mark_stop_s"], in_order, "after mark_start_s, or both must be empty")
    return made


class _Cells:
    """Reads the cells of one row; an error names the line, the column and what must hold."""

    def __init__(self, row: dict[str, str], at: str) -> None:
        self._row, self._at = row, at

    def text(self, column: str, is_valid: Callable[[str], bool], wanted: str) -> str:
        return self.checked(column, self._row[column], is_valid(self._row[column]), wanted)

    def count(self, column: str, least: int = 0) -> int:
        text = self._row[column].strip()
        number = int(text) if _COUNT.fullmatch(text) else -1
        return self.checked(column, number, number >= least, f"a whole number of at least {least}")

    def number(self, column: str) -> float:
        try:
            number = float(self._row[column])
        except ValueError:
            number = -1.0
        return self.checked(column, number, 0 <= number < float("inf"), "a number of at least 0")

    def checked(self, column: str, value: T, holds: Any, wanted: str) -> T:
        if not holds:
            shown = short_repr(self._row[column])
            raise InvalidRequest(f"{self._at}, column {column}: must be {wanted}, not {shown}; correct the cell")
        return value


def _is_verdict(text: str) -> bool:
    return text in {"", YES, NO, UNSURE} or (text.startswith(OTHER) and bool(text.removeprefix(OTHER).strip()))


def _is_utc(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    offset = moment.utcoffset()
    return offset is not None and not offset
