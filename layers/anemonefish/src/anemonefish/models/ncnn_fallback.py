"""Check that ncnn runs a model on this machine, and use LiteRT where it does not.

A model that ncnn serves has LiteRT's file in the same bundle. LiteRT runs it where ncnn is missing, crashes or gives
other scores of the golden example. The choice is made once, when a job is planned. A job has one engine, and scores are
stored under its name, so scores of two engines are never mixed. A worker whose golden example fails later refuses its
range.

Run as a program, this module loads a model and prints what is wrong with it. A crash of ncnn then ends that process
only.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache

from anemonefish.errors import InvalidBundle, ParityError
from anemonefish.models.bundle import GOLDEN, LITERT, WINOGRAD, variant_files
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.stores import open_store

__all__ = ["fallback", "runnable"]

_LOG = logging.getLogger(__name__)
_SECONDS = 300.0
_VERDICT = 3


def runnable(models: ModelRepository, pinned: PinnedModel) -> PinnedModel:
    """Return the model with an engine that runs it on this machine: its own, or LiteRT where ncnn does not run it.

    Raises
    ------
    ModelNotFound, InvalidBundle
        ncnn does not run it, and the bundle was altered after it was published.
    """
    if pinned.engine != "ncnn" or pinned.variant is not None:
        return pinned
    reason = _trouble(models.store.uri, pinned)
    return pinned if reason is None else fallback(models, pinned, reason)


def fallback(models: ModelRepository, pinned: PinnedModel, reason: str) -> PinnedModel:
    """Return the model with LiteRT as its engine, and log why; errors as of :func:`runnable`."""
    spec = models.spec(pinned)
    for name in (*variant_files(WINOGRAD), GOLDEN, LITERT):
        models.read_file(spec, name)  # an altered file is refused, not worked around
    _LOG.warning("%s is run by LiteRT instead of ncnn here: %s", pinned.reference, reason)
    return replace(pinned, engine="litert")


@lru_cache(maxsize=8)
def _trouble(store_uri: str, pinned: PinnedModel) -> str | None:
    """Return why ncnn does not run a model here; None where it does, or where another error hides the answer."""
    command = [sys.executable, "-m", "anemonefish.models.ncnn_fallback", store_uri, json.dumps(pinned.to_dict())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it did not score the golden example in {_SECONDS:.0f} s"
    if done.returncode < 0:
        return f"its process died of signal {-done.returncode}"
    return done.stdout.strip() if done.returncode == _VERDICT else None


def _main(store_uri: str, document: str) -> int:
    try:
        ModelRepository(open_store(store_uri)).load(PinnedModel.from_dict(json.loads(document)))
    except (InvalidBundle, ParityError) as error:
        print(error)
        return _VERDICT
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
