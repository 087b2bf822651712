"""Draw the review of a job: the same sample that ``anemonefish review`` draws from the same results.

The stored scores of every recording are read, which takes seconds for days of sound. A draw is therefore stored once
it was made, as ``{work}/decisions/{decision}/review-{attempt}-{class}-{clips}-{seed}.json``.
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
from anemonefish.results.review_units import ReviewUnit, draw_units, review_units
from anemonefish.results.verdicts import Verdict, empty_rows
from anemonefish.service.downloads import JobResults

__all__ = ["DRAW_SECONDS", "ReviewDraw", "draw_review"]

DRAW_SECONDS = 15.0
"""Time to read scores. API Gateway waits 29 seconds, which include a cold start and the draw from what was read."""


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
        The scores could not all be read within :data:`DRAW_SECONDS`.
    ScoresDeleted
        Scores have been deleted after their time.
    """
    of_class = digest(label or results.settings_of(None).target_classes[0])
    key = results.decided_key(f"review-{results.attempt}-{of_class}-{clips}-{seed}.json")
    store = results.job.store
    try:
        document = json.loads(store.read(key))
    except FileNotFoundError:
        made = _draw(results, clips, seed, label, clock)
        store.write(key, dump_json({"n_units": made.n_units, "rows": [asdict(row) for row in made.rows]}))
        return made
    return ReviewDraw(tuple(Verdict(**row) for row in document["rows"]), int(document["n_units"]))


def _draw(results: JobResults, clips: int, seed: int, label: str | None, clock: Callable[[], float]) -> ReviewDraw:
    units: list[ReviewUnit] = []
    for scored in _read_all(results, clock() + DRAW_SECONDS, clock):
        units += review_units(scored, label)
    decision = Decision.of(results.settings_of(None))
    rows = empty_rows(draw_units(units, clips, seed), results.plan.model, decision, seed)
    return ReviewDraw(rows, len(units))


def _read_all(results: JobResults, deadline: float, clock: Callable[[], float]) -> Iterator[ScoredRecording]:
    """Yield the scores of the recordings that were analysed, in the order of their names; a few are read ahead."""
    plan, at_once = results.plan, max(1, results.job.store.at_once)
    analysed = [number for number, summary in enumerate(results.recordings()) if summary.failure is None]
    analysed.sort(key=lambda number: plan.recordings[number].name)
    with ThreadPoolExecutor(at_once) as pool:
        for first in range(0, len(analysed), at_once):
            if clock() > deadline:
                raise ReviewTooLarge(
                    f"the scores of {first} of {len(analysed)} recordings were read within {DRAW_SECONDS:g} s, the "
                    f"limit for one answer; review the results on a computer: anemonefish remote results, then "
                    f"anemonefish review (docs/review.md)"
                )
            yield from pool.map(lambda number: _read(results, number), analysed[first : first + at_once])


def _read(results: JobResults, number: int) -> ScoredRecording:
    plan, spec = results.plan, results.spec
    try:
        stored = read_scores(results.job, spec, list(plan.tasks_of(number)))
    except MissingParts:
        raise results.scores_deleted(number) from None
    settings = results.settings_of(None)
    return ScoredRecording.of_scores(plan.recordings[number], spec, plan.model, settings, stored.scores)
