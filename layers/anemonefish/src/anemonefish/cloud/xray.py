"""Subsegments of X-Ray traces: what a call of a function spent its time on.

Lambda makes a trace of every call and runs X-Ray's daemon beside the function. :func:`traced` sends the daemon a
subsegment by UDP when its block ends: one for the block, and inside it one for each step
(:mod:`anemonefish.step_times`). The correlation id is an annotation, so X-Ray finds all traces of a request by it, and
they are joined with its log lines.

The format is that of docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html. The SDK of X-Ray is not
used: it gets security fixes only, takes longer to load than the rest of a worker's imports, and has no place for steps
that take turns. Where a call is not sampled, and outside Lambda, nothing is sent. A trace never fails a call.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from anemonefish.cloud.function_log import KEYS, current
from anemonefish.step_times import StepTimes, measure_steps

__all__ = ["traced"]

_HEADER = b'{"format": "json", "version": 1}\n'
"""Before every document, as the daemon expects it."""

_MOST_BYTES = 64_000
"""Most bytes of one message; UDP carries 65,507."""

_parent: ContextVar[str | None] = ContextVar("xray_parent", default=None)
"""The id of the subsegment around this code."""


@contextmanager
def traced(name: str) -> Iterator[None]:
    """Send the time of the ``with`` block, and of its steps, as a subsegment of the trace of this call.

    Parameters
    ----------
    name : str
    """
    trace = _trace()
    if trace is None:
        yield
        return
    root, caller = trace
    document: dict[str, Any] = {
        "name": name,
        "id": secrets.token_hex(8),
        "trace_id": root,
        "parent_id": _parent.get() or caller,
        "type": "subsegment",
        "start_time": time.time(),
    }
    token = _parent.set(document["id"])
    with measure_steps() as times:
        try:
            yield
        except BaseException as error:
            document["fault"] = True
            document["cause"] = {"exceptions": [{"id": secrets.token_hex(8), "type": type(error).__name__}]}
            raise
        finally:
            _parent.reset(token)
            document["end_time"] = time.time()
            document["annotations"] = {key: value for key in KEYS if (value := current(key)) is not None}
            document["subsegments"] = _steps(times, document["start_time"])
            _send(document)


def _steps(times: StepTimes, start: float) -> list[dict[str, Any]]:
    """Return a subsegment for each step. The steps took turns; they are drawn one after the other, by their totals."""
    subsegments = []
    for name, seconds in times.seconds.items():
        subsegments.append({"name": name, "id": secrets.token_hex(8), "start_time": start, "end_time": start + seconds})
        start += seconds
    return subsegments


def _trace() -> tuple[str, str] | None:
    """Return the id of this call's trace and of Lambda's segment; None where the call is not sampled."""
    fields = dict(part.partition("=")[::2] for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";"))
    if fields.get("Sampled") != "1" or not ("Root" in fields and "Parent" in fields):
        return None
    return fields["Root"], fields["Parent"]


def _send(document: dict[str, Any]) -> None:
    address = re.search(r"(?:udp:)?([^\s:]+):(\d+)", os.environ.get("AWS_XRAY_DAEMON_ADDRESS", ""))
    data = _HEADER + json.dumps(document, separators=(",", ":")).encode()
    if address is None or len(data) > _MOST_BYTES:
        return
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.sendto(data, (address[1], int(address[2])))
