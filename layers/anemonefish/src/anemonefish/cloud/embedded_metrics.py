"""Metrics of the functions: log lines in CloudWatch's embedded metric format, from which CloudWatch makes metrics.

A function needs no permission and makes no call for it. Every metric is in the namespace ``anemonefish`` and has the
dimensions ``Stack`` and ``Stage``; some have one more. :data:`UNITS` lists all of them, and docs/operations.md says
what each one means. A metric's line has the keys of every other line (:mod:`.function_log`), so it is joined with them
by the correlation id.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from anemonefish.cloud.function_log import log

__all__ = ["MOST_VALUES", "NAMESPACE", "UNITS", "emit"]

NAMESPACE = "anemonefish"

MOST_VALUES = 100
"""Most values of one metric in one line; CloudWatch's limit."""

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "AudioHours": "None",
        "ColdStarts": "Count",
        "EndsLost": "Count",
        "Events": "Count",
        "Failures": "Count",
        "FunctionUsd": "None",
        "JobSeconds": "Seconds",
        "JobsWaiting": "Count",
        "LongestWait": "Seconds",
        "QuotedUsd": "None",
        "RealTimeFactor": "None",
        "ReferenceTargetWindows": "Count",
        "TargetScore": "None",
        "TargetWindows": "Count",
        "WindowsCompared": "Count",
    }
)
"""The unit of every metric; CloudWatch has none for hours and for USD."""


def emit(values: Mapping[str, float | Sequence[float]], **dimensions: str) -> None:
    """Log metrics of this stack; do nothing outside of a stack.

    Parameters
    ----------
    values : mapping of str to float or sequence of float
        Metrics of :data:`UNITS`, with one value or up to :data:`MOST_VALUES`.
    **dimensions : str
        Dimensions besides ``Stack`` and ``Stage``.

    Raises
    ------
    KeyError
        A metric is not in :data:`UNITS`.
    """
    stack, stage = os.environ.get("ANEMONEFISH_STACK"), os.environ.get("ANEMONEFISH_STAGE")
    definitions = [{"Name": name, "Unit": UNITS[name]} for name in values]
    if not (stack and stage and values):
        return
    named = {"Stack": stack, "Stage": stage, **dimensions}
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(named)], "Metrics": definitions}
    stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    log("INFO", "metrics", _aws=stamp, **named, **values)
