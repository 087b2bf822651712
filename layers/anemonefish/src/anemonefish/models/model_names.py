"""Names of engines, variants and aliases: what users type and bundles hold.

Imports nothing, so that the command line can offer these names without loading numpy.
"""

__all__ = ["ACTIVATIONS", "ALIASES", "ENGINES", "VARIANTS"]

ALIASES = ("production", "staging")
"""Names that stand for a version of a model."""

ACTIVATIONS = ("softmax", "sigmoid", "none")
"""What may be applied to outputs that are logits."""

ENGINES = ("litert", "keras", "ncnn")
"""What can serve a network: LiteRT and ncnn in every worker, Keras in the container image or beside a training. What
ncnn serves has LiteRT's file too, for where ncnn is missing or fails its golden example."""

VARIANTS = {"int8": "litert", "winograd": "ncnn"}
"""Variants of a network, and the engine that runs each: weights and arithmetic in 8 bit, which is less precise; float32
with fewer multiplications."""
