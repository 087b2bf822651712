"""Heal, called by a schedule: launch overdue executions, and end those whose end was never recorded."""

from typing import Any

from anemonefish.cloud.function_log import logged
from anemonefish.service.api.services import services


@logged("heal")
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Return the number of treated executions by their status."""
    counts: dict[str, int] = {}
    for execution in services().executions.heal():
        counts[execution.status] = counts.get(execution.status, 0) + 1
    return counts
