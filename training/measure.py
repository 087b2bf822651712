"""Measure models on scenes that no training has seen: ``python training/measure.py``.

For every model of a folder and for each way to decide events it prints one table: lone calls by duration and by level,
the same calls from a recorder with an offset, bouts, other animals, boats, drums, rain and empty reefs, each with
recall, precision, F1 and false events per hour. Rows that begin with ``unseen`` are of a second synthesis of calls,
waters and confusers (:mod:`unseen`). An event and a label match as in ``anemonefish evaluate``. Intervals are those of
90 % that a bootstrap over the scenes gives, because events of one scene are not independent.

``--recording FILE`` lists the events in a real recording as well. The scenes are simulated, so the tables compare
models and settings with one another. They do not say how well either works on a real reef.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from suites import SAMPLE_RATE, SUITES, Call, Suite, quantised

from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.evaluation.matching import Counts, Interval, MatchingRule, merge_intervals
from anemonefish.front.inference import ModelInference
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles import Profile
from anemonefish.results.events import Event, find_events, smooth
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.typed_text import read_fields
from anemonefish.windows import WindowGrid

SCENE_SECONDS = 120.0

BOUT_SECONDS = Fraction(7, 10)
"""Calls of a bout lie at most 0.6 s apart (:mod:`anemonefish.simulation.calls`)."""

RULE = MatchingRule()
RESAMPLES = 500
DURATIONS_MS = ((0, 50), (50, 100), (100, 200), (200, None))
LEVELS_DB = ((6, 12), (12, 20), (20, None), (12, None))
BATCH = 256


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of the target class in one scene, at the rate of the model, and the calls at 48 kHz."""

    scores: NDArray[np.float32]
    grid: WindowGrid
    calls: tuple[Call, ...]
    seconds: float
    rate: int = SAMPLE_RATE
    label: str = "anemonefish"

    def found(self, decision: Decision) -> tuple[Event, ...]:
        """Return the events at the rate of the model."""
        smoothed = np.ascontiguousarray(smooth(self.scores[:, np.newaxis], decision.median_windows)[:, 0])
        return find_events(smoothed, self.grid, self.rate, self.label, decision)

    def events(self, decision: Decision) -> list[Interval]:
        """Return the events in samples of 48 kHz."""
        scale = Fraction(SAMPLE_RATE, self.rate)
        return [(round(event.start * scale), round(event.stop * scale)) for event in self.found(decision)]


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


def score(model: ModelInference, profile: Profile, samples: NDArray[np.float64], rate: int) -> Scored:
    """Score samples at the rate of the model."""
    grid = profile.grid(len(samples), rate)
    windows = sliding_window_view(samples.astype(profile.sample_dtype), grid.window)[:: grid.hop]
    batches = (profile.spectrograms(windows[at : at + BATCH], rate) for at in range(0, len(windows), BATCH))
    scores = np.ascontiguousarray(model.predict(batches).values[:, model.classes.index(model.target_class)])
    return Scored(scores, grid, (), len(samples) / rate, rate, model.target_class)


def score_suite(
    models: Sequence[tuple[ModelInference, Profile]], suite: Suite, scenes: int, seconds: float
) -> list[list[Scored]]:
    """Score all scenes of a suite by every model; each scene is made once."""
    scored: list[list[Scored]] = [[] for _ in models]
    for index in range(scenes):
        made = suite.scene(index, seconds)
        for (model, profile), own in zip(models, scored, strict=True):
            rate = model.sample_rate or SAMPLE_RATE
            samples = made.samples
            if rate != SAMPLE_RATE:
                samples = soxr.resample(samples, SAMPLE_RATE, rate, quality="HQ")
            own.append(replace(score(model, profile, samples, rate), calls=made.calls, seconds=seconds))
    return scored


