"""The log of a function: one line of JSON for each message, with the same keys in every function.

The keys are ``timestamp``, ``level``, ``message``, ``correlation_id``, ``function``, ``job``, ``execution``,
``recording`` and ``range``; a line may add keys of its own. :func:`logged` sets them for a handler, and :func:`bound`
for a block of code, such as one range of a score worker. Query strings of URLs are removed, because those of presigned
links and of webhooks grant access.
"""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from types import MappingProxyType
from typing import Any

from anemonefish.cloud.correlation import correlation_of_input
from anemonefish.errors import AnemonefishError

__all__ = [
    "KEYS",
    "bound",
    "current",
    "fields_of_input",
    "fields_of_range",
    "log",
    "log_error",
    "log_outcome",
    "logged",
    "traceback_of",
    "without_secrets",
]

_SEPARATORS = {ord(text): f"\\u{ord(text):04x}" for text in "\x85\u2028\u2029"}
"""JSON leaves these as they are, and readers of a log end a line there, so a name would split its line."""

KEYS = ("correlation_id", "function", "job", "execution", "recording", "range")
"""Keys of every line that say what it is about; None where one does not apply."""

_JOB = re.compile(r"jobs/[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}")
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#\"'<>]*)\?[^\s\"'<>]*", re.IGNORECASE)
_SECRET = re.compile(r"\b(whsec_|X-Amz-(?:Signature|Credential|Security-Token)=)[^\s\"'&]+", re.IGNORECASE)
_LONGEST = 8_000
"""Most characters of one value. CloudWatch Logs accepts 256 KiB for a line."""

_context: ContextVar[Mapping[str, str | None]] = ContextVar("log_context", default=MappingProxyType({}))

Handler = Callable[[Any, Any], Any]


def without_secrets(text: str) -> str:
    """Return a text without query strings of URLs, signatures and signing keys."""
    return _SECRET.sub(r"\1...", _QUERY.sub(r"\1?...", text))[:_LONGEST]


@contextmanager
def bound(**fields: str | None) -> Iterator[None]:
    """Set keys of all lines that are logged inside the ``with`` block."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def log(level: str, message: str, **more: Any) -> None:
    """Log one line.

    Parameters
    ----------
    level : {"INFO", "WARNING", "ERROR"}
    message : str
    **more
        Values of :data:`KEYS` for this line only, and further keys.
    """
    line = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "message": message,
        **dict.fromkeys(KEYS),
        **_context.get(),
        **more,
    }
    safe = {key: without_secrets(value) if isinstance(value, str) else value for key, value in line.items()}
    text = json.dumps(safe, ensure_ascii=False, default=str).translate(_SEPARATORS)
    # In one write: print makes two, and two threads could write their lines before either ends its own.
    sys.stdout.write(text.encode(errors="replace").decode() + "\n")
    sys.stdout.flush()


def log_error(message: str, error: BaseException, **more: Any) -> None:
    """Log an error with its class, its text and its HTTP status; 500 and above are errors of the system."""
    status = error.status if isinstance(error, AnemonefishError) else 500
    level = "ERROR" if status >= 500 else "WARNING"
    log(level, message, error=type(error).__name__, reason=str(error), status=status, **more)


@contextmanager
def log_outcome(done: str, failed: str, **more: Any) -> Iterator[None]:
    """Log how a ``with`` block ended and how long it took; an error is logged and raised."""
    began = time.perf_counter()
    try:
        yield
    except Exception as error:
        log_error(failed, error, seconds=_since(began), **more)
        raise
    log("INFO", done, seconds=_since(began), **more)


def current(key: str) -> str | None:
    """Return the value that a key of :data:`KEYS` has in the lines that are logged now."""
    return _context.get().get(key)


def traceback_of(error: BaseException) -> str:
    """Return where an error was raised, for one that its function answers and Lambda does not see."""
    return "".join(traceback.format_exception(error))[-_LONGEST:]


def fields_of_input(event: object) -> dict[str, str | None]:
    """Return what the input of a workflow's function says about :data:`KEYS`."""
    if not isinstance(event, Mapping):
        return {}
    # The second plan and the record function get the execution's input in a field of their own event.
    source = next((event[name] for name in ("again", "execution") if isinstance(event.get(name), Mapping)), event)
    job = source.get("job")
    if isinstance(job, Mapping):
        job = f"jobs/{job.get('tenant')}/{job.get('id')}"
    known = isinstance(job, str) and _JOB.fullmatch(job) is not None
    ranges, recording = source.get("ranges"), source.get("recording")
    only = ranges[0] if isinstance(ranges, list) and len(ranges) == 1 else recording
    return {
        **fields_of_range(only),
        "correlation_id": correlation_of_input(source),
        "job": str(job) if known else None,
        "execution": str(job).rpartition("/")[2] if known else None,
    }


def fields_of_range(document: object) -> dict[str, str | None]:
    """Return the recording and the range of a line of ``ranges.jsonl``, or the recording of one to transcode.

    The recording is named by its key in the bucket: ``path`` is a place on the user's machine and is not logged.
    """
    if not isinstance(document, Mapping):
        return {}
    windows = document.get("windows")
    return {
        "recording": re.sub(r"^s3://[^/]*/", "", str(document.get("uri"))),
        "range": f"{windows.get('start')}-{windows.get('stop')}" if isinstance(windows, Mapping) else None,
    }


def logged(function: str) -> Callable[[Handler], Handler]:
    """Return a decorator that logs the end of every call of a handler, with its duration or its error.

    Parameters
    ----------
    function : str
        Name of the function, as its folder below ``functions/``.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def call(event: Any, context: Any) -> Any:
            request = getattr(context, "aws_request_id", None)
            with (
                bound(function=function, **fields_of_input(event)),
                log_outcome("finished", "failed", request_id=request),
            ):
                return handler(event, context)

        return call

    return decorate


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 3)
