"""Prepare Keras for a training: processors, seeds, and the same sums in every run."""

from __future__ import annotations

import os

from anemonefish.errors import InvalidRequest

__all__ = ["NOT_INSTALLED", "prepare_keras"]

NOT_INSTALLED = "training needs TensorFlow; install it with: pip install 'anemonefish[train]'"


def prepare_keras(seed: int, threads: int) -> None:
    """Load Keras, and set its seeds and threads for this process.

    TensorFlow reads the number of threads when it starts; where it runs already, they stay as they are.

    Raises
    ------
    InvalidRequest
        TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # without TensorFlow's messages at start
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # faster; TensorFlow has it off without AVX-512
    try:
        import keras
        import tensorflow as tf
    except ImportError:
        raise InvalidRequest(NOT_INSTALLED) from None
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
