"""The order in which jobs start, and how many workers they run together."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from itertools import count

import pytest

from anemonefish.service.job_queue import JobQueue, QueuedJob


@dataclass
class Reef:
    """A queue with a clock in seconds; a job ends after its duration."""

    limit: int = 8
    now: int = 0
    queue: JobQueue = field(default_factory=JobQueue)
    duration: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=count)

    def add(self, owner: str, workers: int, seconds: int = 60) -> str:
        name = f"{owner}{next(self.numbers)}"
        self.duration[name] = seconds
        self.queue.add(name, QueuedJob(owner, workers, moment(self.now)))
        self.start()
        return name

    def start(self) -> list[str]:
        names = self.queue.start_next(self.limit, moment(self.now))
        for name in names:
            self.started[name], self.ends[name] = self.now, self.now + self.duration[name]
        assert self.queue.running_workers <= self.limit
        return names

    def end_next(self) -> None:
        name = min(self.ends, key=lambda each: (self.ends[each], each))
        self.now = max(self.now, self.ends.pop(name))
        self.queue.remove(name)
        self.start()


def moment(seconds: int) -> str:
    return f"{seconds:09}"


def test_job_waits_until_all_its_workers_are_free() -> None:
    reef = Reef()
    first, second = reef.add("a", 6), reef.add("a", 3)
    assert reef.queue.waiting.keys() == {second}
    reef.end_next()
    assert first not in reef.queue.jobs
    assert reef.queue.waiting == {}


def test_job_that_needs_more_workers_than_there_are_gets_all_of_them() -> None:
    reef = Reef()
    assert reef.queue.jobs[reef.add("a", 100)].workers == 8


def test_running_jobs_end_before_others_start_after_the_limit_was_lowered() -> None:
    reef = Reef(limit=100)
    reef.add("a", 50)
    reef.add("a", 50)
    reef.limit = 8
    late = QueuedJob("b", 1, moment(0))
    reef.queue.add("late", late)
    assert reef.queue.start_next(8, moment(1)) == []
    reef.queue.remove("a0")
    assert reef.queue.start_next(8, moment(1)) == []
    reef.queue.remove("a1")
    assert reef.queue.start_next(8, moment(1)) == ["late"]


def test_single_job_of_a_tenant_starts_before_the_next_of_another_tenants_fifty() -> None:
    reef = Reef()
    many = [reef.add("a", 8) for _ in range(50)]
    reef.now = 30
    single = reef.add("b", 8)
    while single not in reef.started:
        reef.end_next()
    assert reef.started[single] == 60
    assert [name for name in many if name in reef.started] == many[:1]


@pytest.mark.parametrize("seed", range(50))
def test_single_job_waits_no_longer_than_one_job_of_another_tenant_runs(seed: int) -> None:
    rng = random.Random(seed)
    reef = Reef()
    for _ in range(50):
        reef.add("a", rng.randint(1, 8), rng.randint(1, 600))
    for _ in range(rng.randint(0, 20)):
        reef.end_next()
    before = reef.now
    single = reef.add("b", rng.randint(1, 8))
    while single not in reef.started:
        reef.end_next()
    assert reef.started[single] - before <= 600


def test_tenants_take_turns() -> None:
    reef = Reef()
    for owner in "aaabbbcc":
        reef.add(owner, 8)
    while reef.ends:
        reef.end_next()
    assert "".join(name[0] for name in sorted(reef.started, key=lambda each: reef.started[each])) == "abcabcab"


def test_small_job_starts_beside_a_large_one_that_waits() -> None:
    reef = Reef()
    reef.add("a", 6, 86_400)
    large, small = reef.add("b", 6, 86_400), reef.add("c", 2)
    assert (large in reef.started, reef.started[small]) == (False, 0)


def test_endless_small_jobs_do_not_keep_a_large_one_waiting() -> None:
    reef = Reef()
    for owner in "bcdb":
        reef.add(owner, 2, 100)
    large = reef.add("a", 8, 100)
    for owner in "bcd" * 20:
        reef.now += 1
        reef.add(owner, 1, 100)
    while large not in reef.started:
        reef.end_next()
    assert reef.started[large] == 100


def test_tenants_that_come_and_go_do_not_keep_a_waiting_tenant_from_its_turn() -> None:
    reef = Reef()
    reef.add("a", 8)
    waiting = reef.add("a", 8)
    for owner in "bcbcbcbc":
        reef.add(owner, 8)
        reef.end_next()
    assert reef.started[waiting] == 180


@pytest.mark.parametrize("seed", range(30))
def test_no_job_waits_for_ever(seed: int) -> None:
    rng = random.Random(seed)
    reef = Reef(limit=rng.choice([1, 2, 8, 100]))
    names = []
    for _ in range(200):
        names.append(reef.add(rng.choice("aaaaaabcd"), rng.randint(1, 12), rng.randint(1, 1000)))
        if rng.random() < 0.4 and reef.ends:
            reef.end_next()
    while reef.ends:
        reef.end_next()
    assert reef.started.keys() == set(names)
    assert reef.queue == JobQueue()


def test_positions_are_the_order_of_the_starts() -> None:
    reef = Reef()
    for owner in "aaabbc":
        reef.add(owner, 8)
    assert reef.queue.positions() == {"b3": 1, "c5": 2, "a1": 3, "b4": 4, "a2": 5}
    while reef.ends:
        reef.end_next()
    assert sorted(reef.started, key=lambda each: reef.started[each]) == ["a0", "b3", "c5", "a1", "b4", "a2"]


def test_workers_of_a_stopped_job_are_counted_until_they_have_ended() -> None:
    reef = Reef()
    stopped, waiting = reef.add("a", 8), reef.add("b", 8)
    reef.queue.remove(stopped, moment(30))
    reef.queue.remove(stopped)  # the event of its end comes later, and twice
    reef.queue.remove(stopped, moment(90))
    reef.now = 29
    assert reef.start() == []
    reef.now = 30
    assert reef.start() == [waiting]
    assert stopped not in reef.queue.jobs


def test_queue_is_the_same_after_it_was_written_and_read() -> None:
    reef = Reef()
    for owner in "aab":
        reef.add(owner, 6)
    reef.queue.remove("a0", moment(99))
    assert JobQueue.from_document(json.loads(json.dumps(reef.queue.to_document()))) == reef.queue
