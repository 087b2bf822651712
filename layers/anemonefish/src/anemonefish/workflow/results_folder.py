"""A folder of results: one run at a time writes there, and its results replace those of the run before.

The folder holds results, a lock (:mod:`.folder_lock`) and a manifest::

    {out}/...                        results, clips, pictures; and files of the user
    {out}/.anemonefish/lock          held by the run that writes here; free as soon as that run ends
    {out}/.anemonefish/manifest.json the files of the last run with their hashes; written last
    {out}/.anemonefish/new/          the results of a run that has not finished

New results are written to ``new`` first. When all are complete, each replaces the old one, files that only the last run
had are removed, and the manifest is written. Until then the old results stay complete. A file that is not in the
manifest, or that was changed since, belongs to the user: it is never removed, and a run that would overwrite it is
refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from anemonefish.canonical import dump_json
from anemonefish.errors import StorageError
from anemonefish.recording_names import is_own_clip
from anemonefish.stores.folder import UNFINISHED, LocalStore, atomic_file
from anemonefish.workflow.folder_lock import FolderLock

__all__ = ["JOURNAL", "ResultsFolder", "owned_files"]

JOURNAL = ".anemonefish"
"""The folder inside a folder of results that holds scores, plans, the lock and the manifest."""

_MANIFEST = f"{JOURNAL}/manifest.json"
_NEW = f"{JOURNAL}/new"
_LAST = "summary.csv"  # replaced after all others
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _File:
    """A file as a run wrote it: while its size and time are these, it is unchanged.

    Attributes
    ----------
    sha256 : str
    size, modified : int
        In bytes and nanoseconds; 0 where only the hash is known.
    """

    sha256: str
    size: int = 0
    modified: int = 0

    @classmethod
    def of(cls, path: Path, sha256: str | None = None) -> Self:
        facts = path.stat()
        return cls(sha256 or _sha256(path), facts.st_size, facts.st_mtime_ns)

    def is_unchanged(self, path: Path) -> bool:
        """Say whether the file at a path is this one; its bytes are read only where its time differs."""
        try:
            facts = path.lstat()
            if (facts.st_size, facts.st_mtime_ns) == (self.size, self.modified):
                return True
            return path.is_file() and _sha256(path) == self.sha256
        except OSError:
            return False


_Files = dict[str, list[_File]]
"""The known versions of each file, by its name: old and new while results are being replaced."""


class ResultsFolder:
    """A folder of results, as a context in which this process alone writes to it.

    Parameters
    ----------
    out : Path

    Raises
    ------
    StorageError
        On entering: another run works there, or the folder cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._store = LocalStore(out)
        self._lock = FolderLock(out, JOURNAL)
        self._owned: _Files = {}
        self._made = False

    def __enter__(self) -> Self:
        try:
            self._made = not self._out.exists()
            (self._out / JOURNAL).mkdir(parents=True, exist_ok=True)
            crashed = self._lock.acquire()
        except OSError as error:
            raise StorageError(
                f"{self._out}: cannot be written ({error.strerror}); make room, or choose another folder"
            ) from None
        if crashed:
            self._sweep()
        shutil.rmtree(self.new, ignore_errors=True)
        self._owned = _read_owned(self._out)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._sweep()
        shutil.rmtree(self.new, ignore_errors=True)
        self._lock.release()
        with suppress(OSError):  # a folder without results is removed
            (self._out / JOURNAL).rmdir()
            if self._made:
                self._out.rmdir()

    @property
    def new(self) -> Path:
        """Folder where new results are written before they replace the old ones."""
        return self._out / _NEW

    @property
    def new_prefix(self) -> str:
        """The same as a prefix of keys."""
        return _NEW

    def check_free(self, names: Iterable[str]) -> None:
        """Raise :class:`StorageError` where a result would overwrite a file of the user's."""
        folders: dict[Path, bool] = {}
        taken = [name for name in names if not self._is_free(name, folders)]
        if taken:
            more = f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else ""
            raise StorageError(
                f"{self._out}: {', '.join(taken[:_SHOWN])}{more} would be overwritten, but no run "
                f"wrote it there, or it was changed since; move it, or choose another folder with --out"
            )

    def check_inputs(self, paths: Iterable[Path]) -> None:
        """Raise :class:`StorageError` where a recording is itself a result in this folder, which the run would
        remove.
        """
        root = self._out.resolve()
        for path in paths:
            inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
            if inside in self._owned:
                raise StorageError(
                    f"{path}: this is a result of an earlier run in this folder, which a new run replaces; choose "
                    f"another folder with --out"
                )

    def publish(self, hashes: Mapping[str, str], not_looked_at: Sequence[str] = ()) -> None:
        """Replace the old results by the new ones.

        Parameters
        ----------
        hashes : mapping of str to str
            SHA-256 of new results by name, as far as they are known.
        not_looked_at : sequence of str
            Files that were found and are no recordings; kept in the manifest.

        Raises
        ------
        StorageError
            A file of the user's is in the way, or the disk does not take it.
        """
        names = sorted(
            (path.relative_to(self.new).as_posix() for path in self.new.rglob("*") if path.is_file()),
            key=lambda name: (name == _LAST, name),
        )
        self.check_free(names)
        files = {name: [_File.of(self.new / name, hashes.get(name))] for name in names}
        same = {name: file for name in names if (file := self._same(name, files[name][0].sha256)) is not None}
        files |= {name: [file] for name, file in same.items()}
        # If this is interrupted, the next run recognises both the old and the new files as results.
        self._write_manifest(
            {name: files.get(name, []) + self._owned.get(name, []) for name in files | self._owned}, not_looked_at
        )
        for name in names:
            if name not in same:  # an unchanged result keeps its file and its time
                self._move(name)
        for name in self._owned.keys() - files.keys():
            self._remove(name)
        self._write_manifest(files, not_looked_at)
        self._owned = files

    def _is_free(self, name: str, folders: dict[Path, bool]) -> bool:
        """Say whether a result may be written; ``folders`` keeps what is known of folders from one name to the next."""
        path = self._store.path(name)
        if not _may_be_folder(path.parent, folders):
            return False
        return not os.path.lexists(path) or any(file.is_unchanged(path) for file in self._owned.get(name, ()))

    def _same(self, name: str, sha256: str) -> _File | None:
        """Return the old result where the new one has the same bytes."""
        for file in self._owned.get(name, ()):
            if file.sha256 == sha256 and file.is_unchanged(self._out / name):
                return _File.of(self._out / name, sha256)
        return None

    def _move(self, name: str) -> None:
        target = self._store.path(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.new / name).replace(target)
        except OSError as error:
            raise StorageError(
                f"{target}: cannot be written ({error.strerror}); make room, or choose another folder"
            ) from None

    def _remove(self, name: str) -> None:
        """Remove a result of the last run, and the folders that are empty without it."""
        path = self._out / name
        if not any(file.is_unchanged(path) for file in self._owned[name]):
            return
        with suppress(OSError):  # a folder that is not empty, or a file that is gone already
            path.unlink()
            for folder in path.parents:
                if folder == self._out:
                    break
                folder.rmdir()

    def _write_manifest(self, files: _Files, not_looked_at: Sequence[str]) -> None:
        document = {
            "files": {
                name: [[file.sha256, file.size, file.modified] for file in each] for name, each in sorted(files.items())
            },
            "not_looked_at": list(not_looked_at),
        }
        with atomic_file(self._out / _MANIFEST) as path:
            path.write_bytes(dump_json(document))

    def _sweep(self) -> None:
        """Remove the unfinished files of a run that was stopped."""
        for path in (self._out / JOURNAL).rglob(f"{UNFINISHED}*"):
            with suppress(OSError):
                path.unlink()


