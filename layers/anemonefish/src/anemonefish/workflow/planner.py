"""Plan a job: read the header of every recording, cut the work into ranges, and estimate time and cost.

The plan says which recordings can be analysed (:mod:`.plan_recording`), where their windows lie, and how many windows
one worker gets (:mod:`.range_size`). Only headers are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

from anemonefish.errors import (
    EveryRecordingFailed,
    Failure,
    InvalidRequest,
    InvalidSettings,
    OutOfTime,
)
from anemonefish.jobs.calibration import read_calibration
from anemonefish.jobs.costs import CostModel
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan, PlannedRecording, RangeTask
from anemonefish.jobs.quote import Quote
from anemonefish.jobs.request import RecordingRequest, unique_names
from anemonefish.jobs.score_calibration import read_score_calibration
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.ncnn_fallback import runnable
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import Settings
from anemonefish.start_time.name_patterns import parse_pattern
from anemonefish.start_time.start import parse_start
from anemonefish.start_time.time_zones import parse_time_zone
from anemonefish.workflow.plan_recording import plan_recording
from anemonefish.workflow.range_size import with_cheapest_ranges, with_longest_ranges

__all__ = [
    "check_failures",
    "check_recordings",
    "check_settings",
    "missing_ranges",
    "plan_job",
    "plan_resumed",
    "with_runnable_engine",
    "without_transcodes",
]

_NO_QUOTE = Quote(recordings=0, ranges=0, windows=0, audio_seconds=0.0, expected_seconds=0.0, expected_usd=0.0)
"""The quote of a plan whose ranges are not chosen yet."""

_HEADERS_AT_ONCE = 16
"""Headers read at once. Each takes three round trips; thousands of recordings one by one would exceed the function's
time."""


def plan_job(
    requests: Sequence[RecordingRequest],
    reference: str,
    settings: Settings,
    models: ModelRepository,
    job: Job | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
    *,
    for_account: bool = True,
    most_workers: int | None = None,
) -> Plan:
    """Plan the analysis of one or many recordings.

    Parameters
    ----------
    requests : sequence of RecordingRequest
        At least one.
    reference : str
        The model: ``name``, ``name@alias`` or ``name@version``.
    settings : Settings
    models : ModelRepository
    job : Job, optional
        Where transcoded recordings are looked for.
    out_of_time : callable
        Called before each recording; planning stops when it returns true.
    for_account : bool
        True for a job in an AWS account: the cheapest ranges that meet the target. False for this machine: ranges as
        long as ``max_range_seconds`` allows, and no limit of time.
    most_workers : int, optional
        Workers that the account runs at once, if ``max_concurrency`` asks for more.

    Returns
    -------
    Plan
        Recordings that cannot be analysed carry their failure. Those that must be transcoded first carry a version in
        ``inexact``; plan again when that is done.

    Raises
    ------
    RecordingError
        The only recording cannot be analysed.
    EveryRecordingFailed
        None of several can.
    InvalidRequest, InvalidSettings, ModelError
        The request, a setting or the model is not usable.
    JobTooLong
        The job is for an account and could not end there in time.
    OutOfTime
        ``out_of_time`` returned true; the message has the number of recordings that were read.
    """
    if not requests:
        raise InvalidRequest("a job needs at least one recording")
    pinned = models.pin(reference)
    spec = models.spec(pinned)
    check_settings(spec, settings)
    settings = spec.decision.complete(settings)
    calibration = read_score_calibration(models, pinned, settings.site)
    if settings.start is not None and len(requests) > 1:
        raise InvalidSettings(
            f"start says when one recording begins, and here are {len(requests)}; set time_zone or name_pattern, by "
            f"which the names of all are read, or analyse this one by itself"
        )
    names = unique_names([request.name for request in requests])
    read = count()

    def plan_one(request: RecordingRequest, name: str) -> PlannedRecording:
        if out_of_time():
            raise OutOfTime(f"{next(read)} of {len(requests)} recordings were looked at")
        planned = plan_recording(request, name, spec, settings, job)
        next(read)
        return planned

    with ThreadPoolExecutor(_HEADERS_AT_ONCE) as pool:
        recordings = tuple(pool.map(plan_one, requests, names))
    check_recordings(recordings)
    plan = Plan(
        model=pinned,
        settings=settings,
        recordings=recordings,
        windows_per_range=1,
        quote=_NO_QUOTE,
        calibration=calibration,
    )
    return _with_ranges(plan, models, for_account, most_workers)


def plan_resumed(job: Job, requests: Callable[[], Sequence[RecordingRequest]], models: ModelRepository) -> Plan | None:
    """Return the plan of a job that ended, to run it again; None where no plan was written.

    The plan stays as it is, except for recordings that failed by the system, such as one whose transcoder died: they
    are planned again.

    Parameters
    ----------
    job : Job
    requests : callable
        Returns the recordings of the request; called only when one is planned again.
    models : ModelRepository
    """
    try:
        plan = Plan.from_json(job.store.read(job.plan_key))
    except FileNotFoundError:
        return None
    if not any(recording.failure is not None and recording.failure.by_system for recording in plan.recordings):
        return plan
    requested, spec = {request.uri: request for request in requests()}, models.spec(plan.model)
    recordings = tuple(
        plan_recording(requested[recording.uri], recording.name, spec, plan.settings, job)
        if recording.failure is not None and recording.failure.by_system
        else recording
        for recording in plan.recordings
    )
    return replace(plan, recordings=recordings)


def missing_ranges(job: Job, plan: Plan) -> list[list[RangeTask]]:
    """Return the ranges of a plan that have no scores, in the batches of the workers."""
    scored = job.scored()
    return list(plan.batched(task for task in plan.tasks() if task.name not in scored))


def with_runnable_engine(
    plan: Plan, models: ModelRepository, *, for_account: bool = True, most_workers: int | None = None
) -> Plan:
    """Return the plan with an engine that runs the model on this machine: LiteRT, where ncnn does not run it.

    Scores are stored under the name of their engine, so this is called before the first range is scored.
    ``for_account`` and ``most_workers`` are those of :func:`plan_job`.
    """
    pinned = runnable(models, plan.model)
    if pinned == plan.model:
        return plan
    return _with_ranges(replace(plan, model=pinned), models, for_account, most_workers)


def _with_ranges(plan: Plan, models: ModelRepository, for_account: bool, most_workers: int | None) -> Plan:
    spec, settings = models.spec(plan.model), plan.settings
    cost = CostModel.of(spec, settings, read_calibration(models, plan.model, settings.architecture), plan.model)
    if not for_account:
        return with_longest_ranges(plan, spec, cost)
    workers = cost.max_concurrency if most_workers is None else min(most_workers, cost.max_concurrency)
    return with_cheapest_ranges(plan, spec, replace(cost, max_concurrency=workers))


def check_recordings(recordings: Sequence[PlannedRecording]) -> None:
    """Raise an error when no recording is left: the error of the only one, or one that names several."""
    check_failures([recording.failure for recording in recordings if recording.failure is not None], len(recordings))


def check_failures(failures: Sequence[Failure], recordings: int) -> None:
    """Raise an error as :func:`check_recordings` does when there are as many failures as recordings."""
    if len(failures) < recordings:
        return
    if len(failures) == 1:
        raise failures[0].to_error()
    reasons = "; ".join(f"{failure.error}: {failure.message}" for failure in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    raise EveryRecordingFailed(f"none of the {len(failures)} recordings could be analysed: {reasons}{more}")


def check_settings(spec: ModelSpec, settings: Settings) -> None:
    """Raise :class:`InvalidSettings` for settings that do not fit the model, and for an invalid zone, pattern or
    start.
    """
    if settings.start is not None:
        parse_start(settings.start)
    for name in ("time_zone", "local_time_zone"):
        if (zone := getattr(settings, name)) is not None:
            parse_time_zone(zone, name)
    if settings.name_pattern is not None:
        parse_pattern(settings.name_pattern)
    spec.check_classes(settings)
    if spec.sample_rate is not None:
        shape = spec.profile_for(settings).input_shape(spec.sample_rate)
        if shape != spec.input_shape:
            raise InvalidSettings(
                f"window_seconds must be {spec.profile.window_seconds} for {spec.title}: "
                f"{settings.window_seconds} makes windows of shape {shape}, the network takes {spec.input_shape}"
            )


def without_transcodes(plan: Plan, reasons: Mapping[str, Failure] | None = None) -> Plan:
    """Return the plan after transcoding: a recording that still needs it has failed.

    Parameters
    ----------
    plan : Plan
    reasons : mapping of str to Failure, optional
        Why a recording could not be transcoded, by its path. A transcoder that was killed leaves no reason.

    Raises
    ------
    AnemonefishError
        As :func:`plan_job`, when no recording is left.
    """
    recordings = tuple(
        recording
        if recording.inexact is None
        else replace(recording, inexact=None, failure=(reasons or {}).get(recording.path, _died(recording)))
        for recording in plan.recordings
    )
    check_recordings(recordings)
    return replace(plan, recordings=recordings)


def _died(recording: PlannedRecording) -> Failure:
    return Failure(
        "RangeFailed",
        f"{recording.path}: its transcoder died, most likely for want of memory or time; resume the job, "
        f"it goes on where it was",
    )
