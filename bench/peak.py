"""What a core can do at most: a loop of fused multiply-adds in C, compiled here, where there is a compiler.

Owns ``peak.c`` and how it is compiled and run. The loop keeps to registers, so nothing but the core itself limits it:
neither a cache nor memory, nor what another core does.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["compile_loops", "run_loop"]

_WIDTHS = (16, 32, 64)


def compile_loops(folder: Path) -> dict[int, Path]:
    """Compile the loop for every width of register, in bytes, that the processor has.

    A program says itself whether the processor has its registers; a width that would be two of a narrower one is left
    out. Empty without a C compiler, and for a processor without fused multiply-adds.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        return {}
    source, programs = str(Path(__file__).with_name("peak.c")), {}
    for width in _WIDTHS:
        program = folder / f"peak{width}"
        command = [compiler, "-O2", f"-DW={width}", "-o", str(program), source]
        compiled = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if compiled and subprocess.run([program], capture_output=True, check=False).returncode == 0:
            programs[width] = program
    return programs


def run_loop(program: Path) -> float:
    """Run the loop for a tenth of a second and return the GFLOP/s it reached."""
    return float(subprocess.run([program], capture_output=True, check=True).stdout)
