"""The contents of RIFF chunks that describe a recording: GUANO, ``bext``, ``iXML`` and ``LIST INFO``.

Each function takes the bytes of one chunk and returns its texts. A chunk that cannot be parsed returns nothing.

Sources: GUANO specification 1.0 (github.com/riggsd/guano-spec); EBU Tech 3285 v2 (``bext``); iXML 2.10 (ixml.info);
Microsoft/IBM RIFF MCI (1991), chapter 3 (``LIST INFO``).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from anemonefish.audio.chunks import is_chunk_name
from anemonefish.audio.headers.metadata import BroadcastExtension

__all__ = ["decode_text", "read_bext", "read_guano", "read_info_list", "read_ixml"]

_BEXT_BYTES = 346  # up to TimeReference, inclusive; after it come loudness and the coding history
_IXML_FIELDS = ("ORIGINATION_DATE", "ORIGINATION_TIME", "TIME_REFERENCE_HIGH", "TIME_REFERENCE_LOW")


def decode_text(content: bytes) -> str:
    """Decode the bytes before the first zero byte as UTF-8, or as Latin-1 where they are no UTF-8."""
    content = content.split(b"\0", 1)[0]
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return content.decode("latin-1").strip()


def read_guano(content: bytes) -> dict[str, str]:
    """Return the fields of a GUANO chunk, which has ``name: value`` lines; the first of equal names is kept."""
    fields: dict[str, str] = {}
    for line in decode_text(content).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def read_bext(content: bytes) -> BroadcastExtension | None:
    """Return the fields of ``bext`` after Description (256 bytes), Originator (32) and OriginatorReference (32)."""
    if len(content) < _BEXT_BYTES:
        return None
    date, time, reference = struct.unpack_from("<10s8sQ", content, 320)
    return BroadcastExtension(decode_text(date), decode_text(time), reference)


def read_ixml(content: bytes) -> BroadcastExtension | None:
    """Return the copies of the ``bext`` fields in ``iXML``: four flat elements, which need no XML parser."""
    text = decode_text(content)
    found = {name: _element(text, f"BWF_{name}") for name in _IXML_FIELDS}
    date, time, high, low = (found[name] for name in _IXML_FIELDS)
    if not date or not time:
        return None
    known = high.isdecimal() and low.isdecimal() and len(high) <= 10 and len(low) <= 10
    return BroadcastExtension(date, time, (int(high) << 32) + int(low) if known else 0, "iXML")


def _element(text: str, name: str) -> str:
    match = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return match[1].strip() if match else ""


def read_info_list(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the four letters and the text of each entry of a ``LIST INFO`` chunk."""
    offset = 4
    while offset + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, offset)
        text = decode_text(content[offset + 8 : offset + 8 + length])
        if not is_chunk_name(name):
            return
        if text:
            yield name.decode("ascii"), text
        offset += 8 + length + (length & 1)
