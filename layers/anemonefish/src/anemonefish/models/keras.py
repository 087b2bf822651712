"""Keras: the training stack itself, as the engine of the container image and as what publishing starts from.

Owns loading ``model.keras`` with the lab's own layers (``layers.py`` of the bundle, plain Python whose classes Keras
is told of) and running it in one thread. TensorFlow is imported here and in :mod:`.publish`, nowhere else, and only
when a model asks for it.

``layers.py`` is code: whoever may write bundles may run it wherever they are scored. It is loaded once its hash was
found to be the published one, never for a model that LiteRT runs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel, InvalidBundle, first_line
from anemonefish.models.bundle import KERAS, LAYERS

__all__ = ["KerasNetwork", "load_keras"]


class KerasNetwork:
    """A network that Keras runs, as ``predict_on_batch`` would, a window at a time.

    Parameters
    ----------
    network : keras.Model
        As :func:`load_keras` returns it.
    """

    def __init__(self, network: Any) -> None:
        import tensorflow as tf

        (window,), (scores,) = network.inputs, network.outputs
        self._shapes = (1, *map(int, window.shape[1:])), (1, *map(int, scores.shape[1:]))
        signature = [tf.TensorSpec(self._shapes[0], tf.float32)]
        # Traced once: eager Keras would spend longer on a small network's layers than on its arithmetic.
        self._call = tf.function(lambda batch: network(batch, training=False), input_signature=signature)

    @classmethod
    def of_bundle(cls, title: str, weights: bytes, layers: bytes | None) -> KerasNetwork:
        """Load the content of ``model.keras``.

        Raises
        ------
        InvalidBundle
            There is no TensorFlow here, or Keras cannot load the weights.
        """
        with tempfile.TemporaryDirectory() as folder:  # Keras reads files only
            path = Path(folder, KERAS)
            path.write_bytes(weights)
            try:
                return cls(load_keras(path, layers))
            except ImportError:
                raise InvalidBundle(
                    f"{title} is run by Keras and TensorFlow is not installed here; serve it from the image "
                    f"(Engine=keras), or install it with: pip install 'anemonefish[publish]'"
                ) from None
            except IncompatibleModel as error:
                raise InvalidBundle(f"{title}: {str(error).removeprefix(f'{path}: ')}; publish it again") from None

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shape of the input and of the output, with their batch of one."""
        return self._shapes

    def score(self, spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of one spectrogram, shape (1, n_classes)."""
        scores: NDArray[np.float32] = self._call(spectrogram).numpy()
        return scores


def load_keras(path: Path, layers: bytes | None) -> Any:
    """Load a network as training saved it.

    Parameters
    ----------
    path : Path
        The ``.keras`` file, optimiser state and all.
    layers : bytes or None
        Python whose classes and functions the file refers to.

    Returns
    -------
    keras.Model

    Raises
    ------
    ImportError
        TensorFlow is not installed.
    IncompatibleModel
        Keras cannot load the file.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings are not about the user's model
    # One core, one process, one thread, like the other engine. Read once, when TensorFlow starts.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    import keras

    try:
        return keras.saving.load_model(path, custom_objects=_objects(layers), compile=False)
    except Exception as error:  # Keras raises whatever a layer raises
        raise IncompatibleModel(
            f"{path}: Keras cannot load this file ({first_line(error)}); save it with model.save(), and name the "
            f"Python file of its own layers, if it has any"
        ) from None


def _objects(layers: bytes | None) -> dict[str, Any]:
    """Run ``layers.py``; return what it defines."""
    if layers is None:
        return {}
    module = ModuleType(LAYERS.removesuffix(".py"))
    exec(compile(layers, LAYERS, "exec"), module.__dict__)
    return {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("__")}
