"""Calibrations of scores for tests."""

from __future__ import annotations

from anemonefish.jobs.score_calibration import CurvePoint, JudgedStratum, ScoreCalibration, ScoreScale
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.probability.density import CallDensity
from anemonefish.probability.logistic import LogisticCurve
from anemonefish.probability.precision import PrecisionThreshold
from anemonefish.settings import Settings


def calibration_of(
    models: ModelRepository, pinned: PinnedModel, *, site: str | None = None, slope: float = 1.5
) -> ScoreCalibration:
    """Return a calibration for the scores that a model gives by default."""
    return ScoreCalibration(
        model=pinned.reference,
        scale=ScoreScale.of(models.spec(pinned), pinned, Settings()),
        site=site,
        curve=LogisticCurve(-1.0, slope),
        review="0123456789ab",
        yes=40,
        no=60,
        unsure=3,
        recordings=9,
        reviewers=1,
        judged_at="2026-11-29T10:00:00Z",
        resampled="recordings",
        points=(CurvePoint(0.5, 0.27, 0.2, 0.4),),
        strata=(JudgedStratum("event 0.9-0.99", 100, 30, 25, 0.8),),
        precision=PrecisionThreshold(wanted=0.9, threshold=0.7, low=0.6, high=None, precision=0.91, events=12),
        density=CallDensity(
            per_hour=12.5, low=10.0, high=20.0, hours=2.0, judged=100, with_calls=40, unsure=3, units=900
        ),
        counted=True,
    )
