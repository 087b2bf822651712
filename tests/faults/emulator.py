"""Run the local AWS with a state machine whose tasks fail on demand.

Before and after every task the proxy is asked for a fault; its answer is the error of the task. So Lambda can refuse a
task of the state machine, or the answer of a task that was done can be lost.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).parents[2] / "localstack"))

import ministack_main  # type: ignore[import-not-found]
from ministack.services import stepfunctions  # type: ignore[import-not-found]

_call_lambda = stepfunctions._call_lambda


def _call_or_fail(function: str, event: Any) -> Any:
    _fail_if_planned(function, "before")
    answer = _call_lambda(function, event)
    _fail_if_planned(function, "after")
    return answer


def _fail_if_planned(function: str, moment: str) -> None:
    question = json.dumps({"function": function.rpartition(":")[2], "moment": moment}).encode()
    with urlopen(Request(os.environ["FAULTS_TASK_URL"], question)) as answer:
        error = json.load(answer).get("error")
    if error is not None:
        raise stepfunctions._ExecutionError(error, f"injected {moment} the task")


if __name__ == "__main__":
    stepfunctions._call_lambda = _call_or_fail
    ministack_main.run()
