"""Recordings at the rate of the network, as files of float32 that windows are read from by offset.

A recording is decoded and resampled once, whatever its format and length. Windows are read and not mapped, so the
memory does not grow with the recordings. The name of a file is a hash of what it was made from: a training that was
interrupted finds it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.resample import at_rate
from anemonefish.stores.folder import atomic_file
from anemonefish.training.labelled_recordings import LabelledRecording
from anemonefish.training.network_input import NetworkInput
from anemonefish.workflow.open_recording import opened_recording

__all__ = ["CachedAudio", "cache_audio"]

_BLOCK_SECONDS = 60
_FORMAT = "float32-1"


@dataclass(frozen=True, slots=True)
class CachedAudio:
    """A recording in the cache.

    Attributes
    ----------
    path : Path
    n_samples, sample_rate : int
    """

    path: Path
    n_samples: int
    sample_rate: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the samples ``[start, stop)``."""
        with self.path.open("rb") as file:
            file.seek(4 * start)
            return np.fromfile(file, np.float32, stop - start)

    def windows(self, starts: Iterable[int], window: int) -> NDArray[np.float32]:
        """Return windows, shape ``(n, window)``."""
        with self.path.open("rb") as file:
            cut = []
            for start in starts:
                file.seek(4 * int(start))
                cut.append(np.fromfile(file, np.float32, window))
        return np.stack(cut) if cut else np.empty((0, window), np.float32)


def cache_audio(recording: LabelledRecording, heard: NetworkInput, channel: int | None, folder: Path) -> CachedAudio:
    """Decode and resample a recording, unless that was done before.

    Parameters
    ----------
    recording : LabelledRecording
    heard : NetworkInput
        Its rate and profile; resampled by the method that workers use.
    channel : int or None
        Counted from 1; None for the mean of all.
    folder : Path
        Of the cache; created.

    Raises
    ------
    RecordingError
        The recording cannot be read.
    """
    sample_rate, top_hz = heard.sample_rate, heard.profile.top_hz(heard.sample_rate)
    made_of = f"{_FORMAT} {recording.content} {sample_rate} {top_hz} {channel}"
    path = folder / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.f32"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (
            opened_recording(recording.uri, channel=channel, dtype="float64") as audio,
            atomic_file(path) as temporary,
            temporary.open("wb") as file,
        ):
            samples = at_rate(audio, sample_rate, top_hz)
            block = _BLOCK_SECONDS * sample_rate
            for start in range(0, samples.n_samples, block):
                samples.read(start, min(start + block, samples.n_samples)).astype(np.float32).tofile(file)
    return CachedAudio(path, path.stat().st_size // 4, sample_rate)
