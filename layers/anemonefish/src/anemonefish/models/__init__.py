"""Model bundles: what a model is, where it lies, how it is run and how it is made.

========================  ==========================================================================
:mod:`.bundle`            ``model.json`` as a value: classes, shapes, profile, hashes, parity
:mod:`.repository`        names, versions and aliases in a store; loading with every hash checked
:mod:`.engine`            a loaded model: spectrograms in, scores out, whatever runs the network
:mod:`.litert`            LiteRT, which runs it in every worker that is a zip
:mod:`.keras`             Keras, which runs it in the container image: the training stack itself
:mod:`.ncnn`              ncnn, which runs the variant ``winograd``
:mod:`.golden`            a few windows of audio with the scores of the training stack
:mod:`.publish`           a ``.keras`` file becomes a bundle (needs TensorFlow)
:mod:`.variants`          the network in other arithmetic, and how far each agrees
:mod:`.winograd`          a network in ncnn's format (needs TensorFlow)
========================  ==========================================================================
"""

from anemonefish.models.bundle import ModelSpec
from anemonefish.models.engine import Model
from anemonefish.models.repository import ModelRepository, PinnedModel

__all__ = ["Model", "ModelRepository", "ModelSpec", "PinnedModel"]
