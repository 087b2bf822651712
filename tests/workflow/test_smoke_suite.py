"""``make smoke`` against the local stack, in a process that knows its URL and a key and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from localstack import Stack

REPOSITORY = Path(__file__).parents[2]


def smoke(url: str, key: str) -> subprocess.CompletedProcess[str]:
    """Run ``make smoke`` with the environment of these tests, without variables that name an account or a key."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": _sources()}
    interpreter = ["--old-file=.venv/smoke", f"BIN={Path(sys.executable).parent}"]
    command = ["make", "smoke", *interpreter, f"URL={url}", f"KEY={key}"]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def _sources() -> str:
    """Return the package of this checkout; the interpreter may have another one installed."""
    return str(REPOSITORY / "layers" / "anemonefish" / "src")


def test_smoke_suite_passes_by_url_and_key_alone(stack: Stack) -> None:
    done = smoke(stack.api_url, stack.api_key)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    print(last)
    assert re.match(rf"smoke: \d+ checks passed at {re.escape(stack.api_url)} in \d+ s: \w", last), last
    assert stack.api_key not in done.stdout + done.stderr


def test_smoke_suite_fails_with_a_wrong_key(stack: Stack) -> None:
    done = smoke(stack.api_url, "wrong")
    assert done.returncode != 0
    last = done.stdout.splitlines()[-1]
    assert re.match(r"smoke: \d+ of \d+ checks failed at http", last), last
    assert "reference model is in production" in last
    assert not re.search(r"\bkey='", done.stdout)


def test_smoke_suite_asks_for_the_url_and_the_key() -> None:
    done = smoke("", "")
    assert done.returncode == 2
    assert "make smoke URL=https://... KEY=..." in done.stdout
