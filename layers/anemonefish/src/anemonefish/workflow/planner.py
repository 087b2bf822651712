"""Plan: look at every recording, cut the work into ranges, say what it will take.

Owns which recordings can be analysed, their window grids, and the size of a range. Cuts as coarsely as the
wanted finishing time allows: every range costs an invocation, small ones cost several times more and are not
faster. The cut changes time and cost, never a result. Reads headers only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, count
from math import ceil, inf

import numpy as np

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.headers import Metadata, read_metadata, soundtrap_start
from anemonefish.audio.pieces import check_whole, read_index
from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import resampled_length
from anemonefish.audio.samples import AudioFacts, check_channel
from anemonefish.errors import (
    EveryRecordingFailed,
    Failure,
    InexactRecording,
    InvalidRequest,
    InvalidSettings,
    OutOfTime,
    RecordingError,
    UnsupportedRecording,
)
from anemonefish.jobs.calibration import read_calibration
from anemonefish.jobs.costs import CostModel
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Analysis, Plan, PlannedRecording, Quote, RangeTask, Start, batched
from anemonefish.jobs.request import RecordingRequest, unique_names
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.ncnn_fallback import runnable
from anemonefish.models.repository import ModelRepository
from anemonefish.notes import Note
from anemonefish.settings import Settings
from anemonefish.start_time.name_patterns import parse_pattern
from anemonefish.start_time.start import find_start, parse_start
from anemonefish.start_time.time_zones import format_utc, parse_time_zone
from anemonefish.stores import open_source, read_companion
from anemonefish.windows import WindowGrid

__all__ = ["check_recordings", "check_settings", "plan_job", "plan_resumed", "with_proven_engine", "without_transcodes"]

SAMPLE_RATES = (1_000, 1_000_000)
"""Lowest and highest sample rate taken, in Hz; hydrophone recorders lie between 4 and 576 kHz."""

_HEADERS_AT_ONCE = 16
"""Headers read at once: three round trips each; thousands of recordings one by one would outlast the function."""

_MAX_RANGE_COMPUTE = 600.0
"""Seconds of computing one worker is given: two thirds of Lambda's 15 minutes, the rest is for a slow one."""


