"""Write Kaleidoscope tables: selections as a CSV that Wildlife Acoustics' viewer opens.

Kaleidoscope finds the recording by ``INDIR/FOLDER/IN FILE``, jumps to OFFSET and lets a person fill in MANUAL ID;
:mod:`.tables` reads the table back.

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
TOP1DIST    the score. Kaleidoscope's own clusters have a distance here, where lower is better; for a score, higher is
            better
MANUAL ID   empty, for a person's own identification
==========  ==========================================================================================

Sources: BirdNET-Analyzer, issue 855 and pull request 856 (the columns that the viewer shows according to Wildlife
Acoustics' documentation, and a confidence in TOP1DIST); published CSV files of Kaleidoscope. The tables have not been
tried in Kaleidoscope itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from anemonefish.annotations.selections import AudioReference, Selection
from anemonefish.csv_cells import write_rows
from anemonefish.sample_times import format_seconds

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


def write_kaleidoscope(file: TextIO, recording: AudioReference, selections: Iterable[Selection]) -> None:
    """Write the selections of one recording; a table without selections has its header alone.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    recording : AudioReference
    selections : iterable of Selection
    """
    write_rows(file, [KALEIDOSCOPE_COLUMNS])
    place = _split_path(recording)
    write_rows(file, ((*place, *_fields(recording, selection)) for selection in selections))


def _fields(recording: AudioReference, selection: Selection) -> tuple[object, ...]:
    """Return the fields of a row behind those that name the recording."""
    rate = recording.sample_rate
    return (
        recording.channel - 1,
        format_seconds(selection.start, rate),
        format_seconds(selection.stop - selection.start, rate),
        selection.label,
        "" if selection.score is None else f"{selection.score:.6f}",
        "",
    )


def _split_path(recording: AudioReference) -> tuple[str, str, str]:
    """Return the deployment's folder, the folders that the recording's name has, and the name of the file."""
    path, name = recording.path.replace("\\", "/"), recording.name.replace("\\", "/")
    within = name if path == name or path.endswith(f"/{name}") else recording.file_name
    folder, _, file = within.rpartition("/")
    return path.removesuffix(within).rstrip("/") or ("/" if path.startswith("/") else ""), folder, file
