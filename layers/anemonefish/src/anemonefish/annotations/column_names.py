"""The names of columns in label tables, as Raven, BirdNET, Kaleidoscope, OpenSoundscape, pandas and R write them.

Columns are compared in lower case (:func:`column_key`). Each tuple has its names in the order of preference.

Sources: Raven Pro 1.6 User's Manual, "Selection tables"; the headers that Kaleidoscope, BirdNET-Analyzer,
OpenSoundscape, sed_eval and warbleR write.
"""

from __future__ import annotations

import re

__all__ = [
    "BAND_HIGHS",
    "BAND_LOWS",
    "DURATIONS",
    "FILE_OFFSET",
    "KNOWN",
    "LABELS",
    "LESS_LIKELY_LABELS",
    "NAMES_OF_A_TAXON",
    "NEITHER_CLASS_NOR_LABEL",
    "RAVEN_MEASUREMENTS",
    "RECORDINGS",
    "STARTS",
    "STOPS",
    "column_key",
    "numbers_the_rows",
]

STARTS = (
    "start_time", "start", "start (s)", "begin time (s)", "begin_time", "begin", "onset", "onset_s", "start_seconds",
    "start time (s)", "start time", "begin time", "begin (s)", "start_s", "start_sec", "start_time_s", "begin_s",
)  # fmt: skip
STOPS = (
    "end_time", "end", "end (s)", "end time (s)", "stop", "stop_time", "offset_s", "end_seconds", "end time",
    "stop (s)", "end_s", "end_sec", "end_time_s", "stop_s",
)  # fmt: skip
DURATIONS = ("duration", "duration (s)", "delta time (s)", "duration_seconds", "duration_s")
RECORDINGS = (
    "recording", "in file", "in file*", "begin file", "filename", "file_name", "file", "filepath", "file path",
    "audio_file", "sound.files", "begin path", "path",
)  # fmt: skip
FILE_OFFSET = "file offset (s)"
"""Raven's time in the file that a row names; Begin Time counts from the first file that was opened."""

LABELS = (
    "class", "label", "labels", "annotation", "annotations",
    "manual id", "manual id*", "event_label", "common name", "common_name", "species", "tags", "call type", "call_type",
)  # fmt: skip
LESS_LIKELY_LABELS = (
    "top1match", "top1match*", "auto id", "auto id*", "scientific name", "scientific_name", "species code",
    "sound type", "category", "type",
)  # fmt: skip
"""Columns that name the labels where no column of :data:`LABELS` holds anything."""

NAMES_OF_A_TAXON = frozenset(
    {"common name", "common_name", "scientific name", "scientific_name", "species", "species code"}
)
BAND_LOWS = ("low freq (hz)", "low_f", "low_freq", "low_hz", "fmin", "bottom.freq")
BAND_HIGHS = ("high freq (hz)", "high_f", "high_freq", "high_hz", "fmax", "top.freq")

RAVEN_MEASUREMENTS = frozenset(
    {"selection", "view", "channel", "begin path", "begin file", "end path", "end file", "begin date", "end date",
     "begin clock time", "end clock time", "begin date time", "begin utc", "score", "confidence", "rating",
     "species code", "software", "notes", "comments", "occupancy", "peak correlation"}
)  # fmt: skip
"""Columns that Raven itself writes and that name no label; its other measurements end in a unit in parentheses."""

KNOWN = frozenset(
    {*STARTS, *STOPS, *DURATIONS, *RECORDINGS, *LABELS, *LESS_LIKELY_LABELS, *BAND_LOWS, *BAND_HIGHS,
     *RAVEN_MEASUREMENTS, FILE_OFFSET, "offset", "indir", "folder"}
)  # fmt: skip
"""Every column whose meaning is known from its name."""

NEITHER_CLASS_NOR_LABEL = frozenset(
    {"ch", "probability", "prob", "verified", "reviewed", "checked", "validated", "valid", "fold", "split", "quality",
     "x", "id", "#", "no", "no.", "nr", "nr.", "number", "selec"}
)  # fmt: skip
"""Columns that may hold 0 and 1 without being a class, besides the :data:`KNOWN` ones."""

_ROW_NUMBERS = re.compile(
    r"|unnamed: ?\d+(_level_\d+)?|\.\.\.\d+|index|x\.\d+|level_\d+|row[_. ]?(id|names?|number|index)s?"
)
_CHANGED_UNIT = re.compile(r"\.\.\w+\.$|_\(\w+\)$")


def numbers_the_rows(column: str) -> bool:
    """Say whether a column only numbers the rows, as pandas and R write it; it may have no header."""
    return _ROW_NUMBERS.fullmatch(column) is not None


def column_key(header: str) -> str:
    """Return a header in the form in which columns are compared: lower case, spelled as Raven spells it.

    R and pandas change blanks and parentheses.

    Examples
    --------
    >>> column_key("Begin.Time..s.")
    'begin time (s)'
    """
    lowered = header.lower()
    if lowered in KNOWN:
        return lowered
    with_unit = re.sub(r"[._]+\(?(\w+)\)?\.?$", r" (\1)", lowered) if _CHANGED_UNIT.search(lowered) else lowered
    plain = with_unit.replace(".", " ").replace("_", " ")
    return plain if plain in KNOWN else lowered
