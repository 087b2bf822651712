"""The cases: one job each, with a plan of faults, and what must be true afterwards.

A case ends in one of three ways: the job succeeded in spite of the faults; it failed with a typed reason and its resume
succeeded; or it is *lost*. In the first two the results, parts and manifest are the bytes of an undisturbed job, and
the bucket has no other object.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from anemonefish.errors import RecordingError, error_classes
from tests.faults.plans import Nth, Outage, Plan, RandomFaults, WhenCalled
from tests.faults.proxy import Call, Fault
from tests.faults.service import PATIENCE, Ended, Refused, Service

__all__ = ["SCENARIOS", "Case", "Outcome", "Recordings", "Scenario", "run_case"]

_JOB = {
    "PlanFunction", "TranscodeFunction", "ScoreFunction", "ReportFunction", "AggregateFunction", "RecordFunction",
}  # fmt: skip
_LEFT_BEHIND = ("failure.json", "failures/")
"""Objects that tell why something failed; they stay when it succeeds later."""

_OF_THE_ATTEMPT = ("ranges.jsonl", "reports.jsonl")
"""What an attempt has to do: a resume has less."""

_OF_THE_JOB = ("outcomes/",)
"""Objects with a hash of the plan, which contains the name of the job."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings of a job, and the objects of an undisturbed job."""

    uploads: tuple[str, ...]
    settings: dict[str, object]
    expected: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of case.

    Attributes
    ----------
    name : str
    plan : callable
        Makes the plan of a case from its seed.
    recordings : str
        ``one`` recording, or ``two``, one of which is transcoded.
    events : {"once", "twice", "late", "never"}
        How the event of the end of an attempt arrives: ``late`` is after the next attempt was started.
    timeouts : tuple of str
        Functions that get three seconds for a call.
    jobs : int
        Jobs that the tenant starts at once; the stack lets two run.
    """

    name: str
    plan: Callable[[str], Plan]
    recordings: str = "one"
    events: str = "once"
    timeouts: tuple[str, ...] = ()
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """One job under fire."""

    seed: int
    number: int
    scenario: Scenario

    @property
    def key(self) -> str:
        """The Idempotency-Key of the job, and the seed of its plan."""
        return f"{self.seed}-{self.number}-{self.scenario.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended; ``lost`` says what is wrong, or is None."""

    case: Case
    injected: tuple[str, ...]
    survived: bool
    typed: str | None
    message: str
    resumed: bool
    lost: str | None
    seconds: float


def _of(service: str, functions: set[str] = _JOB) -> Callable[[Call], bool]:
    return lambda call: call.service == service and call.function in functions


def _task(call: Call) -> bool:
    return call.service == "task"


def _everything(call: Call) -> bool:
    return call.service == "task" or bool(call.function)


def _kill(kind: str, name: str) -> Callable[[str], Plan]:
    """Kill workers at up to three moments."""

    def plan(seed: str) -> Plan:
        draw = random.Random(seed)
        functions = (
            {draw.choice(sorted(_JOB - {"RecordFunction", "TranscodeFunction"}))} if draw.random() < 0.5 else _JOB
        )
        numbers = [draw.randrange(40) for _ in range(draw.randint(1, 3))]
        fault = Fault(kind, seconds=draw.uniform(0, 0.1))
        return Nth(lambda call: call.function in functions, numbers, fault, name)

    return plan


def _timeout(function: str) -> Callable[[str], Plan]:
    def plan(seed: str) -> Plan:
        draw = random.Random(seed)
        numbers = [draw.randrange(6) for _ in range(draw.randint(1, 2))]
        return Nth(lambda call: call.function == function, numbers, Fault("slow", 4.0), "function timed out")

    return plan


def _full_disk(seed: str) -> Plan:
    function = random.Random(seed).choice(
        ["ReportFunction", "AggregateFunction", "ReviewFunction", "TranscodeFunction"]
    )
    return Nth(lambda call: call.function == function, [0, 5], Fault("disk full"), "/tmp full")


def _stop(seed: str) -> Plan:
    return WhenCalled(random.Random(seed).randrange(60), "execution stopped")


