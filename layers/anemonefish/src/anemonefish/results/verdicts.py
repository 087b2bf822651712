"""Verdicts: what people said about the units that were drawn for a review.

There is a row per unit and reviewer. A unit that nobody judged has a row without a verdict, so the rows always say how
many units each verdict stands for. :mod:`anemonefish.results.verdict_table` writes and reads them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from anemonefish.canonical import digest
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.results.review_units import DrawnUnit

__all__ = ["NO", "OTHER", "UNSURE", "YES", "Verdict", "agreed", "empty_rows", "merge"]

YES, NO, UNSURE = "yes", "no", "unsure"
OTHER = "other:"
"""Begins the verdict that a sound is of another class, which follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one reviewer said about one unit.

    Attributes
    ----------
    review : str
        Identifies the draw; rows of different draws are never mixed.
    model, model_hash : str
        ``name@version`` of the model that made the results, and the SHA-256 of its ``model.json``.
    median_windows : int
        Length of the median filter that smoothed the scores.
    threshold : float
        Of the results.
    clip : str
        File name of the clip.
    recording : str
    start_sample, stop_sample, sample_rate : int
        Half-open interval at the rate of the analysis.
    label : str
        The class that was looked for; the column ``class``.
    kind : {"event", "segment"}
    score : float
        The highest smoothed score of the unit.
    stratum : str
    stratum_low, stratum_high : float
        Its scores, half-open; 1 belongs to the last.
    stratum_size : int
    stratum_seconds : float
    drawn : int
        As in :class:`anemonefish.results.review_units.DrawnUnit`.
    verdict : str
        ``yes``, ``no``, ``unsure``, ``other:`` with a class, or empty where nobody judged it.
    calls : int or None
        How many calls the reviewer counted; None where nobody counted.
    mark_start_s, mark_stop_s : float or None
        Where the reviewer marked the sound, in seconds of the recording.
    reviewer : str
    judged_at : str
        UTC, ISO 8601; empty where nobody judged it.
    """

    review: str
    model: str
    model_hash: str
    median_windows: int
    threshold: float
    clip: str
    recording: str
    start_sample: int
    stop_sample: int
    sample_rate: int
    label: str
    kind: str
    score: float
    stratum: str
    stratum_low: float
    stratum_high: float
    stratum_size: int
    stratum_seconds: float
    drawn: int
    verdict: str = ""
    calls: int | None = None
    mark_start_s: float | None = None
    mark_stop_s: float | None = None
    reviewer: str = ""
    judged_at: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether somebody gave a verdict."""
        return bool(self.verdict)

    @property
    def key(self) -> tuple[str, str]:
        """Which unit of which draw it is about."""
        return self.review, self.clip


def empty_rows(drawn: Sequence[DrawnUnit], model: PinnedModel, decision: Decision, seed: int) -> tuple[Verdict, ...]:
    """Return the table of a draw before anybody has judged, in the order of the draw.

    Parameters
    ----------
    drawn : sequence of DrawnUnit
    model : PinnedModel
        The one that made the results.
    decision : Decision
        How the results were decided.
    seed : int
        That of the draw. A larger draw with the same seed has the same name, because it contains the smaller one.
    """
    labels = sorted({each.unit.label for each in drawn})
    review = digest([model.to_dict(), decision.to_dict(), labels, seed])[:12]
    return tuple(_empty_row(each, review, model, decision) for each in drawn)


def _empty_row(drawn: DrawnUnit, review: str, model: PinnedModel, decision: Decision) -> Verdict:
    unit = drawn.unit
    low, high = unit.score_range
    return Verdict(
        review=review,
        model=model.reference,
        model_hash=model.hash,
        median_windows=decision.median_windows,
        threshold=decision.threshold_of(unit.label),
        clip=unit.clip,
        recording=unit.recording,
        start_sample=unit.start,
        stop_sample=unit.stop,
        sample_rate=unit.sample_rate,
        label=unit.label,
        kind=unit.kind,
        score=unit.score,
        stratum=unit.stratum,
        stratum_low=low,
        stratum_high=high,
        stratum_size=drawn.stratum_size,
        stratum_seconds=round(float(drawn.stratum_seconds), 6),
        drawn=drawn.drawn,
    )


def agreed(rows: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return one row per unit: what its reviewers agree on, or ``unsure`` where they differ.

    ``calls`` becomes the mean of the counts, rounded to a whole number, and the reviewers are joined by commas. Units
    that nobody judged are kept, without a verdict.
    """
    units: dict[tuple[str, str], list[Verdict]] = {}
    for row in rows:
        units.setdefault(row.key, []).append(row)
    return tuple(_agreed(unit) for unit in units.values())


def _agreed(rows: Sequence[Verdict]) -> Verdict:
    judged = [row for row in rows if row.is_judged]
    if len(judged) < 2:
        return (judged or rows)[0]
    verdicts = {row.verdict for row in judged}
    counts = [row.calls for row in judged if row.calls is not None]
    same = len(verdicts) == 1
    return replace(
        judged[0],
        verdict=judged[0].verdict if same else UNSURE,
        calls=round(sum(counts) / len(counts)) if counts and same else None,
        reviewer=", ".join(sorted(row.reviewer for row in judged)),
        judged_at=max(row.judged_at for row in judged),
    )


def merge(before: Iterable[Verdict], new: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Add the rows of another table: a reviewer's later verdict replaces the earlier one, other reviewers' are kept.

    A unit of either table has at least one row; the row without a verdict goes when somebody judged the unit. ``drawn``
    counts the units of the new table, where a larger draw extended an earlier one.
    """
    rows: dict[tuple[tuple[str, str], str], Verdict] = {}
    for row in (*before, *new):
        known = rows.get((row.key, row.reviewer))
        if known is None or row.judged_at >= known.judged_at:
            rows[row.key, row.reviewer] = row
    judged = {row.key for row in rows.values() if row.is_judged}
    kept = [row for row in rows.values() if row.is_judged or row.key not in judged]
    drawn = Counter((review, stratum) for review, stratum, _ in {(row.review, row.stratum, row.clip) for row in kept})
    return tuple(replace(row, drawn=drawn[row.review, row.stratum]) for row in kept)
