"""A job: what is asked for, what was planned, and the keys everything lies under.

Owns the layout of a job in a store and the value objects that travel between plan, score and aggregate::

    {work}/request.json          what was asked for, where an API started the job
    {work}/plan.json             the plan: recordings, model, settings, quote
    {work}/ranges.jsonl          one line per worker: the ranges it scores; the Map's items
    {kept}/parts/{identity}/{start}-{stop}.npy      scores of one range: raw, float32, (n_windows, n_classes)
    {kept}/failures/{identity}/{start}-{stop}-{path}.json  why a range has no part
    {work}/transcodes.jsonl      recordings to transcode before there can be a plan
    {kept}/audio/{recording}/... what became of each of them
    {work}/failure.json          why the whole job ended without results
    {results}/...                reports, one set per recording, and what tells of all of them
    {work}/manifest.json         written last: what the job made, with hashes

The identity of a recording is a hash of all that decides its scores, its content included: a part that is found is the
part that is wanted, whatever job it was made for. Parts are written once. In an account ``work`` is
``jobs/{tenant}/{job}``, ``kept`` is the same and ``results`` lies inside it; on a laptop ``results`` is the folder the
user named, and ``kept`` is shared by all jobs of that folder. Never computes anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Self

from anemonefish.audio import AudioFacts
from anemonefish.containers import AUDIO_EXTENSIONS
from anemonefish.errors import AnemonefishError, InvalidRequest, RangeFailed, RecordingNotFound, error_classes
from anemonefish.models.repository import PinnedModel
from anemonefish.recorded import parse_start
from anemonefish.settings import Settings
from anemonefish.stores import Store, open_store
from anemonefish.windows import WindowGrid, WindowRange

__all__ = [
    "MOST_RECORDINGS",
    "Analysis",
    "Failure",
    "Job",
    "JobRequest",
    "Plan",
    "PlannedRecording",
    "Quote",
    "RangeTask",
    "RecordingRequest",
    "Start",
    "TranscodeTask",
    "batched",
    "dump_json",
    "recordings_below",
    "shown",
    "unique_names",
]

MOST_RECORDINGS = 10_000
"""Reports of more take an aggregate longer than its 15 minutes: start several jobs."""

_MOST_RANGES = 100
"""Ranges of one worker: their line must fit a state's input of 256 KiB, and each may have a path of 1,024 bytes."""

DEFAULT_MODEL = "reef@production"

_LONGEST_NAME = 200

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def shown(value: object) -> str:
    """Return a value as a message may show it: what a stranger sent can be of any length."""
    return repr(value)[:200]


