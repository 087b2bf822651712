"""The plan of a job: how each recording is analysed, which ranges of windows are scored, and what the job will take.

:mod:`anemonefish.workflow.planner` makes it, and scoring and aggregating read it. The identity of a recording is a hash
of everything that its scores depend on, its content included. Parts are stored under this identity, so a part that
exists can be used by any job, whichever job scored it.
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
from anemonefish.jobs.cut import MOST_RANGES
from anemonefish.jobs.quote import Quote
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.repository import PinnedModel
from anemonefish.notes import Note
from anemonefish.settings import Settings
from anemonefish.windows import WindowGrid, WindowRange

__all__ = ["Analysis", "Plan", "PlannedRecording", "RangeTask", "StartTime", "TranscodeTask", "batched"]

_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class StartTime:
    """When a recording began, if that is known.

    Attributes
    ----------
    utc : str or None
        ISO 8601 with six decimals and a Z; None where it is not known.
    source : str
        Where the time comes from, or why it is not known and what to do.
    """

    utc: str | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How a recording is analysed.

    Attributes
    ----------
    version : str
        The version of the recording that every worker must read.
    audio : AudioFacts
        The facts in its header.
    sample_rate : int
        Sample rate of the analysis, in Hz.
    grid : WindowGrid
        The windows, in samples of ``sample_rate``.
    pieces : str or None
        Prefix of the transcoded pieces in the job's store; None for a recording that is read directly.
    """

    version: str
    audio: AudioFacts
    sample_rate: int
    grid: WindowGrid
    pieces: str | None = None

    @property
    def resampled(self) -> bool:
        """Whether the recording is analysed at another sample rate than its own."""
        return self.audio.sample_rate != self.sample_rate

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read the analysis of a recording in ``plan.json``."""
        audio, grid = AudioFacts(**document["audio"]), WindowGrid(**document["grid"])
        return cls(**{**document, "audio": audio, "grid": grid})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRecording:
    """One recording of a plan: how it is analysed, or why it cannot be.

    Attributes
    ----------
    name, path, uri : str
        As in :class:`anemonefish.jobs.request.RecordingRequest`.
    begins : StartTime or None
        When its first sample was taken, or why that is not known; None where it cannot be opened.
    analysis : Analysis or None
        None where it cannot be analysed, or must be transcoded first.
    failure : Failure or None
        Why it cannot be analysed.
    inexact : str or None
        The version of a recording that is not sample-accurately seekable and must be transcoded first.
    content : str or None
        A hash of its bytes, where they were all read; None where uri and version identify them.
    notes : tuple of Note
        What a user should know about the recording. Scoring it may add more.
    """

    name: str
    path: str
    uri: str
    begins: StartTime | None = None
    analysis: Analysis | None = None
    failure: Failure | None = None
    inexact: str | None = None
    content: str | None = None
    notes: tuple[Note, ...] = ()

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read one recording of ``plan.json``."""
        begins, analysis, failure = document["begins"], document["analysis"], document["failure"]
        return cls(
            **{
                **document,
                "begins": None if begins is None else StartTime(**begins),
                "analysis": None if analysis is None else Analysis.from_dict(analysis),
                "failure": None if failure is None else Failure(**failure),
                "notes": Note.list_from(document.get("notes", ())),  # plans of older versions have no notes
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is decided before the first window is scored.

    Attributes
    ----------
    model : PinnedModel
    settings : Settings
    recordings : tuple of PlannedRecording
    windows_per_range : int
        The most windows of one range, and of all recordings that share a worker.
    quote : Quote
    recordings_per_worker : int
        The most recordings that share a worker.
    calibration : ScoreCalibration or None
        What gives the events of the job a probability.
    """

    model: PinnedModel
    settings: Settings
    recordings: tuple[PlannedRecording, ...]
    windows_per_range: int
    quote: Quote
    recordings_per_worker: int = MOST_RANGES
    calibration: ScoreCalibration | None = None

    @property
    def identity(self) -> str:
        """16 hexadecimal digits that depend on everything the scores depend on, and on the ranges."""
        identities = [self.identity_of(recording) for recording in self.recordings]
        return digest([identities, self.windows_per_range])

    def identity_of(self, recording: PlannedRecording) -> str:
        """Return 16 hexadecimal digits that depend on everything the scores of the recording depend on."""
        analysis = recording.analysis
        facts = None if analysis is None else [asdict(analysis.audio), analysis.sample_rate, asdict(analysis.grid)]
        content = recording.content or [recording.uri, None if analysis is None else analysis.version]
        return digest([self.model.hash, self.model.engine, self.model.variant, self.settings.scoring(), content, facts])

    def windows(self) -> list[int | None]:
        """Return the windows of each recording, None for one that cannot be analysed."""
        return [
            None if recording.failure is not None or recording.analysis is None else recording.analysis.grid.n_windows
            for recording in self.recordings
        ]

    def tasks(self) -> Iterator[RangeTask]:
        """Yield the ranges of all recordings, in order."""
        for number in range(len(self.recordings)):
            yield from self.tasks_of(number)

    def tasks_of(self, number: int) -> Iterator[RangeTask]:
        """Yield the ranges of one recording, in order: as few as possible, and all but the last of equal length."""
        recording = self.recordings[number]
        if (analysis := recording.analysis) is None:
            return
        identity = self.identity_of(recording)
        for windows in analysis.grid.split(self.windows_per_range):
            yield RangeTask(
                identity=identity,
                uri=recording.uri,
                version=analysis.version,
                path=recording.path,
                pieces=analysis.pieces,
                channel=self.settings.channel,
                sample_rate=analysis.sample_rate,
                grid=analysis.grid,
                windows=windows,
                damaged=self.settings.damaged,
            )

    def batches(self) -> Iterator[list[RangeTask]]:
        """Yield the ranges of each worker: one range of a long recording, or several short recordings."""
        return self.batched(self.tasks())

    def batched(self, tasks: Iterable[RangeTask]) -> Iterator[list[RangeTask]]:
        """Yield some ranges of the plan as :meth:`batches` does."""
        return batched(tasks, self.windows_per_range, self.recordings_per_worker)

    def to_json(self) -> bytes:
        """Return ``plan.json``."""
        return dump_json(
            {
                "model": self.model.to_dict(),
                "settings": self.settings.to_dict(),
                **({} if self.calibration is None else {"calibration": self.calibration.to_dict()}),
                "windows_per_range": self.windows_per_range,
                "recordings_per_worker": self.recordings_per_worker,
                "quote": asdict(self.quote),
                "recordings": [asdict(recording) for recording in self.recordings],
            }
        )

    @classmethod
    def from_json(cls, data: bytes, only: ReportTask | None = None) -> Self:
        """Read ``plan.json``.

        Parameters
        ----------
        data : bytes
        only : ReportTask, optional
            The recordings of the plan that is returned; all of them unless given.

        Raises
        ------
        InvalidRequest
            The plan has fewer recordings than ``only`` says.
        """
        document = json.loads(data)
        if only is not None:
            count = len(document["recordings"])
            if only.stop > count:
                raise InvalidRequest(f"the plan has {count} recordings, and the report of number {only.stop} is wanted")
            document["recordings"] = document["recordings"][only.start : only.stop]
        return cls(
            model=PinnedModel.from_dict(document["model"]),
            settings=Settings.load(document["settings"], environment={}),
            recordings=tuple(PlannedRecording.from_dict(recording) for recording in document["recordings"]),
            windows_per_range=document["windows_per_range"],
            recordings_per_worker=document.get("recordings_per_worker", MOST_RANGES),
            quote=Quote.from_dict(document["quote"]),
            calibration=ScoreCalibration.of_plan(document.get("calibration")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeTask:
    """One range to score: everything that a worker needs besides the model.

    Attributes
    ----------
    identity : str
        Identity of the recording; see :meth:`Plan.identity_of`.
    uri, version : str
        The recording to read, and its version.
    path : str
        Where the owner of the recording keeps it; for messages.
    pieces : str or None
        Prefix of the transcoded pieces in the job's store.
    channel : int or None
        The channel to analyse, counted from 1; None for the mean of all channels.
    sample_rate : int
        Sample rate of the analysis, in Hz.
    grid : WindowGrid
        The windows of the recording.
    windows : WindowRange
        The windows to score.
    damaged : {"keep", "refuse"}
        What to do with a part of the recording that cannot be decoded.
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
        """Name of the part, without its suffix."""
        return f"{self.identity}/{self.windows.start:08d}-{self.windows.stop:08d}"

    @property
    def whole(self) -> bool:
        """Whether the range has all windows of its recording."""
        return len(self.windows) == self.grid.n_windows

    @property
    def reason_name(self) -> str:
        """Name of the file that says why the range has no part.

        It includes the path, because recordings with the same content share their parts, but each may fail on its own.
        """
        return f"{self.name}-{digest(self.path)[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the range as JSON-ready names and values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read a range of ``ranges.jsonl``; raise :class:`InvalidRequest` if it is not a range."""
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
        """Read one line of ``ranges.jsonl``; raise :class:`InvalidRequest` if it is not a list of ranges."""
        if not isinstance(documents, list) or not documents:
            raise InvalidRequest(
                f"ranges must be a list of ranges, not {short_repr(documents)}; it comes from ranges.jsonl"
            )
        return [cls.from_dict(document) for document in documents]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeTask:
    """One recording to transcode.

    Attributes
    ----------
    uri, version, path : str
        As in :class:`RangeTask`.
    prefix : str
        Prefix under which its pieces are stored.
    """

    uri: str
    version: str
    path: str
    prefix: str

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read one line of ``transcodes.jsonl``; raise :class:`InvalidRequest` if it is not valid."""
        try:
            task = cls(**document)
        except TypeError as error:
            raise InvalidRequest(f"not a recording to transcode ({error}); it comes from transcodes.jsonl") from None
        if not all(isinstance(value, str) for value in (task.uri, task.version, task.path, task.prefix)):
            raise InvalidRequest("uri, version, path and prefix must be text; they come from transcodes.jsonl")
        return task


def batched(tasks: Iterable[RangeTask], windows: int, recordings: int = MOST_RANGES) -> Iterator[list[RangeTask]]:
    """Yield the ranges of each worker: one range of a recording that is cut, or consecutive whole recordings.

    Parameters
    ----------
    tasks : iterable of RangeTask
    windows, recordings : int
        The most windows and the most recordings of one worker.
    """
    batch: list[RangeTask] = []
    room = 0
    for task in tasks:
        if batch and (not task.whole or len(task.windows) > room or len(batch) == recordings):
            yield batch
            batch = []
        if not batch:
            room = windows if task.whole else 0
        batch.append(task)
        room -= len(task.windows)
    if batch:
        yield batch