def _event_faults(name: str) -> Callable[[str], Plan]:
    """Let a job fail by an outage of S3 half of the time, so that its end is not a success."""

    def plan(seed: str) -> Plan:
        made: Plan = Outage(seed, _of("s3"), 60) if random.Random(f"{seed} fails").random() < 0.5 else Plan()
        made.injected.append(name)
        return made

    return plan


SCENARIOS = (
    Scenario("s3", lambda seed: RandomFaults(seed, 0.15, _of("s3")), "two"),
    Scenario("dynamodb", lambda seed: RandomFaults(seed, 0.3, lambda call: call.service == "dynamodb")),
    Scenario("states", lambda seed: RandomFaults(seed, 0.6, lambda call: call.service == "states")),
    Scenario("tasks", lambda seed: RandomFaults(seed, 0.3, _task), "two"),
    Scenario("everything", lambda seed: RandomFaults(seed, 0.1, _everything), "two", "twice"),
    Scenario("killed", _kill("killed", "worker killed at a random moment"), "two"),
    Scenario("killed-before", _kill("killed before", "worker killed before a call")),
    Scenario("killed-after", _kill("killed after", "worker killed after a call"), "two"),
    Scenario("s3-down", lambda seed: Outage(seed, _of("s3"), 70)),
    Scenario("s3-down-two", lambda seed: Outage(seed, _of("s3"), 110), "two"),
    Scenario("dynamodb-down", lambda seed: Outage(seed, lambda call: call.service == "dynamodb", 12, 30)),
    Scenario("states-down", lambda seed: Outage(seed, lambda call: call.service == "states", 1, 10)),
    Scenario("disk-full", _full_disk, "two"),
    Scenario("stopped", _stop, "two"),
    Scenario("limits", lambda seed: RandomFaults(seed, 0.1, lambda call: call.service == "dynamodb"), jobs=3),
    Scenario("events-twice", _event_faults("end event twice"), events="twice"),
    Scenario("events-late", _event_faults("end event late and out of order"), events="late"),
    Scenario("events-lost", _event_faults("end event lost"), events="never"),
    Scenario("score-timeout", _timeout("ScoreFunction"), timeouts=("ScoreFunction",)),
    Scenario("report-timeout", _timeout("ReportFunction"), timeouts=("ReportFunction",)),
    Scenario("aggregate-timeout", _timeout("AggregateFunction"), timeouts=("AggregateFunction",)),
)


def run_case(service: Service, case: Case, recordings: Recordings) -> Outcome:
    """Run a case to its end and judge it."""
    began, plan = time.monotonic(), case.scenario.plan(case.key)
    run = _Run(service, case, plan, recordings)
    survived, typed, message, resumed, lost = False, None, "", False, None
    try:
        with _timeouts(service, case.scenario.timeouts):
            service.proxy.decide = plan
            with ThreadPoolExecutor(case.scenario.jobs) as pool:
                first = list(pool.map(run.first_attempt, range(case.scenario.jobs)))
            plan.lift()
            for ended in first:
                reason = run.typed_reason(ended)
                if reason is not None:
                    typed, message = reason, ended.message or ""
                    service.resume(ended.id)
                run.check(ended if reason is None else run.until_ended(ended.id, 2))
            resumed, survived = typed is not None, typed is None
            run.check_nothing_is_left()
    except (_Lost, Refused, TimeoutError) as error:
        lost = f"{type(error).__name__}: {error}"
    finally:
        service.proxy.decide = lambda _: None
    seconds = time.monotonic() - began
    return Outcome(case, tuple(plan.injected), survived, typed, message, resumed and lost is None, lost, seconds)


class _Lost(Exception):
    """What must be true after a case is not true."""


