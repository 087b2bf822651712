"""Lint .github: the workflows and Dependabot's configuration.

    python lint/workflows.py

actionlint checks syntax, expressions and runner names, zizmor what an attacker could use; neither needs the internet.
Exits with 1 if a linter has findings. tests/unit/test_workflows.py checks the rules of this repository.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def main() -> int:
    """Run every linter that is installed and return the exit status."""
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    passed = [
        _passes("zizmor", BIN / "zizmor", "--offline", "--no-progress", ROOT / ".github"),
        _passes("actionlint", BIN / "actionlint", "-shellcheck=", "-pyflakes=", *workflows),
    ]
    return int(not all(passed))


def _passes(name: str, program: Path, *options: str | Path) -> bool:
    """Run a linter; print its time, and its output if it has findings."""
    if not program.exists():
        print(f"skip   {name}: there is no package of it for this system")
        return True
    began = time.monotonic()
    done = subprocess.run([program, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    output = f"\n{done.stdout}{done.stderr}" if done.returncode else ""
    print(f"{'FAILED' if done.returncode else 'ok    '} {name}, {time.monotonic() - began:.0f} s{output}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