def plan_job(
    requests: Sequence[RecordingRequest],
    reference: str,
    settings: Settings,
    models: ModelRepository,
    job: Job | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
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
        Asked before each recording; true ends the call.

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
    OutOfTime
        ``out_of_time`` said so; the message has how many recordings were looked at.
    """
    if not requests:
        raise InvalidRequest("a job needs at least one recording")
    pinned = models.pin(reference)
    spec = models.spec(pinned)
    check_settings(spec, settings)
    if settings.start is not None and len(requests) > 1:
        raise InvalidSettings(
            f"start says when one recording begins, and here are {len(requests)}; set time_zone or name_pattern, by "
            f"which the names of all are read, or analyse this one by itself"
        )
    names = unique_names([request.name for request in requests])
    looked_at = count()

    def look(request: RecordingRequest, name: str) -> PlannedRecording:
        if out_of_time():
            raise OutOfTime(f"{next(looked_at)} of {len(requests)} recordings were looked at")
        planned = _plan_recording(request, name, spec, settings, job)
        next(looked_at)
        return planned

    with ThreadPoolExecutor(_HEADERS_AT_ONCE) as pool:
        recordings = tuple(pool.map(look, requests, names))
    check_recordings(recordings)
    cost = CostModel.of(spec, settings, read_calibration(models, pinned, settings.architecture), pinned)
    return _cut(Plan(pinned, settings, recordings, 1, Quote(0, 0, 0, 0.0, 0.0, 0.0)), cost)


def plan_resumed(job: Job) -> tuple[Plan, list[list[RangeTask]]] | None:
    """Return the plan a job was started with and what it still lacks; None when it never got that far."""
    try:
        plan = Plan.from_json(job.store.read(job.plan_key))
    except FileNotFoundError:
        return None
    scored = job.scored()
    missing = (task for task in plan.tasks() if task.name not in scored)
    return plan, list(batched(missing, plan.windows_per_range))


def with_proven_engine(plan: Plan, models: ModelRepository) -> Plan:
    """Return the plan as this place can carry it out: where ncnn does not serve the model here, by LiteRT.

    The engine is part of what scores are stored under, so this comes before the first range is scored.
    """
    pinned = runnable(models, plan.model)
    if pinned == plan.model:
        return plan
    calibration = read_calibration(models, pinned, plan.settings.architecture)
    cost = CostModel.of(models.spec(pinned), plan.settings, calibration, pinned)
    return _cut(replace(plan, model=pinned), cost)


def check_recordings(recordings: Sequence[PlannedRecording]) -> None:
    """Raise when no recording is left: the only one's own error, or one that names several."""
    failures = [recording.failure for recording in recordings if recording.failure is not None]
    if len(failures) < len(recordings):
        return
    if len(failures) == 1:
        raise failures[0].to_error()
    reasons = "; ".join(f"{failure.error}: {failure.message}" for failure in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    raise EveryRecordingFailed(f"none of the {len(failures)} recordings could be analysed: {reasons}{more}")


def check_settings(spec: ModelSpec, settings: Settings) -> None:
    """Raise :class:`InvalidSettings` for what a model cannot do, and for a zone, pattern or start that is none."""
    if settings.start is not None:
        parse_start(settings.start)
    if settings.time_zone is not None:
        parse_time_zone(settings.time_zone)
    if settings.name_pattern is not None:
        parse_pattern(settings.name_pattern)
    if settings.target_class is not None and settings.target_class not in spec.classes:
        raise InvalidSettings(
            f"target_class must be one of {', '.join(spec.classes)} for {spec.title}, not {settings.target_class!r}"
        )
    if spec.sample_rate is not None:
        shape = spec.profile_for(settings).input_shape(spec.sample_rate)
        if shape != spec.input_shape:
            raise InvalidSettings(
                f"window_seconds must be {spec.profile.window_seconds} for {spec.title}: "
                f"{settings.window_seconds} makes windows of shape {shape}, the network takes {spec.input_shape}"
            )


def without_transcodes(plan: Plan, reasons: Mapping[str, Failure] | None = None) -> Plan:
    """Return the plan when nothing more can be transcoded: a recording that still should be has failed.

    Parameters
    ----------
    plan : Plan
    reasons : mapping of str to Failure, optional
        Why, by the recording's path; a transcoder that died leaves none.

    Raises
    ------
    AnemonefishError
        As :func:`plan_job`, when no recording is left.
    """
    recordings = tuple(
        each
        if each.inexact is None
        else replace(each, inexact=None, failure=(reasons or {}).get(each.path, _died(each)))
        for each in plan.recordings
    )
    check_recordings(recordings)
    return replace(plan, recordings=recordings)


def _died(recording: PlannedRecording) -> Failure:
    return Failure(
        "RangeFailed",
        f"{recording.path}: its transcoder died, most likely for want of memory or time; resume the job, "
        f"it goes on where it was",
    )


def _plan_recording(
    request: RecordingRequest, name: str, spec: ModelSpec, settings: Settings, job: Job | None
) -> PlannedRecording:
    """Plan one recording; ``name`` is what its results go by, where another recording is called the same."""
    planned = PlannedRecording(name, request.path, request.uri)
    pieces = None
    try:
        try:
            with open_audio(
                request.uri,
                version=request.version,
                name=request.path,
                channel=settings.channel,
                damaged=settings.damaged,
            ) as audio:
                facts, version = audio.facts, audio.source.version
                begins, said = _begins(request, audio.metadata(), settings)
                planned = replace(planned, begins=begins, notes=(*audio.notes, *said))
        except InexactRecording:
            version, metadata = _read_header(request)
            begins, said = _begins(request, metadata, settings)
            planned = replace(planned, begins=begins, notes=said)
            pieces = None if job is None else job.pieces_prefix(request.uri, version)
            transcoded = None if job is None or pieces is None else read_index(job.store, pieces)
            if transcoded is None:
                failure = None if job is None or pieces is None else job.read_transcode_failure(pieces)
                return replace(planned, failure=failure, inexact=None if failure else version)
            facts = transcoded.facts
            planned = replace(planned, notes=(*planned.notes, *transcoded.notes))
            if settings.damaged == "refuse":
                check_whole(request.path, transcoded.notes)
            check_channel(request.path, facts, settings.channel)
        sample_rate = _analysis_rate(request, facts, spec, settings)
    except RecordingError as error:
        return replace(planned, failure=Failure.of(error))
    grid = spec.profile_for(settings).grid(resampled_length(facts.frames, facts.sample_rate, sample_rate), sample_rate)
    notes = (*planned.notes, *_notes_of(facts, spec, settings, grid))
    return replace(planned, analysis=Analysis(version, facts, sample_rate, grid, pieces), notes=notes)


def _notes_of(facts: AudioFacts, spec: ModelSpec, settings: Settings, grid: WindowGrid) -> Iterator[Note]:
    """Yield what a header's facts mean for the model."""
    rate = facts.sample_rate
    if facts.frames and not grid.n_windows:
        yield Note(
            "shorter-than-window",
            f"the recording lasts {facts.frames / rate:.6f} s, less than one window of "
            f"{spec.profile_for(settings).window_seconds:g} s: nothing was scored",
            {"samples": facts.frames, "sample_rate": rate},
        )
    band = spec.profile_for(settings).band(spec.sample_rate or rate)[1]
    if band > rate / 2:
        yield Note(
            "band-above-nyquist",
            f"the model listens up to {band:g} Hz, a recording at {rate} Hz holds no more than {rate / 2:g} Hz: the "
            f"model never heard such sound in training, its scores may mean nothing",
            {"band_hz": band, "nyquist_hz": rate / 2},
        )


def _begins(request: RecordingRequest, metadata: Metadata, settings: Settings) -> tuple[Start, tuple[Note, ...]]:
    """Return when a recording began, and what a user should know about that; an unknown start stops no analysis."""
    start = request.start or settings.start
    try:
        found = find_start(
            request.name,
            _with_log(metadata, request) if start is None else metadata,
            time_zone=settings.time_zone,
            pattern=settings.name_pattern,
            start=start,
        )
    except UnsupportedRecording as error:  # an hour that clocks showed twice, or never
        return Start(None, _unnamed(str(error), request)), ()
    if found.utc is None:
        return Start(None, _unnamed(found.reason, request)), found.notes
    said = (note.message for note in found.notes if note.code == "start")
    return Start(format_utc(found.utc), "; ".join((found.source, *said))), found.notes


_SOUNDTRAP = re.compile(r"(?P<stem>(?:.*[/\\])?\d{3,10}\.\d{12})(?!\d)[^/\\]*")
_LOG_ENDINGS = (".log.xml", ".xml")
_MOST_LOG_BYTES = 1 << 20
_UPLOAD = re.compile(r"s3://[^/]+/uploads/")


def _with_log(metadata: Metadata, request: RecordingRequest) -> Metadata:
    """Add the start that a SoundTrap wrote into the log beside its recording.

    Only names of a SoundTrap's shape have one, which costs two requests at most; an upload lies alone in its folder.
    """
    match = _SOUNDTRAP.fullmatch(request.uri)
    if match is None or _UPLOAD.match(request.uri):
        return metadata
    for ending in _LOG_ENDINGS:
        content = read_companion(match["stem"] + ending, _MOST_LOG_BYTES)
        start = None if content is None else soundtrap_start(content)
        if start is not None:
            return replace(metadata, starts={f"SoundTrap {ending}": start, **metadata.starts})
    return metadata


def _unnamed(reason: str, request: RecordingRequest) -> str:
    """Return a reason without the recording's name: results are the same whatever their recording is called."""
    return reason.removeprefix(f"{request.name}: ")


def _read_header(request: RecordingRequest) -> tuple[str, Metadata]:
    """Return version and metadata of a recording that must be transcoded first."""
    source = open_source(request.uri, request.version, request.path)
    try:
        with BlockReader(source) as reader:
            metadata = read_metadata(reader, source.size)
            if reader.error is not None:
                raise reader.error
    finally:
        source.close()
    return source.version, metadata


def _analysis_rate(request: RecordingRequest, facts: AudioFacts, spec: ModelSpec, settings: Settings) -> int:
    lowest, highest = SAMPLE_RATES
    if not lowest <= facts.sample_rate <= highest:
        raise UnsupportedRecording(
            f"{request.path}: a sample rate of {facts.sample_rate} Hz lies outside {lowest} to {highest} Hz; "
            f"correct the header or resample the recording"
        )
    rate = spec.sample_rate or facts.sample_rate
    if rate != facts.sample_rate and not settings.resample:
        raise UnsupportedRecording(
            f"{request.path}: {spec.title} takes recordings at {rate} Hz, this one has {facts.sample_rate} Hz; "
            f"set resample to true, or record at {rate} Hz"
        )
    if spec.profile_for(settings).input_shape(rate) != spec.input_shape:
        raise UnsupportedRecording(
            f"{request.path}: at {rate} Hz a window does not have the shape {spec.input_shape} of {spec.title}; "
            f"resample the recording to the rate the model was trained at"
        )
    return rate


def _cut(plan: Plan, cost: CostModel) -> Plan:
    """Choose the largest range that meets the target, or else the one that comes closest to it."""
    analyses = [recording.analysis for recording in plan.recordings if recording.analysis is not None]
    counts = [analysis.grid.n_windows for analysis in analyses]
    seconds = sum(analysis.grid.n_samples / analysis.sample_rate for analysis in analyses)
    cut = replace(plan, windows_per_range=_range_size(counts, plan, cost))
    loads = [sum(len(task.windows) for task in batch) for batch in cut.batches()]
    ranges = sum(1 for _ in cut.tasks())
    openings = ranges / max(1, len(loads))
    quote = Quote(
        len(counts),
        ranges,
        sum(counts),
        round(seconds, 6),
        round(cost.makespan(len(loads), max(loads, default=0), openings), 1),
        round(cost.usd(len(loads), ranges, sum(counts)), 6),
        cost.assumptions,
    )
    return replace(cut, quote=quote)


def _range_size(counts: Sequence[int], plan: Plan, cost: CostModel) -> int:
    """Return windows per worker; candidates are the sizes that cut the longest recording into equal ranges."""
    longest = max(counts, default=0)
    if longest == 0:
        return 1
    largest = max(1, min(_most_windows(plan), int(_MAX_RANGE_COMPUTE / cost.seconds_per_window)))
    windows = np.array(counts)
    best, best_makespan = largest, inf
    # What is short shares a worker, so a whole worker's load is worth considering besides the shares of the longest.
    for size in chain([largest], _equal_shares(longest, min(longest, largest))):
        long = windows[windows >= size]
        workers = int(np.sum(-(-long // size))) + ceil(int(np.sum(windows[windows < size])) / size)
        makespan = cost.makespan(workers, size, max(1.0, len(counts) / workers))
        if makespan <= plan.settings.target_seconds:
            return size
        if makespan < best_makespan:
            best, best_makespan = size, makespan
    return best


def _equal_shares(windows: int, largest: int) -> Iterator[int]:
    """Yield the sizes that cut so many windows into equal ranges, the largest first."""
    size = ceil(windows / ceil(windows / largest))
    while size >= 1:
        yield size
        size = ceil(windows / ceil(windows / (size - 1))) if size > 1 else 0


def _most_windows(plan: Plan) -> int:
    """Return how many windows fit ``max_range_seconds`` in every recording of the plan."""
    analyses = [recording.analysis for recording in plan.recordings if recording.analysis is not None]
    return min(int(plan.settings.max_range_seconds * each.sample_rate) // each.grid.hop for each in analyses)
