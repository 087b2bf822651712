"""Heal: called by a schedule. Launches executions that wait for it, and ends those that have lost their end."""

from typing import Any

from anemonefish.service.api.services import services


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Do what is overdue; answer with how many executions have which status now."""
    counts: dict[str, int] = {}
    for execution in services().executions.heal():
        counts[execution.status] = counts.get(execution.status, 0) + 1
    return counts
