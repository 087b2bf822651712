"""Model bundles: what a model is, where it lies, how it is run and how it is made.

========================  ==========================================================================
:mod:`.bundle`            ``model.json`` as a value: classes, shapes, profile, hashes, parity
:mod:`.repository`        names, versions and aliases in a store; loading with every hash checked
:mod:`.engine`            LiteRT: spectrograms in, scores out
:mod:`.golden`            a few windows of audio with the scores of the training stack
:mod:`.publish`           a ``.keras`` file becomes a bundle (the only module that needs TensorFlow)
========================  ==========================================================================
"""

from anemonefish.models.bundle import ModelSpec
from anemonefish.models.engine import Model
from anemonefish.models.repository import ModelRepository, PinnedModel

__all__ = ["Model", "ModelRepository", "ModelSpec", "PinnedModel"]
