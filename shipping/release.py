"""What a release needs beside the wheel: its notes and its checksums.

    python -m shipping.release notes VERSION     # prints the version's section of CHANGELOG.md
    python -m shipping.release sums FOLDER       # checks the wheel and the sdist, writes FOLDER/SHA256SUMS

VERSION is a version, a tag (``v0.1.0``) or ``Unreleased``.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

__all__ = ["check_reference_model", "release_notes", "write_checksums"]

ROOT = Path(__file__).parents[1]
UNRELEASED = "Unreleased"
SUMS = "SHA256SUMS"
_POINTER = "anemonefish/shipped/reef/production.json"


def main(words: list[str]) -> int:
    """Print the notes, or write the checksums."""
    match words:
        case ["notes", version]:
            changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
            print(release_notes(changelog, version, _project_version()))
        case ["sums", folder]:
            check_reference_model(Path(folder))
            print(write_checksums(Path(folder)).read_text(encoding="utf-8"), end="")
        case _:
            raise SystemExit(__doc__)
    return 0


def release_notes(changelog: str, version: str, project: str) -> str:
    """Return a version's section of a changelog, without its heading.

    Parameters
    ----------
    changelog : str
        Text in the format of Keep a Changelog: ``## 0.1.0 - 2026-12-01`` above each section.
    version : str
        A version, with or without a leading ``v``, or ``Unreleased``.
    project : str
        Version of the package. A release must have the same.

    Raises
    ------
    SystemExit
        The package has another version, or the changelog has no section of this version, or an empty one of a release.
    """
    version = version.removeprefix("v")
    if version not in {UNRELEASED, project}:
        raise SystemExit(f"the package has version {project}, not {version}; tag v{project}, or change the package")
    heading = re.compile(rf"^## \[?{re.escape(version)}\]?(?: .*)?$", re.MULTILINE)
    found = heading.search(changelog)
    if found is None:
        raise SystemExit(f"CHANGELOG.md has no section '## {version}'; rename '## {UNRELEASED}' to it")
    section = re.split(r"^## ", changelog[found.end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()
    if not section and version != UNRELEASED:
        raise SystemExit(f"the section '## {version}' of CHANGELOG.md is empty")
    return section


def check_reference_model(folder: Path) -> None:
    """Check that every wheel and sdist of a folder holds the reference model.

    Raises
    ------
    SystemExit
        One of them has no model, or there is none of them.
    """
    names = {path.name: zipfile.ZipFile(path).namelist() for path in folder.glob("*.whl")}
    for path in folder.glob("*.tar.gz"):
        with tarfile.open(path) as archive:
            names[path.name] = archive.getnames()
    without = [name for name, files in names.items() if not any(file.endswith(_POINTER) for file in files)]
    if without or not names:
        raise SystemExit(f"no reference model in {', '.join(without) or folder}; build from a complete checkout")


def write_checksums(folder: Path) -> Path:
    """Write the SHA-256 of every file of a folder, as ``sha256sum --check`` reads it; return the file's path."""
    sums = folder / SUMS
    files = sorted(path for path in folder.iterdir() if path.is_file() and path != sums)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    sums.write_text("".join(lines), encoding="utf-8")
    return sums


def _project_version() -> str:
    project = tomllib.loads((ROOT / "layers" / "anemonefish" / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
