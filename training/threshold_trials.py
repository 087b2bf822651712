"""Measure whether the precision that ``anemonefish train`` chooses thresholds for is kept on other recordings.

    python training/threshold_trials.py FOLDER --models models --model NAME@VERSION

FOLDER has recordings, with labels beside them, that the model has not learned from. Again and again some of them choose
the settings, by the rule of ``train`` and by the point rule (the precision itself, without a limit), and the others say
what precision these settings have.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from anemonefish.models.bundle import KERAS
from anemonefish.models.decision import LAB_DECISION
from anemonefish.models.keras import load_keras
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.training import choose_decision as rule
from anemonefish.training.audio_cache import cache_audio
from anemonefish.training.keras_setup import prepare_keras
from anemonefish.training.labelled_recordings import find_material
from anemonefish.training.network_input import NetworkInput
from anemonefish.training.scored_recordings import score_recording, scorer
from anemonefish.training.training_options import TrainingOptions

SIZES = (2, 4, 8, 14)
_ROW = "{:>10} {:>6} {:>12} {:>10} {:>10} {:>12} {:>14} {:>17}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each number of recordings, rule and class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default="models")
    parser.add_argument("--model", required=True)
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--trials", type=int, default=40)
    options = parser.parse_args(arguments)
    classes, tables = counts_of(options.folder, options.models, options.model)
    header = (
        "recordings",
        "rule",
        "class",
        "chosen on",
        "measured",
        "0.9 or more",
        "bout recall",
        "expected - measured",
    )
    print(_ROW.format(*header))
    for size in (size for size in SIZES if size < len(tables[0][0])):
        for name, limits in (("point", _no_limits), ("limit", rule.lower_limits)):
            rows = trials(tables, size, options.precision, options.trials, limits)
            for column, label in enumerate(classes):
                on, measured, bouts, off = rows[:, column].T
                kept = f"{np.mean(measured >= options.precision):.2f}"
                figures = (f"{np.mean(on):.3f}", f"{np.mean(measured):.3f}", kept, f"{np.mean(bouts):.3f}")
                print(_ROW.format(size, name, label, *figures, f"{np.nanmean(off):+.3f}"), flush=True)


def counts_of(folder: Path, models: str, reference: str) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Return the classes, and for each median filter and class the counts of each recording at each threshold."""
    repository = ModelRepository(open_store(models))
    spec = repository.spec(repository.pin(reference))
    options = TrainingOptions(classes=spec.classes)
    prepare_keras(options.seed, options.threads)
    assert spec.sample_rate is not None
    heard = NetworkInput(spec.sample_rate, spec.profile)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, KERAS)
        path.write_bytes(repository.read_file(spec, KERAS))
        score = scorer(load_keras(path, None), heard.shape)
        scored = [
            score_recording(score, each, cache_audio(each, heard, None, Path(temporary)), heard, only_labelled=False)
            for each in find_material((str(folder),), folder, options).recordings
        ]
    decisions = [replace(LAB_DECISION, median_windows=median) for median in rule.MEDIANS]
    columns = range(len(spec.classes))
    return spec.classes, [[rule.count_table(scored, column, each) for column in columns] for each in decisions]


def trials(tables: list[list[Any]], size: int, precision: float, count: int, limits: Any) -> Any:
    """Return figures, shape (trials, classes, 4): see the header of the table."""
    rng = np.random.default_rng(size)
    rows = []
    original, rule.lower_limits = rule.lower_limits, limits
    try:
        for _ in range(count):
            order = rng.permutation(len(tables[0][0]))
            chosen_by, others = order[:size], order[size:]
            choice = rule.choose(tables, chosen_by, precision)
            without = [rule.choose(tables, np.delete(chosen_by, at), precision) for at in range(size)]
            row = []
            for column, (place, _) in enumerate(choice.thresholds):
                table = tables[choice.median][column][:, place]
                on, measured = table[chosen_by].sum(axis=0), table[others].sum(axis=0)
                expected = sum(
                    tables[own.median][column][recording, own.thresholds[column][0]]
                    for recording, own in zip(chosen_by, without, strict=True)
                )
                right = _share(measured[0])
                row.append((_share(on[0]), right, measured[1, 2] / measured[1, 0], _share(expected[0]) - right))
            rows.append(row)
    finally:
        rule.lower_limits = original
    return np.array(rows)


def _share(counts: Any) -> float:
    return counts[2] / counts[1] if counts[1] else float("nan")


def _no_limits(counts: Any) -> Any:
    return np.ones(counts.shape[1])


if __name__ == "__main__":
    main()
