"""Jobs of all tenants together never run more workers than the stack allows, and none of them waits for ever."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.errors import AnemonefishError
from anemonefish.execution_states import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED
from anemonefish.jobs.request import RecordingRequest
from anemonefish.service.execution_launch import Launcher
from anemonefish.service.execution_record import Execution
from anemonefish.service.job_queue import JobQueue
from anemonefish.service.limits import Limits
from anemonefish.service.upload_record import Upload
from anemonefish.service.worker_budget import WorkerBudget
from anemonefish.simulation.scene import scene, write_scene
from tests.fakes.record_table import MemoryTable
from tests.fakes.service_stack import BEGAN, REASON, UPLOADS, Died, FakeStack, dies, make_request, write_plan
from tests.fakes.state_machine import FakeMachine, unavailable

LIMIT = 8


@pytest.fixture
def machine(reef: FakeStack) -> FakeMachine:
    """The state machine of a stack that runs eight workers."""
    made = FakeMachine(LIMIT)
    reef.set_limits(Limits(all_workers=LIMIT, workers=LIMIT), made)
    return made


def start(reef: FakeStack, workers: int = LIMIT, owner: str = "lab") -> Execution:
    reef.now += timedelta(seconds=1)  # of executions that were accepted at the same time, the names decide
    return reef.start(owner=owner, settings={"max_concurrency": workers})


def end(reef: FakeStack, machine: FakeMachine, execution: Execution, status: str = "SUCCEEDED") -> Execution | None:
    machine.ended[execution.name] = status
    return reef.end(execution, status, None if status in {"SUCCEEDED", "ABORTED"} else REASON)


def status_of(reef: FakeStack, execution: Execution) -> str:
    return Execution.from_record(reef.record(execution)).status


def queue_of(reef: FakeStack) -> JobQueue:
    record = reef.table.read("queue")
    return JobQueue() if record is None else JobQueue.from_document(record.document)


def test_execution_waits_for_workers_and_starts_at_the_end_of_another(reef: FakeStack, machine: FakeMachine) -> None:
    first, second, third = start(reef, 6), start(reef, 4), start(reef, 4, "other")
    assert (first.status, second.status, third.status) == (RUNNING, PENDING, PENDING)
    assert machine.inputs[first.name]["workers"] == 6
    places = [reef.executions.queue_position(execution) for execution in (first, second, third)]
    assert places == [None, 2, 1]
    end(reef, machine, first)
    assert [status_of(reef, execution) for execution in (second, third)] == [RUNNING, RUNNING]
    assert machine.order == [first.name, third.name, second.name]


def test_waiting_is_no_failed_launch(reef: FakeStack, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = start(reef), start(reef)
    reef.now += timedelta(hours=20)
    reef.executions.heal()
    assert reef.executions.get("lab", second.id).status == PENDING
    with monkeypatch.context() as patch:
        patch.setattr(FakeMachine, "start", unavailable)
        end(reef, machine, first)
        assert status_of(reef, second) == PENDING  # a failed launch has an hour from here
    reef.now += timedelta(minutes=5)
    reef.executions.heal()
    assert status_of(reef, second) == RUNNING


def test_execution_that_cannot_be_launched_gives_its_workers_back(
    reef: FakeStack, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FakeMachine, "start", unavailable)
        first = start(reef)
    second = start(reef)
    reef.now += timedelta(hours=2)
    with monkeypatch.context() as patch:
        real = FakeMachine.start
        patch.setattr(
            FakeMachine,
            "start",
            lambda fake, name, document: unavailable() if name == first.name else real(fake, name, document),
        )
        reef.executions.heal()
    assert (status_of(reef, first), status_of(reef, second)) == (FAILED, RUNNING)


@pytest.mark.parametrize("moment", ["before the start", "after the start", "before the queue", "in the queue"])
def test_interrupted_launch_is_completed(
    reef: FakeStack, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    first = start(reef)
    with monkeypatch.context() as patch:
        match moment:
            case "before the start":
                patch.setattr(FakeMachine, "start", dies)
            case "after the start":
                patch.setattr(Launcher, "_record_start", dies)
            case "before the queue":
                patch.setattr(WorkerBudget, "admit", dies)
            case "in the queue":
                patch.setattr(RecordTable, "replace", replace_once(reef, "queue"))
        if moment in {"before the queue", "in the queue"}:
            with pytest.raises(Died):
                start(reef)
            [second] = [each for each in reef.executions.page("lab", 9, None) if each.id != first.id]
            patch.undo()
            end(reef, machine, first)
        else:
            second = start(reef)
            with pytest.raises(Died):
                end(reef, machine, first)
    # The end of the first execution launches what the queue has.
    assert status_of(reef, second) == (RUNNING if moment == "in the queue" else PENDING)
    reef.now += timedelta(minutes=5)
    reef.executions.heal()
    assert status_of(reef, second) == RUNNING
    assert queue_of(reef).jobs.keys() == {second.name}


def replace_once(reef: FakeStack, identifier: str) -> Any:
    real = RecordTable.replace

    def replace(table: RecordTable, record: Any, *more: Any, **options: Any) -> bool:
        written = real(table, record, *more, **options)
        if record.id == identifier:
            raise Died
        return written

    return replace


def test_execution_that_gets_workers_while_its_wait_is_recorded_is_launched(
    reef: FakeStack, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, admit = start(reef), WorkerBudget.admit

    def admit_before_an_end(budget: WorkerBudget, execution: Execution) -> Any:
        answer = admit(budget, execution)
        budget.release(first.name)  # the call that ends the first one cannot claim the record of the second one
        return answer

    monkeypatch.setattr(WorkerBudget, "admit", admit_before_an_end)
    machine.ended[first.name] = "SUCCEEDED"
    assert start(reef).status == RUNNING


def test_lost_event_of_an_end_does_not_keep_workers(reef: FakeStack, machine: FakeMachine) -> None:
    executions = [start(reef, owner=owner) for owner in "abc"]
    for status, ours in [("SUCCEEDED", SUCCEEDED), ("FAILED", FAILED), ("ABORTED", CANCELLED)]:
        [running] = machine.running
        machine.ended[running] = status
        reef.now += timedelta(minutes=16)
        reef.executions.heal()
        [ended] = [each for each in executions if each.name == running]
        assert status_of(reef, ended) == ours
    assert queue_of(reef).jobs == {}


def test_schedule_reports_waiting_jobs_while_there_are_any(
    reef: FakeStack, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANEMONEFISH_STACK", "reef")
    monkeypatch.setenv("ANEMONEFISH_STAGE", "dev")

    def reported() -> list[tuple[int, float]]:
        capsys.readouterr()
        reef.executions.heal()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [(line["JobsWaiting"], line["LongestWait"]) for line in lines if "JobsWaiting" in line]

    first = start(reef)
    assert reported() == []
    second = start(reef)
    reef.executions.stop("lab", start(reef).id)
    start(reef, owner="other")
    reef.now += timedelta(seconds=98)
    assert reported() == [(2, 100)]
    for execution in (first, second):
        reef.executions.stop("lab", execution.id)
    assert reported() == []


def test_schedule_removes_what_has_no_record(reef: FakeStack, machine: FakeMachine) -> None:
    start(reef)
    record = reef.table.read("queue")
    assert record is not None
    [entry] = record.document["jobs"].values()
    reef.table.replace(record, {"jobs": {"e-gone-1": entry, "no name": entry}, "served": {}})
    reef.executions.heal()
    assert queue_of(reef).jobs == {}


def test_lost_queue_is_made_again(reef: FakeStack, machine: FakeMachine) -> None:
    first, second = start(reef), start(reef)
    end(reef, machine, first)
    third = start(reef)
    record = reef.table.read("queue")
    assert record is not None
    reef.table.replace(record, {"jobs": {}, "served": {}})
    end(reef, machine, second)
    reef.now += timedelta(hours=1, minutes=1)
    reef.executions.heal()
    assert status_of(reef, third) == RUNNING


def test_repeated_and_late_events_give_workers_back_once(reef: FakeStack, machine: FakeMachine) -> None:
    first, second, third = start(reef), start(reef), start(reef)
    for _ in range(3):
        end(reef, machine, first)
    assert [status_of(reef, each) for each in (first, second, third)] == [SUCCEEDED, RUNNING, PENDING]
    reef.end(first, "FAILED", REASON)
    assert queue_of(reef).jobs[second.name].started is not None
    assert status_of(reef, third) == PENDING


def test_stopped_execution_leaves_the_queue(reef: FakeStack, machine: FakeMachine) -> None:
    first, second, third = start(reef), start(reef), start(reef)
    reef.executions.stop("lab", second.id)
    reef.executions.stop("lab", first.id)
    assert [status_of(reef, each) for each in (first, second, third)] == [CANCELLED, CANCELLED, RUNNING]
    assert reef.executions.resume("lab", first.id).status == PENDING
    end(reef, machine, third)
    assert machine.order == [first.name, third.name, f"{first.id}-2"]


@pytest.mark.parametrize("stopped", [True, False])
def test_workers_of_an_execution_that_did_not_succeed_are_counted_until_they_end(
    reef: FakeStack, machine: FakeMachine, tmp_path: Path, stopped: bool
) -> None:
    first, second = start(reef), start(reef)
    path = tmp_path / "a.wav"
    write_scene(scene(20, seed=1), path)
    write_plan(reef, first, [path])
    quote = reef.executions.job(first).read_plan().quote
    assert quote.longest_function is not None
    if stopped:
        reef.executions.stop("lab", first.id)
        reef.end(first, "ABORTED", None)
    else:
        end(reef, machine, first, "FAILED")
    assert status_of(reef, second) == PENDING
    reef.now += timedelta(seconds=2 * quote.longest_function.seconds + 9)
    assert reef.executions.get("lab", second.id).status == PENDING
    reef.now += timedelta(seconds=21)
    assert reef.executions.get("lab", second.id).status == RUNNING  # a poll is enough


def test_job_needs_no_more_workers_than_its_plan_has(
    reef: FakeStack, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    write_scene(scene(20, seed=1), path)
    monkeypatch.setattr(Upload, "request", lambda *_: RecordingRequest(str(path), "a.wav", "a.wav"))
    executions = [reef.executions.start("lab", make_request(), UPLOADS[:1], None) for _ in range(9)]
    assert [each.workers for each in executions] == [1] * 9
    assert [each.status for each in executions] == [RUNNING] * 8 + [PENDING]


def test_execution_of_a_stack_without_a_limit_does_not_wait(reef: FakeStack) -> None:
    assert [start(reef).status for _ in range(3)] == [RUNNING] * 3
    assert reef.table.read("queue") is None


def test_concurrent_starts_and_ends_do_not_exceed_the_limit(reef: FakeStack, machine: FakeMachine) -> None:
    with ThreadPoolExecutor(12) as pool:
        executions = list(pool.map(lambda number: start(reef, 3, f"t{number % 4}"), range(24)))
        while machine.running:
            running = [each for each in executions if each.name in machine.running]
            list(pool.map(lambda each: end(reef, machine, each), running * 2))
    assert machine.most == 6
    assert {status_of(reef, each) for each in executions} == {SUCCEEDED}
    assert queue_of(reef) == JobQueue()


@contextmanager
def trouble(rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let one call of AWS fail, or the process die at it; before it was done, or after it and without an answer."""
    target, name = rng.choice(
        [(FakeMachine, "start"), (RecordTable, "replace"), (MemoryTable, "read"), (RecordTable, "create")]
    )
    real, when, how = getattr(target, name), rng.randint(1, 4), rng.choice([unavailable, dies])
    after, calls = rng.random() < 0.5, 0

    def call(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = real(*args, **options) if calls != when or after else None
        return how() if calls == when else answer

    with monkeypatch.context() as patch:
        patch.setattr(target, name, call)
        yield


@pytest.fixture
def memory(reef: FakeStack) -> FakeStack:
    """The stack with its records in memory."""
    table = MemoryTable(reef.table.name)
    for upload in UPLOADS:
        record = reef.table.read(upload.id)
        assert record is not None
        table.create(record)
    reef.table = table
    return reef


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_jobs_in_any_order_with_failures_stay_within_the_limit_and_end(
    memory: FakeStack, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    reef, machine, rng = memory, FakeMachine(LIMIT), random.Random(seed)
    reef.set_limits(Limits(all_workers=LIMIT, workers=LIMIT), machine)
    left, events = 200, []  # type: int, list[tuple[str, str]]
    lost = repeated = troubles = steps = 0
    while left or not all(record.ended for record in every(reef)):
        steps += 1
        assert steps < 6_000, "a job waits for ever"
        reef.now += timedelta(seconds=rng.randint(0, 60))
        action = rng.choices(["start", "end", "event", "stop", "poll", "resume", "heal"], [6, 4, 6, 1, 4, 1, 1])[0]
        troubled = rng.random() < 0.25 and steps < 3_000
        troubles += troubled
        with suppress(Died, AnemonefishError), trouble(rng, monkeypatch) if troubled else nullcontext():
            match action:
                case "start" if left:
                    left -= 1
                    start(reef, rng.randint(1, 12), rng.choice("aaaabc"))
                case "end" if machine.running:
                    name, status = rng.choice(machine.running), rng.choice(["SUCCEEDED"] * 3 + ["FAILED", "TIMED_OUT"])
                    machine.ended[name] = status
                    copies = rng.choice([0, 1, 1, 1, 2, 3])
                    lost, repeated = lost + (copies == 0), repeated + max(0, copies - 1)
                    events += [(name, status)] * copies
                case "event" if events:
                    name, status = events.pop(rng.randrange(len(events)))
                    reef.executions.end(name, status, None if status == "SUCCEEDED" else REASON)
                case "stop" | "poll" | "resume" if executions := every(reef):
                    chosen = rng.choice(executions)
                    call = {"stop": reef.executions.stop, "poll": reef.executions.get, "resume": reef.executions.resume}
                    if action != "resume" or steps < 3_000:
                        call[action](chosen.owner, chosen.id)
                case "heal":
                    reef.now += timedelta(minutes=5)
                    reef.executions.heal()
    reef.now += timedelta(minutes=30)
    reef.executions.heal()
    assert machine.most <= LIMIT
    assert queue_of(reef) == JobQueue()
    states = [record.status for record in every(reef)]
    print(
        f"seed {seed}: {len(states)} jobs, {len(machine.order)} starts, at most {machine.most} of {LIMIT} workers, "
        f"{troubles} failures, {lost} lost and {repeated} repeated events, {steps} steps, "
        f"{(reef.now - BEGAN).total_seconds() / 3600:.1f} h, {states.count(SUCCEEDED)} succeeded"
    )


def every(reef: FakeStack) -> list[Execution]:
    return [Execution.from_record(record) for owner in "abc" for record in reef.table.page(owner, 1_000)]
