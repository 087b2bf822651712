"""Metrics of scores and results: the speed of a worker, the distribution of its scores, the audio and events of jobs.

All numbers are of the call that logs them (:mod:`anemonefish.cloud.embedded_metrics`). Where a ratio is wanted, its
sums are logged, because the ratio of sums is right for any period: USD per hour of audio is ``FunctionUsd`` divided by
``AudioHours``. Metrics never change a result.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from anemonefish.cloud.embedded_metrics import MOST_VALUES, emit
from anemonefish.jobs.plan import Analysis, RangeTask
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import PinnedModel
from anemonefish.results.summary import Outcome
from anemonefish.workflow.function_metrics import emit_failure

__all__ = ["OutcomeMeter", "ScoreMeter", "emit_clip", "reference_share"]


class OutcomeMeter:
    """The audio, the events and the failures of a job."""

    def __init__(self) -> None:
        self._hours = 0.0
        self._events = 0
        self._failures = Counter[str]()

    def add(self, outcome: Outcome) -> None:
        """Count a recording."""
        if outcome.recording.failure is not None:
            self._failures[outcome.recording.failure.error] += 1
        elif outcome.recording.analysis is not None:
            self._hours += _hours(outcome.recording.analysis)
            self._events += len(outcome.events)

    def emit(self) -> None:
        """Log what was counted."""
        emit({"AudioHours": round(self._hours, 9), "Events": self._events})
        for error, count in self._failures.items():
            emit_failure(error, count)


def emit_clip(analysis: Analysis, events: int) -> None:
    """Log the audio and the events of a clip."""
    emit({"AudioHours": round(_hours(analysis), 9), "Events": events})


def _hours(analysis: Analysis) -> float:
    return analysis.grid.n_samples / analysis.sample_rate / 3600


def reference_share(spec: ModelSpec) -> float | None:
    """Return the share of windows whose best class was the target when the model was published.

    Publishing scores simulated reefs and the user's recording. None for a bundle that was published before these counts
    were stored.
    """
    counts = spec.parity.get("best_class") or {}
    windows = sum(counts.values())
    return counts.get(spec.target_class, 0) / windows if windows else None


class ScoreMeter:
    """The scores of one call of a worker, for metrics.

    Parameters
    ----------
    spec : ModelSpec
    model : PinnedModel
    """

    def __init__(self, spec: ModelSpec, model: PinnedModel) -> None:
        self._spec = spec
        self._model = model
        self._target = spec.classes.index(spec.target_class)
        self._scores: list[NDArray[np.float32]] = []
        self._best = 0
        self._audio_seconds = 0.0

    def add(self, task: RangeTask, scores: NDArray[np.float32]) -> None:
        """Count the scores of a range, shape ``(n_windows, n_classes)``."""
        target = scores[:, self._target]
        self._scores.append(target)
        # A network with one class has no other to compare with; its best class is the target from 0.5 on.
        best = scores.argmax(axis=1) == self._target if scores.shape[1] > 1 else target >= 0.5
        self._best += int(best.sum())
        self._audio_seconds += len(task.windows) * task.grid.hop / task.sample_rate

    def emit(self, seconds: float) -> None:
        """Log what was scored in ``seconds``; nothing where all parts existed.

        ``TargetScore`` has up to a hundred quantiles of the target class's scores, so the percentiles of CloudWatch
        are those of the windows.
        """
        scores = np.concatenate(self._scores) if self._scores else np.empty(0, np.float32)
        if not len(scores):
            return
        share = reference_share(self._spec)
        drift = {} if share is None else self._compared(len(scores), share)
        emit({"RealTimeFactor": round(self._audio_seconds / seconds, 3), **drift})
        count = min(len(scores), MOST_VALUES)
        quantiles = np.quantile(scores, (np.arange(count) + 0.5) / count, method="hazen")
        emit({"TargetScore": [round(float(value), 4) for value in quantiles]}, Model=self._model.reference)

    def _compared(self, windows: int, share: float) -> dict[str, float]:
        return {
            "WindowsCompared": windows,
            "TargetWindows": self._best,
            "ReferenceTargetWindows": round(windows * share, 3),
        }
