"""Measure how often the interval of calls per hour holds the truth: ``python training/density_coverage.py``.

Each simulated deployment is scored, divided into units, sampled and judged as ``anemonefish review`` does it; the
reviewer is the simulation's own labels. Then the interval of ``anemonefish calibrate-scores`` is compared with the
calls that the deployment really holds. ``--scores`` deployments have no sound: their units have scores and calls drawn
at random, so that many deployments with long recordings take seconds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from measure import SAMPLE_RATE, Suite, score_suite

from anemonefish.front.inference import ModelInference
from anemonefish.models.decision import Decision
from anemonefish.probability.density import CallDensity, call_density
from anemonefish.probability.strata import Stratum
from anemonefish.results.read import ScoredRecording
from anemonefish.results.review_units import EVENT, SEGMENT, DrawnUnit, ReviewUnit, draw_units, review_units
from anemonefish.settings import Settings
from anemonefish.simulation.scene_settings import SceneSettings

FIRST_SEED = 5_000_000
"""Seeds of train.py and measure.py lie below 1,000,000."""

RECORDINGS, RECORDING_SECONDS = 4, 150.0
"""About 200 units: of fewer, a review of 60 clips or more would judge nearly all."""
CALLS_PER_MINUTE = (0.5, 1.0, 2.0, 4.0)
OTHERS_PER_MINUTE = (4.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The units of one deployment, and the calls in each."""

    calls: dict[ReviewUnit, int]
    hours: float

    @property
    def truth(self) -> float:
        """Calls per hour."""
        return sum(self.calls.values()) / self.hours


def simulated(model: ModelInference, count: int, decision: Decision, first: int = 0) -> Iterator[Deployment]:
    """Yield deployments of simulated reefs, each with its own rates of calls and other animals."""
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        settings = SceneSettings(
            calls_per_minute=float(rng.choice(CALLS_PER_MINUTE)),
            biological_per_minute=float(rng.choice(OTHERS_PER_MINUTE)),
            calls_per_bout=(1, 3),
        )
        suite = Suite(f"deployment {number}", FIRST_SEED + 100 * number, settings)
        rate = model.sample_rate or SAMPLE_RATE
        calls: dict[ReviewUnit, int] = {}
        (scenes,) = score_suite([(model, model.spec.profile)], suite, RECORDINGS, RECORDING_SECONDS)
        for index, scene in enumerate(scenes):
            recording = ScoredRecording(
                name=f"{number}-{index}",
                sample_rate=rate,
                seconds=Fraction(RECORDING_SECONDS),
                grid=scene.grid,
                classes=(str(model.target_class),),
                scores=scene.scores[:, np.newaxis],
                levels=None,
                settings=Settings(target_class=model.target_class, **decision.to_dict()),
                model=model.spec.title,
                origin={},
            )
            middles = [(call.start + call.stop) * rate // (2 * SAMPLE_RATE) for call in scene.calls]
            for unit in review_units(recording):
                calls[unit] = sum(unit.start <= middle < unit.stop for middle in middles)
        yield Deployment(calls, sum(float(unit.seconds) for unit in calls) / 3600)


def drawn_at_random(count: int, seed: int = 0) -> Iterator[Deployment]:
    """Yield deployments of one to twelve hours whose scores are worth as much as those of a network are, or less."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        units = int(rng.integers(1_200, 14_400))  # of three seconds
        share, hit, noise = 10 ** rng.uniform(-3.5, -1.0), rng.uniform(0.5, 4.0), rng.uniform(-6.0, -2.0)
        has_calls = rng.random(units) < share
        logits = np.where(has_calls, rng.normal(hit, 3.0, units), rng.normal(noise, 2.0, units))
        scores = np.round(1 / (1 + np.exp(-logits)), 6)
        counts = np.where(has_calls, 1 + rng.poisson(rng.uniform(0.0, 1.0), units), 0)
        calls = {
            ReviewUnit(
                recording="",
                start=3 * place,
                stop=3 * place + 3,
                sample_rate=1,
                label="anemonefish",
                kind=EVENT if score > 0.5 else SEGMENT,
                score=score,
            ): int(n)
            for place, (score, n) in enumerate(zip(scores.tolist(), counts, strict=True))
        }
        yield Deployment(calls, 3 * units / 3600)


def judged(deployment: Deployment, clips: int, seed: int) -> CallDensity:
    """Return the estimate from a review in which every verdict is right."""
    strata: dict[str, list[DrawnUnit]] = defaultdict(list)
    for drawn in draw_units(deployment.calls, clips, seed):
        strata[drawn.unit.stratum].append(drawn)
    return call_density(
        [
            Stratum(
                name=name,
                size=members[0].stratum_size,
                counts=tuple(deployment.calls[member.unit] for member in members),
            )
            for name, members in strata.items()
        ],
        deployment.hours,
    )


def summary(deployments: Sequence[Deployment], densities: Sequence[CallDensity]) -> str:
    """Return how many intervals hold the truth, and how long they are."""
    pairs = list(zip(deployments, densities, strict=True))
    held = [density.low <= each.truth <= density.high for each, density in pairs]
    above = sum(density.low > each.truth for each, density in pairs)
    width = np.median([(density.high - density.low) / each.truth for each, density in pairs if each.truth])
    ratio = sum(density.per_hour for density in densities) / sum(each.truth for each in deployments)
    return (
        f"{sum(held)} of {len(held)} intervals of 90 % hold the truth ({np.mean(held):.3f}); {above} lie above it, "
        f"{len(held) - sum(held) - above} below; median width {width:.2f} of the truth; all estimates together are "
        f"{ratio:.3f} of it"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for every simulated deployment, and the coverage."""
    parser = argparse.ArgumentParser(description="Measure how often the interval of calls per hour holds the truth.")
    parser.add_argument("--models", default="models", help="folder of the models")
    parser.add_argument("--model", default="reef", help="name, or name@version")
    parser.add_argument("--deployments", type=int, default=20, help="deployments of simulated sound, 10 minutes each")
    parser.add_argument("--scores", type=int, default=500, help="deployments of scores alone, 1 to 12 hours each")
    parser.add_argument("--first", type=int, default=0, help="number of the first deployment; its seeds follow from it")
    parser.add_argument("--clips", type=int, default=100, help="clips that are judged in each")
    options = parser.parse_args(arguments)
    if options.deployments:
        model = ModelInference(options.model, options.models)
        deployments, densities = [], []
        print("| deployment | units | true calls/h | estimate | 90 % interval | held |\n|---|---|---|---|---|---|")
        for number, deployment in enumerate(
            simulated(model, options.deployments, model.spec.decision, options.first), options.first
        ):
            density = judged(deployment, options.clips, number)
            held = "yes" if density.low <= deployment.truth <= density.high else "no"
            print(
                f"| {number} | {density.units} | {deployment.truth:.0f} | {density.per_hour:.0f} | "
                f"{density.low:.0f} to {density.high:.0f} | {held} |",
                flush=True,
            )
            deployments.append(deployment)
            densities.append(density)
        print(f"\nsimulated sound: {summary(deployments, densities)}")
    if options.scores:
        deployments = list(drawn_at_random(options.scores, options.first))
        densities = [judged(each, options.clips, number) for number, each in enumerate(deployments)]
        print(f"\nscores alone: {summary(deployments, densities)}")


if __name__ == "__main__":
    main()
