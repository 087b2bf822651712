"""Section ``engine``: operations of a network per second, compared with the peak of one core.

The peak is measured in the same run, by a loop of fused multiply-adds in C for every register width (if there is a C
compiler) and by multiplying matrices of several sizes with numpy and TensorFlow. The highest result is the peak. The
operations of a network are counted from its layers: two operations per product of convolutions and dense layers, and
none for other layers, so the share is not overestimated.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bench import lab_pipeline
from bench.lab import MODELS, flops
from bench.measure import pin, timed
from bench.peak import compile_loops, run_loop
from bench.rows import Row, figure

__all__ = ["rows"]

MeasureSpeed = Callable[[], float]
"""A function that computes for a while and returns the GFLOP/s that it reached."""

_SIZES = (256, 512, 1024, 2048)
_WINDOWS = {"v1": 2, "v2": 12}


def rows(quick: bool) -> Iterator[Row]:
    """Yield the peak by each method of measuring it, and each network's share of the highest peak."""
    networks = {title: _network(title, "litert") for title in _WINDOWS}  # first: loads TensorFlow on one thread
    default_engines = {f"{title} by default": _network(title) for title in _WINDOWS}
    with tempfile.TemporaryDirectory() as folder:
        methods = {**_multiply_adds(Path(folder)), **_matrices()}
        # Each round measures everything once, because the clock of a core changes with time.
        best = _best([*methods.values(), *networks.values(), *default_engines.values()], rounds=3 if quick else 15)
    peaks, reached = best[: len(methods)], best[len(methods) :]
    for method, peak in zip(methods, peaks, strict=True):
        yield figure("engine", f"one core by {method}, float32", peak, "GFLOP/s")
    for title, speed in zip(networks, reached[: len(networks)], strict=True):
        what = f"{title}, LiteRT reaches {speed:.0f} GFLOP/s; of the highest of these"
        yield figure("engine", what, 100 * speed / max(peaks), "%")
    for title, speed in zip(default_engines, reached[len(networks) :], strict=True):
        what = f"{title} answers as if it did {speed:.0f} GFLOP/s of LiteRT's; of the highest of these"
        yield figure("engine", what, 100 * speed / max(peaks), "%")


def _best(methods: list[MeasureSpeed], rounds: int) -> list[float]:
    made = []
    for _ in range(rounds):
        pin()
        made.append([reached() for reached in methods])
    return [max(column) for column in zip(*made, strict=True)]


def _network(title: str, variant: str | None = None) -> MeasureSpeed:
    lab, windows = MODELS[title], _WINDOWS[title]
    operations = windows * flops(lab_pipeline.load(lab.keras()))
    model = lab.ready(variant)
    inputs = np.random.default_rng(0).random((windows, *model.spec.input_shape), np.float32)
    return lambda: operations / timed(lambda: model.scores(inputs)).seconds / 1e9


def _multiply_adds(folder: Path) -> dict[str, MeasureSpeed]:
    return {
        f"multiply-adds of {8 * width} bit": partial(run_loop, program)
        for width, program in compile_loops(folder).items()
    }


def _matrices() -> dict[str, MeasureSpeed]:
    import tensorflow as tf

    def by(multiply: Callable[[int], Callable[[], object]]) -> MeasureSpeed:
        products = {size: multiply(size) for size in _SIZES}
        return lambda: max(2e-9 * size**3 / timed(product).seconds for size, product in products.items())

    def numpy(size: int) -> Callable[[], object]:
        matrix = np.random.default_rng(0).random((size, size), np.float32)
        return lambda: matrix @ matrix

    def tensorflow(size: int) -> Callable[[], object]:
        matrix = tf.random.uniform((size, size))
        return lambda: tf.matmul(matrix, matrix).numpy()

    return {"numpy's product of matrices": by(numpy), "TensorFlow's product of matrices": by(tensorflow)}
