"""Variants: the network of a bundle in other arithmetic, made on request, with its measured agreement.

The variant ``int8`` has weights and arithmetic in 8 bit ("dynamic range" in TensorFlow's words: activations are
quantised as they come). Of every variant, also of those of :mod:`.to_ncnn`, this module measures how far its scores,
its best classes and its events are from those of the float32 network on the same windows. A variant is served only when
a user asks for it by name, and only where its golden scores are as close as they were when it was published.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.evaluation.matching import Counts, MatchingRule
from anemonefish.models.bundle import TOLERANCE, ModelSpec
from anemonefish.results.events import find_events, smooth
from anemonefish.windows import WindowGrid

__all__ = ["convert", "events_of", "labels_flipped", "labels_of", "measure_agreement"]

_SLACK = 2.0
"""Factor for other processors, whose 8-bit kernels round differently, on the difference that was measured."""


def convert(one_window: Any, *, int8: bool) -> bytes:
    """Convert a network for LiteRT.

    Parameters
    ----------
    one_window : keras.Model
        Takes a batch of exactly one window, as all scoring does.
    int8 : bool
        Whether weights and arithmetic have 8 bit instead of float32.

    Returns
    -------
    bytes
        The content of a ``.tflite`` file. Errors are those of the converter.
    """
    import tensorflow as tf

    # Not from_concrete_functions(): it leaves Keras 3's variables outside the file, and LiteRT scores NaN.
    converter = tf.lite.TFLiteConverter.from_keras_model(one_window)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with redirect_stdout(io.StringIO()):  # the converter prints every variable of the network
        converted: bytes = converter.convert()
    return converted


def measure_agreement(
    spec: ModelSpec,
    scores: NDArray[np.float32],
    exact: NDArray[np.float32],
    grid: WindowGrid,
    sample_rate: int,
    stretches: Sequence[slice] = (slice(None),),
) -> dict[str, Any]:
    """Compare a variant's scores with the float32 network's on the same windows.

    Parameters
    ----------
    spec : ModelSpec
    scores, exact : ndarray, shape (n_windows, n_classes), float32
    grid : WindowGrid
    sample_rate : int
    stretches : sequence of slice
        Runs of windows that follow one another in one recording; all of them by default.

    Returns
    -------
    dict
        ``windows``; ``max_difference`` of a score; ``labels_flipped``, windows whose best class (of a single score or a
        multi-label model: whose side of the threshold) is another; ``events``, how many float32 finds; ``event_f1``
        against those, by half of their union, null where neither has one; ``tolerance`` for the golden scores.
    """

    def target_events(scores: NDArray[np.float32]) -> list[tuple[int, int]]:
        return [event[1:] for event in events_of(spec, scores, grid, sample_rate, stretches) if event[0] == target]

    target = spec.target_class
    expected = target_events(exact)
    f1 = Counts.of(target_events(scores), expected, MatchingRule(criterion="iou")).f1
    difference = float(np.abs(scores - exact).max())
    return {
        "windows": len(exact),
        "max_difference": difference,
        "labels_flipped": labels_flipped(spec, scores, exact),
        "events": len(expected),
        "event_f1": None if f1 is None else round(float(f1), 6),
        "tolerance": max(TOLERANCE, _SLACK * difference),
    }


def labels_flipped(spec: ModelSpec, scores: NDArray[Any], exact: NDArray[Any]) -> int:
    """Count the windows that get another label by the model's decision settings."""
    return int((labels_of(spec, scores) != labels_of(spec, exact)).any(axis=1).sum())


def labels_of(spec: ModelSpec, scores: NDArray[Any]) -> NDArray[np.intp]:
    """Return the label of each window, shape (n_windows, n): the best class, or for each class whether it is
    present.
    """
    if len(spec.classes) > 1 and not spec.multi_label:
        best: NDArray[np.intp] = scores.argmax(axis=1)[:, np.newaxis]
        return best
    thresholds = [spec.decision.threshold_of(name) for name in spec.classes]
    return (scores > np.array(thresholds, scores.dtype)).astype(np.intp)


def events_of(
    spec: ModelSpec, scores: NDArray[Any], grid: WindowGrid, sample_rate: int, stretches: Sequence[slice]
) -> list[tuple[str, int, int]]:
    """Return the events of every class by the model's settings, as (class, first sample, sample after the last).

    Samples are counted over all stretches, so that events of different stretches differ.
    """
    events = []
    for stretch in stretches:
        before = (stretch.start or 0) * (grid.hop + grid.window)
        smoothed = smooth(scores[stretch].astype(np.float32), spec.decision.median_windows)
        for column, label in enumerate(spec.classes):
            found = find_events(smoothed[:, column], grid, sample_rate, label, spec.decision)
            events += [(label, before + event.start, before + event.stop) for event in found]
    return events
