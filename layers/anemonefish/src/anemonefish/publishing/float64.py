"""Score by a network in float64, to compare two float32 engines whose scores differ.

The Keras network is built again with every layer and every weight in float64. A network whose layers lose much of
float32's precision gives other last digits in every engine; float64 shows how far each engine is from the exact scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel, first_line
from anemonefish.models.keras import custom_objects, traced

__all__ = ["check_precision", "float64_scores"]

_BATCH = 10
_FLOAT64 = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}, "registered_name": None}


def check_precision(network: Any, title: str) -> None:
    """Raise :class:`IncompatibleModel` for a layer that computes in half precision.

    Its rounding depends on the processor, by far more than two engines may differ.
    """
    for layer in network._flatten_layers():
        computed = getattr(layer, "compute_dtype", None)
        if computed in {"float16", "bfloat16"}:
            raise IncompatibleModel(
                f"{title}: the layer {layer.name} ({type(layer).__name__}) computes in {computed}, which every "
                f"processor rounds in its own way; build the network with keras.config.set_dtype_policy('float32'), "
                f"load the same weights and save that"
            )


def float64_scores(
    network: Any, layers: bytes | None, spectrograms: NDArray[np.float32], title: str
) -> NDArray[np.float64]:
    """Score spectrograms by the network in float64.

    Parameters
    ----------
    network : keras.Model
        In float32.
    layers : bytes or None
        Python that defines the network's own layers.
    spectrograms : ndarray, shape (n_windows, ...), float32
    title : str
        The model's name in messages.

    Returns
    -------
    ndarray, shape (n_windows, n_classes), float64

    Raises
    ------
    IncompatibleModel
        The network cannot be built or computed in float64.
    """
    import keras

    floatx = keras.config.floatx()
    try:
        keras.config.set_floatx("float64")
        precise = keras.saving.deserialize_keras_object(
            _in_float64(keras.saving.serialize_keras_object(network)), custom_objects=custom_objects(layers)
        )
        if not precise.built:
            precise.build(network.input_shape)
        precise.set_weights([np.asarray(weight, np.float64) for weight in network.weights])
        scores = traced(precise, (None, *spectrograms.shape[1:]), title, "float64")
        blocks = range(0, len(spectrograms), _BATCH)
        return np.concatenate([scores(spectrograms[at : at + _BATCH].astype(np.float64)) for at in blocks])
    except IncompatibleModel:
        raise
    except Exception as error:  # a layer that the lab wrote may raise anything
        raise IncompatibleModel(f"{title}: the network cannot be computed in float64 ({first_line(error)})") from None
    finally:
        keras.config.set_floatx(floatx)


def _in_float64(config: Any) -> Any:
    """Return the configuration of a network with float64 for every ``dtype`` of floating point in it."""
    if isinstance(config, list | tuple):
        return [_in_float64(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        name: _FLOAT64 if name == "dtype" and _is_floating(value) else _in_float64(value)
        for name, value in config.items()
    }


def _is_floating(dtype: Any) -> bool:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    return isinstance(dtype, str) and "float" in dtype
