"""Wait for an execution of a deployed stack, and show how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anemonefish.cli.terminal import ERR, progress_bar
from anemonefish.errors import AnemonefishError

if TYPE_CHECKING:
    from anemonefish.client.client import Client, Document

__all__ = ["place_in_queue", "wait_for_end"]


def wait_for_end(api: Client, execution: str) -> Document:
    """Wait for the end of an execution; after Ctrl-C, print how to continue."""
    place = ""
    with progress_bar("scoring") as bar:
        task = bar.add_task("scoring", total=None)

        def show(found: Document) -> None:
            nonlocal place
            if (now := place_in_queue(found)) != place and now:
                words = f"{execution} waits for workers of other executions{now}"
                ERR.print(words, highlight=False, soft_wrap=True)
            place = now
            bar.update(task, completed=found["ranges_done"], total=found["ranges_total"])

        try:
            return api.wait(execution, show)
        except (KeyboardInterrupt, AnemonefishError):
            words = (
                f"{execution} goes on by itself: anemonefish remote status {execution} --wait, then anemonefish remote "
                f"results {execution}; or anemonefish remote cancel {execution}"
            )
            ERR.print(words, highlight=False, soft_wrap=True)
            raise


def place_in_queue(found: Document) -> str:
    """Return the place of an execution that waits for workers of others; an older stack has no queue."""
    queue = found.get("queue")
    return f" (place {queue['position']} in the queue)" if queue else ""
