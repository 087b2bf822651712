"""LiteRT: the engine of every worker that is a zip.

Owns loading ``model.tflite``, or a variant of it, and running it in one thread. Needs 10 MB where TensorFlow needs
1.2 GB, and starts in a tenth of a second.
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
        What messages call the model.
    weights : bytes
        The content of ``model.tflite``.
    name : str
        The file's, where it is that of a variant.

    Raises
    ------
    InvalidBundle
        LiteRT cannot load the weights.
    """

    def __init__(self, title: str, weights: bytes, name: str = LITERT) -> None:
        from ai_edge_litert.interpreter import Interpreter  # 0.1 s: only those who score pay it

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


def _shape(found: NDArray[np.int32]) -> tuple[int, ...]:
    return tuple(int(n) for n in found)