def dump_json(document: Any) -> bytes:
    """Return canonical, readable JSON: the same document always has the same bytes."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the tree as data: the name of its class and its message."""

    error: str
    message: str

    @classmethod
    def of(cls, error: AnemonefishError) -> Self:
        """Describe an error."""
        return cls(type(error).__name__, str(error))

    def to_error(self) -> AnemonefishError:
        """Make the error again; a name outside the tree becomes :class:`RangeFailed`."""
        return error_classes().get(self.error, RangeFailed)(self.message)


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """One recording a user asks for.

    Attributes
    ----------
    uri : str
        Where it is read from: a path or ``s3://bucket/key``.
    name : str
        What its results are called; relative, with ``/`` between folders.
    path : str
        Where its owner keeps it; goes into selection tables and messages.
    version : str or None
        The version to read; None for the current one.
    start : str or None
        When it begins, as ISO 8601 with a zone; None where name or header are to tell.
    """

    uri: str
    name: str
    path: str
    version: str | None = None
    start: str | None = None

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read one recording of an execution's input."""
        if not isinstance(document, Mapping) or not isinstance(document.get("uri"), str):
            raise InvalidRequest(f"a recording must be an object with a uri, not {shown(document)}")
        unknown = set(document) - {"uri", "name", "path", "version", "start"}
        if unknown:
            raise InvalidRequest(f"recording {shown(document['uri'])}: there is no field {shown(sorted(unknown))}")
        if any(value is not None and not isinstance(value, str) for value in document.values()):
            raise InvalidRequest(f"recording {shown(document['uri'])}: name, path, version and start must be text")
        uri = document["uri"]
        name = document.get("name") or uri.rpartition("/")[2]
        return cls(uri, name, document.get("path") or uri, document.get("version"), document.get("start"))

    def __post_init__(self) -> None:
        parts = self.name.split("/")
        if self.name.startswith("/") or any(part in {"", ".", ".."} for part in parts) or "\\" in self.name:
            raise InvalidRequest(f"recording name {shown(self.name)} must be a relative path without '..'")
        if any(ord(letter) < 32 for letter in self.name + self.path):
            raise InvalidRequest(f"recording {shown(self.name)}: name and path must not hold control characters")
        if self.start is not None:
            parse_start(self.start)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a user asks for.

    Attributes
    ----------
    recordings : tuple of RecordingRequest
    model : str
        ``name``, ``name@alias`` or ``name@version``.
    settings : dict
        Settings by name, as the user gave them.
    """

    recordings: tuple[RecordingRequest, ...]
    model: str
    settings: dict[str, Any]

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read ``recordings``, ``model`` and ``settings``; raise :class:`InvalidRequest` for anything else in them.

        ``recordings`` is a list, or ``{"prefix": "s3://bucket/deployment/"}`` for everything below it.
        """
        listed = document.get("recordings")
        if isinstance(listed, Mapping) and set(listed) == {"prefix"}:
            recordings = recordings_below(listed["prefix"])
            return cls(recordings, str(document.get("model") or DEFAULT_MODEL), document.get("settings") or {})
        if not isinstance(listed, list) or len(listed) > MOST_RECORDINGS:
            raise InvalidRequest(
                f"recordings must be a list of at most {MOST_RECORDINGS} objects with a uri, or a prefix"
            )
        recordings = tuple(RecordingRequest.from_dict(recording) for recording in listed)
        return cls(recordings, str(document.get("model") or DEFAULT_MODEL), document.get("settings") or {})

    def to_json(self) -> bytes:
        """Return ``request.json``."""
        return dump_json(asdict(self))


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
    """

    name: str
    path: str
    uri: str
    begins: Start | None = None
    analysis: Analysis | None = None
    failure: Failure | None = None
    inexact: str | None = None
    content: str | None = None

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
    """

    recordings: int
    ranges: int
    windows: int
    audio_seconds: float
    expected_seconds: float
    expected_usd: float


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
        return _digest([identities, self.windows_per_range])

    def identity_of(self, recording: PlannedRecording) -> str:
        """Return 16 hexadecimal digits that differ when a score of the recording would."""
        how = recording.analysis
        facts = None if how is None else [asdict(how.audio), how.sample_rate, asdict(how.grid)]
        content = recording.content or [recording.uri, None if how is None else how.version]
        return _digest([self.model.hash, self.settings.scoring(), content, facts])

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
            Quote(**document["quote"]),
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

    @property
    def name(self) -> str:
        """What its part is called, without a suffix."""
        return f"{self.identity}/{self.windows.start:08d}-{self.windows.stop:08d}"

    @property
    def reason_name(self) -> str:
        """What the reason is called why it has no part: scores are of a content, a reason is of one file."""
        return f"{self.name}-{_digest(self.path)[:8]}"

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
        if not isinstance(task.identity, str) or not _IDENTIFIER.fullmatch(task.identity):
            raise InvalidRequest(f"{shown(task.identity)} is not the identity of a plan; ranges come from ranges.jsonl")
        if windows.stop > grid.n_windows:
            raise InvalidRequest(
                f"the range ends at window {windows.stop}, but {task.path} has {grid.n_windows} windows"
            )
        return task

    @classmethod
    def list_from(cls, documents: Any) -> list[Self]:
        """Read one line of ``ranges.jsonl``; raise :class:`InvalidRequest` when it is not one."""
        if not isinstance(documents, list) or not documents:
            raise InvalidRequest(f"ranges must be a list of ranges, not {shown(documents)}; it comes from ranges.jsonl")
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


