"""Where models are looked for, and which model is used, unless the caller names another.

Imports no numpy, because the command line asks for these defaults before it does anything.
"""

from __future__ import annotations

import os
from pathlib import Path

from anemonefish.jobs.request import DEFAULT_MODEL

__all__ = [
    "MODELS_VARIABLE",
    "MODEL_VARIABLE",
    "default_models",
    "model_or_default",
    "models_or_default",
    "writable_models",
]

MODEL_VARIABLE, MODELS_VARIABLE = "ANEMONEFISH_MODEL", "ANEMONEFISH_MODELS"
"""Environment variables that name the model, and the folder or bucket of the models."""

_INSTALLED_MODELS = Path(__file__).parents[1] / "shipped"
"""Where a wheel keeps the reference model."""

_OWN_MODELS = Path("models")


def default_models() -> str:
    """Return the folder of models: the checkout's, else ``./models`` if it exists, else the installed one."""
    checkout = Path(__file__).parents[5] / "models"
    if (checkout / "reef").is_dir():
        return str(checkout)
    return str(_OWN_MODELS if _OWN_MODELS.is_dir() or not _INSTALLED_MODELS.is_dir() else _INSTALLED_MODELS)


def model_or_default(model: str | None) -> str:
    """Return the model that is named, else that of ``ANEMONEFISH_MODEL``, else the reference model."""
    return model or os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL


def models_or_default(models: str | os.PathLike[str] | None) -> str:
    """Return the folder or bucket that is named, else that of ``ANEMONEFISH_MODELS``, else the default folder."""
    return os.fspath(models) if models is not None else os.environ.get(MODELS_VARIABLE) or default_models()


def writable_models(uri: str) -> str:
    """Return where to publish: ``./models`` instead of the installed folder, which the next installation replaces."""
    return str(_OWN_MODELS) if uri == str(_INSTALLED_MODELS) else uri
