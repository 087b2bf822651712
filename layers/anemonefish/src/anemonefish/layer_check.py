"""Check that the layers of a Lambda function were built for the processor that it runs on.

``sam build`` does not pass the ``Architecture`` of the deployment to a layer's Makefile, and Lambda does not inspect a
layer. So every layer has a marker, ``python/anemonefish_layers/{layer}``, that names the processor it was built for.
The package compares it with the machine before it loads a compiled library.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from anemonefish.errors import WrongArchitecture

__all__ = ["MARKERS", "check_layers", "machine_architecture"]

MARKERS = "anemonefish_layers"
"""Folder of the markers, beside the packages of a layer; one file per layer."""

_AWS_NAMES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}


def machine_architecture() -> str:
    """Return this machine's processor by AWS's name, ``arm64`` or ``x86_64``; others by Python's name."""
    machine = platform.machine()
    return _AWS_NAMES.get(machine.lower(), machine)


def check_layers(paths: Iterable[str] | None = None) -> None:
    """Refuse layers that were built for another processor.

    Outside Lambda there are no layers, so nothing is checked.

    Parameters
    ----------
    paths : iterable of str, optional
        Folders that packages are loaded from; ``sys.path`` unless given.

    Raises
    ------
    WrongArchitecture
        A marker names another processor than this machine's.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return
    here = machine_architecture()
    wrong = {
        marker.name: built_for
        for path in (sys.path if paths is None else paths)
        for marker in sorted(Path(path, MARKERS).glob("*"))
        if (built_for := marker.read_text(encoding="ascii").strip()) != here
    }
    if wrong:
        layers = ", ".join(f"{layer} for {built_for}" for layer, built_for in sorted(wrong.items()))
        raise WrongArchitecture(
            f"the layers were built for another processor ({layers}), but this function runs on {here}; "
            f"build them again with ARCHITECTURE={here} sam build, and deploy with Architecture={here}"
        )