@dataclass(frozen=True, slots=True)
class Job:
    """Where one job lies.

    Attributes
    ----------
    store : Store
        The store that holds it.
    work, results : str
        Prefixes without a final slash; ``results`` may be empty: the top of the store.
    shared : str or None
        Prefix of the scores that other jobs may use as well; ``work`` unless given.
    """

    store: Store
    work: str
    results: str
    shared: str | None = None

    @classmethod
    def named(cls, store: Store, event: object) -> Self:
        """Return the job that an execution's input names; raise :class:`InvalidRequest` when it names none."""
        named = event.get("job") if isinstance(event, Mapping) else None
        if not isinstance(named, Mapping):
            raise InvalidRequest("job must be an object with tenant and id")
        return cls.of_tenant(store, named.get("tenant"), named.get("id"))

    @classmethod
    def of_tenant(cls, store: Store, tenant: object, identifier: object) -> Self:
        """Return the job ``identifier`` of a tenant; raise :class:`InvalidRequest` for unusable names."""
        for word in (tenant, identifier):
            if not isinstance(word, str) or not _IDENTIFIER.fullmatch(word):
                raise InvalidRequest(
                    f"{shown(word)} cannot name a tenant or job; use up to 64 letters, digits, '_', '-'"
                )
        return cls.at(store, f"jobs/{tenant}/{identifier}")

    @classmethod
    def at(cls, store: Store, prefix: object) -> Self:
        """Return the job under the prefix that a plan answered with."""
        parts = prefix.split("/") if isinstance(prefix, str) else []
        if len(parts) != 3 or parts[0] != "jobs" or not all(_IDENTIFIER.fullmatch(part) for part in parts):
            raise InvalidRequest(f"{shown(prefix)} is not a job; it must read jobs/tenant/job")
        return cls(store, str(prefix), f"{prefix}/results")

    @property
    def kept(self) -> str:
        """Prefix of parts and of their failures."""
        return self.work if self.shared is None else self.shared

    @property
    def plan_key(self) -> str:
        """Key of ``plan.json``."""
        return f"{self.work}/plan.json"

    @property
    def request_key(self) -> str:
        """Key of ``request.json``."""
        return f"{self.work}/request.json"

    @property
    def ranges_key(self) -> str:
        """Key of ``ranges.jsonl``."""
        return f"{self.work}/ranges.jsonl"

    @property
    def transcodes_key(self) -> str:
        """Key of ``transcodes.jsonl``."""
        return f"{self.work}/transcodes.jsonl"

    @property
    def failure_key(self) -> str:
        """Key of the reason why the job ended without results."""
        return f"{self.work}/failure.json"

    @property
    def manifest_key(self) -> str:
        """Key of ``manifest.json``."""
        return f"{self.work}/manifest.json"

    def part_key(self, task: RangeTask) -> str:
        """Key of the scores of a range."""
        return f"{self.kept}/parts/{task.name}.npy"

    def range_failure_key(self, task: RangeTask) -> str:
        """Key of the reason why a range has no scores."""
        return f"{self.kept}/failures/{task.reason_name}.json"

    def pieces_prefix(self, uri: str, version: str) -> str:
        """Prefix of what a recording is transcoded into."""
        return f"{self.kept}/audio/{_digest([uri, version])}"

    def transcodes(self, plan: Plan) -> list[TranscodeTask]:
        """Return the recordings that must be transcoded before the plan is one."""
        return [
            TranscodeTask(each.uri, each.inexact, each.path, self.pieces_prefix(each.uri, each.inexact))
            for each in plan.recordings
            if each.inexact is not None
        ]

    def write_transcodes(self, tasks: Iterable[TranscodeTask]) -> None:
        """Write ``transcodes.jsonl``."""
        lines = [json.dumps(asdict(task), separators=(",", ":")) + "\n" for task in tasks]
        self.store.write(self.transcodes_key, "".join(lines).encode())

    def write_transcode_failure(self, task: TranscodeTask, failure: Failure) -> None:
        """Keep the reason why a recording cannot be transcoded."""
        self.store.write(f"{task.prefix}/failure.json", dump_json(asdict(failure)))

    def read_transcode_failure(self, prefix: str) -> Failure | None:
        """Return the reason why a recording cannot be transcoded, if one was kept."""
        return self._read_failure(f"{prefix}/failure.json")

    def result_key(self, name: str) -> str:
        """Key of a result file."""
        return f"{self.results}/{name}" if self.results else name

    def write_request(self, request: JobRequest) -> None:
        """Write ``request.json``."""
        self.store.write(self.request_key, request.to_json())

    def read_request(self) -> JobRequest:
        """Read ``request.json``; raise :class:`InvalidRequest` when there is none."""
        try:
            return JobRequest.from_dict(json.loads(self.store.read(self.request_key)))
        except FileNotFoundError:
            raise InvalidRequest(f"{self.work}: nothing says what to analyse; start the job with recordings") from None

    def write_plan(self, plan: Plan) -> None:
        """Write ``ranges.jsonl``, then ``plan.json``."""
        self.write_ranges(plan.batches())
        self.store.write(self.plan_key, plan.to_json())

    def write_ranges(self, batches: Iterable[Sequence[RangeTask]]) -> None:
        """Write ``ranges.jsonl``."""
        lines = [
            json.dumps({"ranges": [task.to_dict() for task in batch]}, separators=(",", ":")) + "\n"
            for batch in batches
        ]
        self.store.write(self.ranges_key, "".join(lines).encode())

    def read_plan(self) -> Plan:
        """Read ``plan.json``; raise :class:`InvalidRequest` when the job was never planned."""
        try:
            return Plan.from_json(self.store.read(self.plan_key))
        except FileNotFoundError:
            raise InvalidRequest(f"{self.work}: there is no such job, or it was not planned; start it again") from None

    def scored(self) -> set[str]:
        """Return the names of the ranges that have a part."""
        return self._names(f"{self.kept}/parts/")

    def failed(self) -> set[str]:
        """Return the names of the reasons that were kept; a part outweighs its reason."""
        return self._names(f"{self.kept}/failures/")

    def _names(self, prefix: str) -> set[str]:
        return {key.removeprefix(prefix).rpartition(".")[0] for key in self.store.keys(prefix)}

    def write_range_failure(self, task: RangeTask, failure: Failure) -> None:
        """Keep the reason why a range has no scores."""
        self.store.write(self.range_failure_key(task), dump_json(asdict(failure)))

    def read_range_failure(self, task: RangeTask) -> Failure | None:
        """Return the reason why a range has no scores, if one was kept."""
        return self._read_failure(self.range_failure_key(task))

    def _read_failure(self, key: str) -> Failure | None:
        try:
            return Failure(**json.loads(self.store.read(key)))
        except FileNotFoundError:
            return None


