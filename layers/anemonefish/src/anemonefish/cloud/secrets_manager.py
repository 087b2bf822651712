"""Read a secret of Secrets Manager, and cache it for five minutes."""

from __future__ import annotations

import time

from anemonefish.cloud.clients import client, translate_errors
from anemonefish.errors import StorageError

__all__ = ["REMEMBERED_SECONDS", "secret"]

REMEMBERED_SECONDS = 300.0
"""How long a process uses a cached secret before it reads it again."""

_known: dict[str, tuple[float, str]] = {}


def secret(arn: str) -> str:
    """Return the text of a secret; it may be up to five minutes old.

    Raises
    ------
    StorageError
        Secrets Manager did not answer, or the secret holds no text.
    """
    now = time.monotonic()
    read, value = _known.get(arn, (0.0, ""))
    if not value or now - read >= REMEMBERED_SECONDS:
        with translate_errors("the secret"):
            answer = client("secretsmanager").get_secret_value(SecretId=arn)
        value = str(answer.get("SecretString") or "")
        if not value:
            raise StorageError(f"{arn}: the secret holds no text; put one into it")
        _known[arn] = (now, value)
    return value
