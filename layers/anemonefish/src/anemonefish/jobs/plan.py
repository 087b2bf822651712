"""What was decided before the first window is scored: the values that travel between plan, score and aggregate.

Owns plan, ranges and what is to be transcoded, as values and as JSON. The identity of a recording is a hash of all that
decides its scores, its content included: a part that is found under it is the part that is wanted, whatever job it was
made for. Decides nothing itself: :mod:`anemonefish.workflow.planner` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from anemonefish.audio.samples import AudioFacts
from anemonefish.canonical import digest, dump_json
from anemonefish.errors import Failure, InvalidRequest, short_repr
from anemonefish.jobs.costs import Assumptions
from anemonefish.models.repository import PinnedModel
from anemonefish.notes import Note
from anemonefish.settings import Settings
from anemonefish.windows import WindowGrid, WindowRange

__all__ = [
    "Analysis",
    "Plan",
    "PlannedRecording",
    "Quote",
    "RangeTask",
    "Start",
    "TranscodeTask",
    "batched",
]

_MOST_RANGES = 100
"""Ranges of one worker: their line must fit a state's input of 256 KiB, and each may have a path of 1,024 bytes."""

_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Start:
    """When a recording began, as far as that is known.

    Attributes
    ----------
    utc : str or None
        ISO 8601 with six decimals and a Z; None while it is not known.
    source : str
        Where it is from, or why it is not known and what to do.
    """

    utc: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """How a recording is analysed.

    Attributes
    ----------
    version : str
        The version every worker must read.
    audio : AudioFacts
        What its header says.
    sample_rate : int
        The rate it is analysed at, in Hz.
    grid : WindowGrid
        Its windows, in samples of ``sample_rate``.
    pieces : str or None
        Where its transcoded pieces lie in the job's store; None for a recording that is read in place.
    """

    version: str
    audio: AudioFacts
    sample_rate: int
    grid: WindowGrid
    pieces: str | None = None

    @property
    def resampled(self) -> bool:
        """Whether the recording is analysed at another rate than its own."""
        return self.audio.sample_rate != self.sample_rate


@dataclass(frozen=True, slots=True)
class PlannedRecording:
    """One recording of a plan: how it is analysed, or the reason it is not.

    Attributes
    ----------
    name, path, uri : str
        As in :class:`RecordingRequest`.
    begins : Start or None
        When its first sample was taken, or why that is not known; None when it cannot be opened.
    analysis : Analysis or None
        None when it cannot be analysed.
    failure : Failure or None
        Why it cannot be analysed.
    inexact : str or None
        The version of a recording that must be transcoded before it can be analysed.
    content : str or None
        A hash of its bytes, where somebody has read them all; None where uri and version stand for them.
    notes : tuple of Note
        What a user should know about it; more may come when it is scored.
    """

    name: str
    path: str
    uri: str
    begins: Start | None = None
    analysis: Analysis | None = None
    failure: Failure | None = None
    inexact: str | None = None
    content: str | None = None
    notes: tuple[Note, ...] = ()

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read one recording of ``plan.json``."""
        analysis, failure = document["analysis"], document["failure"]
        if analysis is not None:
            analysis = Analysis(
                analysis["version"],
                AudioFacts(**analysis["audio"]),
                analysis["sample_rate"],
                WindowGrid(**analysis["grid"]),
                analysis["pieces"],
            )
        return cls(
            document["name"],
            document["path"],
            document["uri"],
            None if document["begins"] is None else Start(**document["begins"]),
            analysis,
            None if failure is None else Failure(**failure),
            document["inexact"],
            document["content"],
            Note.list_from(document.get("notes", ())),  # plans made before there were notes have none
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """What a job is expected to take.

    Attributes
    ----------
    recordings, ranges, windows : int
        How many of each.
    audio_seconds, expected_seconds : float
        Length of the recordings and wall time of the job.
    expected_usd : float
        Cost in an AWS account, free tier not counted.
    assumptions : Assumptions or None
        What the two rest on; None in plans made before quotes said so.
    """

    recordings: int
    ranges: int
    windows: int
    audio_seconds: float
    expected_seconds: float
    expected_usd: float
    assumptions: Assumptions | None = None

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read the quote of ``plan.json``."""
        assumptions = document.get("assumptions")
        return cls(**{**document, "assumptions": None if assumptions is None else Assumptions(**assumptions)})


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that was decided before the first window is scored."""

    model: PinnedModel
    settings: Settings
    recordings: tuple[PlannedRecording, ...]
    windows_per_range: int
    quote: Quote

    @property
    def identity(self) -> str:
        """Return 16 hexadecimal digits that differ when a recording, its scores or the cut would."""
        identities = [self.identity_of(recording) for recording in self.recordings]
        return digest([identities, self.windows_per_range])

    def identity_of(self, recording: PlannedRecording) -> str:
        """Return 16 hexadecimal digits that differ when a score of the recording would."""
        how = recording.analysis
        facts = None if how is None else [asdict(how.audio), how.sample_rate, asdict(how.grid)]
        content = recording.content or [recording.uri, None if how is None else how.version]
        return digest([self.model.hash, self.model.engine, self.model.variant, self.settings.scoring(), content, facts])

    def tasks(self) -> Iterator[RangeTask]:
        """Yield the ranges of all recordings, in order."""
        for number in range(len(self.recordings)):
            yield from self.tasks_of(number)

    def tasks_of(self, number: int) -> Iterator[RangeTask]:
        """Yield the ranges of one recording, in order: as few as may be, and all but the last alike."""
        recording = self.recordings[number]
        if (how := recording.analysis) is None:
            return
        identity = self.identity_of(recording)
        for windows in how.grid.split(self.windows_per_range):
            yield RangeTask(
                identity,
                recording.uri,
                how.version,
                recording.path,
                how.pieces,
                self.settings.channel,
                how.sample_rate,
                how.grid,
                windows,
                self.settings.damaged,
            )

    def batches(self) -> Iterator[list[RangeTask]]:
        """Yield what one worker is given: a range of a long recording, or several short recordings."""
        return batched(self.tasks(), self.windows_per_range)

    def to_json(self) -> bytes:
        """Return ``plan.json``."""
        return dump_json(
            {
                "model": self.model.to_dict(),
                "settings": self.settings.to_dict(),
                "windows_per_range": self.windows_per_range,
                "quote": asdict(self.quote),
                "recordings": [asdict(recording) for recording in self.recordings],
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read ``plan.json``."""
        document = json.loads(data)
        return cls(
            PinnedModel.from_dict(document["model"]),
            Settings.load(document["settings"], environment={}),
            tuple(PlannedRecording.from_dict(recording) for recording in document["recordings"]),
            document["windows_per_range"],
            Quote.from_dict(document["quote"]),
        )


