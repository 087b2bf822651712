"""Train the reference network on simulated reefs: ``python training/train.py --out DIR``.

Defines the network, the rule that turns labels into classes of windows, the list of scenes and the evaluation.
The sounds come from :mod:`anemonefish.simulation.scene`. Spectrograms and events are computed by the package that also
runs the network, so both are always the same. Writes ``model.keras`` as Keras saves it after training, and
``model_config.yaml`` beside it. The same seed gives the same weights on one machine.

The network is not trained on recordings: README.md explains the consequences.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import yaml
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.profiles import profile_named
from anemonefish.results.events import find_events, smooth
from anemonefish.simulation.scene import Scene, scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.windows import WindowGrid

CLASSES = ("noise", "anemonefish", "biological")
NOISE, ANEMONEFISH, BIOLOGICAL = range(3)
LEFT_OUT = -1

SAMPLE_RATE = 48000
PROFILE = profile_named("stft-db", hop_length=512, fmax_hz=1000.0)
"""A frame every 10.7 ms, a third of the time between two pulses, and the lowest 128 bins, 0-6 kHz, which contain all
simulated fish. The lab's constants have twice the frames and twice the bins, and need four times the computation."""

VISIBLE_DB = 10.0
"""The evaluation counts calls that are at least this far above the noise of their band."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Several scenes of one kind. Scene *i* of a recipe has the seed ``first_seed + i``."""

    name: str
    scenes: int
    seconds: float
    first_seed: int
    settings: SceneSettings = field(default_factory=SceneSettings)
    sample_rate: int = SAMPLE_RATE


BUSY = SceneSettings(calls_per_minute=36, biological_per_minute=30)
EMPTY = SceneSettings(calls_per_minute=0, biological_per_minute=0)

TRAINING = (
    Recipe("busy", 560, 20, 100_000, BUSY),
    # Single calls, so that the network does not learn that every call has a neighbour.
    Recipe("single calls", 160, 20, 110_000, replace(BUSY, calls_per_bout=(1, 1))),
    Recipe("clear", 100, 20, 120_000, replace(BUSY, snr_db=(25, 45))),
    Recipe("no anemonefish", 120, 20, 130_000, replace(BUSY, calls_per_minute=0)),
    Recipe("empty", 240, 20, 140_000, EMPTY),
    Recipe("boats", 60, 20, 150_000, replace(BUSY, boat_fraction=1.0)),
    # Recorders with lower sample rates, resampled as the engine does: they have no sound above their Nyquist frequency.
    Recipe("16 kHz recorder", 80, 20, 160_000, BUSY, 16000),
    Recipe("16 kHz recorder, empty", 30, 20, 170_000, EMPTY, 16000),
)
VALIDATION = (Recipe("busy", 60, 20, 200_000, BUSY), Recipe("empty", 20, 20, 210_000, EMPTY))
HELD_OUT = (Recipe("default settings", 10, 120, 300_000),)
HELD_OUT_SINGLE = (Recipe("single calls", 5, 120, 320_000, SceneSettings(calls_per_bout=(1, 1))),)
HELD_OUT_EMPTY = (Recipe("default settings, empty", 5, 120, 310_000, EMPTY),)


# ------------------------------------------------------------------------------------------- examples


def scenes_of(recipes: Iterable[Recipe]) -> Iterator[Scene]:
    """Yield every scene of the recipes, in order."""
    for recipe in recipes:
        for index in range(recipe.scenes):
            yield scene(recipe.seconds, recipe.first_seed + index, recipe.sample_rate, recipe.settings)


def samples_of(drawn: Scene) -> NDArray[np.float64]:
    """Return the samples of a scene at the network's rate, quantised as in a file."""
    samples = np.concatenate(list(drawn.blocks(drawn.sample_rate))).astype(np.float64)
    samples = np.rint(samples * 32767) / 32768
    if drawn.sample_rate != SAMPLE_RATE:
        samples = soxr.resample(samples, drawn.sample_rate, SAMPLE_RATE, quality="HQ")
    return samples


