"""Metrics of every call of a function: its price, whether its process was new, and failures by class.

The module loads in milliseconds, because every function uses it. Metrics of scores and results are in
:mod:`anemonefish.workflow.job_metrics`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, TypeVar

from anemonefish.cloud.embedded_metrics import emit
from anemonefish.cloud.function_log import Handler, logged
from anemonefish.cloud.xray import traced
from anemonefish.jobs.prices import USD_PER_GB_SECOND, USD_PER_INVOCATION
from anemonefish.layer_check import machine_architecture

__all__ = ["emit_failure", "emit_quote", "function_handler", "measured"]

_calls = count()
"""Counts the calls of this process."""

_ON_DEMAND = "on-demand"
"""How Lambda starts a process, in ``AWS_LAMBDA_INITIALIZATION_TYPE``."""

Event = TypeVar("Event")
Answer = TypeVar("Answer")


def function_handler(function: str) -> Callable[[Handler], Handler]:
    """Return a decorator for the handler of a function: every call is logged, measured and traced.

    Parameters
    ----------
    function : str
        Name of the function, as its folder below ``functions/``.
    """
    return lambda handler: logged(function)(_traced(function, measured(handler)))


def measured(handler: Callable[[Event, Any], Answer]) -> Callable[[Event, Any], Answer]:
    """Return a handler that logs the price of every call, and whether it was the first of its process.

    ``FunctionUsd`` is the call's seconds at Lambda's list price. The first call includes the computing time of the
    process before it, in which the handler was imported, unless that was done ahead: with provisioned concurrency,
    which starts no process for a call, and with SnapStart, which restores one.
    """

    @wraps(handler)
    def call(event: Event, context: Any) -> Answer:
        is_first, start = next(_calls) == 0, os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", _ON_DEMAND)
        began = time.perf_counter() - (time.process_time() if is_first and start == _ON_DEMAND else 0.0)
        try:
            return handler(event, context)
        finally:
            values = {"ColdStarts": float(is_first and start != "provisioned-concurrency")}
            usd = _usd(time.perf_counter() - began)
            emit(values if usd is None else {**values, "FunctionUsd": usd})

    return call


def _traced(function: str, handler: Handler) -> Handler:
    @wraps(handler)
    def call(event: Any, context: Any) -> Any:
        with traced(function):
            return handler(event, context)

    return call


def _usd(seconds: float) -> float | None:
    """Return the price of a call; None where the memory or the price of the processor is unknown."""
    memory_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    per_second = USD_PER_GB_SECOND.get(machine_architecture())
    if per_second is None or not memory_mb.isdigit():
        return None
    return round(seconds * int(memory_mb) / 1024 * per_second + USD_PER_INVOCATION, 12)


def emit_failure(error: str, number: int = 1) -> None:
    """Log failures of jobs, recordings or requests by the class of their error."""
    emit({"Failures": number}, Error=error)


def emit_quote(usd: float) -> None:
    """Log what the plan of a job expects it to cost."""
    emit({"QuotedUsd": usd})
