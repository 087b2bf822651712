"""Pack what `sam build` made into one file that every stage deploys, and unpack it again.

    python -m shipping.package pack arm64 FOLDER       # FOLDER/anemonefish-arm64.tar.gz
    python -m shipping.package unpack FILE FOLDER      # `sam deploy` in FOLDER deploys it

A package holds the built template and layers, the files that the template refers to outside of the build (functions,
state machine) and samconfig.toml, so that nothing of the checkout is needed to deploy it. ``manifest.json`` has the
hash of every file; a package that differs from its manifest is not unpacked.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

__all__ = ["pack", "unpack"]

ROOT = Path(__file__).parents[1]
BUILD = Path(".aws-sam", "build")
MANIFEST = "manifest.json"
_LOCAL_PATH = re.compile(r"^\s*(?:CodeUri|ContentUri|DefinitionUri|Location): (?!s3://)(\S+)$", re.MULTILINE)
_MTIME = 1_577_836_800  # 2020-01-01; the zip files that `sam deploy` makes can hold no time before 1980


def main(words: list[str]) -> int:
    """Pack or unpack, and print the package's hash."""
    match words:
        case ["pack", architecture, folder]:
            print(_summary(pack(ROOT, architecture, Path(folder))))
        case ["unpack", file, folder]:
            print(_summary(Path(file)))
            unpack(Path(file), Path(folder))
        case _:
            raise SystemExit(__doc__)
    return 0


def pack(root: Path, architecture: str, folder: Path) -> Path:
    """Write the package of a built checkout; return its path.

    Parameters
    ----------
    root : Path
        A checkout in which ``sam build`` has run.
    architecture : str
        Processor for which it was built; part of the file's name.
    folder : Path
        Folder of the package. The same build gives the same bytes.

    Raises
    ------
    SystemExit
        Nothing was built.
    """
    if not (root / BUILD / "template.yaml").is_file():
        raise SystemExit(f"nothing is built in {root / BUILD}; run: ARCHITECTURE={architecture} sam build")
    files = {path.relative_to(root).as_posix(): path for path in _files(root)}
    manifest = {
        "architecture": architecture,
        "commit": _commit(root),
        "files": {name: _sha256(path) for name, path in files.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"anemonefish-{architecture}.tar.gz"
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode(), 0o644)
        for name, path in files.items():
            _add(archive, name, path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)
    return target


def unpack(file: Path, folder: Path) -> dict[str, Any]:
    """Replace a folder by the content of a package; return its manifest.

    Raises
    ------
    SystemExit
        A file is missing, or differs from the manifest.
    """
    if folder.exists():
        shutil.rmtree(folder)
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del found[MANIFEST]
    hashes = {name: _sha256(path) for name, path in found.items()}
    if hashes != manifest["files"]:
        names = sorted(name for name, _ in hashes.items() ^ manifest["files"].items())
        raise SystemExit(f"{file} differs from its manifest: {', '.join(dict.fromkeys(names))}; build it again")
    return manifest


def _files(root: Path) -> Iterator[Path]:
    """Yield the files of a package, sorted: the build, what its template refers to, and the stages."""
    build = root / BUILD
    referred = {
        (build / path.strip("'\"")).resolve()
        for path in _LOCAL_PATH.findall((build / "template.yaml").read_text(encoding="utf-8"))
    }
    outside = {path for path in referred if not path.is_relative_to(build.resolve())}
    missing = sorted(str(path) for path in referred if not path.exists())
    if missing:
        raise SystemExit(f"the built template refers to files that do not exist: {', '.join(missing)}")
    files = {root / "samconfig.toml"}
    for path in (build, *(root / each.relative_to(root.resolve()) for each in outside)):
        files |= {path} if path.is_file() else {each for each in path.rglob("*") if each.is_file()}
    yield from sorted(path for path in files if path.is_relative_to(build) or "__pycache__" not in path.parts)


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), mode, _MTIME
    archive.addfile(entry, BytesIO(data))


def _commit(root: Path) -> str:
    """Return the commit of the checkout, or an empty text outside of git."""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _summary(package: Path) -> str:
    return f"{package}: {package.stat().st_size / 1e6:.1f} MB, sha256 {_sha256(package)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
