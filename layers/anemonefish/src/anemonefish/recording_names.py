"""Names of recordings and their results, and files that are no recordings.

A path in a folder, or a key below a prefix, becomes the name of a recording, the same on a laptop and in an account. A
name is relative, printable, and short enough for every file system and for a key of S3. No part of it is hidden, and no
folder in it has the ending of a result file. Files of operating systems and storage devices, and clips of earlier runs,
are recognised by their names.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

__all__ = ["is_hidden", "is_own_clip", "printable", "recording_name", "unique_names"]

_LONGEST_FILE = 200  # bytes; a file's name has at most 255, and the suffix of a format is added to it
_LONGEST_FOLDER = 250  # bytes
_LONGEST_NAME = 750  # bytes; a key of S3 has at most 1,024, with the job's prefix and the suffix of a format

_RESULT_ENDINGS = (".csv", ".flac", ".json", ".parquet", ".png", ".txt")
"""Endings of result files, which no folder beside them may have."""

_RESERVED = ("combined",)
"""Names whose reports would have the names of job-level files."""

# Folders of Windows, Linux, Synology, QNAP and of archives made on a Mac, in lower case.
_SYSTEM_NAMES = frozenset(
    {
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "@eadir",
        "#recycle",
        "#snapshot",
        "@recycle",
        "@recently-snapshot",
        "__macosx",
    }
)

_OWN_CLIP = re.compile(
    r"(^|/)(review/clips/[^/]+_[0-9]{6,}\.[0-9]{3}s_[^/]+_[01]\.[0-9]{3}(_[0-9]+)?|review-clips/clip-[0-9a-f]{12})\.flac$"
)


def printable(text: str) -> str:
    r"""Return a text that every table and terminal can show.

    Control characters, marks of the writing direction, invisible letters, backslashes and bytes that are not text
    become underscores.

    Examples
    --------
    >>> printable("p\udce9che\t1.wav")
    'p_che_1.wav'
    """
    return "".join(letter if letter.isprintable() else "_" for letter in text).replace("\\", "_")


def recording_name(path: str) -> str:
    r"""Return the name of the recording at a relative path, or at a key below a prefix.

    Examples
    --------
    >>> recording_name("day 1//.a\tb.wav")
    'day 1/_a_b.wav'
    """
    *folders, file = [_visible(part) for part in printable(path).split("/") if part] or ["_"]
    name = "/".join([*(_folder(folder) for folder in folders), _last_bytes(file, _LONGEST_FILE)])
    return _last_bytes(name, _LONGEST_NAME).lstrip("/")


def unique_names(names: Sequence[str]) -> list[str]:
    """Number repeated names (``a.wav``, ``a-2.wav``), so that no result overwrites another; shorten very long ones.

    Names that differ only in case or in the encoding of an accent count as the same, because they are on some file
    systems.
    """
    used = {_same(name) for name in _RESERVED}
    numbers: defaultdict[str, int] = defaultdict(lambda: 2)
    unique = []
    for whole in names:
        folder, slash, file = whole.rpartition("/")
        name = folder + slash + _last_bytes(file, _LONGEST_FILE)
        stem, dot, extension = name.rpartition(".")
        if not dot or "/" in extension:
            stem, dot, extension = name, "", ""
        candidate, key = name, _same(name)
        while _same(candidate) in used:
            candidate = f"{stem}-{numbers[key]}{dot}{extension}"
            numbers[key] += 1
        used.add(_same(candidate))
        unique.append(candidate)
    return unique


def is_hidden(parts: Iterable[str]) -> bool:
    """Say whether a file is hidden, or belongs to an operating system or a storage device, by the parts of its path."""
    named = (part for part in parts if part not in {".", ".."})
    return any(part.startswith(".") or part.casefold() in _SYSTEM_NAMES for part in named)


def is_own_clip(path: str) -> bool:
    """Say whether a file is a clip of ``detect --clips`` or of ``review``, by its folder and its name."""
    return _OWN_CLIP.search(path) is not None


def _visible(part: str) -> str:
    return f"_{part[1:]}" if part.startswith(".") else part


def _folder(part: str) -> str:
    part = _last_bytes(part, _LONGEST_FOLDER)
    return f"{part}_" if part.lower().endswith(_RESULT_ENDINGS) else part


def _last_bytes(text: str, most: int) -> str:
    return text.encode()[-most:].decode(errors="ignore")


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
