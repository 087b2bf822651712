"""Simulated reef scenes as recordings with annotations, to try everything without a recording of your own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from anemonefish.annotations.audacity import write_audacity
from anemonefish.annotations.raven import write_raven
from anemonefish.annotations.selections import AudioReference
from anemonefish.errors import InvalidSettings
from anemonefish.front.annotation_tables import Annotation, Annotations
from anemonefish.sample_times import seconds as seconds_of
from anemonefish.simulation.calls import ANEMONEFISH
from anemonefish.simulation.scene import Scene, scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores.folder import atomic_file

__all__ = ["SimulatedRecording", "simulate"]


@dataclass(frozen=True, slots=True)
class SimulatedRecording:
    """A simulated recording on disk, with the annotations of what is in it.

    Attributes
    ----------
    path : Path
        The WAV file.
    raven_path, audacity_path : Path
        Its annotations as a Raven selection table and as Audacity labels.
    annotations : Annotations
        The same as a table.
    scene : Scene
        How the sound was drawn: seed, settings, every sound with its frequency and level.
    """

    path: Path
    raven_path: Path
    audacity_path: Path
    annotations: Annotations = field(repr=False)
    scene: Scene = field(repr=False)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.scene.n_samples / self.scene.sample_rate

    @property
    def n_calls(self) -> int:
        """Number of anemonefish calls."""
        return sum(each.label == ANEMONEFISH for each in self.annotations)

    def __repr__(self) -> str:
        others = len(self.annotations) - self.n_calls
        return f"{self.path}: {self.duration:g} s, {self.n_calls} anemonefish calls, {others} other sounds"


def simulate(
    path: str | os.PathLike[str],
    *,
    seconds: float = 60.0,
    seed: int = 0,
    sample_rate: int = 48_000,
    **settings: Any,
) -> SimulatedRecording:
    """Write a simulated reef scene with its annotations beside it.

    Parameters
    ----------
    path : path
        The WAV file to write; ``PATH.selections.txt`` and ``PATH.audacity.txt`` go beside it.
    seconds : float
        Length.
    seed : int
        The same seed gives the same scene.
    sample_rate : int
        Samples per second, at least 8000.
    **settings
        Fields of :class:`.SceneSettings`: how many sounds, how loud, and in which noise.

    Returns
    -------
    SimulatedRecording

    Raises
    ------
    InvalidSettings
        A length, seed or rate that makes no scene, or a setting that is unknown or out of range.
    StorageError
        The files cannot be written.

    Examples
    --------
    >>> import anemonefish as af
    >>> af.simulate("reef.wav", seconds=20, seed=6)
    reef.wav: 20 s, 9 anemonefish calls, 4 other sounds
    """
    made, wav = scene(seconds, seed, sample_rate, _settings(settings)), Path(path)
    with atomic_file(wav) as temporary:
        write_scene(made, temporary)
    raven, audacity = (wav.with_name(f"{wav.name}.{ending}") for ending in ("selections.txt", "audacity.txt"))
    rate = made.sample_rate
    reference = AudioReference(path=str(wav.resolve()), name=wav.name, sample_rate=rate)
    with atomic_file(raven) as temporary, temporary.open("w", newline="") as file:
        write_raven(file, [(reference, made.labels)])
    with atomic_file(audacity) as temporary, temporary.open("w", newline="") as file:
        write_audacity(file, made.labels, sample_rate=rate)
    items = (
        Annotation(
            wav.name, seconds_of(each.start, rate), seconds_of(each.stop, rate), each.label, each.low_hz, each.high_hz
        )
        for each in made.labels
    )
    return SimulatedRecording(wav, raven, audacity, Annotations(raven, tuple(items)), made)


def _settings(given: Mapping[str, Any]) -> SceneSettings:
    known = [field.name for field in fields(SceneSettings)]
    for name in given:
        if name not in known:
            raise InvalidSettings(f"a scene has no setting {name!r}; it has {', '.join(known)}")
    return SceneSettings(**given)