class _Run:
    """One case while it runs."""

    def __init__(self, service: Service, case: Case, plan: Plan, recordings: Recordings) -> None:
        self._service, self._case, self._plan, self._recordings = service, case, plan, recordings
        self._late: list[dict[str, object]] = []

    def first_attempt(self, number: int) -> Ended:
        """Start a job, as soon as the limit of the tenant allows it, and follow it to its end."""
        recordings, deadline = self._recordings, time.monotonic() + PATIENCE
        while True:
            try:
                execution = self._service.begin(f"{self._case.key}-{number}", recordings.uploads, recordings.settings)
                return self.until_ended(execution, 1)
            except Refused as refused:
                if refused.error != "TooManyJobs" or self._case.scenario.jobs == 1 or time.monotonic() > deadline:
                    raise
                self._plan.injected.append("job over the tenant's limit")
                time.sleep(0.5)

    def until_ended(self, execution: str, attempt: int) -> Ended:
        """Follow an attempt as a client does, and hand its event over as the scenario says."""
        service, began, delivered, stopped, waited = self._service, time.monotonic(), False, False, 0.0
        while True:
            if isinstance(self._plan, WhenCalled) and attempt == 1 and self._plan.reached.is_set() and not stopped:
                service.stop(execution)
                stopped = True
            found = service.look(execution)
            if found.attempt == attempt and found.status not in {"PENDING", "RUNNING"}:
                return found
            if not delivered and (event := service.event(execution, attempt)) is not None:
                delivered = True
                self._deliver(execution, event, attempt)
            seconds = time.monotonic() - began
            if seconds > PATIENCE:
                raise _Lost(f"{execution} is still {found.status} after {PATIENCE:g} s")
            if found.status == "PENDING" and seconds > waited + 1:
                waited = seconds
                service.free_workers()
            time.sleep(0.02)

    def _deliver(self, execution: str, event: dict[str, object], attempt: int) -> None:
        service, how = self._service, self._case.scenario.events
        lost = how == "never" or (how == "late" and attempt == 1)
        arrived = not lost and service.deliver(event)
        if how == "twice":
            service.deliver(event)
        if how == "late":
            self._late.append(event)
        if not arrived:
            self._plan.lift()
            service.heal(execution)

    def typed_reason(self, ended: Ended) -> str | None:
        """Return the reason of an attempt that lacks results; None for one that has them all."""
        if ended.status == "SUCCEEDED":
            failures = self._service.failed_recordings(ended.id)
            return f"{failures[0]} of a recording" if failures else None
        if ended.status == "CANCELLED" and isinstance(self._plan, WhenCalled):
            return "CANCELLED"
        cls = error_classes().get(ended.error or "")
        if cls is None or issubclass(cls, RecordingError) or not ended.message:
            raise _Lost(f"{ended.id} ended as {ended.status} with {ended.error}: {ended.message}")
        return ended.error

    def check(self, ended: Ended) -> None:
        """Compare the bucket with that of an undisturbed job, and look for what was left behind."""
        if ended.status != "SUCCEEDED":
            raise _Lost(f"{ended.id} ended as {ended.status} with {ended.error}: {ended.message}")
        for event in reversed(self._late):  # those of both attempts, the last attempt first
            self._service.deliver(event)
        after = self._service.look(ended.id)
        if after != ended:
            raise _Lost(f"a late event changed {ended} to {after}")
        files, expected = self._service.files(ended.id), self._recordings.expected
        if missing := sorted(expected.keys() - files.keys()):
            raise _Lost(f"{ended.id}: missing {missing}")
        more = sorted(key for key in files.keys() - expected.keys() if not key.startswith(_LEFT_BEHIND))
        if more:
            raise _Lost(f"{ended.id}: unknown objects {more}")
        other = sorted(
            key for key in expected if files[key] != expected[key] and not key.startswith(_OF_THE_ATTEMPT + _OF_THE_JOB)
        )
        if other:
            raise _Lost(f"{ended.id}: other bytes in {other}")

    def check_nothing_is_left(self) -> None:
        """Look for records without an end, slots of jobs that ended, and uploads in parts."""
        if left := self._service.unfinished():
            raise _Lost(f"{self._case.key}: {left}")


@contextmanager
def _timeouts(service: Service, functions: tuple[str, ...]) -> Iterator[None]:
    """Give functions three seconds for a call."""
    for name in functions:
        service.functions.update_function_configuration(FunctionName=service.names[name], Timeout=3)
    try:
        yield
    finally:
        for name in functions:
            service.functions.update_function_configuration(FunctionName=service.names[name], Timeout=900)
