"""What the figures of the benchmark rest on: the loop of multiply-adds, and the record per kind of processor."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))  # bench is a folder of the repository, not an installed package

from bench.history import Machine, processor_kind, record  # noqa: E402
from bench.peak import compile_loops, run_loop  # noqa: E402

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@needs_compiler
def test_loop_runs_for_the_registers_that_the_processor_has(tmp_path: Path) -> None:
    loops = compile_loops(tmp_path)
    assert set(loops) <= {16, 32, 64}
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    assert (64 in loops) == (" avx512f" in flags)
    for program in loops.values():
        assert run_loop(program) > 0


@needs_compiler
@pytest.mark.parametrize("width", [16, 32, 64])
def test_loop_keeps_to_registers(width: int, tmp_path: Path) -> None:
    assembly = tmp_path / "peak.s"
    source = REPOSITORY / "bench" / "peak.c"
    subprocess.run(["cc", "-O2", f"-DW={width}", "-S", "-o", assembly, source], check=True)
    lines = [line.strip() for line in assembly.read_text().splitlines()]
    fused = [number for number, line in enumerate(lines) if re.match(r"vfn?madd\w*ps|fmla", line)]
    if not fused:
        pytest.skip(f"this architecture has no multiply-adds of {8 * width} bit")
    loop = lines[fused[0] : fused[-1] + 1]
    assert len(fused) in {12, 24}
    assert not [line for line in loop if re.search(r"\((%rsp|%rbp)|\[(sp|x29)", line)], "a chain is kept in memory"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"vendor_id": "AuthenticAMD", "cpu family": "25", "flags": "sse2 avx avx2 fma"}, "AMD family 25, AVX2"),
        ({"vendor_id": "GenuineIntel", "cpu family": "6", "flags": "sse2 avx2 avx512f"}, "Intel family 6, AVX-512"),
        (
            {"CPU implementer": "0x41", "CPU part": "0xd40", "Features": "fp asimd sve"},
            "arm64 implementer 0x41 part 0xd40, SVE",
        ),
    ],
)
def test_kind_of_a_processor_is_its_family_and_its_widest_instructions(facts: dict[str, str], kind: str) -> None:
    assert processor_kind(facts) == kind


def test_record_stands_with_those_of_its_kind_newest_first(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    shutil.copy(REPOSITORY / "docs" / "benchmarks.md", document)
    before = document.read_text()
    for date, kind in (
        ("2030-01-01", "arm64, NEON"),
        ("2030-01-02", "AMD family 26, AVX-512"),
        ("2030-01-03", "arm64, NEON"),
    ):
        record(document, date, Machine("A processor", kind, 2, 0.0, "Linux", "3.11", "abc", {}), f"| {date} |\n")
    made = document.read_text()
    headings = re.findall(r"^#{3,4} (.*)$", made.partition("<!--")[2], flags=re.MULTILINE)
    assert headings[:3] == ["arm64, NEON", "2030-01-03", "2030-01-01"]
    assert headings[3:5] == ["AMD family 26, AVX-512", "2030-01-02"]
    assert set(before.splitlines()) <= set(made.splitlines())
