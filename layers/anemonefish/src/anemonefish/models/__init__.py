"""Model bundles: what a model is, where it lies, how it is run and how it is made.

========================  ==========================================================================
:mod:`.bundle`            ``model.json`` as a value: classes, shapes, profile, hashes, parity
:mod:`.names`             engines, variants and aliases: the names that users type
:mod:`.repository`        names, versions and aliases in a store; loading with every hash checked
:mod:`.engine`            a loaded model: spectrograms in, scores out, whatever runs the network
:mod:`.litert`            LiteRT, which runs it in every worker that is a zip
:mod:`.keras`             Keras, which runs it in the container image: the training stack itself
:mod:`.ncnn`              ncnn, which runs networks that Winograd's algorithm shortens
:mod:`.proof`             whether ncnn runs a model here, and LiteRT in its place
:mod:`.golden`            a few windows of audio with the scores of the training stack
:mod:`.publish`           a ``.keras`` file becomes a bundle (needs TensorFlow)
:mod:`.head`              whether the outputs of a network are scores
:mod:`.trial`             the windows engines are compared on, and what may be served
:mod:`.precise`           the network in float64
:mod:`.portable`          layers that TensorFlow computes on some processors only
:mod:`.variants`          the network in other arithmetic, and how far each agrees
:mod:`.winograd`          a network in ncnn's format (needs TensorFlow)
:mod:`.summary`           what a user is told of a published model
========================  ==========================================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anemonefish.models.bundle import ModelSpec
    from anemonefish.models.engine import Model
    from anemonefish.models.repository import ModelRepository, PinnedModel

__all__ = ["Model", "ModelRepository", "ModelSpec", "PinnedModel"]

_MODULES = {"Model": "engine", "ModelSpec": "bundle", "ModelRepository": "repository", "PinnedModel": "repository"}


def __getattr__(name: str) -> Any:
    """Import a name of this package when it is first used, so that :mod:`.names` needs no numpy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
