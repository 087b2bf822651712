"""Section ``engine``: the operations a network does per second against the most that one core can do.

The most is measured in the same run: by a loop of fused multiply-adds in C for every width of register, where there
is a C compiler, and by multiplying matrices of several sizes with numpy and TensorFlow. The highest counts. What a
network needs is counted from its layers: two operations per product of convolutions and dense layers, nothing for the
rest, so the share is never flattered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bench import seed
from bench.lab import MODELS, flops
from bench.measure import pin, timed
from bench.peak import compile_loops, run_loop
from bench.rows import Row, figure

__all__ = ["rows"]

Reached = Callable[[], float]
"""Computes for a while and returns the GFLOP/s it reached."""

_SIZES = (256, 512, 1024, 2048)
_WINDOWS = {"v1": 2, "v2": 12}


def rows(quick: bool) -> Iterator[Row]:
    """Yield the peak by each way of measuring it, and each network's share of the highest."""
    networks = {title: _network(title, "litert") for title in _WINDOWS}  # first: loads TensorFlow, on one thread
    fewer = {f"{title} by default": _network(title) for title in _WINDOWS}
    with tempfile.TemporaryDirectory() as folder:
        ways = {**_multiply_adds(Path(folder)), **_matrices()}
        # Everything once, then everything again: a core's clock drifts, and each is held against its own moment.
        best = _best([*ways.values(), *networks.values(), *fewer.values()], rounds=3 if quick else 15)
    peaks, reached = best[: len(ways)], best[len(ways) :]
    for way, peak in zip(ways, peaks, strict=True):
        yield figure("engine", f"one core by {way}, float32", peak, "GFLOP/s")
    for title, speed in zip(networks, reached[: len(networks)], strict=True):
        what = f"{title}, LiteRT reaches {speed:.0f} GFLOP/s; of the highest of these"
        yield figure("engine", what, 100 * speed / max(peaks), "%")
    for title, speed in zip(fewer, reached[len(networks) :], strict=True):
        what = f"{title} answers as if it did {speed:.0f} GFLOP/s of LiteRT's; of the highest of these"
        yield figure("engine", what, 100 * speed / max(peaks), "%")


def _best(ways: list[Reached], rounds: int) -> list[float]:
    made = []
    for _ in range(rounds):
        pin()
        made.append([reached() for reached in ways])
    return [max(column) for column in zip(*made, strict=True)]


def _network(title: str, variant: str | None = None) -> Reached:
    lab, windows = MODELS[title], _WINDOWS[title]
    operations = windows * flops(seed.load(lab.keras()))
    model = lab.ready(variant)
    inputs = np.random.default_rng(0).random((windows, *model.spec.input_shape), np.float32)
    return lambda: operations / timed(lambda: model.scores(inputs)).seconds / 1e9


def _multiply_adds(folder: Path) -> dict[str, Reached]:
    return {
        f"multiply-adds of {8 * width} bit": partial(run_loop, program)
        for width, program in compile_loops(folder).items()
    }


def _matrices() -> dict[str, Reached]:
    import tensorflow as tf

    def by(multiply: Callable[[int], Callable[[], object]]) -> Reached:
        products = {size: multiply(size) for size in _SIZES}
        return lambda: max(2e-9 * size**3 / timed(product).seconds for size, product in products.items())

    def numpy(size: int) -> Callable[[], object]:
        matrix = np.random.default_rng(0).random((size, size), np.float32)
        return lambda: matrix @ matrix

    def tensorflow(size: int) -> Callable[[], object]:
        matrix = tf.random.uniform((size, size))
        return lambda: tf.matmul(matrix, matrix).numpy()

    return {"numpy's product of matrices": by(numpy), "TensorFlow's product of matrices": by(tensorflow)}
