"""A loaded model: spectrograms in, scores out, whichever engine runs the network.

Every engine scores one window at a time. So the score of a window does not depend on its neighbours, and a recording
gives the same bytes however it is cut into ranges; batches gained no time when measured. An engine uses one thread;
more processes give more speed.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel
from anemonefish.models.bundle import ENGINES, ModelSpec

__all__ = ["Model", "Network"]


class Network(Protocol):
    """A network that an engine has loaded: by :mod:`.litert`, :mod:`.keras` or :mod:`.ncnn`."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shape of one spectrogram and of its scores, each behind a batch of one."""

    def score(self, spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of a batch of one spectrogram, shape (1, n_classes)."""


class Model:
    """A loaded network with its spec.

    Parameters
    ----------
    spec : ModelSpec
        What the network is.
    network : Network
        The network, loaded by an engine.
    engine : {"litert", "keras", "ncnn"}
        Name of that engine.

    Raises
    ------
    IncompatibleModel
        The network's input or output does not have the shape the spec names.
    """

    def __init__(self, spec: ModelSpec, network: Network, engine: str = ENGINES[0]) -> None:
        self.spec = spec
        self.engine = engine
        self._network = network
        wanted = (1, *spec.input_shape), (1, len(spec.classes))
        if network.shapes != wanted:
            raise IncompatibleModel(
                f"{spec.title}: the network's input and output have the shapes {network.shapes}, its spec says {wanted}"
            )

    def scores(self, spectrograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score spectrograms.

        Parameters
        ----------
        spectrograms : ndarray, float32
            One spectrogram for each window, each of shape ``spec.input_shape``.

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
            scores[index] = self._network.score(spectrograms[index : index + 1])[0]
        return scores
