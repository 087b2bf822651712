"""How long a recording is according to its header, read with FFmpeg before anything is decoded."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any

__all__ = ["header_length", "promised_seconds"]


def header_length(path: str) -> tuple[int, int]:
    """Return the samples per channel and the channels of a local file, as its header states them.

    Samples are 0 where no header states them: of MPEG audio, AAC and Ogg, FFmpeg guesses the length from the file size.
    """
    with suppress(ImportError):  # transcoding itself reports that PyAV is missing
        import av

        with suppress(av.error.FFmpegError, ValueError), av.open(path, metadata_errors="ignore") as media:
            stream = next(iter(media.streams.audio), None)
            if stream is None:
                return 0, 1
            context = stream.codec_context
            seconds = max(promised_seconds(media, stream) or 0.0, 0.0)
            return int(seconds * (context.sample_rate or 0)), max(1, context.channels)
    return 0, 1


def promised_seconds(media: Any, stream: Any) -> Fraction | None:
    """Return the length that a header states; None where FFmpeg derives it from what it found.

    Parameters
    ----------
    media : av.container.InputContainer
    stream : av.audio.stream.AudioStream
    """
    formats = set(media.format.name.split(","))
    if "flac" in formats:
        return Fraction(stream.duration) * stream.time_base if stream.duration else None
    if "mov" in formats:  # a fragmented file has no table of its packets: FFmpeg adds up the fragments that are there
        known = stream.frames and stream.duration is not None
        return Fraction(stream.duration) * stream.time_base if known else None
    if "matroska" not in formats:
        return None
    own = _parse_clock_time(stream.metadata.get("DURATION", ""))
    if own is not None or len(media.streams) > 1:
        return own
    return None if media.duration is None else Fraction(media.duration, 1_000_000)


def _parse_clock_time(text: str) -> Fraction | None:
    """Return the seconds of a text like ``00:01:02.345678901``; None for any other text."""
    try:
        hours, minutes, rest = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(rest)
    except ValueError:
        return None
