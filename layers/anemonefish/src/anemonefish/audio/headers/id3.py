"""Tags of ID3v2, which stand before MP3 and AAC and in chunks of WAV and AIFF.

Sources: id3.org, ID3v2.2 to ID3v2.4.
"""

from __future__ import annotations

from collections.abc import Iterator

from anemonefish.audio.leading_tags import seven_bit_number

__all__ = ["read_id3"]

_NAMES = {"TDRC": "DATE", "TDRL": "DATE_RELEASED", "COMM": "COMMENT", "COM": "COMMENT"}
_ENCODINGS = {b"\0": "latin-1", b"\1": "utf-16", b"\2": "utf-16-be", b"\3": "utf-8"}


def read_id3(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and text of the dates, the comments and the user-defined texts of a tag, version 2.2 to 2.4."""
    if content[:3] != b"ID3" or len(content) < 10:
        return
    version, end = content[3], 10 + seven_bit_number(content[6:10])
    letters, head = (3, 6) if version == 2 else (4, 10)
    offset = 10
    while offset + head <= min(end, len(content)) and content[offset]:
        name = content[offset : offset + letters].decode("latin-1")
        size = content[offset + letters : offset + 2 * letters]
        length = seven_bit_number(size) if version == 4 else int.from_bytes(size, "big")
        body = content[offset + head : offset + head + length]
        if name in {"TXXX", "TXX", "COMM", "COM"}:
            title, text = _title_and_text(body[:1], body[4 if name.startswith("COM") else 1 :])
            yield _NAMES.get(name, title), text
        elif name in _NAMES:
            yield _NAMES[name], _decode(body[:1], body[1:])
        offset += head + length


def _title_and_text(encoding: bytes, body: bytes) -> tuple[str, str]:
    """Return a title and its text, which two zero bytes (in UTF-16) or one separate."""
    wide = encoding in {b"\1", b"\2"}
    cut = next((at for at in range(0, len(body), 2) if body[at : at + 2] == b"\0\0"), -1) if wide else body.find(b"\0")
    if cut < 0:
        return "", ""
    return _decode(encoding, body[:cut]), _decode(encoding, body[cut + (2 if wide else 1) :])


def _decode(encoding: bytes, body: bytes) -> str:
    return body.decode(_ENCODINGS.get(encoding, "latin-1"), errors="replace").split("\0")[0].strip("\ufeff ")
