"""Whether ncnn runs a network here, found out before a job is pinned to it.

ncnn serves a network only where its golden example passes. A place where ncnn is missing, crashes or computes otherwise
uses LiteRT's file of the same bundle. That is decided once, when a job is planned: a job has one engine, whose name is
part of what its scores are stored under, so scores of two engines never meet. A worker whose golden example fails later
refuses to serve.

Run as a program it loads a model and says what is wrong with it, if anything is: a crash ends that process alone.
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

__all__ = ["fallback", "proven"]

_LOG = logging.getLogger(__name__)
_SECONDS = 300.0
_VERDICT = 3


def proven(models: ModelRepository, pinned: PinnedModel) -> PinnedModel:
    """Return the model as it can be served here: itself, or run by LiteRT where ncnn cannot.

    Raises
    ------
    ModelNotFound, InvalidBundle
        ncnn cannot, and the bundle is not as it was published.
    """
    if pinned.engine != "ncnn" or pinned.variant is not None:
        return pinned
    reason = _trouble(models.store.uri, pinned)
    return pinned if reason is None else fallback(models, pinned, reason)


def fallback(models: ModelRepository, pinned: PinnedModel, reason: str) -> PinnedModel:
    """Return the model run by LiteRT, and log why; errors as of :func:`proven`."""
    spec = models.spec(pinned)
    for name in (*variant_files(WINOGRAD), GOLDEN, LITERT):
        models.read_file(spec, name)  # what was altered is refused, not worked around
    _LOG.warning("%s is run by LiteRT instead of ncnn here: %s", pinned.reference, reason)
    return replace(pinned, engine="litert")


@lru_cache(maxsize=8)
def _trouble(store_uri: str, pinned: PinnedModel) -> str | None:
    """Return why ncnn does not serve a model here, None where it does or where that cannot be told."""
    command = [sys.executable, "-m", "anemonefish.models.proof", store_uri, json.dumps(pinned.to_dict())]
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
