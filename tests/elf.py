"""What a library asks of the machine it is loaded on, and what Amazon Linux 2023 has.

That is what AWS documents, glibc 2.34 and gcc 11.2 (https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html), in
the versions that these give their symbols (https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html). auditwheel's
policy manylinux_2_34 has the same ones. Amazon Linux has had the libraries of gcc 14 since April 2025
(amazonlinux/container-images#132), but a function of that month was still without GLIBCXX_3.4.30, and no document says
what Lambda's managed runtimes have: the older ones are safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection

__all__ = ["PROVIDED", "SYSTEM", "Library", "newest_of", "too_new", "version_of"]

PROVIDED = {
    "GLIBC": {"arm64": (2, 34), "x86_64": (2, 34)},
    "GLIBCXX": {"arm64": (3, 4, 29), "x86_64": (3, 4, 29)},
    "CXXABI": {"arm64": (1, 3, 13), "x86_64": (1, 3, 13)},
    "GCC": {"arm64": (11, 0), "x86_64": (7, 0, 0)},
    "ZLIB": {"arm64": (1, 2, 9), "x86_64": (1, 2, 9)},
}
"""The newest symbol versions of Amazon Linux 2023's own libraries."""

SYSTEM = re.compile(
    r"(libc|libm|libmvec|libdl|librt|libpthread|libutil|ld-linux-\S+)\.so\.\d|libstdc\+\+\.so\.6|libgcc_s\.so\.1|libz\.so\.1"
)
"""Libraries of its smallest image, which Lambda's runtimes are made of."""


@dataclass(frozen=True)
class Library:
    """What the dynamic linker reads in one library."""

    path: Path
    machine: str
    needs: frozenset[str]
    versions_needed: frozenset[tuple[str, str]]  # of which library, which version
    versions_defined: frozenset[str]

    @classmethod
    def read(cls, path: Path, file: BinaryIO) -> Library:
        """Read the library that ``file`` holds."""
        needs: set[str] = set()
        needed: set[tuple[str, str]] = set()
        defined: set[str] = set()
        elf = ELFFile(file)
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                needs |= {tag.needed for tag in section.iter_tags("DT_NEEDED")}
            elif isinstance(section, GNUVerNeedSection):
                for library, versions in section.iter_versions():
                    needed |= {(library.name, version.name) for version in versions}
            elif isinstance(section, GNUVerDefSection):
                for _, names in section.iter_versions():
                    defined |= {name.name for name in names}
        return cls(path, elf["e_machine"], frozenset(needs), frozenset(needed), frozenset(defined))


def version_of(name: str) -> tuple[str, tuple[int, ...]] | None:
    """Split ``GLIBCXX_3.4.30``; None for names that are no numbers, such as ``CXXABI_TM_1``."""
    found = re.fullmatch(r"([A-Z]+)_(\d+(?:\.\d+)*)", name)
    return (found[1], tuple(map(int, found[2].split(".")))) if found else None


def too_new(library: Library, architecture: str) -> Iterator[str]:
    """Yield the symbol versions that Amazon Linux 2023 does not have."""
    for of, name in library.versions_needed:
        if SYSTEM.fullmatch(of) and (version := version_of(name)):
            prefix, numbers = version
            if numbers > PROVIDED[prefix][architecture]:
                yield name


def newest_of(libraries: list[Library]) -> dict[str, str]:
    """Return the newest version that any library asks of the system, by prefix; ``-`` where none does."""
    asked = [version_of(name) for library in libraries for of, name in library.versions_needed if SYSTEM.fullmatch(of)]
    newest = {
        prefix: max((numbers for each in asked if each for name, numbers in [each] if name == prefix), default=())
        for prefix in PROVIDED
    }
    return {prefix: ".".join(map(str, numbers)) or "-" for prefix, numbers in newest.items()}