def rows_of(suite: Suite, scenes: Sequence[Scored], decision: Decision) -> Iterator[Row]:
    """Yield the lines of a suite under one decision."""
    hours = sum(each.seconds for each in scenes) / 3600
    events = [each.events(decision) for each in scenes]

    def row(name: str, wanted: Callable[[Call], bool] = lambda _: True, gap: Fraction | None = None) -> Row:
        counts = []
        for each, found in zip(scenes, events, strict=True):
            labels = [(call.start, call.stop) for call in each.calls if wanted(call)]
            merged = labels if gap is None else merge_intervals(labels, gap * SAMPLE_RATE)
            counts.append(Counts.of(found, merged, RULE))
        return Row(name, tuple(counts), hours)

    if suite.bouts:
        yield row(f"{suite.name}, per call")
        yield row(f"{suite.name}, per bout", gap=BOUT_SECONDS)
        return
    yield row(suite.name)
    if suite.detailed:
        for low, high in DURATIONS_MS:
            lengths = Fraction(low * SAMPLE_RATE, 1000), Fraction((high or 10_000) * SAMPLE_RATE, 1000)
            name = f"  {low} to {high} ms" if high else f"  {low} ms or more"
            yield replace(row(name, partial(_lasts, lengths)), recall_only=True)
    if suite.detailed or any(each.calls for each in scenes):
        for low, high in LEVELS_DB if suite.detailed else LEVELS_DB[-1:]:
            name = f"  {low} to {high} dB" if high else f"  {low} dB or more"
            yield replace(row(name, partial(_is_as_loud, (low, high or 1000))), recall_only=True)


def _lasts(lengths: tuple[Fraction, Fraction], call: Call) -> bool:
    return lengths[0] <= call.stop - call.start < lengths[1]


def _is_as_loud(levels: tuple[int, int], call: Call) -> bool:
    return levels[0] <= call.snr_db < levels[1]


def table(rows: Sequence[Row]) -> str:
    """Return the lines as a table of Markdown."""
    lines = ["| scenes | labels | recall | precision | F1 | false/h |", "|---|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row.cells())} |" for row in rows])


def score_recording(model: ModelInference, profile: Profile, path: Path, offset: float = 0.0) -> Scored:
    """Score a recording, resampled as the engine resamples it."""
    with open_audio(str(path), dtype="float64") as audio:
        rate = model.sample_rate or audio.sample_rate
        view = at_rate(audio, rate)
        samples = np.asarray(view.read(0, view.n_samples), np.float64)
    return score(model, profile, quantised(samples, offset) if offset else samples, rate)


def describe_events(path: Path, scored: Scored, decision: Decision) -> str:
    """Return the events of a real recording as text."""
    events = scored.found(decision)
    lines = [
        f"{path.name}: {len(events)} events in {scored.seconds:.1f} s ({3600 * len(events) / scored.seconds:.0f}/h)"
    ]
    lines += [
        f"  {event.start / scored.rate:8.2f} to {event.stop / scored.rate:.2f} s, score {event.max_score:.2f}"
        for event in events
    ]
    return "\n".join(lines)


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
    parser.add_argument("--suite", action="append", help="only these rows: a part of a name (repeatable)")
    parser.add_argument("--hop", type=float, help="seconds between the starts of two windows")
    parser.add_argument("--recording", action="append", default=[], type=Path, help="a real recording (repeatable)")
    parser.add_argument(
        "--decide", action="append", default=[], help="settings to compare: threshold=0.7,median_windows=3 (repeatable)"
    )
    options = parser.parse_args(arguments)
    catalog = ModelRepository(open_store(options.models)).catalog()
    names = options.model or [f"{entry.name}@{version}" for entry in catalog for version in entry.versions]
    suites = [suite for suite in SUITES if not options.suite or any(part in suite.name for part in options.suite)]
    inferences = [ModelInference(name, options.models) for name in names]
    models = [(model, model.spec.profile_for(Settings(hop_seconds=options.hop))) for model in inferences]
    by_suite = {suite: score_suite(models, suite, options.scenes, options.seconds) for suite in suites}
    for number, (model, profile) in enumerate(models):
        real = {path: score_recording(model, profile, path) for path in options.recording}
        own = model.spec.decision
        others = [
            replace(own, **read_fields(Settings, dict(pair.split("=", 1) for pair in text.split(","))))
            for text in options.decide
        ]
        for decision in dict.fromkeys([own, LAB_DECISION, *others]):
            print(f"\n## {model.reference}, hop {profile.hop_seconds:g} s, {describe(decision)}\n")
            if options.scenes:
                print(
                    table([row for suite, each in by_suite.items() for row in rows_of(suite, each[number], decision)])
                )
            for path, recording in real.items():
                print(f"\n{describe_events(path, recording, decision)}")


if __name__ == "__main__":
    main()
