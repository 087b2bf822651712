"""Which file names a recording may be uploaded under."""

from __future__ import annotations

import re

from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest, short_repr

__all__ = ["FILENAME", "LONGEST_FILENAME", "check_filename"]

LONGEST_FILENAME = 200

_FORBIDDEN = r"/\\\x00-\x1f\x7f-\x9f"  # folders and control characters
_EXTENSIONS = sorted(extension[1:] for extension in AUDIO_EXTENSIONS)


def _endings(length: int) -> str:
    """Return a regular expression for names that end in an extension of this length."""
    extensions = "|".join(
        "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in extension)
        for extension in _EXTENSIONS
        if len(extension) == length
    )
    return rf"[^{_FORBIDDEN}]{{0,{LONGEST_FILENAME - 2 - length}}}\.({extensions})"


FILENAME = rf"^[^.{_FORBIDDEN}]({'|'.join(map(_endings, sorted({len(extension) for extension in _EXTENSIONS})))})$"
"""Accepted file names, as a regular expression that JavaScript reads as well."""


def check_filename(filename: str) -> None:
    """Raise :class:`InvalidRequest` unless a file name is accepted."""
    if re.fullmatch(FILENAME, filename):
        return
    if not filename.lower().endswith(tuple(AUDIO_EXTENSIONS)):
        extensions = " ".join(sorted(AUDIO_EXTENSIONS))
        raise InvalidRequest(f"{short_repr(filename)}: a recording's name must end in one of {extensions}")
    raise InvalidRequest(
        f"{short_repr(filename)}: send the name of the file, up to {LONGEST_FILENAME} characters without folders, "
        f"control characters or a leading dot"
    )
