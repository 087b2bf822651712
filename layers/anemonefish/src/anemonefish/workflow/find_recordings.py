"""Find recordings: in files, folders and prefixes of S3.

A file in a folder is a recording if its name has the ending of a recording format. Hidden files, files of operating
systems and results of earlier runs are skipped. A link to a folder is not followed. Other files are listed by name. A
folder or a link that cannot be read counts as a recording, which then fails with the reason. No recording is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest, RecordingNotFound
from anemonefish.jobs.request import RecordingRequest, recordings_below
from anemonefish.recording_names import is_hidden, is_own_clip, printable, recording_name
from anemonefish.stores.folder import local_uri
from anemonefish.workflow.results_folder import JOURNAL, owned_files

__all__ = ["Found", "find_recordings"]

_SHOWN = 10

_COMPANIONS = frozenset(
    """
    .cfg .conf .csv .db .doc .docx .gif .gpx .htm .html .ini .ipynb .jpeg .jpg .json .jsonl .kml .log .lst .md .md5
    .ods .odt .parquet .pdf .png .py .r .rtf .sh .sha1 .sha256 .sql .sqlite .svg .textgrid .toml .tsv .txt .url .xls
    .xlsx .xml .yaml .yml
    """.split()  # noqa: SIM905 - a table
)
"""Endings of files that are usual beside recordings, and that are not listed."""


@dataclass(frozen=True, slots=True)
class Found:
    """The recordings to analyse, and the other files.

    Attributes
    ----------
    recordings : tuple of RecordingRequest
    others : tuple of str
        Files that are neither recordings by their ending nor usual companions of recordings.
    links : tuple of str
        Links to folders.
    own : int
        Clips of earlier runs.
    """

    recordings: tuple[RecordingRequest, ...]
    others: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    own: int = 0

    def lines(self) -> list[str]:
        """Return lines about the files that are not analysed."""
        lines = []
        if self.others:
            lines.append(f"{_were(len(self.others), 'file')} not looked at: {_listed(self.others)}")
        if self.links:
            what = "link to a folder" if len(self.links) == 1 else "links to folders"
            was = "was" if len(self.links) == 1 else "were"
            lines.append(
                f"{len(self.links)} {what} {was} not followed: {_listed(self.links)}; name them to search them"
            )
        if self.own:
            lines.append(f"{_were(self.own, 'clip')} passed over: results of earlier runs")
        return lines


@dataclass(slots=True)
class _Search:
    """The files found so far below one folder."""

    folder: Path
    recordings: list[Path] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    results: set[Path] = field(default_factory=set)
    own: int = 0


def find_recordings(paths: Iterable[str]) -> Found:
    """Turn files, folders and S3 URIs into recordings; a folder means every recording below it.

    Raises
    ------
    InvalidRequest
        A path is empty.
    RecordingNotFound
        A folder holds no recording.
    """
    recordings: list[RecordingRequest] = []
    searches = []
    for path in paths:
        if not path:
            raise InvalidRequest("a path is empty; name a recording or a folder")
        if path.startswith("s3://") and path.endswith("/"):
            recordings.extend(recordings_below(path))
        elif path.startswith("s3://"):
            recordings.append(RecordingRequest.from_dict({"uri": path}))
        elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for some names
            searches.append(_search(Path(path)))
            recordings.extend(_requests(searches[-1]))
        else:
            recordings.append(_request(Path(path), Path(path).name))
    return Found(
        tuple(recordings),
        tuple(name for search in searches for name in search.others),
        tuple(name for search in searches for name in search.links),
        sum(search.own for search in searches),
    )


def _search(folder: Path) -> _Search:
    search = _Search(folder)
    # A folder that cannot be listed counts as a recording, which fails with the reason; the others are analysed.
    for parent, folders, files in os.walk(folder, onerror=lambda error: search.recordings.append(Path(error.filename))):
        here = Path(parent)
        if JOURNAL in folders:
            search.results |= {here / name for name in owned_files(here)}
        folders[:] = sorted(name for name in folders if not is_hidden([name]))
        search.links += [_inside(folder, here / name) for name in folders if (here / name).is_symlink()]
        for name in sorted(files):
            if not is_hidden([name]):
                _look(search, here / name)
    return search


def _look(search: _Search, file: Path) -> None:
    inside, ending = _inside(search.folder, file), file.suffix.lower()
    if file in search.results or is_own_clip(inside):
        search.own += ending in AUDIO_EXTENSIONS
    elif ending in AUDIO_EXTENSIONS and not _is_special(file):
        search.recordings.append(file)
    elif ending not in _COMPANIONS:
        search.others.append(inside)


def _is_special(file: Path) -> bool:
    """Say whether a path is a pipe or another special file; a broken link is not one, and fails later as missing."""
    try:
        return not stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False


def _requests(search: _Search) -> Iterable[RecordingRequest]:
    if not search.recordings:
        besides = "".join(f"; {line}" for line in Found((), tuple(search.others), tuple(search.links)).lines())
        raise RecordingNotFound(
            f"{search.folder}: no recording in this folder; it looks for {' '.join(sorted(AUDIO_EXTENSIONS))}{besides}"
        )
    for file in sorted(search.recordings):
        yield _request(file, search.folder.name if file == search.folder else _inside(search.folder, file))


def _request(file: Path, name: str) -> RecordingRequest:
    """Return the request for a local file; unprintable characters in its name become underscores."""
    try:
        absolute = file.resolve()
    except (OSError, RuntimeError):  # a circle of links
        absolute = file.absolute()
    path = file.absolute() if file.is_symlink() and not absolute.exists() else absolute
    return RecordingRequest(local_uri(path), recording_name(name), printable(str(path)))


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _were(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'} {'was' if count == 1 else 'were'}"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(printable(name) for name in names[:_SHOWN]) + more
