"""Notes: what a user should know about one recording, besides its result.

A note has a code for programs, a sentence for people, and the numbers in that sentence. It is made where its cause is
found (a header, a decoder, a clock, the samples), and is the same in plan, result, summary, API and terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

__all__ = ["CODES", "MISSING", "Note", "is_partial"]

CODES: dict[str, str] = {
    "header-length": "the header and the file disagree about the number of samples; what is there was read",
    "ends-early": "the file ends before the samples its header promises",
    "damaged": "a stretch inside the recording cannot be decoded; it is analysed as silence",
    "time-gap": "the time stamps leave a stretch without sound; it is analysed as silence",
    "header-layout": "fields of the header contradict each other; the sample layout was derived from the others",
    "no-samples": "the recording has a header and no samples",
    "shorter-than-window": "the recording is shorter than one window, so nothing was scored",
    "band-above-nyquist": "the model listens to frequencies that the recording's sample rate cannot hold",
    "silence": "stretches of the recording hold one constant value",
    "dc-offset": "the samples are not centred on zero, and the model's profile does not remove that",
    "clipping": "samples lie at full scale",
    "dead-channel": "one of several channels holds one constant value",
    "channels-cancel": "the mean of the channels is far quieter than each of them",
    "no-levels": "its scores were stored by an older version, which measured no levels",
    "clock-not-set": "the recorder's clock was probably never set",
    "calibration-unused": "the calibration of scores was made for other settings, so events have no probability",
    "start": "what is known, or doubtful, about the time of the first sample",
}
"""Every code and what it means; docs/results.md lists them."""

MISSING = frozenset({"ends-early", "damaged"})
"""Codes for recorded sound that could not be read; the status of such a recording is ``partial``."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing a user should know about a recording.

    Attributes
    ----------
    code : str
        One of :data:`CODES`.
    message : str
        A sentence without the recording's name, so that copies of a recording have the same results.
    numbers : mapping of str to int, float or str
        The numbers of the sentence, for programs; an interval is ``start_sample``, ``stop_sample`` and ``sample_rate``.

    Examples
    --------
    >>> Note("silence", "1 of 60 windows is silent", {"windows": 1}).code
    'silence'
    """

    code: str
    message: str
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no code of a note; see notes.CODES")

    @classmethod
    def list_from(cls, documents: Iterable[Mapping[str, Any]]) -> tuple[Self, ...]:
        """Read notes that were written with ``dataclasses.asdict``."""
        return tuple(cls(**document) for document in documents)


def is_partial(notes: Iterable[Note]) -> bool:
    """Say whether recorded sound is missing from the analysis."""
    return any(note.code in MISSING for note in notes)
