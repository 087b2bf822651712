"""The current time, and moments as text: ISO 8601, UTC.

Results do not contain the current time; only records of uploads, executions and measurements do.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["from_text", "now", "to_text"]


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """Write a moment with milliseconds, for example ``2026-11-23T10:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read what :func:`to_text` wrote."""
    return datetime.fromisoformat(text)
