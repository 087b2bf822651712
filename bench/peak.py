"""Peak performance of a core, measured by a loop of fused multiply-adds in C, if there is a C compiler.

Compiles and runs ``peak.c``. The loop uses only registers, so only the core limits its speed, not caches, memory or
other cores.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["compile_loops", "run_loop"]

_WIDTHS = (16, 32, 64)


def compile_loops(folder: Path) -> dict[int, Path]:
    """Compile the loop for every register width of the processor; return the programs by width in bytes.

    Each program checks whether the processor has its registers, and widths that the processor lacks are left out. The
    result is empty without a C compiler and for processors without fused multiply-adds.
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
