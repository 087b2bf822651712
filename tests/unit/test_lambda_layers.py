"""The layers as Lambda gets them, for both processors: every library loads there, and none is for the other processor.

`make lambda-layers` builds them with the Makefile that `sam build` calls; it needs pip once, and nothing after that
until a pin changes. tests/elf.py says what Amazon Linux 2023 has, and where that is written.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from anemonefish.layer_check import MARKERS
from tests.elf import PROVIDED, SYSTEM, Library, newest_of, too_new

REPOSITORY = Path(__file__).parents[2]
BUILT = REPOSITORY / ".build" / "lambda"
ARCHITECTURES = ("arm64", "x86_64")
LAYERS = ("AnemonefishLayer", "ApiLayer", "DspLayer", "MediaLayer", "ParquetLayer", "PicturesLayer")
MACHINES = {"arm64": "EM_AARCH64", "x86_64": "EM_X86_64"}


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", REPOSITORY, "lambda-layers"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@cache
def _libraries(architecture: str, layer: str) -> tuple[Library, ...]:
    libraries = []
    for path in sorted(path for path in (BUILT / architecture / layer).rglob("*") if path.is_file()):
        with path.open("rb") as file:
            if file.read(4) == b"\x7fELF":
                libraries.append(Library.read(path, file))
    return tuple(libraries)


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_library_asks_for_a_newer_symbol_than_amazon_linux_has(architecture: str) -> None:
    print(f"\n{architecture:<18}" + "".join(f"{prefix:>10}" for prefix in PROVIDED))
    for layer in LAYERS:
        newest = newest_of(list(_libraries(architecture, layer)))
        print(f"{layer:<18}" + "".join(f"{newest[prefix]:>10}" for prefix in PROVIDED))
    provided = (".".join(map(str, PROVIDED[prefix][architecture])) for prefix in PROVIDED)
    print(f"{'Amazon Linux 2023':<18}" + "".join(f"{word:>10}" for word in provided))
    refused = {
        f"{layer}/{library.path.name}": names
        for layer in LAYERS
        for library in _libraries(architecture, layer)
        if (names := sorted(too_new(library, architecture)))
    }
    assert refused == {}


def test_every_needed_library_is_in_the_layer_or_in_amazon_linux(architecture: str) -> None:
    missing = defaultdict(set)
    for layer in LAYERS:
        libraries = _libraries(architecture, layer)
        bundled = {library.path.name: library for library in libraries}
        for library in libraries:
            for name in library.needs:
                if not SYSTEM.fullmatch(name) and name not in bundled:
                    missing[name].add(library.path.name)
            for of, version in library.versions_needed:
                if of in bundled and version not in bundled[of].versions_defined:
                    missing[f"{of} {version}"].add(library.path.name)
    assert dict(missing) == {}


def test_every_library_is_for_this_processor(architecture: str) -> None:
    libraries = [library for layer in LAYERS for library in _libraries(architecture, layer)]
    assert len(libraries) > 60
    assert {library.path for library in libraries if library.machine != MACHINES[architecture]} == set()


def test_every_layer_says_which_processor_it_is_for(architecture: str) -> None:
    markers = {path.name: path.read_text().strip() for path in (BUILT / architecture).rglob(f"{MARKERS}/*")}
    assert markers == dict.fromkeys(LAYERS, architecture)


def test_library_that_asks_for_too_much_is_reported(architecture: str) -> None:
    asks = {("libstdc++.so.6", "GLIBCXX_3.4.30"), ("libc.so.6", "GLIBC_2.17"), ("libgcc_s.so.1", "GCC_14.0.0")}
    library = Library(Path("libpywrap.so"), "EM_AARCH64", frozenset(), frozenset(asks), frozenset())
    assert sorted(too_new(library, architecture)) == ["GCC_14.0.0", "GLIBCXX_3.4.30"]


@pytest.mark.parametrize("given", ["", "arm", "aarch64"])
@pytest.mark.parametrize("layer", ["DspLayer", "ApiLayer"])
def test_layer_is_not_built_for_a_processor_that_nobody_named(tmp_path: Path, layer: str, given: str) -> None:
    command = ["make", "-C", REPOSITORY / "layers", f"build-{layer}", f"ARTIFACTS_DIR={tmp_path}/layer"]
    done = subprocess.run(
        [*command, f"ARCHITECTURE={given}", f"PYTHON={sys.executable}"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "ARCHITECTURE=arm64 sam build, or ARCHITECTURE=x86_64 sam build" in done.stderr
    assert not (tmp_path / "layer").exists()
