"""The first step of an execution: write the plan of a new job, or of one that is resumed.

A job with recordings that must be transcoded is planned twice, before and after that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.quote import Quote
from anemonefish.jobs.request import JobRequest, distinct
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import Settings
from anemonefish.workflow.planner import (
    missing_ranges,
    plan_job,
    plan_resumed,
    with_runnable_engine,
    without_transcodes,
)

__all__ = ["PlanStep", "plan_step"]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What the state machine does next.

    Attributes
    ----------
    plan : Plan
    transcodes : int
        Recordings to transcode before this step is repeated; 0 if the plan is written.
    workers : int
        Lines of ``ranges.jsonl``.
    """

    plan: Plan
    transcodes: int = 0
    workers: int = 0


def plan_step(
    job: Job,
    request: Callable[[], JobRequest],
    models: ModelRepository,
    check_quote: Callable[[Quote], None],
    *,
    resume: bool,
    transcoded: bool,
    most_workers: int | None,
) -> PlanStep:
    """Plan a job, and write ``transcodes.jsonl``, or ``plan.json`` and ``ranges.jsonl``.

    Parameters
    ----------
    job : Job
    request : callable
        Returns what was asked for; it is not called where a plan exists that stays as it is.
    models : ModelRepository
    check_quote : callable
        Raises if the job may not cost what a new plan expects.
    resume : bool
        Keep the plan of the attempt before, and write the ranges without scores only.
    transcoded : bool
        Recordings were transcoded since the last plan; one that still needs it has failed.
    most_workers : int or None
        Workers that the account runs at once.

    Raises
    ------
    AnemonefishError
        As :func:`~anemonefish.workflow.planner.plan_job`, and what ``check_quote`` raises.
    """
    kept = plan_resumed(job, lambda: request().recordings, models) if resume else None
    plan = kept or _new_plan(job, request(), models, check_quote, most_workers)
    plan = without_transcodes(plan) if transcoded else plan
    if transcodes := job.transcodes(plan):
        job.write_transcodes(transcodes)
        return PlanStep(plan, transcodes=len(transcodes))
    if kept is None:
        plan = with_runnable_engine(plan, models, most_workers=most_workers)
    batches = list(plan.batches()) if kept is None else missing_ranges(job, plan)
    job.write_plan(plan, batches)
    return PlanStep(plan, workers=len(batches))


def _new_plan(
    job: Job,
    request: JobRequest,
    models: ModelRepository,
    check_quote: Callable[[Quote], None],
    most_workers: int | None,
) -> Plan:
    settings = Settings.load(request.settings)
    plan = plan_job(distinct(request.recordings), request.model, settings, models, job, most_workers=most_workers)
    check_quote(plan.quote)
    return plan
