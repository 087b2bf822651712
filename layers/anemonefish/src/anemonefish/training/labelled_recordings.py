"""Find recordings and their labels, and keep the ledger: which file is used for what, and which is left out and why."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path, PurePosixPath

import numpy as np

from anemonefish.annotations.labels import Label, join_messages
from anemonefish.errors import InvalidRequest, RecordingError, UnsupportedRecording
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from anemonefish.evaluation.recording_labels import RecordingLabels, collect_labels
from anemonefish.jobs.request import RecordingRequest
from anemonefish.start_time.start import find_start
from anemonefish.stores.folder import local_path
from anemonefish.training.label_meanings import UNSURE, Meanings, choose_meanings
from anemonefish.training.training_options import TrainingOptions
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.open_recording import opened_recording

__all__ = ["LabelledRecording", "LeftOut", "Material", "TimedLabel", "find_material", "limited"]

_MICROSECONDS = 1_000_000
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, order=True)
class TimedLabel:
    """A label, in microseconds from the beginning of its recording.

    Attributes
    ----------
    start, stop : int
    meaning : int
        Index of its class, or :data:`~anemonefish.training.label_meanings.NEGATIVE` or ``UNSURE``.
    high_hz : float or None
        Upper edge of its box, where one was drawn.
    """

    start: int
    stop: int
    meaning: int
    high_hz: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRecording:
    """A recording that is used.

    Attributes
    ----------
    name, uri : str
    content : str
        SHA-256 of its bytes.
    seconds : float
    sample_rate : int
        Its own, in Hz.
    labels : tuple of TimedLabel
        In order of their start.
    label_file : str
        Empty for a recording that is known to hold nothing.
    site : str
        The folder that it lies in, below the folder that was named.
    day : date or None
        When it was made, where its name or header says it.
    """

    name: str
    uri: str
    content: str
    seconds: float
    sample_rate: int
    labels: tuple[TimedLabel, ...]
    label_file: str
    site: str
    day: date | None

    def count(self, meaning: int) -> int:
        """Return how many labels have a meaning."""
        return sum(label.meaning == meaning for label in self.labels)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that may be learned from.

    Attributes
    ----------
    recordings : tuple of LabelledRecording
        By name.
    meanings : Meanings
    left_out : tuple of LeftOut
    label_names : dict of str to int
        How many labels have each name.
    """

    recordings: tuple[LabelledRecording, ...]
    meanings: Meanings
    left_out: tuple[LeftOut, ...]
    label_names: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Header:
    seconds: float
    sample_rate: int
    content: str
    day: date | None


def find_material(paths: Sequence[str], labels: Path, options: TrainingOptions) -> Material:
    """Read the headers of all recordings and all labels.

    Parameters
    ----------
    paths : sequence of str
        Recordings, or folders of them.
    labels : Path
        A label file, or a folder of them.
    options : TrainingOptions

    Raises
    ------
    InvalidRequest
        Labels and recordings do not belong together, or nothing is left to learn from.
    """
    requests = _by_name(find_recordings(paths).recordings)
    collected = collect_labels(labels, {name: Path(name) for name in requests}, _reading(options), "the recordings are")
    left_out = [LeftOut(name, reason) for name, reason in sorted(collected.left_out.items())]
    left_out += [LeftOut(name, "its labels are of no recording that was given") for name in sorted(collected.elsewhere)]
    left_out += [LeftOut(name, reason) for name, reason in sorted(collected.unread.items())]
    unlabelled = [name for name in requests if name not in collected.labels and name not in collected.left_out]
    if options.unlabelled == "ignore" or collected.unread:
        why = (
            "it may have labels in the files that could not be read"
            if collected.unread and options.unlabelled != "ignore"
            else "it has no label file; --unlabelled negative says that such recordings hold no class"
        )
        left_out += [LeftOut(name, why) for name in unlabelled]
        unlabelled = []
    headers: dict[str, _Header] = {}
    first_of: dict[str, str] = {}
    for name in sorted({*collected.labels, *unlabelled}):
        try:
            header = _header(requests[name].uri, name, options)
            _check(header, name, collected, first_of)
        except (RecordingError, InvalidRequest) as error:
            left_out.append(LeftOut(name, str(error)))
            continue
        headers[name], first_of[header.content] = header, name
    names = Counter(label.name for name in headers for label in collected.labels.get(name, ()))
    if not headers:
        raise InvalidRequest(
            "no recording can be used: " + join_messages(f"{each.name}: {each.reason}" for each in left_out)
        )
    meanings = choose_meanings(names, options)
    recordings = tuple(
        _recording(name, requests[name].uri, header, collected, meanings) for name, header in headers.items()
    )
    return Material(recordings, meanings, tuple(left_out), dict(sorted(names.items())))


