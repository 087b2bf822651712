"""How one sample of a WAV, RF64, W64 or AIFF file is stored: codec, channels, sample rate and bytes.

Owns :class:`Encoding` and the parsers of the ``fmt`` chunk (:func:`read_fmt`) and of AIFF's ``COMM`` chunk
(:func:`read_comm`). Where fields of a header contradict each other, FFmpeg's rule decides if most of the fields agree
with it; otherwise the recording is refused, because a wrong layout turns every sample into noise.

Sources: Microsoft/IBM RIFF MCI (1991); Microsoft, WAVEFORMATEXTENSIBLE; Apple AIFF 1.3 and AIFF-C; FFmpeg's
``libavformat/riffdec.c`` for its rule.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from anemonefish.errors import UnreadableRecording
from anemonefish.notes import Note

__all__ = ["Encoding", "is_extensible", "read_comm", "read_fmt"]

_EXTENSIBLE = 0xFFFE
_PCM, _FLOAT, _ALAW, _ULAW = 1, 3, 6, 7
_CODECS = {
    (_PCM, 1): "PCM_U8",
    (_PCM, 2): "PCM_16",
    (_PCM, 3): "PCM_24",
    (_PCM, 4): "PCM_32",
    (_FLOAT, 4): "FLOAT",
    (_FLOAT, 8): "DOUBLE",
    (_ALAW, 1): "ALAW",
    (_ULAW, 1): "ULAW",
}
_AIFC_CODECS = {
    **{
        (name, width): codec
        for name in (b"NONE", b"twos", b"sowt")
        for width, codec in enumerate(("PCM_S8", "PCM_16", "PCM_24", "PCM_32"), 1)
    },
    (b"in24", 3): "PCM_24",
    (b"in32", 4): "PCM_32",
    (b"42ni", 3): "PCM_24",
    (b"23ni", 4): "PCM_32",
    (b"raw ", 1): "PCM_U8",
    (b"fl32", 4): "FLOAT",
    (b"fl64", 8): "DOUBLE",
    (b"alaw", 1): "ALAW",
    (b"ulaw", 1): "ULAW",
}
_LITTLE_ENDIAN_AIFC = frozenset({b"sowt", b"42ni", b"23ni"})


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a sample is stored.

    Attributes
    ----------
    codec : str
        libsndfile's name, for example ``PCM_24``.
    channels, sample_rate : int
    frame_bytes : int
        Bytes of one sample of all channels.
    big_endian : bool
    """

    codec: str
    channels: int
    sample_rate: int
    frame_bytes: int
    big_endian: bool = False


def is_extensible(form: bytes) -> bool:
    """Return whether a ``fmt`` chunk is a WAVEFORMATEXTENSIBLE."""
    return form[:2] == struct.pack("<H", _EXTENSIBLE)


def read_fmt(form: bytes, name: str) -> tuple[Encoding, tuple[Note, ...]] | None:
    """Read a ``fmt`` chunk.

    Parameters
    ----------
    form : bytes
        Content of the chunk.
    name : str
        Name of the recording in error messages.

    Returns
    -------
    (encoding, notes) or None
        None for a codec that does not store single samples.

    Raises
    ------
    UnreadableRecording
        Fields contradict each other, or no codec has such samples.
    """
    if len(form) < 16:
        return None
    code, channels, rate, byte_rate, block, bits = struct.unpack_from("<HHIIHH", form)
    if code == _EXTENSIBLE:
        if len(form) < 26:
            return None
        code = struct.unpack_from("<H", form, 24)[0]  # the first two bytes of SubFormat are the plain code
    if code not in {_PCM, _FLOAT, _ALAW, _ULAW}:
        return None
    if channels < 1 or rate < 1 or bits < 1:
        raise UnreadableRecording(
            f"{name}: the header says {channels} channels of {bits} bits at {rate} Hz; rewrite the header"
        )
    width, notes = _sample_bytes(code, channels, rate, byte_rate, block, bits, name)
    codec = _CODECS.get((code, width))
    if codec is None:
        raise UnreadableRecording(
            f"{name}: the header says samples of {bits} bits with format code {code}, which no program writes; "
            f"rewrite the header, or convert the recording to WAV with 16 or 24 bits"
        )
    return Encoding(codec, channels, rate, width * channels), notes


def _sample_bytes(
    code: int, channels: int, rate: int, byte_rate: int, block: int, bits: int, name: str
) -> tuple[int, tuple[Note, ...]]:
    """Return the bytes of a sample; raise where ``block_align`` and the byte rate agree against FFmpeg's rule.

    FFmpeg rounds the bits up to bytes, and reads 24 bits from four bytes where ``block_align`` says so.
    """
    width = -(-bits // 8)
    if code == _PCM and bits == 24 and block == 4 * channels:
        return 4, (_layout_note("24 bits a sample lie in 4 bytes each, as block_align says", bits, block),)
    if block == width * channels:
        return width, ()
    if block and block * rate == byte_rate:
        raise UnreadableRecording(
            f"{name}: the header contradicts itself: {bits} bits in {channels} channels make {width * channels} bytes "
            f"a frame, block_align and the byte rate say {block}; rewrite the header with the right one"
        )
    words = f"block_align says {block} bytes a frame; {bits} bits in {channels} channels make {width * channels}"
    return width, (_layout_note(f"{words}, which was taken", bits, block),)


def _layout_note(message: str, bits: int, block: int) -> Note:
    return Note("header-layout", message, {"bits_per_sample": bits, "block_align": block})


def read_comm(form: bytes) -> Encoding | None:
    """Read the content of a ``COMM`` chunk; None for a codec that does not store single samples."""
    if len(form) < 18:
        return None
    channels, _, bits, exponent, mantissa = struct.unpack_from(">hIhHQ", form)
    # The sample rate is an 80-bit float: sign and exponent, then a mantissa whose first bit is a one.
    rate = mantissa >> (16446 - exponent) if 16383 <= exponent < 16446 else 0
    compression = form[18:22] if len(form) >= 22 else b"NONE"
    compression = compression if compression in {b"NONE", b"twos", b"sowt"} else compression.lower()
    width = -(-bits // 8)
    if compression in {b"alaw", b"ulaw"}:
        width = 1
    codec = _AIFC_CODECS.get((compression, width))
    if codec is None or channels < 1 or rate < 1:
        return None
    return Encoding(codec, channels, rate, width * channels, compression not in _LITTLE_ENDIAN_AIFC)
