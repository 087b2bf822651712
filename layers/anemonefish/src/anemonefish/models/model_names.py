"""Names of engines, variants and aliases: what users type and bundles hold.

This module imports nothing, so that the command line offers these names without loading numpy.
"""

__all__ = ["ACTIVATIONS", "ALIASES", "ENGINES", "VARIANTS"]

ALIASES = ("production", "staging")
"""Names that point to a version of a model."""

ACTIVATIONS = ("softmax", "sigmoid", "none")
"""Activations that publishing can append to a network whose outputs are logits."""

ENGINES = ("litert", "keras", "ncnn")
"""What can serve a network: LiteRT and ncnn in every worker, Keras in the container image or beside a training. A
network that ncnn serves has LiteRT's file too, which is used where ncnn is missing or fails its golden example."""

VARIANTS = {"int8": "litert", "winograd": "ncnn"}
"""Variants of a network, and the engine that runs each: weights and arithmetic in 8 bit, which is less precise; float32
with fewer multiplications."""
