"""Publish: a network that Keras saved becomes a model that :func:`anemonefish.detect` can use."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anemonefish.front.model_location import models_or_default, writable_models
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.card import NOT_STATED, ModelCard
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles import Profile, profile_named
from anemonefish.publishing.publish import PublishRequest
from anemonefish.publishing.publish import publish as publish_bundle
from anemonefish.publishing.training_files import read_card
from anemonefish.stores import open_store

__all__ = ["publish"]


def publish(
    keras: str | os.PathLike[str],
    *,
    name: str,
    version: str,
    profile: str | Profile,
    profile_constants: Mapping[str, Any] | None = None,
    classes: Sequence[str] = (),
    target_class: str = "anemonefish",
    sample_rate: int | None = None,
    metadata: str | os.PathLike[str] | None = None,
    audio: str | os.PathLike[str] | None = None,
    activation: str | None = None,
    layers: str | os.PathLike[str] | None = None,
    engine: str = "auto",
    variants: Sequence[str] = (),
    decision: Mapping[str, Any] | None = None,
    card: str | os.PathLike[str] | Mapping[str, Any] | ModelCard | None = None,
    description: str = "",
    license: str = "",
    alias: str | None = None,
    models: str | os.PathLike[str] | None = None,
) -> ModelSpec:
    """Publish a ``.keras`` or ``.h5`` file; it is refused unless it gives the scores of the training.

    Needs TensorFlow: ``pip install 'anemonefish[publish]'``.

    Parameters
    ----------
    keras : path
        The file as the training saved it.
    name, version : str
        What to call the model; a version is never used again.
    profile : {"stft-db", "image", "band-db"} or Profile
        Preprocessing of the training.
    profile_constants : mapping, optional
        Constants that differ from the profile's defaults, for example ``{"hop_length": 512}``.
    classes : sequence of str
        In the order of the outputs; from ``metadata`` unless given.
    target_class : str
        The class whose events are looked for.
    sample_rate : int, optional
        Rate that the model was trained at, in Hz.
    metadata : path, optional
        The training's ``model_config.yaml``.
    audio : path, optional
        A recording on which to compare the engines, besides simulated scenes.
    activation : {"softmax", "sigmoid", "none"}, optional
        What makes scores of outputs that are logits.
    layers : path, optional
        Python file that defines the network's own layers.
    engine : {"auto", "litert", "keras", "ncnn"}
        What serves it; ``auto`` is ncnn where that is faster, else LiteRT, and Keras where LiteRT cannot.
    variants : sequence of str
        Other arithmetic to make too, served by name.
    decision : mapping, optional
        Settings that turn its scores into events unless a user gives others, for example ``{"threshold": 0.7,
        "median_windows": 3}``; the lab's where nothing is named.
    card : path, mapping or ModelCard, optional
        What the model has heard and has not, what was measured, and whether it is fit for science; every result
        carries a line of it. A path names a YAML or JSON file. Without a card that line is "fit for science: not
        stated".
    description, license : str
        What it was trained on, and the SPDX name of the licence of its weights.
    alias : {"production", "staging"}, optional
        Point this alias to the new version.
    models : path, optional
        Folder or ``s3://bucket`` to publish to.

    Returns
    -------
    ModelSpec
        Everything about the new model that is not its weights.

    Raises
    ------
    InvalidRequest
        The version exists, or a file cannot be read.
    IncompatibleModel
        The network does not fit its profile or classes.
    ParityError
        Its scores here differ from those of Keras by more than may be served.

    Examples
    --------
    >>> import anemonefish as af
    >>> af.publish("missing.keras", name="mine", version="1.0.0", profile="stft-db", classes=["noise", "anemonefish"])
    Traceback (most recent call last):
    anemonefish.errors.InvalidRequest: missing.keras: there is no such file; give the .keras file that training saved
    """
    repository = ModelRepository(open_store(writable_models(models_or_default(models))))
    request = PublishRequest(
        keras=Path(keras),
        name=name,
        version=version,
        profile=profile_named(profile, **(profile_constants or {})) if isinstance(profile, str) else profile,
        classes=tuple(classes),
        target_class=target_class,
        sample_rate=sample_rate,
        metadata=None if metadata is None else Path(metadata),
        audio=None if audio is None else os.fspath(audio),
        activation=activation,
        layers=None if layers is None else Path(layers),
        engine=engine,
        variants=tuple(dict.fromkeys(variants)),
        decision=Decision.from_dict({**LAB_DECISION.to_dict(), **(decision or {})}),
        card=_card(card),
        description=description,
        license=license,
    )
    spec = publish_bundle(request, repository)
    if alias is not None:
        repository.set_alias(name, alias, version)
    return spec


def _card(card: str | os.PathLike[str] | Mapping[str, Any] | ModelCard | None) -> ModelCard:
    """Return the card that a user gave as a file, as names and values, or as a card."""
    if card is None:
        return NOT_STATED
    if isinstance(card, ModelCard):
        return card
    return ModelCard.from_dict(card) if isinstance(card, Mapping) else read_card(Path(card))
