"""Verdicts on results become a calibration: what it counts, and which verdicts are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anemonefish.errors import InvalidRequest, InvalidSettings
from anemonefish.evaluation.calibrate_scores import calibrate_scores, density_of, strata_of
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.decision import Decision
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.probability.logistic import LogisticCurve
from anemonefish.results.events import smooth
from anemonefish.results.read import find_results, read_result
from anemonefish.results.review_units import draw_units, review_units
from anemonefish.results.verdict_table import VerdictTable
from anemonefish.results.verdicts import Verdict, agreed, empty_rows
from anemonefish.stores import open_store
from tests.reference_models import LAB_MODEL

TRUTH = LogisticCurve(-0.5, 2.0)

Judge = Callable[[Verdict, np.random.Generator], dict[str, object]]


def by_score(row: Verdict, rng: np.random.Generator) -> dict[str, object]:
    return {"verdict": "yes" if rng.random() < TRUTH.probability(row.score) else "no"}


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


@pytest.fixture
def draw(results: Path) -> Callable[..., tuple[Verdict, ...]]:
    """Return a function that draws clips from the results and judges them."""

    def judged(judge: Judge = by_score, clips: int = 80, reviewer: str = "Ana", seed: int = 1) -> tuple[Verdict, ...]:
        scored = [read_result(path) for path in find_results(results).values()]
        units = [unit for recording in scored for unit in review_units(recording)]
        model = PinnedModel.from_dict(scored[0].origin["model"])
        rng = np.random.default_rng(seed)
        return tuple(
            replace(row, reviewer=reviewer, judged_at="2026-11-29T10:00:00Z", **judge(row, rng))  # type: ignore[arg-type]
            for row in empty_rows(draw_units(units, clips, seed), model, Decision(), seed)
        )

    return judged


@pytest.fixture
def fit(results: Path, models: ModelRepository) -> Callable[..., ScoreCalibration]:
    def fitted(rows: Sequence[Verdict], **options: object) -> ScoreCalibration:
        return calibrate_scores(results, VerdictTable(tuple(rows)), models, **options)[1]  # type: ignore[arg-type]

    return fitted


def test_calibration_counts_what_was_judged(draw, fit) -> None:
    rows = draw()
    made = fit(rows, site="north", precision=0.8)
    assert (made.yes + made.no, made.unsure, made.recordings, made.reviewers) == (len(rows), 0, 3, 1)
    assert (made.site, made.model, made.judged_at) == ("north", LAB_MODEL, "2026-11-29T10:00:00Z")
    assert sum(stratum.judged for stratum in made.strata) == len(rows)
    assert made.resampled == "verdicts"
    assert all(point.low <= point.probability <= point.high for point in made.points)
    assert fit(rows, site="north", precision=0.8).id == made.id
    assert fit(rows, precision=0.8).id != made.id


def test_curve_is_near_the_one_that_gave_the_verdicts(draw, fit) -> None:
    made = fit(draw(clips=150))
    for score in (0.3, 0.5, 0.7):
        assert made.probability(score) == pytest.approx(float(TRUTH.probability(score)), abs=0.15)


def test_threshold_gives_the_precision_among_the_events_of_these_results(draw, fit, results: Path) -> None:
    made = fit(draw(clips=150), precision=0.8)
    assert made.precision is not None
    events = [
        event.max_score
        for path in find_results(results).values()
        for recording in [read_result(path)]
        for event in recording.events(smooth(recording.scores, 5), "anemonefish", made.precision.threshold)
    ]
    assert len(events) == made.precision.events
    assert np.mean([made.probability(score) for score in events]) == pytest.approx(made.precision.precision, abs=2e-3)
    assert made.precision.precision >= 0.8


def test_unsure_clips_and_those_without_a_verdict_are_left_out(draw, fit) -> None:
    rows = list(draw())
    rows[0] = replace(rows[0], verdict="unsure")
    rows[1] = replace(rows[1], verdict="", reviewer="", judged_at="")
    rows[2] = replace(rows[2], verdict="other:damselfish")
    made = fit(rows)
    assert (made.yes + made.no, made.unsure) == (len(rows) - 2, 1)
    assert made.density is None or made.density.unsure == 1


def test_clips_on_which_reviewers_differ_count_as_unsure(draw, fit) -> None:
    rows = draw()
    other = [replace(row, reviewer="Bo", verdict="no" if row.verdict == "yes" else "yes") for row in rows[:4]]
    made = fit([*rows, *other])
    assert (made.unsure, made.reviewers) == (4, 2)


def test_density_counts_calls_where_they_were_counted(draw) -> None:
    rows = draw(lambda row, _: {"verdict": "yes", "calls": 2} if row.kind == "event" else {"verdict": "no"})
    units = agreed(rows)
    events = sum(stratum.size for stratum in strata_of(units) if stratum.name.startswith("event"))
    density = density_of(units)
    assert density.per_hour * density.hours == pytest.approx(2 * events)
    assert density.hours == pytest.approx(3 * (499 * 0.2 + 0.4) / 3600)


def test_stratum_without_a_verdict_leaves_the_probabilities_and_no_density(draw, fit) -> None:
    rows = draw()
    name = min({row.stratum for row in rows}, key=lambda name: sum(row.stratum == name for row in rows))
    made = fit([replace(row, verdict="unsure") if row.stratum == name else row for row in rows])
    assert made.density is None
    assert made.curve.slope > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verdict": "yes"}, "verdicts are yes and 0 are no; a curve needs 10 of each"),
        ({"verdict": "unsure"}, "0 verdicts are yes and 0 are no"),
        ({"model_hash": "f" * 64}, "give the results that were reviewed"),
        ({"median_windows": 3}, "with median_windows 3, and .* was decided for anemonefish with 5"),
        ({"recording": "elsewhere.wav"}, "has no results of elsewhere.wav"),
    ],
)
def test_verdicts_that_do_not_fit_are_refused(draw, fit, change: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        fit([replace(row, **change) for row in draw()])


def test_verdicts_of_two_draws_are_refused(draw, fit) -> None:
    with pytest.raises(InvalidRequest, match="of several draws"):
        fit([*draw(seed=1), *draw(seed=2)])


def test_empty_table_and_impossible_wishes_are_refused(draw, fit) -> None:
    with pytest.raises(InvalidRequest, match="anemonefish review RESULTS"):
        fit([])
    with pytest.raises(InvalidRequest, match="precision must be"):
        fit(draw(), precision=1.0)
    with pytest.raises(InvalidSettings, match="site must be"):
        fit(draw(), site="a/b")
