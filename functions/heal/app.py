"""Heal, called by a schedule: launch overdue executions, and record the ends whose events were lost."""

import os
from typing import Any

from anemonefish.cloud.function_log import bound, log_error
from anemonefish.errors import AnemonefishError
from anemonefish.service.api.services import services
from anemonefish.service.execution_end import notify_end
from anemonefish.service.execution_record import Execution
from anemonefish.workflow.function_metrics import function_handler


@function_handler("heal")
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Return the number of changed executions by their status."""
    counts: dict[str, int] = {}
    for execution in services().executions.heal():
        counts[execution.status] = counts.get(execution.status, 0) + 1
        if execution.ended:
            _notify(execution)
    return counts


def _notify(execution: Execution) -> None:
    """Send the end; an error is logged, and the other executions are treated."""
    with bound(correlation_id=execution.correlation_id, execution=execution.id):
        try:
            notify_end(
                execution, os.environ["ANEMONEFISH_COMPLETION_TOPIC"], os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE")
            )
        except AnemonefishError as error:
            log_error("the end of an execution was not sent", error)
