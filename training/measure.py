"""Measure models on scenes that no training has seen: ``python training/measure.py``.

For every model of a folder and for each way to decide events it prints one table: lone calls by duration and by level,
the same calls from a recorder with an offset, bouts, other animals alone, boats and empty reefs, each with recall,
precision, F1 and false events per hour. An event and a label match as in ``anemonefish evaluate``. Intervals are those
of 90 % that a bootstrap over the scenes gives, because events of one scene are not independent.

The scenes are simulated, so the table compares models and settings with one another. It does not say how well either
works on a real reef.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.evaluation.matching import Counts, Interval, MatchingRule, merge_intervals
from anemonefish.front.inference import ModelInference
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles import Profile
from anemonefish.results.events import find_events, smooth
from anemonefish.settings import Settings
from anemonefish.simulation.calls import ANEMONEFISH, Sound
from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores import open_store
from anemonefish.typed_text import read_fields
from anemonefish.windows import WindowGrid

FIRST_SEED = 900_000
"""Training, validation and held-out scenes of train.py have seeds below 400,000."""

SAMPLE_RATE = 48_000
SCENE_SECONDS = 120.0
OFFSET = 0.02
"""Of full scale; 0.013 was seen in a recorder."""

BOUT_SECONDS = Fraction(7, 10)
"""Calls of a bout lie at most 0.6 s apart (:mod:`anemonefish.simulation.calls`)."""

RULE = MatchingRule()
RESAMPLES = 500
DURATIONS_MS = ((0, 50), (50, 100), (100, 200), (200, None))
LEVELS_DB = ((6, 12), (12, 20), (20, None), (12, None))
BATCH = 256
QUIET = SceneSettings(calls_per_minute=0, biological_per_minute=0)
LONE = replace(QUIET, calls_per_minute=6, calls_per_bout=(1, 1))


@dataclass(frozen=True, slots=True)
class Suite:
    """Scenes of one kind, with what is added to their samples."""

    name: str
    settings: SceneSettings
    first_seed: int
    offset: float = 0.0


SUITES = (
    Suite("lone calls", LONE, FIRST_SEED),
    Suite(f"lone calls, offset {OFFSET:g}", LONE, FIRST_SEED, OFFSET),
    Suite("bouts", SceneSettings(), FIRST_SEED + 10_000),
    Suite("other animals only", replace(QUIET, biological_per_minute=30), FIRST_SEED + 20_000),
    Suite("boats only", replace(QUIET, boat_fraction=1.0), FIRST_SEED + 30_000),
    Suite("empty", QUIET, FIRST_SEED + 40_000),
)


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of the target class in one scene, and the calls that it holds."""

    scores: NDArray[np.float32]
    grid: WindowGrid
    calls: tuple[Sound, ...]
    seconds: float

    def events(self, decision: Decision) -> list[Interval]:
        """Return the events in samples."""
        smoothed = np.ascontiguousarray(smooth(self.scores[:, np.newaxis], decision.median_windows)[:, 0])
        found = find_events(smoothed, self.grid, SAMPLE_RATE, ANEMONEFISH, decision)
        return [(event.start, event.stop) for event in found]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the counts of each scene."""

    name: str
    counts: tuple[Counts, ...]
    hours: float
    recall_only: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return the line as text."""
        total = sum(self.counts, Counts())
        recall = self._with_interval(lambda counts: counts.recall)
        if self.recall_only:
            return self.name, str(total.labels), recall, "", "", ""
        if not total.labels:
            return self.name, "0", "-", "-", "-", f"{total.false_positives / self.hours:.1f}"
        precision, f1 = (self._with_interval(rate) for rate in (lambda c: c.precision, lambda c: c.f1))
        return self.name, str(total.labels), recall, precision, f1, f"{total.false_positives / self.hours:.1f}"

    def _with_interval(self, rate: Callable[[Counts], Fraction | None]) -> str:
        whole = rate(sum(self.counts, Counts()))
        if whole is None:
            return "-"
        rng = np.random.default_rng(0)
        drawn = rng.integers(len(self.counts), size=(RESAMPLES, len(self.counts)))
        rates = [rate(sum((self.counts[index] for index in each), Counts())) for each in drawn]
        low, high = np.quantile([float(each) for each in rates if each is not None], (0.05, 0.95))
        return f"{float(whole):.2f} ({low:.2f}-{high:.2f})"


