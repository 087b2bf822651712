"""Symbol versions that a library needs from the system, and those that Amazon Linux 2023 has.

AWS documents glibc 2.34 and gcc 11.2 (https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html). The table lists the
symbol versions of these (https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html), which equal those in auditwheel's
policy manylinux_2_34. Amazon Linux has had the libraries of gcc 14 since April 2025
(amazonlinux/container-images#132), but a function of that month still had no GLIBCXX_3.4.30. No document says which
libraries Lambda's managed runtimes have, so the older versions are used here.
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
    """The fields of one library that the dynamic linker reads."""

    path: Path
    machine: str
    needs: frozenset[str]
    versions_needed: frozenset[tuple[str, str]]  # pairs of library and version
    versions_defined: frozenset[str]

    @classmethod
    def read(cls, path: Path, file: BinaryIO) -> Library:
        """Read the library in ``file``."""
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
    """Split ``GLIBCXX_3.4.30`` into prefix and numbers; None for names without numbers, such as ``CXXABI_TM_1``."""
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
    """Return the newest system version that any library needs, by prefix; ``-`` if none needs one."""
    asked = [version_of(name) for library in libraries for of, name in library.versions_needed if SYSTEM.fullmatch(of)]
    newest = {
        prefix: max((numbers for each in asked if each for name, numbers in [each] if name == prefix), default=())
        for prefix in PROVIDED
    }
    return {prefix: ".".join(map(str, numbers)) or "-" for prefix, numbers in newest.items()}
