"""Section ``peers``: the spectrogram of a window by ours and by public bioacoustics libraries, at the same parameters.

The section is optional. The libraries are installed in ``.venv-bench`` (``make bench PEERS=1``), and each runs in its
own process. The lab's networks were not trained on their spectrograms, so only the time is compared: they compute 72
frames per window, whereas ours, centred like librosa's, computes 76.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anemonefish.profiles import profile_named
from bench import lab_pipeline
from bench.lab import RATE, REPOSITORY, recording
from bench.measure import cores, in_turn
from bench.pipeline import preprocess
from bench.rows import Row, compared, missing

__all__ = ["rows"]

_PYTHON = REPOSITORY / ".venv-bench" / "bin" / "python"
_WORKER = Path(__file__).with_name("peers_worker.py")
_LIBRARIES = ("opensoundscape", "koogu")
_SECONDS = 60


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row per library that compares its time per window with ours."""
    for library in _LIBRARIES:
        if not _PYTHON.exists():
            yield missing("peers", library, "not installed: make bench PEERS=1 makes .venv-bench", wanted=False)
            continue
        try:
            yield _compare(library, 10 if quick else _SECONDS, rounds=2 if quick else 7)
        except _Unusable as error:
            yield missing("peers", library, f"not installed: {error}", wanted=False)


def _compare(library: str, seconds: int, rounds: int) -> Row:
    path, profile = recording(seconds), profile_named("stft-db")
    samples, _ = lab_pipeline.decode(path, "v2")
    grid = profile.grid(len(samples), RATE)
    with _peer(library, path, grid.window, grid.hop) as peer:
        ours, theirs = in_turn(lambda: sum(map(len, preprocess(profile, samples))), peer.round, rounds=rounds)
    assert ours.answer == grid.n_windows
    shape = " × ".join(map(str, profile.input_shape(RATE)[:2]))
    what = f"a spectrogram by stft-db, {shape}, against {peer.title}"
    return compared("peers", what, 1000 * ours.seconds / grid.n_windows, 1000 * theirs.seconds / grid.n_windows, "ms")


class _Unusable(Exception):
    """A library cannot be imported; the message says why."""


@dataclass(frozen=True, slots=True)
class _Peer:
    """A library that runs in its own process.

    Attributes
    ----------
    title : str
        Its name, its version and the shape of its spectrograms.
    """

    title: str
    _process: subprocess.Popen[str]

    def round(self) -> None:
        """Let the library make the spectrogram of every window, on the core of this process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores()[0]
        self._process.stdin.write(f"{core}\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise _Unusable("its process died")


@contextmanager
def _peer(library: str, path: Path, window: int, hop: int) -> Iterator[_Peer]:
    command = [str(_PYTHON), str(_WORKER), library, str(path), str(window), str(hop)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        title = process.stdout.readline().strip()
        if not title:
            errors.seek(0)
            raise _Unusable((errors.read().strip().splitlines() or ["no output"])[-1])
        try:
            yield _Peer(title, process)
        finally:
            process.kill()
