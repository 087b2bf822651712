"""Decode audio files that browsers send as base64."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from io import BytesIO

from anemonefish.audio.formats import recognise
from anemonefish.errors import InvalidRequest, short_repr

__all__ = ["decode_audio", "is_encoded_audio"]

_DATA_URL = re.compile(r"\s*data:([^,]{0,200}),", re.IGNORECASE)
_FOREIGN = re.compile(r"[^A-Za-z0-9+/_=\-\s]", re.ASCII)
_AFTER_PADDING = re.compile(r"=\s*[^=\s]", re.ASCII)
_SPACE = re.compile(r"\s+", re.ASCII)
_HEAD = 96
"""Number of characters that are decoded to recognise a container: 72 bytes, more than any container needs."""


def decode_audio(text: str, what: str) -> bytes:
    """Decode base64.

    Both alphabets are accepted, with or without padding, line breaks and the prefix of a ``data:`` URL.

    Parameters
    ----------
    text : str
    what : str
        Name of the audio in messages.

    Raises
    ------
    InvalidRequest
        It is not base64; the message has the offset in ``text``.
    """
    begin = 0
    prefix = _DATA_URL.match(text)
    if prefix is not None:
        if "base64" not in [part.strip().lower() for part in prefix[1].split(";")[1:]]:
            raise InvalidRequest(
                f"{what} is a data: URL without ;base64 ({short_repr(prefix[0])}); send the audio in base64"
            )
        begin = prefix.end()
    wrong = _FOREIGN.search(text, begin)
    if wrong is not None:
        raise InvalidRequest(
            f"{what} is not base64: {short_repr(wrong[0])} at offset {wrong.start()}; send the audio file in base64"
        )
    after = _AFTER_PADDING.search(text, begin)
    if after is not None:
        raise InvalidRequest(
            f"{what} is not base64: text follows its padding at offset {after.start()}; send one file in one piece"
        )
    digits = _SPACE.sub("", text[begin:]).rstrip("=")
    if len(digits) % 4 == 1:
        raise InvalidRequest(
            f"{what} is not base64: it ends at offset {len(text)}, in the middle of a byte; send all of it"
        )
    return base64.b64decode(digits.replace("-", "+").replace("_", "/") + "=" * (-len(digits) % 4))


def is_encoded_audio(content: bytes) -> bool:
    """Return whether bytes are an audio file in base64: a ``data:`` URL, or text that begins as a container does."""
    head = content[:_HEAD].decode("latin-1")
    if _DATA_URL.match(head):
        return True
    if len(content) < _HEAD // 2 or not head.isascii() or _FOREIGN.search(head):
        return False
    digits = _SPACE.sub("", head).rstrip("=")
    with suppress(InvalidRequest):
        begin = decode_audio(digits[: len(digits) // 4 * 4], "audio")
        return begin.startswith(b"ID3") or recognise(BytesIO(begin)) is not None  # an ID3 tag is longer than the head
    return False
