"""Release notes come from the changelog, and only for the version that the package has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from shipping.release import check_reference_model, release_notes, write_checksums

REPOSITORY = Path(__file__).parents[3]
CHANGELOG = """\
# Changelog

## Unreleased

### Added
- More formats.

## 0.2.0 - 2026-12-01

### Fixed
- Links.

## 0.1.0 - 2026-11-01

### Added
- Everything.
"""


@pytest.mark.parametrize("version", ["0.2.0", "v0.2.0"])
def test_notes_are_the_section_of_the_version(version: str) -> None:
    assert release_notes(CHANGELOG, version, "0.2.0") == "### Fixed\n- Links."


def test_notes_of_the_last_section_end_with_the_file() -> None:
    assert release_notes(CHANGELOG, "0.1.0", "0.1.0") == "### Added\n- Everything."


def test_notes_of_unreleased_changes_need_no_version() -> None:
    assert release_notes(CHANGELOG, "Unreleased", "0.2.0") == "### Added\n- More formats."


@pytest.mark.parametrize(
    ("version", "project", "message"),
    [
        ("v0.3.0", "0.2.0", "the package has version 0.2.0, not 0.3.0"),
        ("v0.3.0", "0.3.0", "no section '## 0.3.0'"),
        ("0.2", "0.2", "no section '## 0.2'"),
    ],
)
def test_tag_that_differs_from_package_or_changelog_is_refused(version: str, project: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        release_notes(CHANGELOG, version, project)


def test_empty_section_of_a_release_is_refused() -> None:
    with pytest.raises(SystemExit, match="is empty"):
        release_notes("## 0.2.0\n\n## 0.1.0\n- Everything.\n", "0.2.0", "0.2.0")
    assert release_notes("## Unreleased\n\n## 0.1.0\n- Everything.\n", "Unreleased", "0.1.0") == ""


def test_make_release_notes_prints_the_unreleased_changes_of_this_repository() -> None:
    command = ["make", "--no-print-directory", "release-notes", "VERSION=Unreleased"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of `make unit`
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n" or done.stdout.startswith("### ")


def test_checksums_are_verified_by_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "anemonefish-0.1.0.tar.gz").write_bytes(b"sdist")
    (tmp_path / "anemonefish-0.1.0-py3-none-any.whl").write_bytes(b"wheel")
    write_checksums(tmp_path)
    assert write_checksums(tmp_path).read_text().count("\n") == 2  # its own file is not in it
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("there is no sha256sum on this system")
    assert subprocess.run([program, "--check", "SHA256SUMS"], cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "anemonefish-0.1.0.tar.gz").write_bytes(b"altered")
    assert subprocess.run([program, "--check", "SHA256SUMS"], cwd=tmp_path, check=False).returncode == 1


def test_wheel_or_sdist_without_the_reference_model_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "production.json"
    model.write_text("{}")
    dist = tmp_path / "dist"
    dist.mkdir()
    with pytest.raises(SystemExit, match="no reference model in"):
        check_reference_model(dist)
    with zipfile.ZipFile(dist / "a-1-py3-none-any.whl", "w") as wheel:
        wheel.write(model, "anemonefish/shipped/reef/production.json")
    check_reference_model(dist)
    with tarfile.open(dist / "a-1.tar.gz", "w:gz") as sdist:
        sdist.add(model, "a-1/src/anemonefish/other.json")
    with pytest.raises(SystemExit, match=r"no reference model in a-1\.tar\.gz"):
        check_reference_model(dist)
