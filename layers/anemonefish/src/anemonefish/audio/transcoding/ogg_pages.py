"""Correct the time stamps of a damaged Ogg file by the granule positions of its pages.

After lost pages, FFmpeg counts on for one page as if nothing were missing. A page's granule position counts samples to
the end of the page, so it states where the page's packets belong, and how much a page holds that the end of the file
cuts off.

Source: RFC 3533 (Ogg).
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from fractions import Fraction
from itertools import groupby
from typing import Any

from anemonefish.audio.seekable import SeekableFile, peek_at

__all__ = ["OggPages"]

_PAGE_HEAD = 27
_LONGEST_PAGE = _PAGE_HEAD + 255 + 255 * 255


class OggPages:
    """The pages of an Ogg file.

    Parameters
    ----------
    file : SeekableFile
        Its position is kept, because FFmpeg reads on from there.
    torn : set of int
        Numbers of the packets before which the demuxer skipped damage; it grows while packets are read.
    """

    def __init__(self, file: SeekableFile, torn: Set[int]) -> None:
        self._file = file
        self._torn = torn
        self._last_page: tuple[int, Fraction] | None = None

    def with_corrected_stamps(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield the packets, and correct the time stamps of a page after lost pages."""
        number = 0
        before: list[Any] = []
        for _, group in groupby(packets, lambda packet: packet.pos):
            page = list(group)
            if before and number in self._torn:
                self._correct(before, page)
            yield from page
            before = page
            self._last_page = page[0].pos, Fraction(page[0].time_base)
            number += len(page)

    def lost_samples(self, rate: int) -> int:
        """Return the samples of the last page that the end of the file cuts off."""
        begin = max(0, self._file.size - _LONGEST_PAGE)
        data = peek_at(self._file, begin, _LONGEST_PAGE)
        at = data.rfind(b"OggS")
        head = data[at : at + _PAGE_HEAD + 255]
        if at < 0 or len(head) < _PAGE_HEAD or self._last_page is None:
            return 0
        length = _PAGE_HEAD + head[26] + sum(head[_PAGE_HEAD : _PAGE_HEAD + head[26]])
        offset, tick = self._last_page
        last, granule = self._granule(offset), self._granule(begin + at)
        if at + length <= len(data) or last is None or granule is None:
            return 0
        return max(0, round((granule - last) * tick * rate))

    def _correct(self, before: list[Any], page: list[Any]) -> None:
        end, granule_before = _end_of(before), self._granule(before[0].pos)
        granule = self._granule(page[0].pos)
        durations = [packet.duration for packet in page]
        if end is None or granule_before is None or granule is None or None in durations:
            return
        stamp = end + granule - granule_before - sum(durations)
        if page[0].pts is None or stamp > page[0].pts:
            for packet in page:
                packet.pts = stamp
                stamp += packet.duration

    def _granule(self, offset: int) -> int | None:
        """Return the granule position of the page that begins at an offset; None where there is none."""
        head = peek_at(self._file, offset, 14)
        granule = int.from_bytes(head[6:14], "little", signed=True)
        return granule if head[:4] == b"OggS" and granule >= 0 else None


def _end_of(packets: list[Any]) -> int | None:
    """Return the time stamp at the end of consecutive packets; None where a time stamp or a duration is unknown."""
    if packets[0].pts is None or any(packet.duration is None for packet in packets):
        return None
    end: int = packets[0].pts + sum(packet.duration for packet in packets)
    return end