def _may_be_folder(path: Path, known: dict[Path, bool]) -> bool:
    """Say whether a path is a folder, or can become one because no file is in the way."""
    if path not in known:
        known[path] = path.is_dir() or (not path.exists() and _may_be_folder(path.parent, known))
    return known[path]


def owned_files(out: Path) -> frozenset[str]:
    """Return the names of the files that the last run wrote to a folder of results; none for another folder."""
    return frozenset(_read_owned(out))


def _read_owned(out: Path) -> _Files:
    try:
        document = json.loads((out / _MANIFEST).read_bytes())
        return {name: [_File(*file) for file in each] for name, each in document["files"].items()}
    except FileNotFoundError:
        return _read_owned_by_jobs(out)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # without a readable manifest every file counts as the user's


def _read_owned_by_jobs(out: Path) -> _Files:
    """Return the results of older versions, which wrote a manifest for each job and none for the folder."""
    owned: _Files = {}
    manifests = list((out / JOURNAL / "plans").glob("*/manifest.json"))
    for manifest in manifests:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = json.loads(manifest.read_bytes())
            for results in [document["overview"], *(each["results"] for each in document["recordings"])]:
                for name, sha256 in results.items():
                    owned.setdefault(name, []).append(_File(sha256))
    for path in (out / "review").rglob("*") if manifests else ():
        name = path.relative_to(out).as_posix()
        picture = name == "review/activity.png" or name.endswith(".timeline.png")
        if path.is_file() and (picture or is_own_clip(f"{os.path.splitext(name)[0]}.flac")):  # noqa: PTH122
            owned[name] = [_File.of(path)]
    return owned


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
