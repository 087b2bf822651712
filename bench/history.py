"""The record of benchmarks: which machine, which versions, which table.

Owns the part of docs/benchmarks.md below its marker, newest first. What stands above it is written by people.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

__all__ = ["Machine", "record"]

_MARKER = "<!-- `make bench ARGS=--record` writes below, newest first -->\n"
_NAMED = ("numpy", "ai-edge-litert", "tensorflow", "keras", "librosa", "matplotlib")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were measured on.

    Attributes
    ----------
    processor, system, python : str
    cores : int
    load : float
        How many other processes wanted a core in the minute before.
    commit : str
        Of this repository; with a plus sign where files were changed since.
    versions : dict of str to str
        Of what decides the figures.
    """

    processor: str
    cores: int
    load: float
    system: str
    python: str
    commit: str
    versions: dict[str, str]

    @classmethod
    def this(cls) -> Self:
        """Return the machine at hand."""
        versions = {name: found for name in _NAMED if (found := _version(name))}
        system = f"{platform.system()} {platform.machine()}"
        load = round(os.getloadavg()[0], 1)
        return cls(_processor(), os.cpu_count() or 1, load, system, platform.python_version(), _commit(), versions)

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {found}" for name, found in self.versions.items())
        machine = f"{self.processor}, {self.cores} cores (load {self.load:g} before), {self.system}"
        return f"{machine}, Python {self.python}, {versions}; commit {self.commit}"


def record(document: Path, date: str, machine: Machine, made: str) -> None:
    """Put a table on top of the history."""
    above, marker, below = document.read_text(encoding="utf-8").partition(_MARKER)
    if not marker:
        raise SystemExit(f"{document}: the line {_MARKER.strip()!r} is gone; put it back where tables belong")
    entry = f"\n### {date}\n\n{machine}\n\n{made}"
    document.write_text(above + marker + entry + below, encoding="utf-8")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name with what tells its generation, where the system knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else name


def _commit() -> str:
    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
