"""Tests of the libraries in the image's wheels for both processors: they need no more than Amazon Linux 2023 has.

The image itself is built for this machine's processor only (test_image.py); wheels can be read for the other as well.
They are 1 GB, kept in .build until a pin changes.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.elf import PROVIDED, Library, newest_of, too_new

REPOSITORY = Path(__file__).parents[2]
PINS = REPOSITORY / "image" / "requirements.txt"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
LIBCS = ("2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17")


@pytest.mark.parametrize("architecture", MACHINES)
def test_libraries_of_the_image_load_on_amazon_linux(architecture: str) -> None:
    libraries = [library for wheel in _wheels(MACHINES[architecture]) for library in _libraries(wheel)]
    assert len(libraries) > 200
    newest = newest_of(libraries)
    print(architecture, {prefix: (newest[prefix], PROVIDED[prefix][architecture]) for prefix in PROVIDED})
    assert {str(library.path): sorted(too_new(library, architecture)) for library in libraries
            if any(too_new(library, architecture))} == {}  # fmt: skip


def _wheels(machine: str) -> list[Path]:
    """Return the wheels that the image would install on a processor."""
    environment = {"platform_machine": machine, "sys_platform": "linux", "python_version": "3.13"}
    text = re.sub(r"\\\n\s+--hash=\S+", "", PINS.read_text())
    lines = [line.strip(" \\") for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")]
    pins = [Requirement(line) for line in lines]
    wanted = sorted(f"{pin.name}{pin.specifier}" for pin in pins if not pin.marker or pin.marker.evaluate(environment))
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    folder = REPOSITORY / ".build" / "container" / f"image-wheels-{machine}-{digest}"
    if not (folder / "complete").exists():
        platforms = [f"--platform=manylinux_{libc}_{machine}" for libc in LIBCS] + [
            f"--platform=manylinux2014_{machine}"
        ]
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={folder}",
             "--python-version=3.13", "--implementation=cp", *platforms, *wanted],
            check=True,
        )  # fmt: skip
        (folder / "complete").touch()
    return sorted(folder.glob("*.whl"))


def _libraries(wheel: Path) -> list[Library]:
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if ".so" in name}
    return [Library.read(wheel / name, io.BytesIO(data)) for name, data in contents.items() if data[:4] == b"\x7fELF"]
