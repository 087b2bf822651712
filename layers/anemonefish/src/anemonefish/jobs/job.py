"""The files of a job: under which keys they are stored, and reading and writing them.

Every file of a job has its key here::

    {work}/request.json          the request, for a job that was started by the API
    {work}/plan.json             the plan: recordings, model, settings, quote
    {work}/ranges.jsonl          one line per worker with the ranges it scores; the items of a Distributed Map
    {work}/reports.jsonl         one line per worker with the recordings it reports; the items of another one
    {kept}/parts/{identity}/{start}-{stop}.npy      scores of one range: raw, float32, (n_windows, n_classes)
    {kept}/failures/{identity}/{start}-{stop}-{path}.json  why a range has no part
    {work}/transcodes.jsonl      recordings to transcode before the plan can be made
    {kept}/audio/{recording}/... the transcoded pieces of each of them
    {work}/failure.json          why the whole job ended without results
    {results}/...                reports of each recording, and job-level files
    {work}/outcomes/{recording}.json  what became of a recording; the job-level files are made of these
    {work}/review.json           how far the clips and plots are
    {work}/reviewed.json         which event has which clip and plot
    {work}/manifest.json         written last: what the job made, with hashes

Parts are written once. In an account, ``work`` and ``kept`` are both ``jobs/{tenant}/{job}``, and ``results`` is a
folder in it. On a laptop, ``results`` is the folder that the user named, and all jobs of that folder share ``kept``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from anemonefish.audio.pieces import DECODING
from anemonefish.canonical import digest, dump_json
from anemonefish.errors import Failure, InvalidRequest, short_repr
from anemonefish.jobs.plan import Plan, RangeTask, TranscodeTask
from anemonefish.jobs.report_tasks import ReportTask, report_tasks
from anemonefish.jobs.request import JobRequest
from anemonefish.stores import Store

__all__ = ["Job"]

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Job:
    """One job in a store.

    Attributes
    ----------
    store : Store
    work, results : str
        Prefixes without a final slash. ``results`` may be empty: then results lie at the top of the store.
    shared : str or None
        Prefix of the parts, for jobs that share them; None for a job with parts of its own, below ``work``.
    """

    store: Store
    work: str
    results: str
    shared: str | None = None

    @classmethod
    def of_input(cls, store: Store, event: object) -> Self:
        """Return the job that an execution's input names; raise :class:`InvalidRequest` if it names none."""
        names = event.get("job") if isinstance(event, Mapping) else None
        if not isinstance(names, Mapping):
            raise InvalidRequest("job must be an object with tenant and id")
        return cls.of_tenant(store, names.get("tenant"), names.get("id"))

    @classmethod
    def of_tenant(cls, store: Store, tenant: object, identifier: object) -> Self:
        """Return the job ``identifier`` of a tenant; raise :class:`InvalidRequest` for names that are not allowed."""
        for name in (tenant, identifier):
            if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
                raise InvalidRequest(
                    f"{short_repr(name)} cannot name a tenant or job; use up to 64 letters, digits, '_', '-'"
                )
        return cls.at(store, f"jobs/{tenant}/{identifier}")

    @classmethod
    def at(cls, store: Store, prefix: object) -> Self:
        """Return the job under a prefix ``jobs/{tenant}/{job}``, as the answer of a plan holds it."""
        parts = prefix.split("/") if isinstance(prefix, str) else []
        if len(parts) != 3 or parts[0] != "jobs" or not all(_IDENTIFIER.fullmatch(part) for part in parts):
            raise InvalidRequest(f"{short_repr(prefix)} is not a job; it must read jobs/tenant/job")
        return cls(store, str(prefix), f"{prefix}/results")

    @property
    def kept(self) -> str:
        """Prefix of parts, of their failures and of transcoded pieces."""
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
    def reports_key(self) -> str:
        """Key of ``reports.jsonl``."""
        return f"{self.work}/reports.jsonl"

    @property
    def transcodes_key(self) -> str:
        """Key of ``transcodes.jsonl``."""
        return f"{self.work}/transcodes.jsonl"

    @property
    def failure_key(self) -> str:
        """Key of ``failure.json``, which says why the job ended without results."""
        return f"{self.work}/failure.json"

    @property
    def manifest_key(self) -> str:
        """Key of ``manifest.json``."""
        return f"{self.work}/manifest.json"

    @property
    def review_key(self) -> str:
        """Key of ``review.json``, which says how far the clips and plots are."""
        return f"{self.work}/review.json"

    @property
    def reviewed_key(self) -> str:
        """Key of ``reviewed.json``, the list of events that have a clip."""
        return f"{self.work}/reviewed.json"

    def part_key(self, task: RangeTask) -> str:
        """Key of the part of a range."""
        return f"{self.kept}/parts/{task.name}.npy"

    def range_failure_key(self, task: RangeTask) -> str:
        """Key of the file that says why a range has no part."""
        return f"{self.kept}/failures/{task.reason_name}.json"

    def pieces_prefix(self, uri: str, version: str) -> str:
        """Prefix of the transcoded pieces of a recording."""
        return f"{self.kept}/audio/{digest([uri, version, DECODING])}"

    def transcodes(self, plan: Plan) -> list[TranscodeTask]:
        """Return the recordings that must be transcoded before the plan can be made."""
        return [
            TranscodeTask(
                uri=recording.uri,
                version=recording.inexact,
                path=recording.path,
                prefix=self.pieces_prefix(recording.uri, recording.inexact),
            )
            for recording in plan.recordings
            if recording.inexact is not None
        ]

    def write_transcodes(self, tasks: Iterable[TranscodeTask]) -> None:
        """Write ``transcodes.jsonl``."""
        lines = [json.dumps(asdict(task), separators=(",", ":")) + "\n" for task in tasks]
        self.store.write(self.transcodes_key, "".join(lines).encode())

    def write_transcode_failure(self, task: TranscodeTask, failure: Failure) -> None:
        """Store why a recording cannot be transcoded."""
        self.store.write(f"{task.prefix}/failure.json", dump_json(asdict(failure)))

    def read_transcode_failure(self, prefix: str) -> Failure | None:
        """Return why a recording cannot be transcoded, or None if that was not stored."""
        return self._read_failure(f"{prefix}/failure.json")

    def result_key(self, name: str) -> str:
        """Key of a result file."""
        return f"{self.results}/{name}" if self.results else name

    def outcome_key(self, recording: str) -> str:
        """Key of the outcome of a recording, by the recording's name."""
        return f"{self.work}/outcomes/{digest(recording)}.json"

    def write_request(self, request: JobRequest) -> None:
        """Write ``request.json``."""
        self.store.write(self.request_key, request.to_json())

    def read_request(self) -> JobRequest:
        """Read ``request.json``; raise :class:`InvalidRequest` if there is none."""
        try:
            return JobRequest.from_dict(json.loads(self.store.read(self.request_key)))
        except FileNotFoundError:
            raise InvalidRequest(
                f"{self.work}: there is no request.json that names recordings; start the job with recordings"
            ) from None

    def write_plan(self, plan: Plan, batches: Iterable[Sequence[RangeTask]] | None = None) -> None:
        """Write ``ranges.jsonl``, with all ranges unless others are given, ``reports.jsonl``, then ``plan.json``."""
        self.write_ranges(plan.batches() if batches is None else batches)
        self.store.write(self.reports_key, "".join(task.to_line() for task in report_tasks(plan.windows())).encode())
        self.store.write(self.plan_key, plan.to_json())

    def write_ranges(self, batches: Iterable[Sequence[RangeTask]]) -> None:
        """Write ``ranges.jsonl``."""
        lines = [
            json.dumps({"ranges": [task.to_dict() for task in batch]}, separators=(",", ":")) + "\n"
            for batch in batches
        ]
        self.store.write(self.ranges_key, "".join(lines).encode())

    def read_plan(self, only: ReportTask | None = None) -> Plan:
        """Read ``plan.json``, with all recordings or with some; raise :class:`InvalidRequest` if there is none."""
        try:
            return Plan.from_json(self.store.read(self.plan_key), only)
        except FileNotFoundError:
            raise InvalidRequest(f"{self.work}: there is no such job, or it was not planned; start it again") from None

    def misses_recordings(self) -> bool | None:
        """Return whether a job with results has recordings that failed by the system; None without results."""
        try:
            outcomes = json.loads(self.store.read(self.manifest_key))["recordings"]
        except FileNotFoundError:
            return None
        return any(outcome["failure"] is not None and Failure(**outcome["failure"]).by_system for outcome in outcomes)

    def scored(self) -> set[str]:
        """Return the names of the ranges that have a part."""
        return self._names(f"{self.kept}/parts/")

    def failed(self) -> set[str]:
        """Return the names of the ranges that failed; a range that was scored later has a part as well."""
        return self._names(f"{self.kept}/failures/")

    def _names(self, prefix: str) -> set[str]:
        return {key.removeprefix(prefix).rpartition(".")[0] for key in self.store.keys(prefix)}

    def write_range_failure(self, task: RangeTask, failure: Failure) -> None:
        """Store why a range has no part."""
        self.store.write(self.range_failure_key(task), dump_json(asdict(failure)))

    def read_range_failure(self, task: RangeTask) -> Failure | None:
        """Return why a range has no part, or None if that was not stored."""
        return self._read_failure(self.range_failure_key(task))

    def _read_failure(self, key: str) -> Failure | None:
        try:
            return Failure(**json.loads(self.store.read(key)))
        except FileNotFoundError:
            return None