@dataclass(frozen=True, slots=True)
class RangeTask:
    """One range to score: all a worker needs to know besides the model.

    Attributes
    ----------
    identity : str
        The recording's.
    uri, version : str
        What to read, exactly.
    path : str
        Where its owner keeps it.
    pieces : str or None
        Where it lies transcoded, in the job's store.
    channel : int or None
        The channel to listen to, counted from 1; None for the mean of all.
    sample_rate : int
        The rate to analyse at, in Hz.
    grid : WindowGrid
        The recording's windows.
    windows : WindowRange
        Which of them to score.
    damaged : str
        ``keep`` or ``refuse``: what to do with a stretch that cannot be decoded.
    """

    identity: str
    uri: str
    version: str
    path: str
    pieces: str | None
    channel: int | None
    sample_rate: int
    grid: WindowGrid
    windows: WindowRange
    damaged: str = "keep"

    @property
    def name(self) -> str:
        """What its part is called, without a suffix."""
        return f"{self.identity}/{self.windows.start:08d}-{self.windows.stop:08d}"

    @property
    def reason_name(self) -> str:
        """What the reason is called why it has no part: scores are of a content, a reason is of one file."""
        return f"{self.name}-{digest(self.path)[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the range as JSON-ready names and values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read a range of ``ranges.jsonl``; raise :class:`InvalidRequest` when it is not one."""
        try:
            grid, windows = WindowGrid(**document["grid"]), WindowRange(**document["windows"])
            task = cls(**{**document, "grid": grid, "windows": windows})
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidRequest(f"not a range of a plan ({error}); ranges come from ranges.jsonl") from None
        if not isinstance(task.identity, str) or not _IDENTITY.fullmatch(task.identity):
            raise InvalidRequest(
                f"{short_repr(task.identity)} is not the identity of a plan; ranges come from ranges.jsonl"
            )
        if windows.stop > grid.n_windows:
            raise InvalidRequest(
                f"the range ends at window {windows.stop}, but {task.path} has {grid.n_windows} windows"
            )
        return task

    @classmethod
    def list_from(cls, documents: Any) -> list[Self]:
        """Read one line of ``ranges.jsonl``; raise :class:`InvalidRequest` when it is not one."""
        if not isinstance(documents, list) or not documents:
            raise InvalidRequest(
                f"ranges must be a list of ranges, not {short_repr(documents)}; it comes from ranges.jsonl"
            )
        return [cls.from_dict(document) for document in documents]


@dataclass(frozen=True, slots=True)
class TranscodeTask:
    """One recording to transcode.

    Attributes
    ----------
    uri, version, path : str
        As in :class:`RangeTask`.
    prefix : str
        Where its pieces go.
    """

    uri: str
    version: str
    path: str
    prefix: str

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read one line of ``transcodes.jsonl``; raise :class:`InvalidRequest` when it is not one."""
        try:
            task = cls(**document)
        except TypeError as error:
            raise InvalidRequest(f"not a recording to transcode ({error}); they come from transcodes.jsonl") from None
        if not all(isinstance(value, str) for value in (task.uri, task.version, task.path, task.prefix)):
            raise InvalidRequest("uri, version, path and prefix must be text; they come from transcodes.jsonl")
        return task


def batched(tasks: Iterable[RangeTask], windows: int) -> Iterator[list[RangeTask]]:
    """Yield neighbours that have at most ``windows`` windows together."""
    batch: list[RangeTask] = []
    room = windows
    for task in tasks:
        if batch and (len(task.windows) > room or len(batch) == _MOST_RANGES):
            yield batch
            batch, room = [], windows
        batch.append(task)
        room -= len(task.windows)
    if batch:
        yield batch
