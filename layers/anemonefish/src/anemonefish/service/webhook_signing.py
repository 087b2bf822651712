"""Sign a webhook's request as Standard Webhooks 1.0.0 (standardwebhooks.com) describes.

Receivers can verify the signature with a ready-made library. The headers are ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from anemonefish.errors import StorageError

__all__ = ["sign", "signing_keys"]

_SECRET_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
"""Length of a key: Standard Webhooks asks for 192 to 512 bits."""

_EXPECTED_KEY = 'put "whsec_" and the base64 text of 24 to 64 random bytes into it (docs/deploy.md)'


def signing_keys(secret: str) -> tuple[bytes, ...]:
    """Decode the text of the webhook secret into the keys that sign a request.

    Parameters
    ----------
    secret : str
        One key, or several with spaces or line ends between them while keys are exchanged. A key is the base64 text of
        24 to 64 bytes, with or without ``whsec_`` before it and with or without its padding.

    Returns
    -------
    tuple of bytes
        At least one key, in the order of the text.

    Raises
    ------
    StorageError
        A key cannot be decoded. The message has the position of the key and never its text.

    Examples
    --------
    >>> signing_keys("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
    (b'012345678901234567890123',)
    """
    keys = tuple(_decode_key(text, position) for position, text in enumerate(secret.split(), start=1))
    if not keys:
        raise StorageError(f"the webhook secret is empty; {_EXPECTED_KEY}")
    return keys


def _decode_key(text: str, position: int) -> bytes:
    encoded = text.removeprefix(_SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError for text that is not ASCII
        raise StorageError(f"key {position} of the webhook secret is not base64; {_EXPECTED_KEY}") from None
    if len(key) not in _KEY_BYTES:
        raise StorageError(f"key {position} of the webhook secret has {len(key)} bytes; {_EXPECTED_KEY}")
    return key


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: one signature for each key, separated by spaces.

    Each is ``v1,`` and the base64 text of the HMAC-SHA256 of ``{message_id}.{timestamp}.{body}``.

    Parameters
    ----------
    keys : sequence of bytes
        From :func:`signing_keys`.
    message_id : str
        The value of ``webhook-id``.
    timestamp : int
        Unix seconds, the value of ``webhook-timestamp``.
    body : bytes
        The body as it is sent.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)
