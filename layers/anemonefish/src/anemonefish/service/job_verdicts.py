"""Verdicts on a job's results: what may be judged, and the files that are made of the verdicts.

``verdicts.csv`` is the table that ``anemonefish review --verdicts`` writes and ``calibrate-scores`` reads: every unit
of a draw, with the verdicts on it. ``review-labels.csv`` has all verdicts as labels for ``train``. Each is stored under
a key that contains its hash, so a link stays valid while people go on judging. Tables have the names of reviewers; they
lie where the bucket deletes files after some days: ``excerpts/{tenant}/verdicts/{hash}-{name}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from anemonefish.canonical import digest
from anemonefish.errors import InvalidRequest, RecordingNotFound, short_repr
from anemonefish.models.decision import Decision
from anemonefish.results.review_units import EVENT, DrawnUnit, ReviewUnit
from anemonefish.results.verdict_labels import LABELS_CSV, write_labels
from anemonefish.results.verdict_table import VERDICTS_CSV, write_verdicts
from anemonefish.results.verdicts import NO, OTHER, UNSURE, YES, Verdict, empty_rows, merge
from anemonefish.sample_times import seconds
from anemonefish.service.downloads import JobResults
from anemonefish.service.review_draw import ReviewDraw
from anemonefish.service.verdict_records import StretchVerdict, checked_name
from anemonefish.stores.temporary import temporary_folder

__all__ = ["VerdictFile", "VerdictFormat", "checked_verdicts", "needs_draw", "verdict_file"]

VerdictFormat = Literal["verdicts", "labels"]


@dataclass(frozen=True, slots=True)
class VerdictFile:
    """A file that was made of verdicts.

    Attributes
    ----------
    key, name : str
    n_verdicts : int
        Verdicts in it.
    left_out : int
        Verdicts on stretches that the draw does not have: they have no place in a table whose rows stand for others.
    """

    key: str
    name: str
    n_verdicts: int
    left_out: int


def checked_verdicts(results: JobResults, verdicts: Sequence[StretchVerdict]) -> list[StretchVerdict]:
    """Return verdicts whose stretches lie in recordings of the job, with the names of classes in one Unicode form.

    Raises
    ------
    RecordingNotFound
        There is no such recording, or it was not analysed.
    InvalidRequest
        A stretch, a mark, a class or a count is not possible; the message names the verdict by its number.
    """
    return [_check_verdict(results, verdict, f"verdicts.{number}") for number, verdict in enumerate(verdicts)]


def needs_draw(form: VerdictFormat, verdicts: Sequence[StretchVerdict]) -> bool:
    """Say whether a file needs the draw: for its rows, or for the kind of a unit that a client did not send.

    Labels of verdicts with their kinds need none, so people get them after the scores were deleted, too.
    """
    return form != "labels" or any(verdict.kind is None for verdict in verdicts)


def verdict_file(
    results: JobResults, tenant: str, draw: ReviewDraw, verdicts: Sequence[StretchVerdict], form: VerdictFormat
) -> VerdictFile:
    """Write the table of verdicts or the labels that follow from them, and return where it lies."""
    units = {(row.recording, row.start_sample, row.stop_sample, row.label): row for row in draw.rows}
    drawn, others = [], []
    for verdict in verdicts:
        row = units.get((results.plan.recordings[verdict.recording].name, *verdict.stretch[1:]))
        if row is None:
            others.append(_with_verdict(_row_outside_draw(results, verdict), verdict))
        else:
            drawn.append(_with_verdict(row, verdict))
    with temporary_folder() as folder:
        path = Path(folder, "table.csv")
        if form == "labels":
            write_labels(path, [*drawn, *others])
        else:
            write_verdicts(path, merge(draw.rows, drawn))
        name = LABELS_CSV if form == "labels" else VERDICTS_CSV
        key = f"excerpts/{tenant}/verdicts/{digest(path.read_text(encoding='utf-8'))}-{name}"
        results.job.store.upload(key, path)
    if form == "labels":
        return VerdictFile(key, name, len(drawn) + len(others), 0)
    return VerdictFile(key, name, len(drawn), len(others))


def _with_verdict(row: Verdict, verdict: StretchVerdict) -> Verdict:
    start, stop = (
        None if sample is None else seconds(sample, row.sample_rate)
        for sample in (verdict.mark_start, verdict.mark_stop)
    )
    return replace(
        row,
        verdict=verdict.verdict or "",
        calls=verdict.calls,
        mark_start_s=start,
        mark_stop_s=stop,
        reviewer=verdict.reviewer,
        judged_at=verdict.judged_at,
    )


def _row_outside_draw(results: JobResults, verdict: StretchVerdict) -> Verdict:
    """Return the row of a stretch that was judged without a draw; it becomes a label and stands for nothing else."""
    recording = results.plan.recordings[verdict.recording]
    assert recording.analysis is not None
    unit = ReviewUnit(
        recording=recording.name,
        start=verdict.start,
        stop=verdict.stop,
        sample_rate=recording.analysis.sample_rate,
        label=verdict.label,
        kind=verdict.kind or EVENT,
        score=0.0,
    )
    alone = DrawnUnit(unit=unit, stratum_size=1, stratum_seconds=unit.seconds, drawn=1)
    [row] = empty_rows([alone], results.plan.model, Decision.of(results.settings_of(None)), 0)
    return row


def _check_verdict(results: JobResults, verdict: StretchVerdict, at: str) -> StretchVerdict:
    recordings = results.plan.recordings
    if verdict.recording >= len(recordings) or (analysis := recordings[verdict.recording].analysis) is None:
        raise RecordingNotFound(f"{at}: this execution has no analysed recording {verdict.recording}")
    for problem in _problems(verdict, analysis.grid.n_samples, results.spec.classes):
        raise InvalidRequest(f"{at}: {problem}")
    if verdict.verdict is not None and verdict.verdict.startswith(OTHER):
        named = checked_name(verdict.verdict.removeprefix(OTHER), f"{at}: the class after {OTHER}")
        return replace(verdict, verdict=f"{OTHER}{named}")
    return verdict


def _problems(verdict: StretchVerdict, n_samples: int, classes: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a verdict."""
    if not 0 <= verdict.start < verdict.stop <= n_samples:
        yield (
            f"the stretch must lie in the recording, from 0 to {n_samples} samples of the analysis, not from "
            f"{verdict.start} to {verdict.stop}"
        )
    if verdict.label not in classes:
        yield f"class must be one of the model's ({', '.join(classes)}), not {short_repr(verdict.label)}"
    known = verdict.verdict in {None, YES, NO, UNSURE} or str(verdict.verdict).startswith(OTHER)
    if not known:
        yield f"verdict must be yes, no, unsure, other: with a class, or null, not {short_repr(verdict.verdict)}"
    if verdict.calls is not None and verdict.verdict != YES:
        yield "calls can only be counted with the verdict yes"
    mark_start, mark_stop = verdict.mark_start, verdict.mark_stop
    if (mark_start is None) != (mark_stop is None):
        yield "mark_start_sample and mark_stop_sample are needed together"
    if mark_start is not None and mark_stop is not None and not 0 <= mark_start < mark_stop <= n_samples:
        yield f"the mark must lie in the recording, from 0 to {n_samples} samples, not from {mark_start} to {mark_stop}"
