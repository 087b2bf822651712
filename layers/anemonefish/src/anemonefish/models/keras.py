"""Run a network by Keras, the training stack: the engine of the container image, and the start of publishing.

``model.keras`` is loaded with the layers that the lab defined itself (``layers.py`` of the bundle, Python whose classes
are given to Keras), and run in one thread, on any processor (:mod:`.portable`). Only this module and those that publish
import TensorFlow, and only when a model needs it.

``layers.py`` is code: everybody who may write bundles may run it where they are scored. It is loaded after its hash was
checked, and not at all for a model that LiteRT runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel, InvalidBundle, first_line
from anemonefish.models.bundle import KERAS, LAYERS
from anemonefish.models.portable import portable_layers
from anemonefish.stores.temporary import temporary_folder

__all__ = ["KerasNetwork", "custom_objects", "is_hdf5", "load_keras", "traced"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NODE = re.compile(r"\{\{node ([^}]+)\}\}")

Batches = Callable[[NDArray[Any]], NDArray[Any]]
"""Scores of a batch of spectrograms."""


def traced(network: Any, shape: tuple[int | None, ...], title: str, dtype: str = "float32") -> Batches:
    """Return a network as a function of batches, which runs on any processor.

    The network is traced once; without that, Keras spends more time between the layers of a small network than in them.

    Parameters
    ----------
    network : keras.Model
    shape : tuple of int or None
        Shape of a batch; None for a batch of any size.
    title : str
        The model's name in messages.
    dtype : str
        Precision in which the network computes.

    Returns
    -------
    callable
        Raises :class:`IncompatibleModel` where TensorFlow cannot compute a layer on this processor.
    """
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype)])  # type: ignore[untyped-decorator]
    def call(batch: Any) -> Any:
        return network(batch, training=False)

    with portable_layers(network):
        function = call.get_concrete_function()

    def scores(batch: NDArray[Any]) -> NDArray[Any]:
        try:
            answer: NDArray[Any] = function(tf.constant(batch, dtype)).numpy()
        except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError) as error:
            raise IncompatibleModel(f"{title}: {_uncomputable(str(error))}") from None
        return answer

    return scores


def _uncomputable(message: str) -> str:
    """Return which layer TensorFlow could not compute; its message names a node of its graph."""
    words = message.partition("\n")[0].rpartition("}} ")[2]
    nodes = _NODE.findall(message)
    layer = f"the layer {nodes[-1]!r}" if nodes else "a layer"
    return (
        f"TensorFlow cannot compute {layer} on this processor ({words}); some processors can, others cannot, so build "
        f"it of layers that every CPU computes: channels last, equal strides, no dilation in transposed convolutions"
    )


class KerasNetwork:
    """A network that Keras runs, one window at a time.

    Parameters
    ----------
    network : keras.Model
        As :func:`load_keras` returns it.
    title : str
        The model's name in messages.
    """

    def __init__(self, network: Any, title: str) -> None:
        (window,), (scores,) = network.inputs, network.outputs
        self._shapes = (1, *map(int, window.shape[1:])), (1, *map(int, scores.shape[1:]))
        self._scores = traced(network, self._shapes[0], title)

    @classmethod
    def of_bundle(cls, title: str, weights: bytes, layers: bytes | None) -> KerasNetwork:
        """Load the content of ``model.keras``.

        Raises
        ------
        InvalidBundle
            There is no TensorFlow here, or Keras cannot load the weights.
        """
        with temporary_folder() as folder:  # Keras reads files only
            path = Path(folder, KERAS)
            path.write_bytes(weights)
            try:
                return cls(load_keras(path, layers), title)
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
        scores: NDArray[np.float32] = self._scores(spectrogram)
        return scores


def is_hdf5(path: Path) -> bool:
    """Say whether a file has the format of ``model.save("model.h5")``, by its content."""
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def load_keras(path: Path, layers: bytes | None) -> Any:
    """Load a network as training saved it.

    Parameters
    ----------
    path : Path
        The ``.keras`` or ``.h5`` file, with or without optimiser state; its content tells the format.
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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # without TensorFlow's messages at start
    # One thread in each process, as with LiteRT. TensorFlow reads these once, when it starts.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    import keras

    suffix = ".h5" if is_hdf5(path) else ".keras"
    with temporary_folder() as folder:
        named = path
        if path.suffix != suffix:  # Keras reads the format from the name
            named = Path(folder, f"model{suffix}")
            shutil.copyfile(path, named)
        try:
            return keras.saving.load_model(named, custom_objects=custom_objects(layers), compile=False)
        except Exception as error:  # Keras raises whatever a layer raises
            raise IncompatibleModel(
                f"{path}: Keras cannot load this file ({first_line(error)}){_written_by(path, keras.__version__)}; "
                f"save the whole network with model.save('model.keras'), and name the Python file of its own layers, "
                f"if it has any"
            ) from None


def _written_by(path: Path, here: str) -> str:
    """Return which version of Keras wrote a file, where the file says it, and which one is installed."""
    version: object = None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json")).get("keras_version")
        elif is_hdf5(path):
            import h5py  # comes with Keras

            with h5py.File(path) as file:
                version = file.attrs.get("keras_version")
    except (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile):
        return ""
    if version is None:
        return ""
    written = version.decode(errors="replace") if isinstance(version, bytes) else str(version)
    mend = "" if written == here else f": install keras=={written}, or save it again with a Keras that is not newer"
    return f"; it was written by Keras {written}, and Keras {here} is installed here{mend}"


def custom_objects(layers: bytes | None) -> dict[str, Any]:
    """Run ``layers.py`` and return the classes and functions that it defines."""
    if layers is None:
        return {}
    module = ModuleType(LAYERS.removesuffix(".py"))
    exec(compile(layers, LAYERS, "exec"), module.__dict__)
    return {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("__")}
