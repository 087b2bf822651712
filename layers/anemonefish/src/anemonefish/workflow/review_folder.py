"""Make the folder of a review: its page, a clip and a spectrogram for each unit that was drawn from results.

The folder is complete in itself and can be sent to a reviewer. Results are read from their files, so those of a laptop
and those downloaded from an account are reviewed alike; the recordings must be there to be heard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from anemonefish.annotations.recording_matching import RecordingMatcher
from anemonefish.annotations.selections import within_nyquist
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.audio.pieces import read_index
from anemonefish.audio.reader import open_audio
from anemonefish.audio.samples import AudioFacts
from anemonefish.errors import InexactRecording, InvalidRequest, ModelNotFound, RecordingChanged, RecordingNotFound
from anemonefish.jobs.plan import TranscodeTask
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.plots.spectrogram import draw_spectrogram_image
from anemonefish.results.clips import ClipSource, cut_clips
from anemonefish.results.events import Event
from anemonefish.results.read import ScoredRecording, find_results, read_result
from anemonefish.results.review_html import PageClip, review_html
from anemonefish.results.review_units import DrawnUnit, ReviewUnit, draw_units, review_units
from anemonefish.results.verdict_table import write_verdicts
from anemonefish.results.verdicts import Verdict, empty_rows
from anemonefish.stores import Store, open_source
from anemonefish.stores.folder import atomic_file
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.local import shared_job
from anemonefish.workflow.transcode import transcode_task

__all__ = ["CLIPS_FOLDER", "PAGE", "TO_JUDGE", "MadeReview", "ReviewedResults", "make_review", "read_units"]

PAGE, TO_JUDGE, CLIPS_FOLDER = "index.html", "to-judge.csv", "review-clips"
"""Names in the folder of a review: the page, the table without verdicts, and the folder of clips and spectrograms."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReviewedResults:
    """What is reviewed: the units of all recordings, and what made the results.

    Attributes
    ----------
    units : tuple of ReviewUnit
    model : PinnedModel
    classes : tuple of str
        Those of the model.
    first : ScoredRecording
        One of the recordings, without scores; all have its model and its decision.
    paths : mapping of str to str
        Where the recording of each name was, as the results say.
    frames : mapping of str to (int, int)
        Samples and sample rate of each recording.
    """

    units: tuple[ReviewUnit, ...]
    model: PinnedModel
    classes: tuple[str, ...]
    first: ScoredRecording
    paths: Mapping[str, str]
    frames: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class MadeReview:
    """A review that was made.

    Attributes
    ----------
    page : Path
    rows : tuple of Verdict
        The units in the order of the page, without verdicts.
    n_units : int
        Units that they were drawn from.
    band_is_known : bool
        Whether the spectrograms show the band of the model. It is False where the model was not found.
    others : tuple of str
        The target classes of the results that it is not about.
    """

    page: Path
    rows: tuple[Verdict, ...]
    n_units: int
    band_is_known: bool
    others: tuple[str, ...]


def read_units(results: Path, label: str | None = None) -> ReviewedResults:
    """Read the units of a folder of results; the scores of one recording are held at a time.

    Parameters
    ----------
    results : Path
    label : str or None
        Which of the target classes; the first unless given.

    Raises
    ------
    InvalidRequest
        There are no results, a file is damaged, recordings have results of different models or decisions, or there
        are no events of the class.
    """
    units: list[ReviewUnit] = []
    paths, frames = {}, {}
    first: ScoredRecording | None = None
    for path in find_results(results).values():
        scored = read_result(path)
        first = first or scored
        if (scored.model, scored.decision, scored.settings.target_class) != (
            first.model,
            first.decision,
            first.settings.target_class,
        ):
            raise InvalidRequest(
                f"{results}: {scored.name} has results of another model or of other settings than {first.name}; "
                f"review them in folders of their own"
            )
        units += review_units(scored, label)
        facts = scored.origin["recording"]
        paths[scored.name] = str(facts["path"])
        frames[scored.name] = int(facts["frames"]), int(facts["sample_rate"])
    assert first is not None  # find_results raises if there are none
    model = PinnedModel.from_dict(first.origin["model"])
    return ReviewedResults(tuple(units), model, first.classes, first, paths, frames)