def score_suite(model: ModelInference, profile: Profile, suite: Suite, scenes: int, seconds: float) -> list[Scored]:
    """Score all scenes of a suite."""
    scored = []
    for index in range(scenes):
        drawn = scene(seconds, suite.first_seed + index, SAMPLE_RATE, suite.settings)
        samples = np.concatenate(list(drawn.blocks(SAMPLE_RATE))).astype(np.float64) + suite.offset
        samples = np.rint(np.clip(samples, -1, 1) * 32767) / 32768
        grid = profile.grid(len(samples), SAMPLE_RATE)
        windows = sliding_window_view(samples, grid.window)[:: grid.hop]
        batches = (profile.spectrograms(windows[at : at + BATCH], SAMPLE_RATE) for at in range(0, len(windows), BATCH))
        scores = np.ascontiguousarray(model.predict(batches).values[:, model.classes.index(model.target_class)])
        calls = tuple(sound for sound in drawn.sounds if sound.label == ANEMONEFISH)
        scored.append(Scored(scores, grid, calls, seconds))
    return scored


def rows_of(suite: Suite, scenes: Sequence[Scored], decision: Decision) -> Iterator[Row]:
    """Yield the lines of a suite under one decision."""
    hours = sum(each.seconds for each in scenes) / 3600
    events = [each.events(decision) for each in scenes]

    def row(name: str, wanted: Callable[[Sound], bool] = lambda _: True, gap: Fraction | None = None) -> Row:
        counts = []
        for each, found in zip(scenes, events, strict=True):
            labels = [(call.start, call.stop) for call in each.calls if wanted(call)]
            merged = labels if gap is None else merge_intervals(labels, gap * SAMPLE_RATE)
            counts.append(Counts.of(found, merged, RULE))
        return Row(name, tuple(counts), hours)

    if suite.name == "bouts":
        yield row("bouts, per call")
        yield row("bouts, per bout", gap=BOUT_SECONDS)
        return
    yield row(suite.name)
    if suite.settings is not LONE or suite.offset:
        return
    for low, high in DURATIONS_MS:
        lengths = Fraction(low * SAMPLE_RATE, 1000), Fraction((high or 10_000) * SAMPLE_RATE, 1000)
        name = f"  {low} to {high} ms" if high else f"  {low} ms or more"
        yield replace(row(name, partial(_lasts, lengths)), recall_only=True)
    for low, high in LEVELS_DB:
        name = f"  {low} to {high} dB" if high else f"  {low} dB or more"
        yield replace(row(name, partial(_is_as_loud, (low, high or 1000))), recall_only=True)


def _lasts(lengths: tuple[Fraction, Fraction], call: Sound) -> bool:
    return lengths[0] <= call.stop - call.start < lengths[1]


def _is_as_loud(levels: tuple[int, int], call: Sound) -> bool:
    return levels[0] <= call.snr_db < levels[1]


def table(rows: Sequence[Row]) -> str:
    """Return the lines as a table of Markdown."""
    lines = ["| scenes | labels | recall | precision | F1 | false/h |", "|---|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row.cells())} |" for row in rows])


def describe(decision: Decision) -> str:
    """Return a decision as settings."""
    return ", ".join(f"{name} {value:g}" for name, value in decision.to_dict().items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for every model and decision."""
    parser = argparse.ArgumentParser(description="Measure models on simulated scenes that no training has seen.")
    parser.add_argument("--models", default="models", help="folder of the models")
    parser.add_argument("--model", action="append", help="name@version (repeatable; all versions unless given)")
    parser.add_argument("--scenes", type=int, default=20, help="scenes of each kind")
    parser.add_argument("--seconds", type=float, default=SCENE_SECONDS, help="length of a scene")
    parser.add_argument("--hop", type=float, help="seconds between the starts of two windows")
    parser.add_argument(
        "--decide", action="append", default=[], help="settings to compare: threshold=0.7,median_windows=3 (repeatable)"
    )
    options = parser.parse_args(arguments)
    catalog = ModelRepository(open_store(options.models)).catalog()
    names = options.model or [f"{entry.name}@{version}" for entry in catalog for version in entry.versions]
    for name in names:
        model = ModelInference(name, options.models)
        profile = model.spec.profile_for(Settings(hop_seconds=options.hop))
        scored = {suite: score_suite(model, profile, suite, options.scenes, options.seconds) for suite in SUITES}
        own = model.spec.decision
        others = [
            replace(own, **read_fields(Settings, dict(pair.split("=", 1) for pair in text.split(","))))
            for text in options.decide
        ]
        for decision in dict.fromkeys([own, LAB_DECISION, *others]):
            rows = [row for suite, scenes in scored.items() for row in rows_of(suite, scenes, decision)]
            print(f"\n## {name}, hop {profile.hop_seconds:g} s, {describe(decision)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
