"""Plan one recording: read its header, and say how it is analysed or why it cannot be.

A recording that is not sample-accurately seekable is planned by its transcoded pieces, once they exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.headers import Metadata, read_metadata, soundtrap_start
from anemonefish.audio.pieces import check_whole, find_transcoded
from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import resampled_length
from anemonefish.audio.samples import AudioFacts, check_channel
from anemonefish.errors import Failure, InexactRecording, RecordingError, UnsupportedRecording
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Analysis, PlannedRecording, StartTime
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.bundle import ModelSpec
from anemonefish.notes import Note
from anemonefish.settings import Settings
from anemonefish.start_time.start import find_start
from anemonefish.start_time.time_zones import format_utc
from anemonefish.stores import open_source, read_companion
from anemonefish.windows import WindowGrid

__all__ = ["SAMPLE_RATES", "plan_recording"]

SAMPLE_RATES = (1_000, 1_000_000)
"""Lowest and highest sample rate taken, in Hz; hydrophone recorders lie between 4 and 576 kHz."""


def plan_recording(
    request: RecordingRequest, name: str, spec: ModelSpec, settings: Settings, job: Job | None
) -> PlannedRecording:
    """Read the header of a recording and say how it is analysed.

    Parameters
    ----------
    request : RecordingRequest
    name : str
        The name of its results, which differs from that of every other recording of the job.
    spec : ModelSpec
    settings : Settings
    job : Job or None
        Where transcoded recordings are looked for.

    Returns
    -------
    PlannedRecording
        With its window grid; with a failure where it cannot be analysed; with its version in ``inexact`` where it must
        be transcoded first.
    """
    planned = PlannedRecording(name=name, path=request.path, uri=request.uri)
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
                start, notes = _start_of(request, audio.metadata(), settings)
                planned = replace(planned, begins=start, notes=(*audio.notes, *notes))
        except InexactRecording:
            version, metadata = _read_header(request)
            start, notes = _start_of(request, metadata, settings)
            planned = replace(planned, begins=start, notes=notes)
            pieces = None if job is None else job.pieces_prefix(request.uri, version)
            transcoded = None if job is None or pieces is None else find_transcoded(job.store, pieces)
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
    analysis = Analysis(version=version, audio=facts, sample_rate=sample_rate, grid=grid, pieces=pieces)
    return replace(planned, analysis=analysis, notes=notes)


def _notes_of(facts: AudioFacts, spec: ModelSpec, settings: Settings, grid: WindowGrid) -> Iterator[Note]:
    """Yield notes on recordings that are too short or sampled too slowly for the model."""
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


def _start_of(request: RecordingRequest, metadata: Metadata, settings: Settings) -> tuple[StartTime, tuple[Note, ...]]:
    """Return when a recording began, with notes on that. A recording without a known start is analysed as well."""
    start = request.start or settings.start
    try:
        found = find_start(
            request.name,
            _with_log(metadata, request) if start is None else metadata,
            time_zone=settings.time_zone,
            pattern=settings.name_pattern,
            start=start,
        )
    except UnsupportedRecording as error:  # an hour that clocks showed twice or not at all
        return StartTime(None, _without_name(str(error), request)), ()
    if found.utc is None:
        return StartTime(None, _without_name(found.reason, request)), found.notes
    remarks = (note.message for note in found.notes if note.code == "start")
    return StartTime(format_utc(found.utc), "; ".join((found.source, *remarks))), found.notes


_SOUNDTRAP = re.compile(r"(?P<stem>(?:.*[/\\])?\d{3,10}\.\d{12})(?!\d)[^/\\]*")
_LOG_ENDINGS = (".log.xml", ".xml")
_MOST_LOG_BYTES = 1 << 20
_UPLOAD = re.compile(r"s3://[^/]+/uploads/")


def _with_log(metadata: Metadata, request: RecordingRequest) -> Metadata:
    """Add the start that a SoundTrap recorder wrote into the log beside its recording.

    A log is looked for only beside names that a SoundTrap gives, with two requests at most. An upload has its folder to
    itself, so no log is looked for.
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


def _without_name(reason: str, request: RecordingRequest) -> str:
    """Return a reason without the recording's name, because results do not depend on what their recording is called."""
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