def make_review(
    results: Path,
    folder: Path,
    *,
    clips: int,
    seed: int,
    models: Store,
    label: str | None = None,
    recordings: Path | None = None,
    padding_seconds: float = 1.0,
    progress: Callable[[int, int], object] | None = None,
) -> MadeReview:
    """Draw units of results, and write the page with their clips and spectrograms.

    Parameters
    ----------
    results : Path
        A folder of results with the format parquet or json.
    folder : Path
        Where the page goes. Files of an earlier review in it are replaced.
    clips, seed : int
        As in :func:`anemonefish.results.review_units.draw_units`.
    models : Store
        Where the model lies, which knows its band. Without the model the spectrograms show all frequencies.
    label : str, optional
        Which of the target classes; the first unless given.
    recordings : Path, optional
        Folder of the recordings. By default they are where they were analysed.
    padding_seconds : float
        Sound before and after each unit.
    progress : callable
        Is told how many clips are done, and how many there are.

    Raises
    ------
    InvalidRequest
        There is nothing to review, the sample is too small, or matplotlib is not installed.
    RecordingNotFound
        Recordings are not there; the message says how to name their folder.
    RecordingChanged
        A recording is not the one that was analysed.
    """
    reviewed = read_units(results, label)
    drawn = draw_units(reviewed.units, clips, seed)
    rows = empty_rows(drawn, reviewed.model, reviewed.first.decision, seed)
    band = _band(reviewed, models)
    located = _locate({each.unit.recording for each in drawn}, reviewed.paths, recordings)
    clips_folder = folder / CLIPS_FOLDER
    row_of = {row.clip: row for row in rows}
    pages: dict[str, PageClip] = {}
    for name, units in _by_recording(drawn).items():
        with ExitStack() as stack:
            source, facts = _source(stack, results, name, located[name], units)
            _check_same(name, located[name], facts, reviewed.frames[name])
            for page_clip in _page_clips(source, clips_folder, row_of, band, padding_seconds, reviewed):
                pages[page_clip.row.clip] = page_clip
                if progress is not None:
                    progress(len(pages), len(rows))
    answers = [each for each in reviewed.classes if each != rows[0].label]
    _remove_other_clips(clips_folder, pages)
    write_verdicts(folder / TO_JUDGE, rows)
    with atomic_file(folder / PAGE) as path:
        path.write_text(review_html([pages[row.clip] for row in rows], answers), encoding="utf-8")
    others = tuple(each for each in reviewed.first.settings.target_classes if each != rows[0].label)
    return MadeReview(folder / PAGE, rows, len(reviewed.units), band is not None, others)


def _by_recording(drawn: Sequence[DrawnUnit]) -> dict[str, list[ReviewUnit]]:
    units: defaultdict[str, list[ReviewUnit]] = defaultdict(list)
    for each in drawn:
        units[each.unit.recording].append(each.unit)
    return {name: sorted(own, key=lambda unit: unit.start) for name, own in sorted(units.items())}


def _band(reviewed: ReviewedResults, models: Store) -> tuple[float, float] | None:
    """Return the band that the model hears, or None if the model is not there."""
    try:
        return ModelRepository(models).spec(reviewed.model).profile.band(reviewed.first.sample_rate)
    except ModelNotFound:
        return None


def _locate(names: set[str], paths: Mapping[str, str], recordings: Path | None) -> dict[str, str]:
    """Return where each recording is."""
    if recordings is None:
        located = {
            name: paths[name] for name in names if paths[name].startswith("s3://") or Path(paths[name]).is_file()
        }
    else:
        uris = {each.name: each.uri for each in find_recordings([str(recordings)]).recordings}
        matcher = RecordingMatcher(uris, AUDIO_EXTENSIONS)
        matches = {name: matcher.find(name) for name in names}
        located = {name: uris[match] for name, match in matches.items() if match is not None}
    if missing := sorted(names - located.keys()):
        shown = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
        where = "where they were analysed" if recordings is None else f"in {recordings}"
        raise RecordingNotFound(
            f"{shown}: not {where}, and a review needs the sound; name the folder of the recordings "
            f"(--recordings FOLDER)"
        )
    return located


