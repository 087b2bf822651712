"""The last activation of a network: check that its outputs are scores, or append the activation that makes them so.

A score lies between 0 and 1. A softmax gives scores of classes that exclude each other, and they sum to one. A sigmoid
gives each class a score by itself, for one class (the target) or for a multi-label model. Logits are no scores, because
a threshold of 0.5 has no meaning for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel
from anemonefish.models.model_names import ACTIVATIONS

__all__ = ["ACTIVATIONS", "activation_of", "check_scores", "with_activation"]

_PASSING = {"Flatten", "Reshape", "Dropout", "Identity", "Permute", "InputLayer"}
"""Layers behind an activation that do not change any value."""

_SIGMOIDS = {"sigmoid", "hard_sigmoid"}
_SUM_TOLERANCE = 1e-3
_RANGE_TOLERANCE = 1e-6


def activation_of(network: Any) -> str | None:
    """Return the name of the last activation: ``linear`` for a layer without one, None where no layer shows it."""
    tensor = network.outputs[0]
    for _ in range(1000):
        layer = tensor._keras_history.operation
        kind = type(layer).__name__
        if hasattr(layer, "layers") and hasattr(layer, "outputs"):  # a network within the network
            return activation_of(layer)
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", None)
        if kind not in _PASSING and not (kind == "Activation" and name == "linear"):
            known = kind.lower() if kind in {"Softmax", "Sigmoid"} else name
            return known if known in _kinds() else None  # only the values show what a function of the lab's own does
        if kind == "InputLayer":
            return "linear"
        tensor = layer.input
    return None


def with_activation(network: Any, title: str, outputs: int, wanted: str | None) -> tuple[Any, str]:
    """Return the network with scores as outputs, and their kind.

    Parameters
    ----------
    network : keras.Model
    title : str
        The model's name in messages.
    outputs : int
        Number of classes.
    wanted : {"softmax", "sigmoid", "none"} or None
        The activation that makes scores of the outputs; None where the network must end with it. An activation that
        the network ends with is not applied twice.

    Returns
    -------
    network : keras.Model
        The same, or one more layer.
    kind : {"softmax", "sigmoid", "none"}
        ``none``: no layer shows it, so the values must (:func:`check_scores`).

    Raises
    ------
    IncompatibleModel
        The last layer gives no scores, or scores of another kind than was asked for.
    """
    import keras

    activation = activation_of(network)
    kind = "sigmoid" if activation in _SIGMOIDS else activation
    if wanted == "none":
        return network, "softmax" if kind == "softmax" else "none"
    if wanted is None:
        if kind == "sigmoid" and outputs > 1:
            raise IncompatibleModel(
                f"{title}: the network ends with {outputs} sigmoids, so its classes do not exclude each other; publish "
                f"it as a multi-label model with --activation sigmoid"
            )
        if kind in {"softmax", "sigmoid"} or activation is None:
            return network, kind or "none"
        raise IncompatibleModel(
            f"{title}: the network ends with {_words(activation)}, so its outputs are no scores between 0 and 1; say "
            f"what makes them: --activation softmax (classes exclude each other) or --activation sigmoid (each class "
            f"by itself)"
        )
    if kind == wanted:
        return network, wanted
    if kind in {"softmax", "sigmoid"}:
        raise IncompatibleModel(
            f"{title}: the network ends with a {kind} already; publish it with --activation {kind}, or without it"
        )
    if wanted == "softmax" and outputs == 1:
        raise IncompatibleModel(f"{title}: a softmax of one output is always 1; use --activation sigmoid")
    scores = keras.layers.Activation(wanted, name=f"publish_{wanted}", dtype="float32")(network.outputs[0])
    return keras.Model(network.inputs, scores, name=network.name), wanted


def _kinds() -> set[str]:
    """Return the names of Keras's own activations."""
    import keras

    return {name for name in dir(keras.activations) if callable(getattr(keras.activations, name))}


def _words(activation: str) -> str:
    return "no activation (logits)" if activation == "linear" else f"the activation {activation}"


def check_scores(scores: NDArray[Any], title: str, kind: str, wanted: str | None) -> bool:
    """Check by their values that outputs are scores; return whether the model is multi-label.

    Parameters
    ----------
    scores : ndarray, shape (n_windows, n_classes)
        Of the comparison windows.
    title : str
    kind : str
        As returned by :func:`with_activation`.
    wanted : str or None
        As given to it.

    Raises
    ------
    IncompatibleModel
        A value is not a number or lies outside 0 to 1, or those of a softmax do not sum to one.
    """
    low, high = float(scores.min()), float(scores.max())
    if not (low >= -_RANGE_TOLERANCE and high <= 1 + _RANGE_TOLERANCE):
        raise IncompatibleModel(
            f"{title}: its outputs lie between {low:.3g} and {high:.3g} on the comparison windows, and scores between "
            f"0 and 1; say what makes scores of them: --activation softmax or --activation sigmoid"
        )
    if scores.shape[1] == 1:
        return False
    off = float(np.abs(scores.sum(axis=1) - 1).max())
    exclusive = off <= _SUM_TOLERANCE
    if kind == "softmax" and not exclusive:
        raise IncompatibleModel(
            f"{title}: the network ends with a softmax, but its scores sum to one only within {off:.2g}; is it over "
            f"another axis than the classes?"
        )
    if kind == "none" and wanted is None and not exclusive:
        raise IncompatibleModel(
            f"{title}: nothing in the network tells whether its classes exclude each other, and its scores do not sum "
            f"to one (by {off:.2g}); publish it as a multi-label model with --activation none"
        )
    return kind == "sigmoid" or not exclusive
