"""Plans of faults: which calls fail, and how. A seed and the number of a case decide, so a case can be repeated.

The decision for a call depends on the call and on how often it was made before, not on the order in which concurrent
functions make their calls.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock

from tests.faults.proxy import Call, Fault

__all__ = ["AWS_FAULTS", "TASK_FAULTS", "Nth", "Outage", "Plan", "RandomFaults", "WhenCalled"]

AWS_FAULTS = ("throttled", "internal error", "reset before", "reset after", "truncated", "slow")
"""What can happen to a call of S3, DynamoDB or Step Functions."""

TASK_FAULTS: Mapping[str, tuple[str, ...]] = {
    "before": ("Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.SdkClientException"),
    "after": ("Lambda.Unknown", "Lambda.ClientExecutionTimeoutException"),
}
"""What can happen to a task of the state machine, before and after its function ran."""

_NAMES = {"s3": "S3", "dynamodb": "DynamoDB", "states": "Step Functions", "sns": "SNS", "sqs": "SQS", "task": "task"}
_IDS = re.compile(r"[eu]-[a-z2-7]{26}|(?<=bucket-)[0-9a-f]+|(?<=Function-)[0-9A-F]+")

Matches = Callable[[Call], bool]


class Plan:
    """The faults of one case.

    Attributes
    ----------
    injected : list of str
        The name of each fault that was injected.
    """

    def __init__(self) -> None:
        self.injected: list[str] = []
        self._lifted = False
        self._lock = Lock()

    def __call__(self, call: Call) -> Fault | None:
        """Return the fault of a call."""
        with self._lock:
            fault = None if self._lifted else self.decide(call)
            if fault is not None:
                self.injected.append(self.name_of(call, fault))
            return fault

    def decide(self, call: Call) -> Fault | None:
        """Return the fault of a call; calls are decided one after the other."""
        return None

    def name_of(self, call: Call, fault: Fault) -> str:
        """Return the row of the table that counts a fault."""
        return f"{_NAMES.get(call.service, call.service)}: {fault.kind}"

    def lift(self) -> None:
        """Inject nothing more."""
        self._lifted = True


class RandomFaults(Plan):
    """Some calls fail.

    Parameters
    ----------
    seed : str
    rate : float
        Share of the calls that fail.
    matches : callable
        Which calls can fail.
    kinds : sequence of str
        The faults of calls to AWS.
    """

    def __init__(self, seed: str, rate: float, matches: Matches, kinds: Sequence[str] = AWS_FAULTS) -> None:
        super().__init__()
        self._seed, self._rate, self._matches, self._kinds = seed, rate, matches, kinds
        self._made: Counter[str] = Counter()

    def decide(self, call: Call) -> Fault | None:
        """Decide by the call and by how often it was made."""
        if not self._matches(call):
            return None
        key = f"{call.function} {call.service} {call.operation} {_IDS.sub('*', call.resource)}"
        self._made[key] += 1
        draw = random.Random(f"{self._seed} {key} {self._made[key]}")
        if draw.random() >= self._rate:
            return None
        kinds = TASK_FAULTS[call.operation] if call.service == "task" else self._kinds
        return Fault(draw.choice(kinds), seconds=draw.uniform(0, 0.4))


class Outage(Plan):
    """All calls that match fail from one of them on, until the plan is lifted or so many have failed."""

    def __init__(self, seed: str, matches: Matches, within: int, most: int | None = None) -> None:
        super().__init__()
        draw = random.Random(seed)
        self._first = draw.randrange(within)
        self._kind = draw.choice(("throttled", "internal error", "reset before"))
        self._matches, self._made, self._most = matches, 0, most

    def decide(self, call: Call) -> Fault | None:
        """Fail every call after the first ones."""
        if not self._matches(call):
            return None
        self._made += 1
        is_over = self._most is not None and self._made > self._first + self._most
        return Fault(self._kind) if self._made > self._first and not is_over else None

    def name_of(self, call: Call, fault: Fault) -> str:
        """Count the calls of an outage in a row of their own."""
        until = "the attempt ends" if self._most is None else "several calls failed"
        return f"{_NAMES.get(call.service, call.service)}: down until {until}"


class Nth(Plan):
    """Some of the calls that match, by their number, meet the same fault.

    Parameters
    ----------
    numbers : collection of int
        Counted from 0.
    name : str
        The row of the table.
    """

    def __init__(self, matches: Matches, numbers: Sequence[int], fault: Fault, name: str) -> None:
        super().__init__()
        self._matches, self._numbers, self._fault, self._name, self._made = matches, set(numbers), fault, name, -1

    def decide(self, call: Call) -> Fault | None:
        """Fail the calls with these numbers."""
        if not self._matches(call):
            return None
        self._made += 1
        return self._fault if self._made in self._numbers else None

    def name_of(self, call: Call, fault: Fault) -> str:
        """Return the name of the row."""
        return self._name


class WhenCalled(Plan):
    """Let nothing fail, and set an event at a call by its number.

    Attributes
    ----------
    reached : threading.Event
    """

    def __init__(self, number: int, name: str) -> None:
        super().__init__()
        self.reached = Event()
        self._left, self._name = number, name

    def decide(self, call: Call) -> Fault | None:
        """Count the calls of the job's functions."""
        if call.function not in {"ApiFunction", "StatusFunction"}:
            self._left -= 1
            if self._left < 0 and not self.reached.is_set():
                self.injected.append(self._name)
                self.reached.set()
        return None