def recordings_below(prefix: object) -> tuple[RecordingRequest, ...]:
    """Return the recordings below ``s3://bucket/prefix/``, by their names.

    Raises
    ------
    InvalidRequest
        That is no prefix, or there are too many below it.
    RecordingNotFound
        There are none.
    """
    if not isinstance(prefix, str) or not prefix.startswith("s3://") or not prefix.endswith("/"):
        raise InvalidRequest(f"{shown(prefix)} is not a prefix; it must read s3://bucket/folder/")
    bucket, _, folder = prefix.removeprefix("s3://").partition("/")
    keys = [
        key
        for key in islice(open_store(f"s3://{bucket}").keys(folder), 10 * MOST_RECORDINGS)
        if PurePosixPath(key).suffix.lower() in AUDIO_EXTENSIONS
    ]
    if not keys:
        raise RecordingNotFound(f"{prefix}: no recording below it; it looks for {' '.join(sorted(AUDIO_EXTENSIONS))}")
    if len(keys) > MOST_RECORDINGS:
        raise InvalidRequest(f"{prefix}: more than {MOST_RECORDINGS} recordings below it; start several jobs")
    uris = [f"s3://{bucket}/{key}" for key in keys]
    return tuple(RecordingRequest(uri, uri.removeprefix(prefix), uri) for uri in uris)


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


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def unique_names(names: Sequence[str]) -> list[str]:
    """Number repeated names (``a.wav``, ``a-2.wav``), so that no result overwrites another's; cut very long ones."""
    used: set[str] = set()
    unique = []
    for whole in names:
        # A file's name has at most 255 bytes, and a format's suffix is added to it.
        folder, slash, file = whole.rpartition("/")
        name = folder + slash + file.encode()[-_LONGEST_NAME:].decode(errors="ignore")
        stem, dot, extension = name.rpartition(".")
        if not dot or "/" in extension:
            stem, dot, extension = name, "", ""
        candidate, number = name, 2
        while candidate in used:
            candidate, number = f"{stem}-{number}{dot}{extension}", number + 1
        used.add(candidate)
        unique.append(candidate)
    return unique
