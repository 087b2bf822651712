"""Section ``folders``: time of the command line for folders of short recordings and for ``--help``.

``anemonefish detect --jobs 1`` scores each folder into an empty results folder, then decides again with another
threshold. CPU time of all processes is reported beside wall time, because it depends less on other work of the machine.
If the environment variable ``BASELINE`` is the path of another checkout, its code runs alternately, and both must write
the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import soundfile

from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import SceneSettings
from bench.lab import REPOSITORY
from bench.rows import Row, compared, figure, missing

__all__ = ["rows"]

_SIZES = (1, 100, 1_000, 5_000)
_ROUNDS = {1: 5, 100: 3, 1_000: 2, 5_000: 1}
_RATE, _SECONDS = 48_000, 3


@dataclass(frozen=True, slots=True)
class _Times:
    """Wall time in seconds, and CPU time of all processes together."""

    clock: float
    busy: float

    def better(self, other: _Times | None) -> _Times:
        return self if other is None else _Times(min(self.clock, other.clock), min(self.busy, other.busy))


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row per folder and step, compared with the baseline if there is one."""
    sides = {"ours": REPOSITORY}
    if baseline := os.environ.get("BASELINE"):
        sides["baseline"] = Path(baseline).resolve()
    yield from _timing_rows("anemonefish --help", [_best(sides, ["--help"], rounds=2 if quick else 7)], 1, "s")
    with tempfile.TemporaryDirectory() as folder:
        for size in _SIZES[:2] if quick else _SIZES:
            recordings = Path(folder, f"recordings-{size}")
            _write(recordings, size)
            yield from _folder(sides, recordings, Path(folder, "results"), size, 1 if quick else _ROUNDS[size])
            shutil.rmtree(recordings)


def _folder(sides: dict[str, Path], recordings: Path, out: Path, size: int, rounds: int) -> Iterator[Row]:
    """Score and decide again; yield the rows of both, per recording if there are several."""
    scored: dict[str, _Times] = {}
    decided: dict[str, _Times] = {}
    same = True
    for _ in range(rounds):
        digests = set()
        for side, checkout in sides.items():
            shutil.rmtree(out, ignore_errors=True)
            line = ["detect", str(recordings), "--jobs", "1", "--out", str(out)]
            scored[side] = _run(checkout, line).better(scored.get(side))
            decided[side] = _run(checkout, [*line, "--threshold", "0.9"]).better(decided.get(side))
            digests.add(_digest(out))
        same = same and len(digests) == 1
    unit = "s" if size == 1 else "ms / recording"
    yield from _timing_rows(f"{size:,} recordings of {_SECONDS} s scored", [scored], size, unit)
    yield from _timing_rows(f"{size:,} recordings of {_SECONDS} s decided again", [decided], size, unit)
    yield figure(
        "folders",
        f"{size:,} recordings: deciding again takes of scoring",
        100 * decided["ours"].busy / scored["ours"].busy,
        "%",
    )
    if "baseline" in sides and not same:
        yield missing("folders", f"{size:,} recordings", "the baseline's results are not the same bytes")


def _timing_rows(what: str, made: Sequence[dict[str, _Times]], size: int, unit: str) -> Iterator[Row]:
    scale = 1 if unit == "s" else 1000 / size
    for best in made:
        for clock_name in ("clock", "busy"):
            name = f"{what}, by the {'clock' if clock_name == 'clock' else 'time of its processes'}"
            values = {side: scale * getattr(spent, clock_name) for side, spent in best.items()}
            if "baseline" in values:
                yield compared("folders", name, values["ours"], values["baseline"], unit)
            else:
                yield figure("folders", name, values["ours"], unit)


def _best(sides: dict[str, Path], line: Sequence[str], rounds: int) -> dict[str, _Times]:
    best: dict[str, _Times] = {}
    for _ in range(rounds):
        for side, checkout in sides.items():
            best[side] = _run(checkout, line).better(best.get(side))
    return best


def _run(checkout: Path, line: Sequence[str]) -> _Times:
    """Run the command line with the package of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "layers/anemonefish/src")}
    began, before = perf_counter(), os.times()
    subprocess.run([sys.executable, "-m", "anemonefish", *line], env=environment, stdout=subprocess.DEVNULL, check=True)
    ended, after = perf_counter(), os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return _Times(ended - began, busy)


def _write(folder: Path, size: int) -> None:
    """Write recordings that are different stretches of one reef."""
    folder.mkdir()
    made = scene(600, seed=3, sample_rate=_RATE, settings=SceneSettings(calls_per_minute=12))
    reef = np.concatenate(list(made.blocks(1 << 18)))
    for number in range(size):
        start = number * _SECONDS * _RATE % (len(reef) - _SECONDS * _RATE)
        samples = reef[start : start + _SECONDS * _RATE].copy()
        samples[0] = number / (2 * max(_SIZES))
        soundfile.write(folder / f"{number:05d}.wav", samples, _RATE, subtype="PCM_16")


def _digest(out: Path) -> str:
    """Return a hash of the names and contents of all reports."""
    made = hashlib.sha256()
    for path in sorted(path for path in out.rglob("*") if path.is_file() and ".anemonefish" not in path.parts):
        made.update(f"{path.relative_to(out)}\0".encode() + path.read_bytes())
    return made.hexdigest()
