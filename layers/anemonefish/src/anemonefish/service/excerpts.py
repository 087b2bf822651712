"""Excerpts of a recording on demand: its sound as FLAC, and its spectrogram as PNG.

They are cut and drawn as those of a review are. An excerpt is stored in the output bucket under a key that names the
recording's version and the samples, so the second request for it only finds it; the bucket deletes it after some days.
A recording that was deleted is not heard any more, although its excerpts and its transcoded sound may still be stored::

    excerpts/{tenant}/{recording}/{start}-{stop}.flac
    excerpts/{tenant}/{recording}/{start}-{stop}-{drawing}.png
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from anemonefish.annotations.selections import within_nyquist
from anemonefish.audio.reader import open_audio
from anemonefish.canonical import digest
from anemonefish.errors import ClipTooLarge, InvalidRequest, RecordingNotFound
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Analysis, Plan, PlannedRecording
from anemonefish.models.repository import ModelRepository
from anemonefish.plots.spectrogram import draw_spectrogram_image, image_frequencies
from anemonefish.results.clips import ClipSource, cut_clips
from anemonefish.results.events import Event
from anemonefish.sample_times import format_seconds
from anemonefish.stores import open_source
from anemonefish.stores.temporary import temporary_folder

__all__ = ["LONGEST_SECONDS", "MOST_SAMPLES", "Excerpt", "Spectrogram", "cut_excerpt", "draw_excerpt"]

LONGEST_SECONDS = 60
"""Longest excerpt."""

MOST_SAMPLES = 30_000_000
"""Most samples of all channels of an excerpt: a minute of two channels at 192 kHz has 23 million."""

_DRAWING_VERSION = 1
"""Version of the drawing; another one makes stored pictures again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A stretch of a recording that was stored.

    Attributes
    ----------
    key, name : str
        Where it is stored, and how the file is called for a user.
    start, stop : int
        Samples of the recording at its own sample rate, half-open.
    sample_rate, channels : int
        Those of the recording.
    """

    key: str
    name: str
    start: int
    stop: int
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrogram(Excerpt):
    """The spectrogram of a stretch.

    Attributes
    ----------
    low_hz, high_hz : float
        Frequencies at the lower and the upper edge of the picture.
    """

    low_hz: float
    high_hz: float


def cut_excerpt(job: Job, tenant: str, number: int, start: Fraction, stop: Fraction) -> Excerpt:
    """Store a stretch of a recording as FLAC, with the samples, the rate and the channels of the recording.

    Parameters
    ----------
    job : Job
        A job that was planned.
    tenant : str
        Whose job it is.
    number : int
        Of the recording in the job.
    start, stop : Fraction
        In seconds; the stretch has the samples nearest to them, as far as the recording has them.

    Raises
    ------
    InvalidRequest
        The stretch is empty, or begins after the end.
    ClipTooLarge
        It is longer than :data:`LONGEST_SECONDS`, or has more than :data:`MOST_SAMPLES`.
    RecordingNotFound
        There is no such recording, it was not analysed, or it was deleted, by its owner or after its time.
    RecordingError
        It cannot be read.
    """
    recording, analysis = _find(job.read_plan(), number)
    excerpt = _locate(recording, analysis, tenant, start, stop)
    _check_not_deleted(recording, analysis)
    if not job.store.exists(excerpt.key):
        with temporary_folder() as folder:
            job.store.upload(excerpt.key, _cut(job, recording, analysis, excerpt, Path(folder)))
    return excerpt


def draw_excerpt(
    job: Job, models: ModelRepository, tenant: str, number: int, start: Fraction, stop: Fraction
) -> Spectrogram:
    """Store the spectrogram of a stretch around the band of the model, without axes, as a review draws it.

    Parameters and errors are those of :func:`cut_excerpt`. In addition, a stretch that is shorter than one window of
    the spectrogram is an :class:`~anemonefish.errors.InvalidRequest`.
    """
    plan = job.read_plan()
    recording, analysis = _find(plan, number)
    sound, channel = _locate(recording, analysis, tenant, start, stop), plan.settings.channel
    band = within_nyquist(models.spec(plan.model).profile.band(analysis.sample_rate), sound.sample_rate)
    low, high = image_frequencies(sound.sample_rate, band)
    stem = sound.key.removesuffix(".flac")
    picture = Spectrogram(
        key=f"{stem}-{digest([_DRAWING_VERSION, channel, *band])}.png",
        name=sound.name.replace(".flac", ".png"),
        start=sound.start,
        stop=sound.stop,
        sample_rate=sound.sample_rate,
        channels=sound.channels,
        low_hz=low,
        high_hz=high,
    )
    _check_not_deleted(recording, analysis)
    if not job.store.exists(picture.key):
        with temporary_folder() as folder:
            path = _cut(job, recording, analysis, sound, Path(folder))
            with open_audio(str(path), channel=channel) as audio:
                samples = audio.read(0, audio.n_samples)
        job.store.write(picture.key, draw_spectrogram_image(samples, sound.sample_rate, band=band).png)
    return picture


def _find(plan: Plan, number: int) -> tuple[PlannedRecording, Analysis]:
    """Return a recording of a plan that was analysed."""
    last = len(plan.recordings) - 1
    if not 0 <= number <= last:
        raise RecordingNotFound(f"this execution has recordings 0 to {last}, not {number}")
    recording = plan.recordings[number]
    if recording.analysis is None:
        if recording.failure is not None:
            raise recording.failure.to_error()
        raise RecordingNotFound(f"{recording.name}: this recording was not analysed")
    return recording, recording.analysis


def _check_not_deleted(recording: PlannedRecording, analysis: Analysis) -> None:
    """Raise an error unless the recording is still there as it was analysed."""
    try:
        open_source(recording.uri, analysis.version or None, recording.name).close()
    except RecordingNotFound:
        raise _deleted(recording) from None


def _deleted(recording: PlannedRecording) -> RecordingNotFound:
    return RecordingNotFound(
        f"{recording.name}: the recording was deleted, by its owner or after the days for which this service keeps "
        f"uploads; the results are still there. To hear it, upload it again and start a new execution"
    )


def _locate(recording: PlannedRecording, analysis: Analysis, tenant: str, start: Fraction, stop: Fraction) -> Excerpt:
    """Return the excerpt that a request means; it may not be stored yet."""
    audio = analysis.audio
    if stop - start > LONGEST_SECONDS:
        raise ClipTooLarge(
            f"stop - start is {float(stop - start):g} s; an excerpt has at most {LONGEST_SECONDS} s, so ask for several"
        )
    first, last = (_nearest(time, audio.sample_rate) for time in (start, stop))
    if first >= audio.frames:
        length = format_seconds(audio.frames, audio.sample_rate)
        raise InvalidRequest(f"start: {recording.name} ends at {length} s, before {float(start):g} s")
    last = min(last, audio.frames)
    if first >= last:
        raise InvalidRequest(f"stop must be after start, by one sample at least, not {float(stop):g} s")
    if (last - first) * audio.channels > MOST_SAMPLES:
        raise ClipTooLarge(
            f"{recording.name}: {last - first} samples of {audio.channels} channels are too many for one excerpt "
            f"(at most {MOST_SAMPLES} in all); ask for a shorter one"
        )
    identity = digest([recording.uri, analysis.version, analysis.pieces])
    begins = format_seconds(first, audio.sample_rate)
    return Excerpt(
        key=f"excerpts/{tenant}/{identity}/{first}-{last}.flac",
        name=f"{recording.name.rpartition('/')[2]}_{begins}s.flac",
        start=first,
        stop=last,
        sample_rate=audio.sample_rate,
        channels=audio.channels,
    )


def _nearest(seconds: Fraction, rate: int) -> int:
    """Return the sample that is nearest to a time; halves are rounded up."""
    return (seconds * rate + Fraction(1, 2)).__floor__()


def _cut(job: Job, recording: PlannedRecording, analysis: Analysis, excerpt: Excerpt, folder: Path) -> Path:
    stretch = Event(start=excerpt.start, stop=excerpt.stop, label="", mean_score=0.0, max_score=0.0, n_windows=0)
    source = ClipSource(
        name=recording.name,
        uri=recording.uri,
        sample_rate=excerpt.sample_rate,
        events=(stretch,),
        version=analysis.version or None,
        pieces=None if analysis.pieces is None else (job.store, analysis.pieces),
    )
    try:
        [clip] = cut_clips([source], folder, padding_seconds=0, name_of=lambda *_: "excerpt").clips
    except RecordingNotFound:
        raise _deleted(recording) from None
    return clip.path
