"""What a user says of a model that is to be published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anemonefish.models.card import NOT_STATED, ModelCard
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.profiles import Profile

__all__ = ["PublishRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """What a user says of a model.

    Attributes
    ----------
    keras : Path
        The file as training saved it, ``.keras`` or ``.h5``, optimiser state and all.
    name, version : str
        What to call the bundle.
    profile : Profile
        The preprocessing it was trained on.
    classes : tuple of str
        Its outputs in order; one for a single sigmoid. Empty: taken from ``metadata``.
    target_class : str
        The class whose events are looked for.
    more_targets : tuple of str
        Other classes whose events are looked for too, unless a user names classes.
    sample_rate : int or None
        The rate it was trained at, in Hz; None when every rate gives its input shape.
    metadata : Path or None
        The training's ``model_config.yaml``.
    audio : str or None
        A recording to compare the engines on besides two simulated scenes.
    description, license : str
    layers : Path or None
        Python that defines the network's own layers.
    engine : {"auto", "litert", "keras", "ncnn"}
        What is to serve it; ``auto`` is ncnn where it spares much and is as exact, or else LiteRT, or else Keras.
    activation : {"softmax", "sigmoid", "none"} or None
        What makes scores of the outputs, where the network does not end with it (:mod:`.head`).
    variants : tuple of {"int8", "winograd"}
        What to make as well: a lower precision, fewer multiplications.
    decision : Decision
        The settings that turn its scores into events; the lab's unless given.
    card : ModelCard
        What it has heard and how well it was measured; every field is "not stated" unless given.
    """

    keras: Path
    name: str
    version: str
    profile: Profile
    classes: tuple[str, ...] = ()
    target_class: str = "anemonefish"
    sample_rate: int | None = None
    metadata: Path | None = None
    audio: str | None = None
    description: str = ""
    license: str = ""
    layers: Path | None = None
    engine: str = "auto"
    variants: tuple[str, ...] = ()
    activation: str | None = None
    decision: Decision = LAB_DECISION
    card: ModelCard = NOT_STATED
    more_targets: tuple[str, ...] = ()
