"""Make clips of the events to listen to, and pictures of scores and events, from a finished job.

In an account, the workers that report draw the timelines, each while it has the scores of a recording. What is left is
made from the stored outcomes of all recordings, without scores.

They are below ``review`` in the folder of results, and do not change any result.
Cutting is :mod:`anemonefish.results.clips`', drawing is :mod:`anemonefish.plots`'.::

    review/clips/{recording}_{time}_{class}_{score}.flac    each event with its padding; the best ones first
    review/clips/....png                                    its spectrogram
    review/clips/clips.csv, review/clips/index.html         what they are, for a spreadsheet and a browser
    review/{recording}.timeline.png                         scores, threshold and events
    review/activity.png                                     events per hour of effort, by day and hour
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from anemonefish.annotations.selections import within_nyquist
from anemonefish.audio.reader import open_audio
from anemonefish.errors import AnemonefishError, Failure
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import read_scores
from anemonefish.models.repository import ModelRepository
from anemonefish.plots.spectrogram import plot_spectrogram
from anemonefish.plots.style import Span
from anemonefish.results.clip_index import write_clip_index
from anemonefish.results.clips import Clip, Clips, ClipSource, cut_clips
from anemonefish.results.decide import decide
from anemonefish.results.effort import Effort
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.review_state import (
    REVIEW_FAILED,
    REVIEW_PENDING,
    REVIEW_SUCCEEDED,
    ReviewedEvent,
    ReviewState,
    write_review_state,
    write_reviewed_events,
)
from anemonefish.results.stored_outcomes import StoredOutcomes
from anemonefish.sample_times import seconds
from anemonefish.settings import MOST_CLIPS
from anemonefish.stores import Store
from anemonefish.stores.folder import atomic_file
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.effort_plot import draw_effort
from anemonefish.workflow.timelines import count_timelines, draw_result, timeline_name

__all__ = [
    "Review",
    "review_results",
    "store_review",
    "write_review",
]


@dataclass(frozen=True, slots=True)
class Review:
    """Counts of the clips and pictures that were made.

    Attributes
    ----------
    clips : int
    left_out : int
        Events beyond the limit, which have no clip.
    pictures : int
    events : tuple of ReviewedEvent
        The events with a clip.
    """

    clips: int = 0
    left_out: int = 0
    pictures: int = 0
    events: tuple[ReviewedEvent, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {"clips": self.clips, "left_out": self.left_out, "pictures": self.pictures}


def write_review(
    job: Job,
    models: ModelRepository,
    folder: Path,
    *,
    clips: bool,
    pictures: bool,
    padding_seconds: float = 1.0,
    most_clips: int = MOST_CLIPS,
) -> Review:
    """Cut clips and draw pictures of a finished job.

    Parameters
    ----------
    job : Job
        A job that was aggregated.
    models : ModelRepository
    folder : Path
        Clips and pictures go below ``review`` in it.
    clips, pictures : bool
        What to make; with both, every clip has its spectrogram.
    padding_seconds : float
        Sound before and after an event.
    most_clips : int
        Most clips; the events with the highest mean scores are cut.

    Raises
    ------
    RecordingError
        A recording was changed after it was analysed.
    InvalidRequest
        matplotlib is not installed, or the job was never planned.
    """
    return review_results(
        _results(job, models),
        job.store,
        folder,
        clips=clips,
        pictures=pictures,
        padding_seconds=padding_seconds,
        most_clips=most_clips,
    )


def review_results(
    decided: Iterable[RecordingResult],
    store: Store,
    folder: Path,
    *,
    clips: bool,
    pictures: bool,
    padding_seconds: float = 1.0,
    most_clips: int = MOST_CLIPS,
) -> Review:
    """Cut clips and draw pictures of results as :func:`write_review` does; one result is held at a time.

    Parameters
    ----------
    decided : iterable of RecordingResult
        With their scores.
    store : Store
        Where transcoded recordings lie.
    folder, clips, pictures, padding_seconds, most_clips
        As in :func:`write_review`.
    """
    results, drawn = [], 0
    for result in decided:
        if pictures:
            _keep(folder / timeline_name(result.recording.name), draw_result(result))
            drawn += 1
        results.append(replace(result, scores=result.scores[:0], smoothed=result.smoothed[:0]))
    made = _review_events(
        results, store, folder, clips=clips, pictures=pictures, padding_seconds=padding_seconds, most_clips=most_clips
    )
    return replace(made, pictures=made.pictures + drawn)


def _review_events(
    results: Sequence[RecordingResult],
    store: Store,
    folder: Path,
    *,
    clips: bool,
    pictures: bool,
    padding_seconds: float = 1.0,
    most_clips: int = MOST_CLIPS,
) -> Review:
    """Cut clips and draw pictures as :func:`review_results` does, except those that need scores."""
    review, drawn, made = folder / "review", 0, Clips((), 0)
    by_name = {result.recording.name: result for result in results}
    if clips:
        sources = [_source(store, result) for result in results]
        made = cut_clips(sources, review / "clips", padding_seconds=padding_seconds, limit=most_clips)
    if pictures and results:
        _keep(review / "activity.png", _activity(results))
        for clip in made.clips:
            _keep(clip.path.with_suffix(".png"), _spectrogram(clip, by_name[clip.recording]))
        drawn = 1 + len(made.clips)
    if made.clips:
        write_clip_index(review / "clips", made.clips, by_name, made.left_out)
    events = tuple(_reviewed(clip, folder, pictures=pictures) for clip in made.clips)
    return Review(len(made.clips), made.left_out, drawn, events)


def store_review(job: Job, models: ModelRepository) -> Review:
    """Make what the job's setting ``review`` asks for besides timelines, and store it among the results.

    ``review.json`` of the job says whether it is pending, complete or failed. It is written last.

    Raises
    ------
    RecordingError
        A recording was changed after it was analysed.
    InvalidRequest
        matplotlib is not installed, or the job was never planned.
    MissingParts
        A recording has no outcome.
    FunctionFailed
        A timeline does not exist. Everything else is stored.
    StorageError
        The store does not take the files.
    """
    plan = job.read_plan()
    wanted = plan.settings.review
    write_review_state(job, ReviewState(REVIEW_PENDING))
    try:
        outcomes = StoredOutcomes(job, plan).read_all(models.spec(plan.model))
        results = [outcome.result for outcome in outcomes if outcome.result is not None]
        with temporary_folder() as folder:
            made = _review_events(results, job.store, folder, clips="clips" in wanted, pictures="pictures" in wanted)
            _upload_all(job, folder)
        if "pictures" in wanted:
            made = replace(made, pictures=made.pictures + count_timelines(job, results))
    except AnemonefishError as error:
        write_review_state(job, ReviewState(REVIEW_FAILED, failure=Failure.of(error)))
        raise
    write_reviewed_events(job, made.events)
    write_review_state(
        job, ReviewState(REVIEW_SUCCEEDED, clips=made.clips, left_out=made.left_out, pictures=made.pictures)
    )
    return made


def _upload_all(job: Job, folder: Path) -> None:
    """Store the files of a folder among the results, several at once."""
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    with ThreadPoolExecutor(job.store.at_once) as pool:
        list(pool.map(lambda name: job.store.upload(job.result_key(name), folder / name), names))


def _reviewed(clip: Clip, folder: Path, *, pictures: bool) -> ReviewedEvent:
    event, path = clip.event, clip.path.relative_to(folder)
    picture = path.with_suffix(".png").as_posix() if pictures else None
    return ReviewedEvent(
        recording=clip.recording,
        start=event.start,
        stop=event.stop,
        label=event.label,
        clip=path.as_posix(),
        picture=picture,
    )


def _keep(path: Path, png: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(png)


def _source(store: Store, result: RecordingResult) -> ClipSource:
    recording, analysis = result.recording, result.analysis
    pieces = None if analysis.pieces is None else (store, analysis.pieces)
    return ClipSource(
        name=recording.name,
        uri=recording.uri,
        sample_rate=analysis.sample_rate,
        events=result.events,
        version=analysis.version or None,
        pieces=pieces,
    )


def _results(job: Job, models: ModelRepository) -> Iterator[RecordingResult]:
    """Yield the results of the recordings that were scored, in order, decided again from their stored scores."""
    plan, scored = job.read_plan(), job.scored()
    spec = models.spec(plan.model)
    for number, recording in enumerate(plan.recordings):
        tasks = list(plan.tasks_of(number))
        if recording.analysis is not None and all(task.name in scored for task in tasks):
            stored = read_scores(job, spec, tasks)
            yield decide(
                recording,
                spec,
                plan.model,
                plan.settings,
                stored.scores,
                stored.observed,
                stored.levels,
                plan.calibration,
            )


def _activity(results: Sequence[RecordingResult]) -> bytes:
    effort = Effort.in_zone_of(results[0].settings)
    for result in results:
        effort.add(result.recording, ((event.start, event.calls) for event in result.events))
    return draw_effort(effort)


def _spectrogram(clip: Clip, result: RecordingResult) -> bytes:
    """Draw the spectrogram of a clip, in the band that the model sees."""
    with open_audio(str(clip.path)) as audio:
        samples = audio.read(0, audio.n_samples)
    begins = clip.start / clip.sample_rate
    rate = result.sample_rate
    band = within_nyquist(result.spec.profile.band(rate), clip.sample_rate)
    span = Span(seconds(clip.event.start, rate), seconds(clip.event.stop, rate), clip.event.label)
    return plot_spectrogram(samples, clip.sample_rate, title=clip.path.stem, begins=begins, events=[span], band=band)
