"""From a recording to the spectrograms that a network was trained on, step by step."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.audio.resample import at_rate
from anemonefish.audio.samples import Samples
from anemonefish.errors import InvalidSettings
from anemonefish.front.model_location import models_or_default
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles import Profile, profile_named
from anemonefish.stores import open_store
from anemonefish.workflow.open_recording import opened_recording

__all__ = ["AudioPreprocessor", "Segments"]


class Segments(NamedTuple):
    """The windows of a recording.

    Attributes
    ----------
    windows : ndarray, shape (n_windows, window)
        Samples of each window, without a copy: overlapping windows share memory, so do not write into them.
    start_seconds, end_seconds : ndarray, shape (n_windows,), float64
        When each window begins and ends.
    """

    windows: NDArray[Any]
    start_seconds: NDArray[np.float64]
    end_seconds: NDArray[np.float64]


class AudioPreprocessor:
    """Make spectrograms exactly as the training did.

    Parameters
    ----------
    profile : str or Profile
        ``"stft-db"`` (the lab's model v2) or ``"image"`` (v1) with the lab's constants; ignored with ``model``.
    model : str, optional
        A published model, whose profile and sample rate are used.
    models : path, optional
        Folder or ``s3://bucket`` of the models.
    window_seconds, hop_seconds : float, optional
        Other than the profile's.
    sample_rate : int, optional
        Resample every recording to this rate, in Hz; the model's unless given. Otherwise each keeps its own.
    channel : int, optional
        The channel to listen to, counted from 1; the mean of all unless given.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=2, seed=6)
    >>> preprocessor = af.AudioPreprocessor("stft-db")
    >>> samples, sample_rate = preprocessor.load_audio("reef.wav")
    >>> segments = preprocessor.segment_audio(samples, sample_rate)
    >>> segments.windows.shape, float(segments.start_seconds[1])
    ((9, 19200), 0.2)
    >>> preprocessor.create_spectrogram(segments.windows[0], sample_rate).shape
    (76, 256, 1)
    """

    def __init__(
        self,
        profile: str | Profile = "stft-db",
        *,
        model: str | None = None,
        models: str | os.PathLike[str] | None = None,
        window_seconds: float | None = None,
        hop_seconds: float | None = None,
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> None:
        if model is not None:
            repository = ModelRepository(open_store(models_or_default(models)))
            spec = repository.spec(repository.pin(model))
            profile, sample_rate = spec.profile, sample_rate or spec.sample_rate
        chosen = profile_named(profile) if isinstance(profile, str) else profile
        self.profile = replace(
            chosen,
            window_seconds=chosen.window_seconds if window_seconds is None else window_seconds,
            hop_seconds=chosen.hop_seconds if hop_seconds is None else hop_seconds,
        )
        self.sample_rate = sample_rate
        self.channel = channel

    @classmethod
    def of(cls, spec: ModelSpec) -> AudioPreprocessor:
        """Return the preprocessing of a model."""
        return cls(spec.profile, sample_rate=spec.sample_rate)

    @property
    def window_seconds(self) -> float:
        """Length of a window."""
        return self.profile.window_seconds

    @property
    def hop_seconds(self) -> float:
        """Distance between the starts of two windows."""
        return self.profile.hop_seconds

    def load_audio(self, path: str | os.PathLike[str]) -> tuple[NDArray[Any], int]:
        """Read a whole recording as mono samples.

        Parameters
        ----------
        path : path
            A file of any supported format, or an ``s3://`` object.

        Returns
        -------
        samples : ndarray, shape (n_samples,)
            Full scale is 1; in the precision in which the training read audio.
        sample_rate : int
            Samples per second.

        Raises
        ------
        RecordingError
            The recording cannot be read.
        """
        with opened_recording(os.fspath(path), channel=self.channel, dtype=self.profile.sample_dtype) as audio:
            samples = self._resampled(audio)
            return samples.read(0, samples.n_samples), samples.sample_rate

    def _resampled(self, audio: Samples) -> Samples:
        """Return a recording at the rate of this preprocessing, by the method that workers use."""
        if self.sample_rate is None:
            return audio
        return at_rate(audio, self.sample_rate, self.profile.top_hz(self.sample_rate))

    def segment_audio(self, samples: NDArray[Any], sample_rate: int) -> Segments:
        """Cut samples into windows; a window that would run past the end is left out.

        Parameters
        ----------
        samples : ndarray, shape (n_samples,), float32 or float64
        sample_rate : int
            Samples per second.

        Returns
        -------
        Segments
            The windows with the seconds at which they begin and end.
        """
        if samples.ndim != 1:
            raise InvalidSettings(
                f"samples must be one-dimensional, not of shape {samples.shape}; average the channels first"
            )
        grid = self.profile.grid(len(samples), sample_rate)
        windows = (
            sliding_window_view(samples, grid.window)[:: grid.hop]
            if grid.n_windows
            else np.empty((0, grid.window), samples.dtype)
        )
        starts = np.arange(grid.n_windows, dtype=np.int64) * grid.hop
        return Segments(windows, starts / sample_rate, (starts + grid.window) / sample_rate)

    def create_spectrogram(self, window: NDArray[Any], sample_rate: int) -> NDArray[np.float32]:
        """Return the spectrogram of one window.

        Parameters
        ----------
        window : ndarray, shape (window,), float32 or float64
        sample_rate : int
            Samples per second.

        Returns
        -------
        ndarray, float32
            Shape ``(time, frequency, 1)`` for ``stft-db`` and ``band-db``, ``(256, 256, 3)`` for ``image``.

        Raises
        ------
        InvalidSettings
            The window has another length.
        InvalidSamples
            A sample is NaN or infinite.
        """
        spectrogram: NDArray[np.float32] = self.create_spectrograms(window[np.newaxis], sample_rate)[0]
        return spectrogram

    def create_spectrograms(self, windows: NDArray[Any], sample_rate: int) -> NDArray[np.float32]:
        """Return the spectrograms of several windows, shape ``(n, *spectrogram)``; see :meth:`create_spectrogram`."""
        return self.profile.spectrograms(windows, sample_rate)

    def __repr__(self) -> str:
        rate = "the recording's own rate" if self.sample_rate is None else f"{self.sample_rate} Hz"
        return (
            f"AudioPreprocessor: profile {self.profile.kind}, windows of {self.window_seconds:g} s every "
            f"{self.hop_seconds:g} s, at {rate}"
        )
