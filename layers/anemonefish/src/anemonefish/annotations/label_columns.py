"""Find what names the labels of a table: one column of names, or a column of 0 and 1 for each class.

Columns with a usual header come first, and among them the values decide: a column counts where every other one is
empty or agrees with it. Two columns that differ are an error that asks which one is meant.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from fractions import Fraction

from anemonefish.annotations.column_names import (
    KNOWN,
    LABELS,
    LESS_LIKELY_LABELS,
    NAMES_OF_A_TAXON,
    NEITHER_CLASS_NOR_LABEL,
    column_key,
    numbers_the_rows,
)
from anemonefish.annotations.label_numbers import NUMBER
from anemonefish.annotations.labels import UnreadableFileError
from anemonefish.annotations.table_parser import Table

__all__ = ["find_class_columns", "find_label_column", "presence"]

_PRESENT = frozenset({"true", "yes", "present"})
_ABSENT = frozenset({"false", "no", "absent", ""})
_COLUMNS_SHOWN = 5


def find_label_column(table: Table) -> str:
    """Return the column that names the labels; empty where there is none.

    Raises
    ------
    UnreadableFileError
        Two columns may name the labels and differ, or the column that the caller chose is missing.
    """
    if table.source.label_column is not None:
        return _chosen_column(table, table.source.label_column)
    for columns in (LABELS, LESS_LIKELY_LABELS):
        filled = [column for column in columns if column in table.headers and table.has_values(column)]
        if filled:
            return _preferred(table, filled)
    if table.is_raven:
        others = [column for column in table.headers if _may_name_labels(table, column)]
        if len(others) > 1:
            raise _ambiguous(table, others)
        if others:
            return others[0]
    return "" if table.rows else table.first((*LABELS, *LESS_LIKELY_LABELS))


def _chosen_column(table: Table, header: str) -> str:
    column = column_key(header.strip())
    if column not in table.headers:
        raise UnreadableFileError(f"there is no column {header!r}; its columns are {', '.join(table.headers.values())}")
    return column


def _preferred(table: Table, filled: Sequence[str]) -> str:
    """Return the first column with which every other one agrees wherever the other holds anything."""
    values = {column: table.values(column) for column in filled}
    for column in filled:
        if all(_agrees(column, values[column], other, values[other]) for other in filled):
            return column
    raise _ambiguous(table, filled)


def _agrees(column: str, values: Sequence[str], other: str, others: Sequence[str]) -> bool:
    pairs = {(mine.casefold(), its.casefold()) for mine, its in zip(values, others, strict=True) if its}
    if all(mine == its for mine, its in pairs):
        return True
    # BirdNET writes two names of each species: they agree where each name has exactly one other name.
    both_taxa = {column, other} <= NAMES_OF_A_TAXON and all(mine for mine, _ in pairs)
    return both_taxa and len({mine for mine, _ in pairs}) == len(pairs) == len({its for _, its in pairs})


def _may_name_labels(table: Table, column: str) -> bool:
    """Say whether a column with an unknown header holds words, rather than measurements, row numbers or 0 and 1."""
    if column in KNOWN or column.endswith(")") or numbers_the_rows(column):
        return False
    values = [value for value in table.values(column) if value]
    return any(not NUMBER.fullmatch(value) for value in values) and any(presence(value) is None for value in values)


def _ambiguous(table: Table, columns: Iterable[str]) -> UnreadableFileError:
    candidates = [header for column, header in table.headers.items() if column in set(columns)]
    return UnreadableFileError(
        f"the labels may stand in {' or '.join(map(repr, candidates))}; say which is the label column, for "
        f"example --label-column {shlex.quote(candidates[0])}"
    )


def find_class_columns(table: Table, chosen: str) -> list[str]:
    """Return the columns that say for each class whether it is present.

    Parameters
    ----------
    table : Table
    chosen : str
        The label column, which may be such a column itself; empty where there is none.

    Raises
    ------
    UnreadableFileError
        The columns hold scores.
    """
    if chosen:
        usual = chosen in {*LABELS, *LESS_LIKELY_LABELS}
        return [chosen] if not usual and _is_presence(table.values(chosen)) else []
    unknown = [
        column
        for column in table.headers
        if column not in KNOWN | NEITHER_CLASS_NOR_LABEL and not column.endswith(")") and not numbers_the_rows(column)
    ]
    values = {column: [value for value in table.values(column) if value] for column in unknown}
    present = [column for column in unknown if _is_presence(values[column])]
    scores = [column for column in unknown if column not in present and _is_unit_interval(values[column])]
    numbers = [column for column in unknown if values[column] and all(map(NUMBER.fullmatch, values[column]))]
    if scores and not table.is_raven and set(numbers) <= {*scores, *present}:
        score = next(value for value in values[scores[0]] if presence(value) is None)
        raise UnreadableFileError(
            f"{' and '.join(repr(table.headers[column]) for column in scores[:_COLUMNS_SHOWN])} hold scores such as "
            f"{score}, not labels; write 1 where a class is present and 0 where it is not, or say --label-column"
        )
    return present


def presence(text: str) -> bool | None:
    """Return whether a cell says that a class is present; None where it says something else."""
    lowered = text.lower()
    if NUMBER.fullmatch(lowered):
        value = Fraction(lowered)
        return bool(value) if value in {0, 1} else None
    return True if lowered in _PRESENT else False if lowered in _ABSENT else None


def _is_presence(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and all(presence(value) is not None for value in filled)


def _is_unit_interval(values: Sequence[str]) -> bool:
    return bool(values) and all(NUMBER.fullmatch(value) and 0 <= Fraction(value) <= 1 for value in values)
