"""The registry of recording formats, and how a file's format is recognised by its first bytes.

A file's name is never looked at. The registry also says which formats are sample-accurately seekable: any sample of
them can be decoded without decoding all samples before it. Recordings in other formats are transcoded first.

Sources: Microsoft/IBM RIFF MCI (1991); EBU Tech 3306 (RF64); Sony Wave64 specification; Apple AIFF 1.3; RFC 9639
(FLAC); RFC 3533 (Ogg); ISO/IEC 11172-3 (MPEG audio); ISO/IEC 14496-12 (MP4); RFC 8794 (EBML).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import SEEK_END

from anemonefish.audio.leading_tags import after_tags
from anemonefish.audio.mpeg_stream import find_first_frame
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["AUDIO_EXTENSIONS", "CONTAINERS", "HEAD_BYTES", "Container", "container_name", "recognise"]

HEAD_BYTES = 32
"""Bytes of a file that :func:`container_name` needs."""


@dataclass(frozen=True, slots=True)
class Container:
    """A file format.

    Attributes
    ----------
    name : str
    extensions : tuple of str
        Extensions of its files, in lower case, with the dot.
    exact : bool
        Whether it is sample-accurately seekable.
    """

    name: str
    extensions: tuple[str, ...]
    exact: bool


CONTAINERS = {
    container.name: container
    for container in (
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

AUDIO_EXTENSIONS = frozenset(extension for container in CONTAINERS.values() for extension in container.extensions)
"""Extensions by which recordings are found in a folder, and which an upload must have. A file that is named on the
command line is opened whatever its extension is."""

_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""Boxes that an MP4 file may begin with; QuickTime files have no ``ftyp``."""


def recognise(file: BinaryFile) -> Container | None:
    """Return the container of a file by its first bytes, or None when they match no known format.

    Tags before the sound are skipped. Frames of MP3 and AAC are also searched for near the beginning of the file, since
    bytes of no format may stand before them (:func:`~anemonefish.audio.mpeg_stream.find_first_frame`).

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    name = container_name(read_at(file, after_tags(file), HEAD_BYTES)) or _search_mpeg_stream(file)
    return None if name is None else CONTAINERS[name]


def container_name(head: bytes) -> str | None:
    """Return the name of the container whose files begin with ``head``, or None when it matches no known format."""
    return next((name for name, matches in _SIGNATURES if matches(head)), None)


def _search_mpeg_stream(file: BinaryFile) -> str | None:
    """Return the name of an MPEG audio stream that begins after bytes of no format."""
    found = find_first_frame(file, file.seek(0, SEEK_END))
    if found is None:
        return None
    return "AAC" if _is_mpeg_frame(read_at(file, found[0], 4), {0}) else "MP3"


def _is_mpeg_frame(head: bytes, layers: set[int]) -> bool:
    """Return whether a frame of MPEG audio begins here: eleven set bits, then a valid version, layer and rates."""
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
