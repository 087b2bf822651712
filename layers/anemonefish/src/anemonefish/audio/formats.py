"""Which containers there are, and what a file is by its first bytes.

Owns the one registry of formats: what a file is, by its first bytes and never by its name, and whether it is
sample-accurately seekable: whether any sample can be decoded without decoding what lies before. Never decodes a sample.

Sources: Microsoft/IBM RIFF MCI (1991); EBU Tech 3306 (RF64); Sony Wave64 specification; Apple AIFF 1.3; RFC 9639
(FLAC); RFC 3533 (Ogg); ISO/IEC 11172-3 (MPEG audio); ISO/IEC 14496-12 (MP4); RFC 8794 (EBML); id3.org (ID3v2.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

from anemonefish.audio.mpeg import find_first_frame, tag_length

__all__ = ["AUDIO_EXTENSIONS", "CONTAINERS", "Container", "after_tags", "recognise"]


@dataclass(frozen=True, slots=True)
class Container:
    """A file format.

    Attributes
    ----------
    name : str
    extensions : tuple of str
        What its files are called.
    exact : bool
        Whether it is sample-accurately seekable. Recordings in the others are transcoded first.
    """

    name: str
    extensions: tuple[str, ...]
    exact: bool


CONTAINERS = {
    each.name: each
    for each in (
        Container("WAV", (".wav", ".wave", ".bwf"), exact=True),
        Container("RF64", (".rf64", ".bw64"), exact=True),
        Container("W64", (".w64",), exact=True),
        Container("AIFF", (".aif", ".aiff", ".aifc"), exact=True),
        Container("FLAC", (".flac",), exact=True),
        Container("OGG", (".ogg", ".oga", ".opus"), exact=False),
        Container("MP3", (".mp3",), exact=False),
        Container("MP4", (".m4a", ".mp4"), exact=False),
        Container("AAC", (".aac",), exact=False),
        Container("WEBM", (".webm", ".mka"), exact=False),
        Container("CAF", (".caf",), exact=False),
        Container("AU", (".au",), exact=False),
        Container("ASF", (".wma",), exact=False),
        Container("WAVPACK", (".wv",), exact=False),
    )
}
"""Every container by its name."""

AUDIO_EXTENSIONS = frozenset(extension for each in CONTAINERS.values() for extension in each.extensions)
"""What recordings are called: looked for in a folder, asked for in an upload. A file that a user names on the command
line is opened whatever it is called."""

_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""What an MP4 may begin with; QuickTime's have no ``ftyp``."""


def recognise(file: BinaryIO) -> Container | None:
    """Return the container of a file by its first bytes, or None for what is no recording.

    Bytes of no format may stand before the frames of MP3 and AAC; those are looked for, some in a row, near the
    beginning (:func:`~anemonefish.audio.mpeg.find_first_frame`).

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    file.seek(after_tags(file))
    head = file.read(32)
    name = next((name for name, fits in _SIGNATURES if fits(head)), None) or _stream_behind_junk(file)
    return None if name is None else CONTAINERS[name]


def _stream_behind_junk(file: BinaryIO) -> str | None:
    """Return the name of an MPEG audio stream that begins behind bytes of no format."""
    found = find_first_frame(file, file.seek(0, SEEK_END))
    if found is None:
        return None
    file.seek(found[0])
    return "AAC" if _is_mpeg_frame(file.read(4), {0}) else "MP3"


def after_tags(file: BinaryIO) -> int:
    """Return the offset behind any tags: those stand before MP3, AAC and, here and there, FLAC.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    offset = 0
    while True:
        file.seek(offset)
        length = tag_length(file.read(32))
        if length == 0:
            return offset
        offset += length


def _is_mpeg_frame(head: bytes, layers: set[int]) -> bool:
    """Say whether a frame of MPEG audio begins: eleven bits set, then a version, a layer, rates that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return layer in layers and version != 1 and (layer == 0 or (head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3))


_SIGNATURES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("WAV", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE"),
    ("RF64", lambda head: head[:4] in {b"RF64", b"BW64"} and head[8:12] == b"WAVE"),
    ("W64", lambda head: head[:16] == _W64_RIFF),
    ("AIFF", lambda head: head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}),
    ("FLAC", lambda head: head[:4] == b"fLaC"),
    ("OGG", lambda head: head[:4] == b"OggS"),
    ("MP4", lambda head: head[4:8] in _BOXES),
    ("WEBM", lambda head: head[:4] == b"\x1aE\xdf\xa3"),
    ("CAF", lambda head: head[:4] == b"caff"),
    ("AU", lambda head: head[:4] == b".snd"),
    ("ASF", lambda head: head[:16] == _ASF),
    ("WAVPACK", lambda head: head[:4] == b"wvpk"),
    ("AAC", lambda head: _is_mpeg_frame(head, {0}) and head[1] & 0xF0 == 0xF0),
    ("MP3", lambda head: _is_mpeg_frame(head, {1, 2, 3})),
)