def _by_name(requests: Sequence[RecordingRequest]) -> dict[str, RecordingRequest]:
    """Return the recordings by name; where two folders have the same names, with their folder."""
    for request in requests:
        if request.uri.startswith("s3://"):
            raise InvalidRequest(f"{request.uri}: training reads local files; download the recordings first")
    by_name = {request.name: request for request in requests}
    if len(by_name) < len({request.uri for request in requests}):
        common = os.path.commonpath([local_path(request.uri).parent for request in requests])
        by_name = {local_path(request.uri).relative_to(common).as_posix(): request for request in requests}
    return by_name


def _reading(options: TrainingOptions) -> EvaluationOptions:
    return EvaluationOptions(
        unlabelled=options.unlabelled,
        label_column=options.label_column,
        times_per_file=options.times_per_file,
        pattern=options.pattern,
    )


def _header(uri: str, name: str, options: TrainingOptions) -> _Header:
    path = local_path(uri)
    with opened_recording(uri, channel=options.channel) as samples:
        seconds, rate = samples.n_samples / samples.sample_rate, samples.sample_rate
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        start = find_start(name, time_zone=options.time_zone)
    except UnsupportedRecording:  # an hour that clocks showed twice or not at all
        return _Header(seconds, rate, content, None)
    moment = start.utc or start.local
    return _Header(seconds, rate, content, None if moment is None else moment.date())


def _check(header: _Header, name: str, collected: RecordingLabels, first_of: dict[str, str]) -> None:
    """Raise :class:`InvalidRequest` where a recording cannot be learned from."""
    if header.seconds < _LEAST_SECONDS:
        raise InvalidRequest(f"it lasts {header.seconds:.3f} s; at least {_LEAST_SECONDS:g} s are needed")
    if (first := first_of.get(header.content)) is not None:
        raise InvalidRequest(f"the same bytes as {first}: a copy in another split would be learned by heart")
    for label in collected.labels.get(name, ()):
        if label.start > header.seconds * _MICROSECONDS:
            raise InvalidRequest(
                f"{collected.file_of[name]}: the label at line {label.line} begins at "
                f"{label.start / _MICROSECONDS:.3f} s, but the recording has {header.seconds:.3f} s; are these the "
                f"labels of another recording, or of a sequence of files (--times-per-file)?"
            )


def _recording(
    name: str, uri: str, header: _Header, collected: RecordingLabels, meanings: Meanings
) -> LabelledRecording:
    labels = collected.labels.get(name, [])
    return LabelledRecording(
        name=name,
        uri=uri,
        content=header.content,
        seconds=header.seconds,
        sample_rate=header.sample_rate,
        labels=tuple(sorted(_timed(label, meanings) for label in labels)),
        label_file=collected.file_of.get(name, ""),
        site=PurePosixPath(name).parent.as_posix(),
        day=header.day,
    )


def _timed(label: Label, meanings: Meanings) -> TimedLabel:
    high = None if label.high_hz is None else float(label.high_hz)
    return TimedLabel(label.start, label.stop, meanings.of[label.name], high)


def limited(recordings: Sequence[LabelledRecording], classes: int, most: int, seed: int) -> list[LabelledRecording]:
    """Keep at most so many labels of each class, chosen by chance; the others become :data:`UNSURE`.

    Parameters
    ----------
    recordings : sequence of LabelledRecording
    classes : int
        Number of classes.
    most : int
    seed : int
    """
    dropped: set[tuple[int, int]] = set()
    for meaning in range(classes):
        places = [
            (number, position)
            for number, recording in enumerate(recordings)
            for position, label in enumerate(recording.labels)
            if label.meaning == meaning
        ]
        order = np.random.default_rng((seed, meaning)).permutation(len(places))
        dropped |= {places[index] for index in order[most:].tolist()}
    return [
        replace(
            recording,
            labels=tuple(
                replace(label, meaning=UNSURE) if (number, position) in dropped else label
                for position, label in enumerate(recording.labels)
            ),
        )
        for number, recording in enumerate(recordings)
    ]
