"""Take the tables of verdicts that reviewers saved back beside the results, after checking that they belong to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anemonefish.errors import InvalidRequest
from anemonefish.models.decision import Decision
from anemonefish.results.review_units import ReviewUnit
from anemonefish.results.verdict_labels import LABELS_CSV, is_unmarked, write_labels
from anemonefish.results.verdict_table import VERDICTS_CSV, VerdictTable, read_verdicts, write_verdicts
from anemonefish.results.verdicts import Verdict, agreed, merge
from anemonefish.workflow.review_folder import ReviewedResults, read_units

__all__ = ["TakenVerdicts", "take_verdicts"]


@dataclass(frozen=True, slots=True)
class TakenVerdicts:
    """The verdicts that lie beside results now.

    Attributes
    ----------
    table : VerdictTable
        Of all reviewers.
    verdicts, labels : Path
        The table, and the labels that were made of it.
    n_labels : int
    unmarked : int
        Segments in which a sound was heard and not marked; their label is ``unsure``.
    disagreements : int
        Units on which reviewers differ; their label is ``unsure``.
    """

    table: VerdictTable
    verdicts: Path
    labels: Path
    n_labels: int
    unmarked: int
    disagreements: int


def take_verdicts(results: Path, tables: Iterable[Path]) -> TakenVerdicts:
    """Add tables of verdicts to those beside the results, and write the labels that follow from all of them.

    Parameters
    ----------
    results : Path
        The folder of results that was reviewed.
    tables : iterable of Path
        The files that the page saved, one or several for each reviewer. None of them: the labels are written again.
        Verdicts that were taken before are kept, also those about results that were decided otherwise.

    Raises
    ------
    InvalidRequest
        A table cannot be read, or it is about other results. Nothing is written then.
    """
    own = results / VERDICTS_CSV
    rows: tuple[Verdict, ...] = read_verdicts(own).rows if own.exists() else ()
    reviewed: dict[str, ReviewedResults] = {}
    for path in tables:
        table = read_verdicts(path)
        for label in sorted({row.label for row in table.rows}):
            reviewed[label] = reviewed.get(label) or read_units(results, label)
            _check_results(path, [row for row in table.rows if row.label == label], reviewed[label])
        rows = merge(rows, table.rows)
    if not rows:
        raise InvalidRequest(
            f"{results}: no verdicts; name the table that the page of the review saved (--verdicts FILE)"
        )
    units = agreed(rows)
    write_verdicts(own, rows)
    count = write_labels(results / LABELS_CSV, rows)
    return TakenVerdicts(
        table=VerdictTable(rows),
        verdicts=own,
        labels=results / LABELS_CSV,
        n_labels=count,
        unmarked=sum(map(is_unmarked, units)),
        disagreements=_disagreements(rows),
    )


def _check_results(path: Path, rows: Sequence[Verdict], reviewed: ReviewedResults) -> None:
    """Refuse verdicts about other results: they would be weighed by sizes of strata that are not these.

    Raises
    ------
    InvalidRequest
        A row is not about a unit of these results.
    """
    units = {unit.clip: unit for unit in reviewed.units}
    sizes = Counter(unit.stratum for unit in reviewed.units)
    decision = reviewed.first.decision
    for row in rows:
        if row.model_hash != reviewed.model.hash:
            raise InvalidRequest(
                f"{path}: these verdicts are about results of {row.model}, and the results here are of "
                f"{reviewed.model.reference} ({reviewed.model.hash[:12]}); name the folder that was reviewed"
            )
        if differs := _other_decision(row, decision):
            raise InvalidRequest(
                f"{path}: the results were decided with {', '.join(differs)} when they were reviewed; decide them so "
                f"again ({' '.join(f'--set {setting}' for setting in differs)}), or make a new review"
            )
        if not _is_about(row, units.get(row.clip), sizes[row.stratum]):
            raise InvalidRequest(
                f"{path}: {row.clip} ({row.recording}) is no unit of these results, or its score changed; name the "
                f"folder that was reviewed, or make a new review"
            )


def _other_decision(row: Verdict, decision: Decision) -> list[str]:
    """Return the settings of the review that differ from those of the results."""
    pairs = (
        ("threshold", row.threshold, decision.threshold_of(row.label)),
        ("median_windows", row.median_windows, decision.median_windows),
    )
    return [f"{name}={then:g}" for name, then, now in pairs if f"{then:g}" != f"{now:g}"]


def _is_about(row: Verdict, unit: ReviewUnit | None, stratum_size: int) -> bool:
    return unit is not None and (
        (row.recording, row.start_sample, row.stop_sample, row.sample_rate)
        == (unit.recording, unit.start, unit.stop, unit.sample_rate)
        and (row.label, row.kind, row.stratum, row.stratum_size) == (unit.label, unit.kind, unit.stratum, stratum_size)
        # A folder may have Parquet now and JSON then, whose scores have six decimals before smoothing.
        and abs(row.score - unit.score) <= 2e-6
    )


def _disagreements(rows: Sequence[Verdict]) -> int:
    verdicts = {(row.key, row.verdict) for row in rows if row.is_judged}
    return sum(count > 1 for count in Counter(key for key, _ in verdicts).values())
