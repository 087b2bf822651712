"""Model bundles: what a model is, where it lies and how it is run.

============================  =========================================================================
:mod:`.bundle`                ``model.json`` as a value: classes, shapes, profile, hashes, parity
:mod:`.card`                  what a model has heard, what was measured, whether it is fit for science
:mod:`.earlier_cards`         cards of bundles that were published without one
:mod:`.model_names`           engines, variants and aliases: the names that users type
:mod:`.repository`            names, versions and aliases in a store; loading with every hash checked
:mod:`.copy_bundles`          bundles of one store that another one lacks
:mod:`.engine`                a loaded model: spectrograms in, scores out, whichever engine runs it
:mod:`.litert`                LiteRT, which runs a network in every zip-packaged worker
:mod:`.keras`                 Keras, which runs a network in the container image
:mod:`.portable`              replacements for layers that TensorFlow computes on some processors only
:mod:`.ncnn`                  ncnn, which runs networks that Winograd's algorithm shortens
:mod:`.ncnn_fallback`         LiteRT instead of ncnn, where ncnn does not run a model
:mod:`.golden`                a few windows of audio with the scores of the training stack
:mod:`.description`           sentences about a published model, for the terminal
============================  =========================================================================

:mod:`anemonefish.publishing` makes bundles.
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
    """Import a name of this package when it is first used, so that :mod:`.model_names` needs no numpy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
