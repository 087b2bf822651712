"""The states of an execution; the service, its client and the command line share them.

::

    PENDING ──► RUNNING ──► SUCCEEDED
       ▲  │        ├──────► FAILED ◄───┐
       │  └────────┼── not launched ───┘
       │           └──────► CANCELLED
       └── resume, after FAILED or CANCELLED, or after SUCCEEDED with recordings that failed by the system
"""

from __future__ import annotations

__all__ = ["CANCELLED", "ENDED", "FAILED", "PENDING", "RUNNING", "STATES", "SUCCEEDED", "UNSUCCESSFUL"]

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED = "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"

STATES = (PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED)

UNSUCCESSFUL = frozenset({FAILED, CANCELLED})
"""Final states without results; an execution can be resumed from them."""

ENDED = frozenset({SUCCEEDED, FAILED, CANCELLED})
"""States that change only when an execution is resumed."""
