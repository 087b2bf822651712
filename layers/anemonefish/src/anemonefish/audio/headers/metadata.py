"""The descriptive texts of one recording's header, whatever its format.

Owns :class:`Metadata` and :class:`BroadcastExtension`: what :mod:`anemonefish.audio.headers.read_headers` returns, and
what :mod:`anemonefish.start_time.start` derives the start of the recording from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BroadcastExtension", "Metadata"]


@dataclass(frozen=True, slots=True)
class BroadcastExtension:
    """When a broadcast wave file says it was made.

    Attributes
    ----------
    date, time : str
        ``OriginationDate`` and ``OriginationTime``, unchanged.
    time_reference : int
        Samples between midnight and the first sample; also 0 where the writer does not know it.
    chunk : str
        ``bext``, or ``iXML`` where only that chunk has the fields.
    """

    date: str
    time: str
    time_reference: int = 0
    chunk: str = "bext"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The descriptive texts of one file.

    Attributes
    ----------
    guano : dict of str to str
        Fields of the GUANO chunk.
    info : dict of str to str
        Texts of ``LIST INFO`` by their four letters; for AIFF, its text chunks.
    tags : dict of str to str
        Vorbis comments, and tags of ID3v2, MP4 and Matroska under the names of such comments, in capitals. The first of
        several tags with the same name is kept.
    broadcast : BroadcastExtension or None
    sample_rate : int or None
        That of the ``fmt`` chunk, in which ``time_reference`` counts.
    starts : dict of str to str
        Times that mean the first sample, by where they were found: ``wamd``, ``harp``, or a file beside the recording.
    pauses : int
        How many pauses within the recording the header lists (``harp``).
    """

    guano: dict[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    broadcast: BroadcastExtension | None = None
    sample_rate: int | None = None
    starts: dict[str, str] = field(default_factory=dict)
    pauses: int = 0
