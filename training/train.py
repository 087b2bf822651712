"""Train the reference network on simulated reefs: ``python training/train.py --out DIR``.

:mod:`recipes` says which scenes it hears and which windows of them are examples, :mod:`network` is the network and its
training, and :mod:`choose` picks the settings that turn its scores into events. The sounds come from
:mod:`anemonefish.simulation`; spectrograms and events are computed by the package that also runs the network, so both
are always the same. Writes ``model.keras``, ``model_config.yaml`` and ``publish.txt``. The same seed gives the same
weights on one machine.

The network is not trained on recordings: README.md explains the consequences, and measure.py measures it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from choose import Validated, choose, figures
from network import make_network, multiplications, scores_of, train
from recipes import (
    CLASSES,
    PROFILE,
    SAMPLE_RATE,
    TARGET,
    TRAINING,
    VALIDATION,
    Pool,
    Recording,
    seas_of,
    spectrograms_of,
)


def validated(network: Any, recordings: Iterable[Recording]) -> list[Validated]:
    """Score the validation recordings."""
    scenes = []
    for recording in recordings:
        grid, windows = spectrograms_of(recording.samples)
        scores = scores_of(network, windows)[:, TARGET].copy()
        scenes.append(Validated(recording.kind, scores, grid, recording.calls, recording.seconds))
    return scenes


def rounded(value: Any) -> Any:
    """Prepare figures for YAML: round to six significant digits and replace tuples by lists."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


def main() -> None:
    """Train the network, choose its settings and write the files."""
    parser = argparse.ArgumentParser(description="Train the reference network on simulated reefs.")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.keras and model_config.yaml")
    parser.add_argument("--cache", type=Path, help="folder that keeps the scenes for the next training")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--windows", type=int, default=32_000, help="windows per epoch")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--start", type=Path, help="model.keras to continue from, instead of random weights")
    parser.add_argument("--rate", type=float, default=2.5e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    cache = options.cache
    pool = Pool(seas_of(TRAINING, options.threads, cache and cache / "training.pickle"), options.seed)
    validation = seas_of(VALIDATION, options.threads, cache and cache / "validation.pickle")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()

    shape = PROFILE.input_shape(SAMPLE_RATE)
    network = keras.models.load_model(options.start) if options.start else make_network(shape)
    network.summary()
    losses = train(
        network,
        pool.draw,
        epochs=options.epochs,
        windows_per_epoch=options.windows,
        batch=options.batch,
        peak_rate=options.rate,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    network.save(options.out / "model.keras")

    scenes = validated(network, (sea.draw(number) for sea in validation for number in range(sea.recipe.draws)))
    decision = choose(scenes)
    config = {
        "classes": list(CLASSES),
        "epochs_trained": options.epochs,
        "final_train_loss": losses[-1],
        "input_shape": list(shape),
        "num_classes": len(CLASSES),
        "continued": options.start is not None,
        "seed": options.seed,
        "batch": options.batch,
        "windows_per_epoch": options.windows,
        "sample_rate": SAMPLE_RATE,
        "profile": PROFILE.to_dict(),
        "parameters": int(network.count_params()),
        "multiplications": multiplications(network),
        "trained_on": "simulated sounds only; fine-tune on real recordings before any scientific use",
        "decision": decision.to_dict(),
        "validation": figures(scenes, decision),
        "scenes": {
            "training": [asdict(recipe) for recipe in TRAINING],
            "validation": [asdict(recipe) for recipe in VALIDATION],
        },
    }
    text = yaml.safe_dump(rounded(config), sort_keys=False, default_flow_style=None, width=110)
    (options.out / "model_config.yaml").write_text(text, encoding="utf-8")
    # The options of `anemonefish models publish` that put the profile and the settings into the bundle.
    constants = {name: value for name, value in PROFILE.to_dict().items() if name != "kind"}
    publish = [f"--profile {PROFILE.kind} --sample-rate {SAMPLE_RATE}"]
    publish += [f"--profile-set {name}={value:g}" for name, value in constants.items()]
    publish += [f"--decide {name}={value:g}" for name, value in decision.to_dict().items()]
    (options.out / "publish.txt").write_text(" ".join(publish) + "\n", encoding="utf-8")
    print(text[: text.index("scenes:")])


if __name__ == "__main__":
    main()
