"""A loaded model: batches of spectrograms, or the samples of a recording, become scores with their times."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anemonefish.errors import InvalidRequest
from anemonefish.front.model_location import model_or_default, models_or_default
from anemonefish.front.preprocessor import AudioPreprocessor
from anemonefish.front.scores import Scores
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.ncnn_fallback import runnable
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.stores import open_store

__all__ = ["ModelInference", "load_model"]

_BATCH = 64
"""Windows whose spectrograms are held at once while samples are scored."""


class ModelInference:
    """A model that is loaded and verified: every file has its published hash, and the golden example its scores.

    Parameters
    ----------
    model : str, optional
        ``name``, ``name@alias`` or ``name@version``; ``ANEMONEFISH_MODEL`` unless given, else the reference model.
    models : path, optional
        Folder or ``s3://bucket`` of the models; ``ANEMONEFISH_MODELS`` unless given, else the models that ship.

    Raises
    ------
    ModelError
        There is no such model, or it may not be used, and why.

    Examples
    --------
    >>> import numpy as np
    >>> import anemonefish as af
    >>> model = af.ModelInference("reef")
    >>> model.classes
    ('noise', 'anemonefish', 'biological')
    >>> batch = np.zeros((3, *model.input_shape), np.float32)
    >>> scores = model.predict(batch)
    >>> scores.values.shape
    (3, 3)
    """

    def __init__(self, model: str | None = None, models: str | os.PathLike[str] | None = None) -> None:
        self.models = models_or_default(models)
        repository = ModelRepository(open_store(self.models))
        self._pinned = runnable(repository, repository.pin(model_or_default(model)))
        self._model = ready_model(self.models, self._pinned)
        self.preprocessor = AudioPreprocessor.of(self.spec)

    @property
    def spec(self) -> ModelSpec:
        """Everything about the model that is not its weights."""
        return self._model.spec

    @property
    def reference(self) -> str:
        """``name@version``, and ``+variant`` where there is one."""
        return self._pinned.reference

    @property
    def engine(self) -> str:
        """What runs the network: ``litert``, ``ncnn`` or ``keras``."""
        return self._pinned.engine

    @property
    def classes(self) -> tuple[str, ...]:
        """Columns of the scores, in order."""
        return self.spec.classes

    @property
    def target_class(self) -> str:
        """The class whose events are looked for."""
        return self.spec.target_class

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one spectrogram."""
        return self.spec.input_shape

    @property
    def sample_rate(self) -> int | None:
        """The rate that recordings must have, in Hz; None where each keeps its own."""
        return self.spec.sample_rate

    @property
    def window_seconds(self) -> float:
        """Length of a window."""
        return self.spec.profile.window_seconds

    @property
    def hop_seconds(self) -> float:
        """Distance between the starts of two windows."""
        return self.spec.profile.hop_seconds

    def predict(
        self,
        spectrograms: NDArray[Any] | Iterable[NDArray[Any]],
        start_seconds: ArrayLike | None = None,
        *,
        recording: str = "spectrograms",
    ) -> Scores:
        """Score spectrograms.

        Parameters
        ----------
        spectrograms : ndarray or iterable of ndarray
            One batch of shape ``(n, *input_shape)``, or several, of which one is held at a time.
        start_seconds : array of float, optional
            When each window begins; one hop apart from 0 on unless given.
        recording : str
            Name of the recording in the scores.

        Returns
        -------
        Scores
            One row per spectrogram, with the time of its window.

        Raises
        ------
        IncompatibleModel
            The spectrograms have another shape.
        InvalidRequest
            ``start_seconds`` has another length.
        """
        batches = [spectrograms] if isinstance(spectrograms, np.ndarray) else spectrograms
        scored = [self._model.scores(np.asarray(batch, np.float32)) for batch in batches]
        values = np.concatenate([np.empty((0, len(self.classes)), np.float32), *scored])
        hops = np.arange(len(values)) * self.hop_seconds
        starts = np.asarray(hops if start_seconds is None else start_seconds, np.float64)
        if starts.shape != (len(values),):
            raise InvalidRequest(f"start_seconds has the shape {starts.shape}, but {len(values)} windows were scored")
        return Scores(self.classes, values, starts, starts + self.window_seconds, {recording: len(values)})

    def score(self, samples: NDArray[Any], sample_rate: int, *, recording: str = "samples") -> Scores:
        """Score the windows of a recording that is in memory; :func:`anemonefish.score` scores files.

        Parameters
        ----------
        samples : ndarray, shape (n_samples,), float32 or float64
            Mono, full scale is 1.
        sample_rate : int
            Samples per second; that of the model, where it has one.
        recording : str
            Name of the recording in the scores.

        Returns
        -------
        Scores

        Raises
        ------
        IncompatibleModel
            The sample rate gives spectrograms of another shape.
        InvalidSamples
            A sample is NaN or infinite.
        """
        if self.sample_rate not in {None, sample_rate}:
            raise InvalidRequest(
                f"{self.reference} takes samples at {self.sample_rate} Hz, not {sample_rate} Hz; "
                f"its preprocessor.load_audio resamples"
            )
        windows, starts, _ = self.preprocessor.segment_audio(samples, sample_rate)
        batches = (
            self.preprocessor.create_spectrograms(windows[first : first + _BATCH], sample_rate)
            for first in range(0, len(windows), _BATCH)
        )
        return self.predict(batches, starts, recording=recording)

    def __repr__(self) -> str:
        rate = "any sample rate" if self.sample_rate is None else f"{self.sample_rate} Hz"
        return (
            f"ModelInference: {self.reference} by {self.engine}; classes {', '.join(self.classes)}; windows of "
            f"{self.window_seconds:g} s every {self.hop_seconds:g} s at {rate}; input {self.input_shape}"
        )


def load_model(model: str | None = None, models: str | os.PathLike[str] | None = None) -> ModelInference:
    """Load a published model and verify it.

    Parameters
    ----------
    model, models
        As in :class:`ModelInference`.

    Returns
    -------
    ModelInference

    Examples
    --------
    >>> import anemonefish as af
    >>> model = af.load_model("reef@1.1.0")
    >>> model.window_seconds, model.hop_seconds, model.sample_rate
    (0.4, 0.2, 48000)
    """
    return ModelInference(model, models)
