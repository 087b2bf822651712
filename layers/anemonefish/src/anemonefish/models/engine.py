"""LiteRT: spectrograms in, scores out.

Owns running a network. Windows go through one at a time: batching gained nothing when measured, and a window
whose score cannot depend on its neighbours makes every cut into ranges give the same bytes. One thread per
process; more speed comes from more processes. Knows nothing of audio.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel, InvalidBundle
from anemonefish.models.bundle import LITERT, ModelSpec

__all__ = ["Model"]


class Model:
    """A loaded network with its spec.

    Parameters
    ----------
    spec : ModelSpec
        What the network is.
    weights : bytes
        The content of ``model.tflite``.

    Raises
    ------
    InvalidBundle
        LiteRT cannot load the weights.
    IncompatibleModel
        The network's input or output does not have the shape the spec names.
    """

    def __init__(self, spec: ModelSpec, weights: bytes) -> None:
        self.spec = spec
        self._interpreter = _interpreter(spec.title, weights)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        found = [tuple(int(n) for n in detail["shape"]) for detail in (*inputs, *outputs)]
        wanted = [(1, *spec.input_shape), (1, len(spec.classes))]
        if found != wanted:
            raise IncompatibleModel(
                f"{spec.title}: the network's input and output have the shapes {found}, its spec says {wanted}"
            )
        self._input: int = inputs[0]["index"]
        self._output: int = outputs[0]["index"]

    def scores(self, spectrograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score spectrograms.

        Parameters
        ----------
        spectrograms : ndarray, shape (n_windows, *spec.input_shape), float32

        Returns
        -------
        ndarray, shape (n_windows, n_classes), float32
            One score per window and class, not calibrated.

        Raises
        ------
        IncompatibleModel
            The spectrograms have another shape.
        """
        if spectrograms.shape[1:] != self.spec.input_shape:
            raise IncompatibleModel(
                f"{self.spec.title} takes windows of shape {self.spec.input_shape}, not {spectrograms.shape[1:]}; "
                f"the window length or the sample rate does not fit the model"
            )
        scores = np.empty((len(spectrograms), len(self.spec.classes)), np.float32)
        for index in range(len(spectrograms)):
            self._interpreter.set_tensor(self._input, spectrograms[index : index + 1])
            self._interpreter.invoke()
            scores[index] = self._interpreter.get_tensor(self._output)[0]
        return scores


def _interpreter(title: str, weights: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter  # 0.1 s: only those who score pay it

    try:
        interpreter = Interpreter(model_content=weights, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InvalidBundle(f"{title}: LiteRT cannot load {LITERT} ({error}); publish the model again") from None
    return interpreter