def windows_of(samples: NDArray[np.float64], grid: WindowGrid) -> NDArray[np.float64]:
    """Return all windows as a view of the samples, shape ``(n_windows, window)``."""
    return sliding_window_view(samples, grid.window)[:: grid.hop]


def classes_of(drawn: Scene, grid: WindowGrid) -> NDArray[np.int64]:
    """Return the class of every window, or ``LEFT_OUT`` if a good annotator would hesitate.

    A window belongs to a call if it contains at least half of the call, or 0.1 s of it. A window that contains less is
    left out. Anemonefish has priority over biological.
    """
    scale = SAMPLE_RATE / drawn.sample_rate
    starts = np.arange(grid.n_windows) * grid.hop
    holds = {label: np.zeros(grid.n_windows, bool) for label in CLASSES[1:]}
    touches = {label: np.zeros(grid.n_windows, bool) for label in CLASSES[1:]}
    for label in drawn.labels:
        start, stop = label.start * scale, label.stop * scale
        inside = np.minimum(starts + grid.window, stop) - np.maximum(starts, start)
        touches[label.label] |= inside > 0
        holds[label.label] |= inside >= min(0.5 * (stop - start), 0.1 * SAMPLE_RATE)
    classes = np.full(grid.n_windows, NOISE)
    classes[touches["biological"]] = LEFT_OUT
    classes[holds["biological"]] = BIOLOGICAL
    classes[touches["anemonefish"]] = LEFT_OUT
    classes[holds["anemonefish"]] = ANEMONEFISH
    return classes


