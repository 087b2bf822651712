"""Print a hash of every output of a fixed set of jobs, on the laptop and on the local stack.

Run it before and after a change that must not change results, and compare the two lists:

    python -m bench.outputs > before.txt
    python -m bench.outputs > after.txt
    diff before.txt after.txt

The jobs cover WAV, FLAC and MP3, two sample rates, a resampled recording, a truncated and an unreadable file,
every report format, clips, pictures, another decision, a combined job and an evaluation. Two machines with different
processors may differ in the last bits of a score (docs/architecture.md), so the lists of one machine are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import soundfile

from bench.lab import REPOSITORY
from localstack import LocalAws
from localstack.demo import analyse, fetch

_BUILD = REPOSITORY / ".build"
_MINISTACK = REPOSITORY / ".venv-ministack" / "bin" / "python"

_FOLDER = _BUILD / "outputs"
"""Always the same folder, because tables and plans contain the path of a recording."""

_CHANGED = 1_700_000_000
"""Modification time of every recording, in seconds since 1970."""

_JOURNAL = ".anemonefish"
"""Folder with the parts, plans and manifests of a job on the laptop."""

_WITH_TIMES = ("manifest.json", "contents.json")
"""Files that contain the time of a run or of the last change of a file."""

_DECISION = ("threshold=0.7", "median_windows=3")


def main() -> None:
    """Print one line for each file: its SHA-256 and its name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laptop-only", action="store_true", help="leave the local stack out")
    only_laptop = parser.parse_args().laptop_only
    shutil.rmtree(_FOLDER, ignore_errors=True)
    recordings = _recordings(_FOLDER / "recordings")
    for job, out in _laptop_jobs(_FOLDER, recordings):
        _print_hashes(f"laptop/{job}", out)
    if not only_laptop:
        for job, out in _stack_jobs(_FOLDER / "stack", recordings):
            _print_hashes(f"stack/{job}", out)


def _recordings(folder: Path) -> list[Path]:
    """Write the recordings of the jobs with one modification time, on which a local recording's version depends."""
    folder.mkdir(parents=True)
    long, short = folder / "PAM_20240315_081500.wav", folder / "short.wav"
    _run("simulate", "--seconds", "90", "--seed", "3", "--out", long)
    _run("simulate", "--seconds", "20", "--seed", "7", "--sample-rate", "32000", "--out", short)
    samples, rate = soundfile.read(long, dtype="int16")
    for suffix in ("flac", "mp3"):
        soundfile.write(folder / f"compressed.{suffix}", samples[: 30 * rate], rate)
    (folder / "cut.wav").write_bytes(short.read_bytes()[:500_001])
    (folder / "broken.wav").write_bytes(b"this is no recording")
    recordings = sorted(path for path in folder.iterdir() if path.suffix in {".wav", ".flac", ".mp3"})
    for path in recordings:
        os.utime(path, (_CHANGED, _CHANGED))
    return recordings


def _laptop_jobs(root: Path, recordings: list[Path]) -> Iterator[tuple[str, Path]]:
    folder = root / "recordings"
    alone = ("detect", folder / "PAM_20240315_081500.wav", "--out")
    _run(*alone, root / "alone", "--set", "time_zone=+10:00", "--clips", "--pictures")
    yield "alone", root / "alone"
    decided = [option for setting in _DECISION for option in ("--set", setting)]
    _run(*alone, root / "decided", "--jobs", "1", *decided)
    yield "decided", root / "decided"
    _run("detect", *recordings, "--out", root / "together", expect=1)
    yield "together", root / "together"
    _run("evaluate", root / "together", folder, "--out", root / "evaluation", "--picture")
    yield "evaluation", root / "evaluation"


def _stack_jobs(root: Path, recordings: list[Path]) -> Iterator[tuple[str, Path]]:
    with LocalAws.start(_BUILD, _MINISTACK) as aws:
        stack = aws.deploy(REPOSITORY / "template.yaml", _BUILD / "layers")
        s3 = aws.client("s3")
        settings = {"review": ["clips", "pictures"], "max_range_seconds": 30.0}
        jobs = {"alone": [path for path in recordings if path.name.startswith("PAM")], "together": recordings}
        for name, paths in jobs.items():
            execution = analyse(s3, stack, name, paths, settings=settings)
            if execution.status != "SUCCEEDED":
                raise SystemExit(f"{name}: {execution.error}: {execution.cause}")
            fetch(s3, stack, execution.output["job"], root / name)
            yield name, root / name


def _run(*arguments: str | Path, expect: int = 0) -> None:
    command = [sys.executable, "-m", "anemonefish", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")


def _print_hashes(job: str, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not (_JOURNAL in path.parts and path.name in _WITH_TIMES):
            name = path.relative_to(folder).as_posix()
            print(hashlib.sha256(path.read_bytes()).hexdigest(), f"{job}/{name}", flush=True)


if __name__ == "__main__":
    main()
