"""Run a network by LiteRT, the engine of every zip-packaged worker.

``model.tflite``, or the file of a variant, is run in one thread. LiteRT has 10 MB where TensorFlow has 1.2 GB, and
starts in a tenth of a second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidBundle
from anemonefish.models.bundle import LITERT

__all__ = ["LiteRtNetwork"]


class LiteRtNetwork:
    """A network that LiteRT runs.

    Parameters
    ----------
    title : str
        The model's name in messages.
    weights : bytes
        The content of ``model.tflite``.
    name : str
        Name of the file, for messages; that of a variant differs.

    Raises
    ------
    InvalidBundle
        LiteRT cannot load the weights.
    """

    def __init__(self, title: str, weights: bytes, name: str = LITERT) -> None:
        from ai_edge_litert.interpreter import Interpreter  # takes 0.1 s, so only when a network is scored

        try:
            self._interpreter = Interpreter(model_content=weights, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InvalidBundle(f"{title}: LiteRT cannot load {name} ({error}); publish the model again") from None
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        if (len(self._inputs), len(self._outputs)) != (1, 1):
            raise InvalidBundle(f"{title}: {name} needs one input and one output; publish the model again")

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shape of the input and of the output, with their batch of one."""
        return _shape(self._inputs[0]["shape"]), _shape(self._outputs[0]["shape"])

    def score(self, spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of one spectrogram, shape (1, n_classes)."""
        self._interpreter.set_tensor(self._inputs[0]["index"], spectrogram)
        self._interpreter.invoke()
        scores: NDArray[np.float32] = self._interpreter.get_tensor(self._outputs[0]["index"])
        return scores


def _shape(shape: NDArray[np.int32]) -> tuple[int, ...]:
    return tuple(int(length) for length in shape)
