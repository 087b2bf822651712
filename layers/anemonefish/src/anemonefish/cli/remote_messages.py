"""What the remote commands say about an execution: why it failed, and when archived results can be downloaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anemonefish.cli.remote_files import complain_of, failure_of
from anemonefish.cli.terminal import OUT
from anemonefish.errors import Failure, WrongState
from anemonefish.execution_states import UNSUCCESSFUL

if TYPE_CHECKING:
    from anemonefish.client.client import Document

__all__ = ["check_succeeded", "reasons_of", "show_restore"]


def show_restore(execution: str, asked: Document) -> None:
    """Print what became of a request for archived results."""
    words = (
        f"{asked['files']} archived files of {execution} were asked for {asked['requested_at']}; they are ready by "
        f"{asked['ready_by']} and can be downloaded until {asked['kept_until']}: anemonefish remote results {execution}"
    )
    OUT.print(words, highlight=False, soft_wrap=True)


def check_succeeded(found: Document, names: Sequence[str] | None = None) -> None:
    """End the command where an execution has no results."""
    if found["status"] in UNSUCCESSFUL:
        complain_of(reasons_of(found, names))
        sys.exit(1)
    if found["status"] != "SUCCEEDED":
        raise WrongState(f"{found['id']} is {found['status']}; it has results once it is SUCCEEDED")


def reasons_of(found: Document, names: Sequence[str] | None = None) -> list[Failure | None]:
    """Return why an execution and its recordings failed; one recording's reason is that of the execution."""
    recordings = found["recordings"]
    names = names or [each["name"] for each in recordings]
    each_reason = [failure_of(each, name) for each, name in zip(recordings, names, strict=True)]
    if found["status"] not in UNSUCCESSFUL:
        return each_reason
    error = found["error"] or {
        "error": found["status"].capitalize(),
        "message": f"{found['id']} is {found['status']}",
    }
    return [Failure(**error), *(each_reason if len(recordings) > 1 else ())]