def _source(
    stack: ExitStack, results: Path, name: str, uri: str, units: Sequence[ReviewUnit]
) -> tuple[ClipSource, AudioFacts]:
    """Return a recording as clips are cut from it; one that is not sample-accurately seekable is transcoded first."""
    events = tuple(
        Event(
            start=unit.start, stop=unit.stop, label=unit.label, mean_score=unit.score, max_score=unit.score, n_windows=1
        )
        for unit in units
    )
    rate = units[0].sample_rate
    try:
        with open_audio(uri, name=name) as audio:
            return ClipSource(name=name, uri=uri, sample_rate=rate, events=events), audio.facts
    except InexactRecording:
        pieces, facts = _transcoded(stack, results, name, uri)
    return ClipSource(name=name, uri=uri, sample_rate=rate, events=events, pieces=pieces), facts


def _transcoded(stack: ExitStack, results: Path, name: str, uri: str) -> tuple[tuple[Store, str], AudioFacts]:
    """Return the transcoded pieces of a recording: those of the results, or new ones while the stack is open."""
    source = open_source(uri)
    version = source.version
    source.close()
    for folder in (str(results), str(stack.enter_context(temporary_folder()))):
        job = shared_job(folder)
        prefix = job.pieces_prefix(uri, version)
        transcoded = read_index(job.store, prefix)
        if transcoded is not None:
            return (job.store, prefix), transcoded.facts
    failure = transcode_task(job, TranscodeTask(uri=uri, version=version, path=name, prefix=prefix))
    if failure is not None:
        raise failure.to_error()
    transcoded = read_index(job.store, prefix)
    assert transcoded is not None  # it was written a moment ago
    return (job.store, prefix), transcoded.facts


def _check_same(name: str, uri: str, facts: AudioFacts, analysed: tuple[int, int]) -> None:
    if (facts.frames, facts.sample_rate) != analysed:
        raise RecordingChanged(
            f"{name}: {uri} has {facts.frames} samples at {facts.sample_rate} Hz, and {analysed[0]} at {analysed[1]} "
            f"Hz were analysed; name the folder of the recordings that were analysed, or run detect again"
        )


def _page_clips(
    source: ClipSource,
    folder: Path,
    rows: Mapping[str, Verdict],
    band: tuple[float, float] | None,
    padding_seconds: float,
    reviewed: ReviewedResults,
) -> Iterator[PageClip]:
    """Cut the clips of one recording, and draw their spectrograms."""
    by_start = {row.start_sample: row for row in rows.values() if row.recording == source.name}

    def name_of(_: ClipSource, event: Event) -> str:
        return by_start[event.start].clip.removesuffix(".flac")

    made = cut_clips([source], folder, padding_seconds=padding_seconds, name_of=name_of)
    for clip in made.clips:
        with open_audio(str(clip.path), channel=reviewed.first.settings.channel) as audio:
            samples = audio.read(0, audio.n_samples)
        shown = None if band is None else within_nyquist(band, clip.sample_rate)
        image = draw_spectrogram_image(samples, clip.sample_rate, band=shown)
        picture = clip.path.with_suffix(".png")
        with atomic_file(picture) as path:
            path.write_bytes(image.png)
        yield PageClip(
            row=by_start[clip.event.start],
            sound=f"{CLIPS_FOLDER}/{clip.path.name}",
            image=f"{CLIPS_FOLDER}/{picture.name}",
            begins=clip.start / clip.sample_rate,
            seconds=(clip.stop - clip.start) / clip.sample_rate,
            low_hz=image.low_hz,
            high_hz=image.high_hz,
        )


def _remove_other_clips(folder: Path, kept: Mapping[str, object]) -> None:
    """Remove the clips of an earlier review with another draw."""
    for path in folder.glob("clip-*.flac"):
        if path.name not in kept:
            path.unlink()
            path.with_suffix(".png").unlink(missing_ok=True)
