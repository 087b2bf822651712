"""Measure the loop of a review: detect, review, calibrate, detect again: ``python training/review_loop.py``.

Scenes are simulated, so the truth is known. Verdicts are given as a person gives them, by keys on the page in a real
Chromium: the number of calls whose middle lies in the frame, or no. The scores are calibrated from the table that the
page saves, and other scenes are then detected with the threshold that the calibration chose for the wanted precision.

It prints what the calibration promised beside what the other scenes show: precision, probability, and calls per hour.
It needs playwright and Chromium, as ``make test-browser`` does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import anemonefish as af
from anemonefish.results.verdicts import Verdict
from anemonefish.simulation.calls import ANEMONEFISH

REVIEWED_SEEDS, OTHER_SEEDS = 950_000, 960_000
"""Training, validation and held-out scenes of train.py have seeds below 400,000; measure.py begins at 900,000."""

SITE = "simulated"
MOST_BY_KEY = 9

Truth = Mapping[str, list[tuple[float, float]]]
"""The calls of each recording, from and to, in seconds."""


def main() -> None:
    """Run the loop and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="reef", help="NAME or NAME@VERSION")
    parser.add_argument("--models", default="models", help="folder of the bundles; it is not changed")
    parser.add_argument("--scenes", type=int, default=10, help="scenes that are reviewed, and as many others")
    parser.add_argument("--seconds", type=float, default=120.0, help="length of a scene")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of SceneSettings")
    options = parser.parse_args()
    scene = {name: _value(value) for name, _, value in (text.partition("=") for text in options.set)}
    with tempfile.TemporaryDirectory() as name:
        print_loop(Path(name), options, scene)


def _value(text: str) -> Any:
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else value


def print_loop(folder: Path, options: argparse.Namespace, scene: Mapping[str, Any]) -> None:
    """Run the loop in a folder, and print what was promised and what was found."""
    models = folder / "models"
    shutil.copytree(options.models, models)
    reviewed = simulate_scenes(folder / "reviewed", REVIEWED_SEEDS, options, scene)
    before = af.detect(folder / "reviewed", options.model, models=models, folder=folder / "results")
    made = af.review(folder / "results", clips=options.clips, models=models)
    begun = time.monotonic()
    judge_in_browser(made.page, lambda row: calls_of(row, reviewed), folder / "verdicts.csv", made.rows)
    judging = time.monotonic() - begun
    taken = af.take_verdicts(folder / "results", folder / "verdicts.csv")
    calibration = af.calibrate_scores(folder / "results", site=SITE, precision=options.precision, models=models)
    others = simulate_scenes(folder / "others", OTHER_SEEDS, options, scene)
    chosen, density = calibration.precision, calibration.density
    threshold = None if chosen is None else chosen.threshold
    changes = {} if threshold is None else {"threshold": threshold}
    after = af.detect(folder / "others", options.model, models=models, site=SITE, **changes)
    default = af.detect(folder / "others", options.model, models=models, site=SITE)
    print(f"{options.model}: {options.scenes} scenes of {options.seconds:g} s, {len(before.events)} events")
    print(
        f"review: {len(made.rows)} of {made.n_units} units judged in Chromium in {judging:.0f} s by "
        f"{', '.join(taken.table.reviewers)}; {calibration.yes} yes, {calibration.no} no"
    )
    print_events("other scenes, default settings", default, others)
    if chosen is not None:
        interval = f"{chosen.low} to {chosen.high}"
        print(f"threshold for precision {chosen.wanted:g}: {threshold} ({interval}), expected {chosen.precision:.3f}")
        print_events("other scenes, this threshold", after, others)
    if density is not None:
        hours = options.scenes * options.seconds / 3600
        calls = sum(map(len, reviewed.values())) / hours
        interval = f"{density.low:.0f} to {density.high:.0f}"
        print(f"calls per hour reviewed: {density.per_hour:.0f} ({interval}), true {calls:.0f}")


def print_events(title: str, results: af.Detections, truth: Truth) -> None:
    """Print how many events are right, beside the mean of their probabilities."""
    right = [bool(calls_in(event.recording, event.start_time, event.end_time, truth)) for event in results.events]
    probabilities = [event.probability for event in results.events if event.probability is not None]
    share = f"{sum(right) / len(right):.3f}" if right else "-"
    mean = f"{sum(probabilities) / len(probabilities):.3f}" if probabilities else "-"
    print(f"{title}: {len(right)} events, {sum(right)} right, precision {share}, mean probability {mean}")


def simulate_scenes(folder: Path, first: int, options: argparse.Namespace, scene: Mapping[str, Any]) -> Truth:
    """Write scenes and return their calls."""
    folder.mkdir()
    truth = {}
    for number in range(options.scenes):
        made = af.simulate(folder / f"scene-{number:03d}.wav", seconds=options.seconds, seed=first + number, **scene)
        truth[made.path.name] = [
            (each.start_time, each.end_time) for each in made.annotations if each.label == ANEMONEFISH
        ]
    return truth


def calls_in(recording: str, start: float, stop: float, truth: Truth) -> int:
    """Return the number of calls whose middle lies in a stretch: the rule of the page."""
    return sum(start <= (begin + end) / 2 < stop for begin, end in truth[recording])


def calls_of(row: Verdict, truth: Truth) -> int:
    """Return the number of calls that a person counts who hears all of them."""
    start, stop = (sample / row.sample_rate for sample in (row.start_sample, row.stop_sample))
    return calls_in(row.recording, start, stop, truth)


def judge_in_browser(page: Path, count: Callable[[Verdict], int], table: Path, rows: Iterable[Verdict]) -> None:
    """Open the page of a review in Chromium, say for each clip how many calls it has, and save the table."""
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        # Root, the user in most containers, cannot have a sandbox.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        opened = browser.new_page()
        opened.goto(page.as_uri())
        opened.get_by_label("Your name or initials").fill("script")
        opened.keyboard.press("Enter")
        for row in rows:
            calls = count(row)
            if calls > MOST_BY_KEY:
                opened.get_by_label("Calls in the marked stretch").fill(str(calls))
                opened.keyboard.press("Tab")
                opened.keyboard.press("ArrowRight")
            else:
                opened.keyboard.press(str(calls) if calls else "n")
        with opened.expect_download() as download:
            opened.get_by_role("button", name="Download verdicts.csv").click()
        download.value.save_as(table)
        browser.close()


if __name__ == "__main__":
    main()
