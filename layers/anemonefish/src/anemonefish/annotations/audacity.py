"""Write Audacity label tracks.

Source: Audacity Manual, "Importing and exporting labels".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from anemonefish.annotations.selections import Selection
from anemonefish.cells import escape
from anemonefish.sample_times import format_seconds

__all__ = ["write_audacity"]


def write_audacity(file: TextIO, selections: Iterable[Selection], *, sample_rate: int) -> None:
    """Write an Audacity label track: ``start<TAB>end<TAB>label``; the format has no header."""
    for selection in selections:
        start, stop = format_seconds(selection.start, sample_rate), format_seconds(selection.stop, sample_rate)
        file.write(f"{start}\t{stop}\t{escape(selection.label)}\n")
