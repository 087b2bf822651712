"""Draw the review of a job: the same sample that ``anemonefish review`` draws from the same results.

The stored scores of every recording are read, which takes seconds for days of sound. A draw is therefore stored once
it was made, as ``{work}/decisions/{decision}/review-{version}-{attempt}-{class}-{clips}-{seed}.json``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from anemonefish.canonical import digest, dump_json
from anemonefish.errors import MissingParts, ReviewTooLarge
from anemonefish.jobs.parts import read_scores
from anemonefish.models.decision import Decision
from anemonefish.results.read import ScoredRecording
from anemonefish.results.review_units import SEGMENT_SECONDS, ReviewUnit, draw_units, review_units
from anemonefish.results.verdicts import Verdict, empty_rows
from anemonefish.service.downloads import JobResults

__all__ = ["DRAW_SECONDS", "MOST_STRETCHES", "ReviewDraw", "draw_review"]

DRAW_SECONDS = 15.0
"""Time to read scores. API Gateway waits 29 seconds, which include a cold start and the draw from what was read."""

MOST_STRETCHES = 600_000
"""Most segments that recordings can have to be drawn from, 20 days of sound. On one vCPU it takes 8 µs to make the unit
of a segment and 5 µs to draw from it, so all of them take 8 s."""

_ON_A_COMPUTER = (
    "review the results on a computer: anemonefish remote results, then anemonefish review (docs/review.md)"
)
_VERSION = 1
"""Version of the stored draws. Whoever changes the fields of a verdict raises it, and draws are made again."""


@dataclass(frozen=True, slots=True)
class ReviewDraw:
    """A sample of a job's results that is to be judged.

    Attributes
    ----------
    rows : tuple of Verdict
        The units in the order of the draw, without verdicts.
    n_units : int
        Units that they were drawn from.
    """

    rows: tuple[Verdict, ...]
    n_units: int


def draw_review(
    results: JobResults,
    clips: int,
    seed: int,
    label: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ReviewDraw:
    """Return the draw of a size and a seed, as :func:`anemonefish.results.review_units.draw_units` makes it.

    Parameters
    ----------
    results : JobResults
    clips, seed : int
    label : str or None
        Which target class of the results; the first unless given.
    clock : callable
        Seconds, for the limit of :data:`DRAW_SECONDS`.

    Raises
    ------
    InvalidRequest
        There is nothing to review, or the sample is too small.
    ReviewTooLarge
        The recordings have more than :data:`MOST_STRETCHES`, which is said before anything is read, or the scores could
        not all be read within :data:`DRAW_SECONDS`.
    ScoresDeleted
        Scores have been deleted after their time.
    """
    of_class = digest(label or results.settings_of(None).target_classes[0])
    key = results.decided_key(f"review-{_VERSION}-{results.attempt}-{of_class}-{clips}-{seed}.json")
    store = results.job.store
    try:
        document = json.loads(store.read(key))
    except FileNotFoundError:
        made = _draw(results, clips, seed, label, clock)
        store.write(key, dump_json({"n_units": made.n_units, "rows": [asdict(row) for row in made.rows]}))
        return made
    return ReviewDraw(tuple(Verdict(**row) for row in document["rows"]), int(document["n_units"]))


def _draw(results: JobResults, clips: int, seed: int, label: str | None, clock: Callable[[], float]) -> ReviewDraw:
    _check_length(results)
    units: list[ReviewUnit] = []
    for scored in _read_all(results, clock() + DRAW_SECONDS, clock):
        units += review_units(scored, label)
    decision = Decision.of(results.settings_of(None))
    rows = empty_rows(draw_units(units, clips, seed), results.plan.model, decision, seed)
    return ReviewDraw(rows, len(units))


def _analysed(results: JobResults) -> list[int]:
    """Return the numbers of the recordings that were analysed, in the order of their names."""
    numbers = [number for number, summary in enumerate(results.recordings()) if summary.failure is None]
    return sorted(numbers, key=lambda number: results.plan.recordings[number].name)


def _check_length(results: JobResults) -> None:
    """Refuse recordings that have too many stretches, by their lengths in the plan."""
    analyses = (results.plan.recordings[number].analysis for number in _analysed(results))
    segments = sum(
        -(-found.grid.n_samples // (SEGMENT_SECONDS * found.sample_rate)) for found in analyses if found is not None
    )
    if segments > MOST_STRETCHES:
        raise ReviewTooLarge(
            f"the recordings have about {segments} stretches of {SEGMENT_SECONDS} s, more than can be read for one "
            f"answer (at most {MOST_STRETCHES}); {_ON_A_COMPUTER}"
        )


def _read_all(results: JobResults, deadline: float, clock: Callable[[], float]) -> Iterator[ScoredRecording]:
    """Yield the scores of the recordings that were analysed; a few are read ahead."""
    analysed, at_once = _analysed(results), max(1, results.job.store.at_once)
    with ThreadPoolExecutor(at_once) as pool:
        for first in range(0, len(analysed), at_once):
            _check_time(clock() - deadline, first, len(analysed))
            read = pool.map(lambda number: _read(results, number), analysed[first : first + at_once])
            for done, scored in enumerate(read, first + 1):
                yield scored
                _check_time(clock() - deadline, done, len(analysed))


def _check_time(over: float, done: int, of: int) -> None:
    if over > 0:
        raise ReviewTooLarge(
            f"the scores of {done} of {of} recordings were read within {DRAW_SECONDS:g} s, the limit for one answer; "
            f"{_ON_A_COMPUTER}"
        )


def _read(results: JobResults, number: int) -> ScoredRecording:
    plan, spec = results.plan, results.spec
    try:
        stored = read_scores(results.job, spec, list(plan.tasks_of(number)))
    except MissingParts:
        raise results.scores_deleted(number) from None
    settings = results.settings_of(None)
    return ScoredRecording.of_scores(plan.recordings[number], spec, plan.model, settings, stored.scores)
