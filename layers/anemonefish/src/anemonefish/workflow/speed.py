"""The speed of a score worker, as a line of its log from which CloudWatch makes metrics.

The namespace is ``anemonefish``. Each call has one value of ``Windows``, ``ScoringSeconds`` and ``OverheadSeconds``,
with the function, the model, the engine, the processor and the memory as dimensions. CloudWatch reads them from the log
(its embedded metric format), so a worker needs no permission for it. ``anemonefish calibrate --stack`` reads the sums.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from anemonefish.layer_check import machine_architecture
from anemonefish.models.repository import PinnedModel
from anemonefish.workflow.score import Scored

__all__ = ["DIMENSIONS", "NAMESPACE", "Stopwatch", "dimensions_of", "score_metrics"]

NAMESPACE = "anemonefish"
DIMENSIONS = ("Function", "Model", "Engine", "Architecture", "MemoryMB")


class Stopwatch:
    """The time of one call: from its start until the model is loaded, and from then to its end."""

    _first_call = True

    def __init__(self) -> None:
        # The imports before the first call of a process are overhead too; they are all computing time.
        self._before = time.process_time() if Stopwatch._first_call else 0.0
        Stopwatch._first_call = False
        self._began = self._ready = time.perf_counter()

    def ready(self) -> None:
        """Mark the moment when scoring begins."""
        self._ready = time.perf_counter()

    @property
    def overhead(self) -> float:
        """Seconds before scoring."""
        return self._before + self._ready - self._began

    @property
    def scoring(self) -> float:
        """Seconds since scoring began."""
        return time.perf_counter() - self._ready


def dimensions_of(function: str, model: PinnedModel, architecture: str, memory_mb: int) -> dict[str, str]:
    """Return the dimensions of the metrics of one kind of worker."""
    return dict(zip(DIMENSIONS, (function, model.reference, model.engine, architecture, str(memory_mb)), strict=True))


def score_metrics(scored: Scored, model: PinnedModel, watch: Stopwatch, environment: Mapping[str, str]) -> str | None:
    """Return the line of one call, JSON in CloudWatch's embedded metric format.

    Parameters
    ----------
    scored : Scored
    model : PinnedModel
    watch : Stopwatch
    environment : mapping
        The function's own variables: its name and memory.

    Returns
    -------
    str or None
        None where parts existed: such a call does not show the time of a window.
    """
    if scored.computed != scored.ranges or not scored.windows:
        return None
    values = {
        "Windows": scored.windows,
        "ScoringSeconds": round(watch.scoring, 6),
        "OverheadSeconds": round(watch.overhead, 6),
    }
    function = environment.get("AWS_LAMBDA_FUNCTION_NAME", "")
    memory = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0)
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(DIMENSIONS)],
        "Metrics": [{"Name": name, "Unit": "Count" if name == "Windows" else "Seconds"} for name in values],
    }
    stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": stamp, **dimensions_of(function, model, machine_architecture(), memory), **values})
