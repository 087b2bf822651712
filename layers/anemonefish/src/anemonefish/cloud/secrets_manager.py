"""Secrets: read one, remember it for a while."""

from __future__ import annotations

import time

from anemonefish.cloud.clients import client, service_answers
from anemonefish.errors import StorageError

__all__ = ["REMEMBERED_SECONDS", "secret"]

REMEMBERED_SECONDS = 300.0
"""How long a process goes on with a secret that was changed meanwhile."""

_known: dict[str, tuple[float, str]] = {}


def secret(arn: str) -> str:
    """Return the text of a secret, which may be up to five minutes old.

    Raises
    ------
    StorageError
        Secrets Manager did not answer, or holds no text under this name.
    """
    now = time.monotonic()
    read, value = _known.get(arn, (0.0, ""))
    if not value or now - read >= REMEMBERED_SECONDS:
        with service_answers("the secret"):
            answer = client("secretsmanager").get_secret_value(SecretId=arn)
        value = str(answer.get("SecretString") or "")
        if not value:
            raise StorageError(f"{arn}: the secret holds no text; put one into it")
        _known[arn] = (now, value)
    return value
