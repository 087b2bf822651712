"""Find the recording that a label file names, although the two names are often written differently.

A label file was often made on another computer, in another folder, or from a copy in another format. Names are compared
in ever looser ways until one recording fits; where several fit, that is an error.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath

from anemonefish.annotations.labels import printable_path
from anemonefish.errors import InvalidRequest

__all__ = ["RecordingMatcher", "is_named_after"]

_NAMES_SHOWN = 5


class RecordingMatcher:
    """Finds the recording that a name in a label file means.

    The steps, in this order: the same name; a path that ends in the name, or a name that ends in the path; the same
    file name in any folder; the same two steps without the ending of an audio file; then all of them again without
    regard to capitals and to blanks around names. Accented letters are the same however Unicode composes them. A step
    that finds several recordings is an error.

    Parameters
    ----------
    names : iterable of str
        Names of recordings, with ``/`` between folders.
    audio_suffixes : iterable of str
        Endings of audio files, with their dot, in lower case: a FLAC copy of a WAV has the same labels.
    """

    def __init__(self, names: Iterable[str], audio_suffixes: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        self._exact = frozenset(self.names)
        suffixes = frozenset(audio_suffixes)
        self._exact_letters = _NameIndex(self.names, _composed, suffixes)
        self._folded_letters = _NameIndex(self.names, _folded, suffixes)

    def find(self, name: str) -> str | None:
        """Return the recording that a name means, or None if none fits.

        Raises
        ------
        InvalidRequest
            Several recordings fit.
        """
        if name in self._exact:
            return name
        for index in (self._exact_letters, self._folded_letters):
            for fitting in index.steps(name):
                # The folders may still tell several apart, if capitals are ignored.
                nearest = self._folded_letters.with_same_end(name, fitting) if len(fitting) > 1 else fitting
                if len(nearest) == 1:
                    return nearest[0]
                if fitting:
                    shown = ", ".join(map(printable_path, fitting[:_NAMES_SHOWN]))
                    raise InvalidRequest(
                        f"{printable_path(name)!r} may be any of {shown}; name the recording with its folder"
                    )
        return None


class _NameIndex:
    """Names of recordings in one normal form, by path, by file name and by file name without ending."""

    def __init__(self, names: Iterable[str], normalized: Callable[[str], str], suffixes: frozenset[str]) -> None:
        self._normalized, self._suffixes = normalized, suffixes
        self._parts = {name: _parts(normalized(name)) for name in names}
        self._by_path: dict[tuple[str, ...], list[str]] = {}
        self._by_file: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for name, parts in self._parts.items():
            self._by_path.setdefault(parts, []).append(name)
            self._by_file.setdefault(parts[-1], []).append(name)
            self._by_stem.setdefault(self._stem(parts[-1]), []).append(name)

    def steps(self, name: str) -> Iterator[list[str]]:
        """Yield the recordings that each step finds, from the strictest comparison to the loosest."""
        parts = _parts(self._normalized(name))
        same_file = self._by_file.get(parts[-1], [])
        same_stem = self._by_stem.get(self._stem(parts[-1]), [])
        yield self._by_path.get(parts, [])
        yield self.with_same_end(name, same_file)
        yield same_file
        folders = (*parts[:-1], "")
        yield [other for other in same_stem if _end_alike((*self._parts[other][:-1], ""), folders)]
        yield same_stem

    def with_same_end(self, name: str, candidates: Sequence[str]) -> list[str]:
        """Return the candidates whose path ends in the name, or is the end of it."""
        parts = _parts(self._normalized(name))
        return [candidate for candidate in candidates if _end_alike(self._parts[candidate], parts)]

    def _stem(self, file: str) -> str:
        path = PurePath(file)
        return path.stem if path.suffix.lower() in self._suffixes else file


def is_named_after(name: str, recording: str) -> bool:
    """Say whether the name of a label file is that of a recording, or begins with it."""
    own, file = _folded(name), _folded(_parts(recording)[-1])
    stem = file.rpartition(".")[0] or file
    return own.startswith(stem) and not own[len(stem) : len(stem) + 1].isalnum()


def _composed(name: str) -> str:
    """Return a name with composed accented letters: macOS stores a letter and its accent separately."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """Return a name without capitals and without blanks around its folders and its file."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return "/".join(part.strip() for part in folded.replace("\\", "/").split("/"))


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the file of a path of any operating system."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."}) or ("",)


def _end_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
