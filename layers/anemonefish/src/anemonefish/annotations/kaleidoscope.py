"""Kaleidoscope: events as a CSV that Wildlife Acoustics' viewer opens.

Owns the columns and how a recording's path is divided among the first three. Kaleidoscope finds the sound by
``INDIR/FOLDER/IN FILE``, jumps to OFFSET and lets a person fill in MANUAL ID; :mod:`.labels` reads what they
wrote. Never decides what an event is.

==========  ==========================================================================================
column      content
==========  ==========================================================================================
INDIR       the folder of the deployment
FOLDER      folders below it, empty if there are none
IN FILE     name of the file
CHANNEL     the channel that was analysed, counted from 0 as Kaleidoscope counts; 0 for the mean of all channels
OFFSET      seconds from the beginning of the file
DURATION    seconds
TOP1MATCH   the class
TOP1DIST    the mean score. Kaleidoscope's own clusters have a distance here; of ours, higher is surer
MANUAL ID   empty, for the person who looks
==========  ==========================================================================================

Sources: BirdNET-Analyzer, issue 855 and pull request 856 (the columns that the viewer shows according to Wildlife
Acoustics' documentation, and a confidence in TOP1DIST); CSV files of Kaleidoscope that others published. Not tried in
Kaleidoscope itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from anemonefish.annotations.selections import format_seconds
from anemonefish.cells import write_rows

if TYPE_CHECKING:
    from anemonefish.results.report import RecordingResult  # which lists this format among its own

__all__ = ["KALEIDOSCOPE_COLUMNS", "write_kaleidoscope"]

KALEIDOSCOPE_COLUMNS = (
    "INDIR",
    "FOLDER",
    "IN FILE",
    "CHANNEL",
    "OFFSET",
    "DURATION",
    "TOP1MATCH",
    "TOP1DIST",
    "MANUAL ID",
)


def write_kaleidoscope(file: TextIO, result: RecordingResult) -> None:
    """Write the events of a recording; without events the header alone.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    result : RecordingResult
    """
    write_rows(file, [KALEIDOSCOPE_COLUMNS])
    write_rows(file, _rows(result))


def _rows(result: RecordingResult) -> Iterator[tuple[object, ...]]:
    place = _place(result.recording.path, result.recording.name)
    rate = result.sample_rate
    for event in result.events:
        yield (
            *place,
            (result.settings.channel or 1) - 1,
            format_seconds(event.start, rate),
            format_seconds(event.stop - event.start, rate),
            event.label,
            f"{event.mean_score:.6f}",
            "",
        )


def _place(path: str, name: str) -> tuple[str, str, str]:
    """Divide a path into the deployment's folder, the folders that the recording's name has, and the file."""
    path, name = path.replace("\\", "/"), name.replace("\\", "/")
    within = name if path == name or path.endswith(f"/{name}") else path.rpartition("/")[2]
    folder, _, file = within.rpartition("/")
    return path.removesuffix(within).rstrip("/") or ("/" if path.startswith("/") else ""), folder, file
