"""The correlation id: one text that joins all log lines of a request and of the execution that it starts.

It is the id that API Gateway gave to the request, or the caller's own header ``x-correlation-id``. The record of an
execution keeps it, and the input of the state machine and of every worker carries it. It is used for logs only: no
plan, part, result or identity contains it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["HEADER", "correlation_of_input", "correlation_of_request", "is_correlation_id"]

HEADER = "x-correlation-id"

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Letters, digits, ``.``, ``_`` and ``-``: such a text can neither forge a log line nor hide in one."""


def is_correlation_id(value: object) -> bool:
    """Return whether a value can be used as a correlation id."""
    return isinstance(value, str) and _WELL_FORMED.fullmatch(value) is not None


def correlation_of_request(event: Mapping[str, Any]) -> str | None:
    """Return the correlation id of a request of API Gateway.

    A header that is not well formed is ignored, because a request must not fail for the sake of its log lines.
    """
    headers = event.get("headers") or {}
    sent = next((value for name, value in headers.items() if str(name).lower() == HEADER), None)
    given = (event.get("requestContext") or {}).get("requestId")
    return next((str(value) for value in (sent, given) if is_correlation_id(value)), None)


def correlation_of_input(event: object) -> str | None:
    """Return the correlation id of an execution's input or of a task's.

    An execution that was started without the API may have none. The id of its job is used instead, so its log lines
    are joined as well.
    """
    if not isinstance(event, Mapping):
        return None
    if is_correlation_id(event.get("correlation_id")):
        return str(event["correlation_id"])
    job = event.get("job")
    identifier = job.get("id") if isinstance(job, Mapping) else str(job or "").rpartition("/")[2]
    return identifier if is_correlation_id(identifier) else None
