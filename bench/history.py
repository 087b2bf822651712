"""Record benchmark tables in docs/benchmarks.md, with the machine and the versions.

The part of the page below the marker is written here. It has a section for each kind of processor, with the newest
table first, because figures of different kinds are not comparable. The part above the marker is written by hand.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

__all__ = ["Machine", "processor_kind", "record"]

_MARKER = "<!-- `make bench ARGS=--record` writes below: a section for each kind of processor, newest first -->\n"
_MAKERS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}
_INSTRUCTIONS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sse2": "SSE2", "sve": "SVE", "asimd": "NEON"}
"""Processor flags and their names, the widest instructions first."""

_LIBRARIES = ("numpy", "ai-edge-litert", "tensorflow", "keras", "librosa", "matplotlib")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the versions of a benchmark.

    Attributes
    ----------
    processor, system, python : str
    kind : str
        Kind of processor, on which figures depend: maker, family and widest instructions.
    cores : int
    load : float
        Load average of the minute before.
    commit : str
        Commit of this repository, with a plus sign if files have changed since.
    versions : dict of str to str
        Versions of the libraries that the figures depend on.
    """

    processor: str
    kind: str
    cores: int
    load: float
    system: str
    python: str
    commit: str
    versions: dict[str, str]

    @classmethod
    def this(cls) -> Self:
        """Return a description of this machine."""
        versions = {name: found for name in _LIBRARIES if (found := _version(name))}
        system = f"{platform.system()} {platform.machine()}"
        load = round(os.getloadavg()[0], 1)
        facts = _cpuinfo()
        return cls(
            _processor(facts), processor_kind(facts), os.cpu_count() or 1, load, system, platform.python_version(),
            _commit(), versions,
        )  # fmt: skip

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {found}" for name, found in self.versions.items())
        machine = f"{self.processor}, {self.cores} cores (load {self.load:g} before), {self.system}"
        return f"{machine}, Python {self.python}, {versions}; commit {self.commit}"


def record(document: Path, date: str, machine: Machine, table: str) -> None:
    """Add a table at the top of the section for the machine's kind of processor."""
    above, marker, below = document.read_text(encoding="utf-8").partition(_MARKER)
    if not marker:
        raise SystemExit(f"{document}: the line {_MARKER.strip()!r} is missing; restore it where the tables begin")
    heading, entry = f"\n### {machine.kind}\n", f"\n#### {date}\n\n{machine}\n\n{table}"
    others, known, earlier = below.partition(heading)
    history = others + heading + entry + earlier if known else heading + entry + below
    document.write_text(above + marker + history, encoding="utf-8")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpuinfo() -> dict[str, str]:
    """Return the fields of the first processor in ``/proc/cpuinfo``; empty on other systems than Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    facts: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    return facts


def processor_kind(facts: Mapping[str, str]) -> str:
    """Return the kind of a processor: maker, family and widest instructions, for example ``AMD family 25, AVX2``.

    Parameters
    ----------
    facts : mapping of str to str
        Fields of ``/proc/cpuinfo``; empty on systems without it.
    """
    flags = f"{facts.get('flags', '')} {facts.get('Features', '')}".split()
    widest = next((name for flag, name in _INSTRUCTIONS.items() if flag in flags), "instructions unknown")
    if "vendor_id" in facts and "cpu family" in facts:
        maker = _MAKERS.get(facts["vendor_id"], facts["vendor_id"])
        return f"{maker} family {facts['cpu family']}, {widest}"
    if "CPU implementer" in facts:
        return f"arm64 implementer {facts['CPU implementer']} part {facts.get('CPU part', '?')}, {widest}"
    return f"{platform.system()} {platform.machine()}"


def _processor(facts: Mapping[str, str]) -> str:
    """Return the processor's name, with family and model number if the system reports them."""
    name = facts.get("model name", platform.processor() or platform.machine())
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else name


def _commit() -> str:
    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
