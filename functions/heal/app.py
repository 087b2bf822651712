"""Heal: called by a schedule. Launches executions that wait for it, and ends those that have lost their end."""

import json
from typing import Any

from anemonefish.api.services import services


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Do what is overdue; answer with how many executions have which status now."""
    healed = services().executions.heal()
    counts: dict[str, int] = {}
    for execution in healed:
        failed = execution.status == "FAILED"
        # What the alarm listens to: 5xx is the system's fault (a metric filter in template.yaml).
        print(json.dumps({"execution": execution.id, "healed": execution.status, "status": 500 if failed else 200}))
        counts[execution.status] = counts.get(execution.status, 0) + 1
    return counts
