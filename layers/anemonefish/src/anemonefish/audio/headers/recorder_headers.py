"""What recorders of three makers write in formats of their own: Wildlife Acoustics, Scripps and Ocean Instruments.

Owns the start in Wildlife Acoustics' ``wamd`` chunk, the pieces and pauses in the ``harp`` chunk of Scripps' x.wav
files, and the start in the ``.log.xml`` file that a SoundTrap writes beside a recording (:func:`soundtrap_start`).

Sources: Wildlife Acoustics, wa_meta.h 1.0 (``wamd``); MarineBioAcousticsRC/Triton rdxwavhd.m (``harp``; its times are
UTC); pamguard x3 WavFileHandler.java and lifewatch/pyhydrophone (SoundTrap's ``.log.xml``).
"""

from __future__ import annotations

import re
import struct
from datetime import datetime, timedelta

from anemonefish.audio.headers.descriptive_chunks import decode_text

__all__ = ["count_pauses", "harp_pieces", "soundtrap_start", "wamd_start"]

_WAMD_START = 5
_HARP_HEAD, _HARP_PIECE = 56, 32
_LOG_EVENT = re.compile(r'<PROC_EVENT\s+ID="(\d{1,9})"[^<>]{0,200}>\s{0,50}<WavFileHandler\s+([^<>]{1,400}?)\s{0,9}/?>')
_LOG_VALUE = re.compile(r'(\w{1,40})="([^"<>]{0,80})"')


def wamd_start(content: bytes) -> dict[str, str]:
    """Return the start in a ``wamd`` chunk, under that name; empty where there is none.

    Each field of the chunk is an identifier, a length and a value.
    """
    offset, found = 0, ""
    while offset + 6 <= len(content):
        name, length = struct.unpack_from("<HI", content, offset)
        if name == _WAMD_START:
            found = found or decode_text(content[offset + 6 : offset + 6 + length])
        offset += 6 + length
    return {"wamd": found} if found else {}


def harp_pieces(content: bytes) -> list[tuple[datetime, int]]:
    """Return start (UTC) and length in bytes of each piece of an x.wav file; none for version 2, which differs."""
    if len(content) < _HARP_HEAD or content[0] in {2, ord("2")}:
        return []
    (count,) = struct.unpack_from("<H", content, 36)
    pieces: list[tuple[datetime, int]] = []
    for offset in range(_HARP_HEAD, min(_HARP_HEAD + count * _HARP_PIECE, len(content) - _HARP_PIECE + 1), _HARP_PIECE):
        year, month, day, hour, minute, second, milli, _, length = struct.unpack_from("<6BHII", content, offset)
        try:
            start = datetime(2000 + year, month, day, hour, minute, second) + timedelta(milliseconds=milli)
        except ValueError:
            return []
        pieces.append((start, length))
    return pieces


def count_pauses(pieces: list[tuple[datetime, int]], bytes_per_second: int) -> int:
    """Count the pieces that begin more than a second after the end of the piece before."""
    if not bytes_per_second:
        return 0
    ends = (start + timedelta(microseconds=length * 1_000_000 // bytes_per_second) for start, length in pieces)
    return sum(1 for end, (start, _) in zip(ends, pieces[1:], strict=False) if start - end > timedelta(seconds=1))


def soundtrap_start(content: bytes) -> str | None:
    """Return when a SoundTrap started to record, from the ``.log.xml`` file beside the recording.

    Parameters
    ----------
    content : bytes
        Content of that file, or its beginning.

    Returns
    -------
    str or None
        ISO 8601, with ``Z`` from ``SamplingStartTimeUTC`` or without a zone from ``SamplingStartTimeLocal``, unless the
        file states another zone; None where it has neither field.
    """
    handlers: dict[str, dict[str, str]] = {}
    for number, attributes in _LOG_EVENT.findall(decode_text(content.replace(b"\0", b""))):
        values = handlers.setdefault(number, {})
        for name, value in _LOG_VALUE.findall(attributes):
            values.setdefault(name, value.strip())
    for name, zone in (("SamplingStartTimeUTC", "Z"), ("SamplingStartTimeLocal", "")):
        # The click detector has a handler too, which starts with the first click: later than the recording.
        times = sorted(_log_time(values, name, zone) for values in handlers.values() if values.get(name))
        if times:
            return times[0]
    return None


def _log_time(values: dict[str, str], name: str, zone: str) -> str:
    """Return the time of a handler with its microseconds and its zone; some programs write the zone into the time."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.\d+)? ?(.*)", values[name])
    micro = re.fullmatch(r"(\d{1,6}) us", values.get("SamplingStartTimeSubS", ""))
    if match is None:
        return values[name] + zone
    return match[1] + (f".{micro[1]:0>6}" if micro else "") + (f" {match[2]}" if match[2] else zone)