def examples_of(drawn: Scene) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return the spectrograms and classes of a scene's windows, with a limited number of noise windows."""
    samples = samples_of(drawn)
    grid = PROFILE.grid(len(samples), SAMPLE_RATE)
    classes = classes_of(drawn, grid)
    rng = np.random.default_rng((drawn.seed, 1))
    calls = np.flatnonzero(classes > NOISE)
    quiet = np.flatnonzero(classes == NOISE)
    n_quiet = min(len(quiet), max(len(calls) // 2, 20))
    kept = np.sort(np.concatenate((calls, rng.choice(quiet, n_quiet, replace=False))))
    # Half precision takes half the memory and is exact to 0.04 dB of the 80 dB range of a spectrogram.
    spectrograms = PROFILE.spectrograms(windows_of(samples, grid)[kept], SAMPLE_RATE).astype(np.float16)
    return spectrograms, classes[kept]


def gather(recipes: Sequence[Recipe], workers: int) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return the examples of all scenes of the recipes, in the order of the scenes."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = list(pool.map(examples_of, scenes_of(recipes), chunksize=4))
    return np.concatenate([one for one, _ in made]), np.concatenate([one for _, one in made])


# ------------------------------------------------------------------------------------------- network


def make_network(input_shape: tuple[int, ...]) -> Any:
    """Return the untrained network: depthwise-separable blocks, 6 MFLOP a window at 48 kHz.

    All layers are computed by LiteRT in float32. A learned filter combines the frequencies, because the frequency of a
    pulse distinguishes the species. Time is pooled, because the time of a pulse does not.
    """
    from keras import Sequential, layers

    def separable(filters: int, strides: tuple[int, int]) -> list[Any]:
        return [
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, strides=strides, use_bias=False),
            layers.Conv2D(filters, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]

    return Sequential(
        [
            layers.Input(input_shape),
            layers.Conv2D(12, 5, strides=(1, 2), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            *separable(24, (1, 2)),
            *separable(32, (2, 1)),
            *separable(48, (1, 2)),
            *separable(64, (2, 2)),
            *separable(64, (1, 1)),
            layers.DepthwiseConv2D((1, input_shape[1] // 16), use_bias=False),
            layers.Conv2D(64, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.2),
            layers.Dense(len(CLASSES), activation="softmax"),
        ],
        name="anemonefish_reference",
    )


def fit(
    network: Any,
    training: tuple[NDArray[np.float16], NDArray[np.int64]],
    validation: tuple[NDArray[np.float16], NDArray[np.int64]],
    epochs: int,
    batch: int,
    seed: int,
) -> dict[str, float]:
    """Train with Adam and a cosine learning rate schedule; return the figures of the last epoch."""
    import keras
    import tensorflow as tf

    n_steps = epochs * -(-len(training[1]) // batch)
    rate = keras.optimizers.schedules.CosineDecay(1e-4, n_steps, warmup_target=3e-3, warmup_steps=n_steps // 20)
    network.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    def batches(x: NDArray[np.float16], y: NDArray[np.int64], shuffled: bool) -> Any:
        order = tf.data.Dataset.range(len(y))
        if shuffled:
            order = order.shuffle(len(y), seed=seed, reshuffle_each_iteration=True)
        cut = order.batch(batch).map(
            lambda rows: tf.numpy_function(lambda i: (x[i].astype(np.float32), y[i]), [rows], [tf.float32, tf.int64])
        )
        shaped = cut.map(lambda a, b: (tf.ensure_shape(a, (None, *x.shape[1:])), tf.ensure_shape(b, (None,))))
        return shaped.prefetch(2)

    history = network.fit(
        batches(*training, shuffled=True),
        validation_data=batches(*validation, shuffled=False),
        epochs=epochs,
        verbose=2,
    ).history
    return {name: float(values[-1]) for name, values in history.items()}


# ------------------------------------------------------------------------------------------- evaluation


def score(network: Any, samples: NDArray[np.float64]) -> tuple[WindowGrid, NDArray[np.float32]]:
    """Return the grid and the raw scores of a recording at the network's rate."""
    grid = PROFILE.grid(len(samples), SAMPLE_RATE)
    windows = windows_of(samples, grid)
    parts = [
        np.asarray(network(PROFILE.spectrograms(windows[first : first + 64], SAMPLE_RATE), training=False))
        for first in range(0, grid.n_windows, 64)
    ]
    return grid, np.concatenate(parts)


def evaluate(network: Any, recipes: Sequence[Recipe], decision: Decision) -> dict[str, Any]:
    """Evaluate the network on held-out scenes, by window and by event.

    An event is correct if it overlaps an anemonefish call of any strength. A call of at least ``VISIBLE_DB`` is found
    if an event overlaps it.
    """
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    right = events_total = found = calls_total = faint_found = faint_total = 0
    seconds = 0.0
    for drawn in scenes_of(recipes):
        samples = samples_of(drawn)
        grid, scores = score(network, samples)
        truth = classes_of(drawn, grid)
        judged = truth != LEFT_OUT
        np.add.at(confusion, (truth[judged], scores.argmax(axis=1)[judged]), 1)
        target = smooth(scores, decision.median_windows)[:, ANEMONEFISH]
        events = find_events(target, grid, SAMPLE_RATE, "anemonefish", decision)
        calls = [sound for sound in drawn.sounds if sound.label == "anemonefish"]
        overlapped = [any(event.start < call.stop and call.start < event.stop for event in events) for call in calls]
        visible = [call.snr_db >= VISIBLE_DB for call in calls]
        right += sum(any(e.start < c.stop and c.start < e.stop for c in calls) for e in events)
        events_total += len(events)
        found += sum(m and v for m, v in zip(overlapped, visible, strict=True))
        calls_total += sum(visible)
        faint_found += sum(m and not v for m, v in zip(overlapped, visible, strict=True))
        faint_total += len(calls) - sum(visible)
        seconds += len(samples) / SAMPLE_RATE
    precision = right / events_total if events_total else 1.0
    recall = found / calls_total if calls_total else 1.0
    return {
        "seconds": seconds,
        "window_accuracy": float(np.trace(confusion) / confusion.sum()),
        "confusion_true_by_predicted": confusion.tolist(),
        "events": events_total,
        "wrong_events": events_total - right,
        "visible_calls": calls_total,
        "visible_db": VISIBLE_DB,
        "event_precision": precision,
        "event_recall": recall,
        "event_f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "fainter_calls": faint_total,
        "fainter_calls_found": faint_found,
    }


def read_recording(path: str) -> NDArray[np.float64]:
    """Return the samples of a recording at the network's rate, resampled as the engine does."""
    with open_audio(path, dtype="float64") as audio:
        view = at_rate(audio, SAMPLE_RATE)
        return view.read(0, view.n_samples)


def count_detections(network: Any, name: str, samples: NDArray[np.float64], decision: Decision) -> dict[str, Any]:
    """Count what the network detects in a real recording, for which there are no labels."""
    grid, scores = score(network, samples)
    winners = np.bincount(scores.argmax(axis=1), minlength=len(CLASSES))
    events = find_events(
        smooth(scores, decision.median_windows)[:, ANEMONEFISH], grid, SAMPLE_RATE, "anemonefish", decision
    )
    return {
        "recording": name,
        "windows_by_class": dict(zip(CLASSES, winners.tolist(), strict=True)),
        "windows_above_threshold": int((scores[:, ANEMONEFISH] > decision.threshold).sum()),
        "events": len(events),
    }


def config_text(network: Any, figures: dict[str, Any], recordings: dict[str, NDArray[np.float64]]) -> str:
    """Evaluate a network and return the text of ``model_config.yaml``."""
    config = figures | {
        "sample_rate": SAMPLE_RATE,
        "profile": PROFILE.to_dict(),
        "parameters": int(network.count_params()),
        "trained_on": "simulated sounds only; fine-tune on real recordings before any scientific use",
        "held_out": evaluate(network, HELD_OUT, LAB_DECISION),
        # The median over five windows removes most single calls, so this evaluates the network without it.
        "held_out_single_calls_median_1": evaluate(network, HELD_OUT_SINGLE, replace(LAB_DECISION, median_windows=1)),
        "held_out_empty": evaluate(network, HELD_OUT_EMPTY, LAB_DECISION),
        "real_recordings": [
            count_detections(network, name, samples, LAB_DECISION) for name, samples in recordings.items()
        ],
        "scenes": {
            "training": [asdict(recipe) for recipe in TRAINING],
            "validation": [asdict(recipe) for recipe in VALIDATION],
            "held_out": [asdict(recipe) for recipe in HELD_OUT + HELD_OUT_SINGLE + HELD_OUT_EMPTY],
        },
    }
    return yaml.safe_dump(rounded(config), sort_keys=False, default_flow_style=None, width=110)


def rounded(value: Any) -> Any:
    """Prepare figures for YAML: round to six decimals and replace tuples by lists."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


def main() -> None:
    """Train the network, evaluate it and write the files."""
    parser = argparse.ArgumentParser(description="Train the reference network on simulated reefs.")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.keras and model_config.yaml")
    parser.add_argument("--epochs", type=int, default=11)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recording", action="append", default=[], help="a real recording to analyse (repeatable)")
    options = parser.parse_args()

    # Read the recordings first, so that a wrong path fails at once.
    recordings = {Path(path).name: read_recording(path) for path in options.recording}
    training = gather(TRAINING, options.threads)
    validation = gather(VALIDATION, options.threads)
    print(f"windows by class: training {np.bincount(training[1])}, validation {np.bincount(validation[1])}")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()

    network = make_network(training[0].shape[1:])
    network.summary()
    last = fit(network, training, validation, options.epochs, options.batch, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    network.save(options.out / "model.keras")

    figures = {
        "classes": list(CLASSES),
        "epochs_trained": options.epochs,
        "final_train_accuracy": last["accuracy"],
        "final_train_loss": last["loss"],
        "final_val_accuracy": last["val_accuracy"],
        "final_val_loss": last["val_loss"],
        "input_shape": list(training[0].shape[1:]),
        "num_classes": len(CLASSES),
        "seed": options.seed,
        "batch": options.batch,
        "training_windows": np.bincount(training[1], minlength=len(CLASSES)).tolist(),
        "validation_windows": np.bincount(validation[1], minlength=len(CLASSES)).tolist(),
    }
    text = config_text(network, figures, recordings)
    (options.out / "model_config.yaml").write_text(text, encoding="utf-8")
    print(text[: text.index("scenes:")])


if __name__ == "__main__":
    main()
