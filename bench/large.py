"""Analyse recordings above 4 GB, and hours of MP3 and M4A, with the workflow on the local AWS.

``python -m bench.large`` makes each recording (sparse, or generated), runs one execution, compares the position of the
last event with that in the last minute alone, and prints the peak memory of the workers. It needs about 20 GB of memory
for the emulator's bucket and 15 minutes, and stores nothing. ``--only mp3`` runs one recording.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from click.testing import CliRunner

from anemonefish.cli.main import main as command_line
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from localstack import LocalAws  # noqa: E402
from localstack.demo import analyse, fetch  # noqa: E402

RATE, HOP = 48_000, 9_600
FORM = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)


def rf64_header(length: int, form: bytes) -> bytes:
    """Return the header of an RF64 file with ``length`` bytes of samples, which follow the header directly."""
    block = struct.unpack_from("<H", form, 12)[0]
    body = b"WAVE" + struct.pack("<4sIQQQI", b"ds64", 28, 72 + len(form) + length, length, length // max(1, block), 0)
    body += struct.pack("<4sI", b"fmt ", len(form)) + form + struct.pack("<4sI", b"data", 0xFFFFFFFF)
    return struct.pack("<4sI", b"RF64", 0xFFFFFFFF) + body


def last_minute() -> np.ndarray:
    made = scene(60, seed=21, settings=SceneSettings(calls_per_minute=30, calls_per_bout=(1, 1)))
    return np.concatenate(list(made.blocks(1 << 20))).astype(np.float32)


def sparse(path: Path, head: bytes, samples: int, end: np.ndarray) -> None:
    """Write a sparse file with a header, a hole, and the last samples."""
    pcm = np.clip(np.rint(end * 32_768), -32_768, 32_767).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(head)
        file.seek(len(head) + 2 * samples - len(pcm))
        file.write(pcm)


def samples_of(gigabytes: float) -> int:
    """Return a number of samples for which the last minute begins at the start of a window."""
    return int(gigabytes * 1e9 / 2) // HOP * HOP + 60 * RATE % HOP


def plain_wav(path: Path, end: np.ndarray) -> int:
    samples = samples_of(5.5)
    wrapped = 2 * samples & 0xFFFFFFFF
    head = struct.pack("<4sI4s4sI", b"RIFF", wrapped + 36 & 0xFFFFFFFF, b"WAVE", b"fmt ", 16) + FORM
    sparse(path, head + struct.pack("<4sI", b"data", wrapped), samples, end)
    return samples


def rf64(path: Path, end: np.ndarray) -> int:
    samples = samples_of(4.6)
    sparse(path, rf64_header(2 * samples, FORM), samples, end)
    return samples


def w64(path: Path, end: np.ndarray) -> int:
    samples = samples_of(4.6)
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    form = b"fmt " + tail + struct.pack("<Q", 24 + 16) + FORM
    data = b"data" + tail + struct.pack("<Q", 24 + 2 * samples)
    riff = bytes.fromhex("726966662e91cf11a5d628db04c10000")
    head = riff + struct.pack("<Q", 40 + len(form) + len(data) + 2 * samples) + b"wave" + tail + form + data
    sparse(path, head, samples, end)
    return samples


def media(path: Path, end: np.ndarray, container: str, codec: str) -> int:
    """Encode two hours of quiet noise with the given last minute."""
    samples = 2 * 3600 * RATE
    noise = np.random.default_rng(1).normal(0, 1e-3, 60 * RATE).astype(np.float32)
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE, layout="mono")
        stream.bit_rate = 160_000
        for minute in range(120):
            block = end if minute == 119 else noise
            for start in range(0, len(block), RATE):
                frame = av.AudioFrame.from_ndarray(block[None, start : start + RATE], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = RATE, minute * len(block) + start
                file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return samples


MAKERS: dict[str, tuple[str, Callable[[Path, np.ndarray], int]]] = {
    "wav": ("plain_5.5_GB.wav", plain_wav),
    "rf64": ("rf64_4.6_GB.rf64", rf64),
    "w64": ("w64_4.6_GB.w64", w64),
    "mp3": ("two_hours.mp3", lambda path, end: media(path, end, "mp3", "libmp3lame")),
    "m4a": ("two_hours.m4a", lambda path, end: media(path, end, "mp4", "aac")),
}


class PeakMemory(threading.Thread):
    """Records the peak memory of every function's workers, as reported in ``/proc``."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest: dict[str, float] = {}

    def run(self) -> None:  # noqa: D102
        while True:
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    command = (status.parent / "cmdline").read_bytes()
                    if b"awslambdaric" not in command:
                        continue
                    function = (status.parent / "environ").read_bytes().split(b"AWS_LAMBDA_FUNCTION_NAME=")[1]
                    name = function.split(b"\0")[0].decode().rpartition("-")[0] or function.split(b"\0")[0].decode()
                    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
                    self.highest[name] = max(self.highest.get(name, 0.0), int(peak.split()[1]) / 1024)
                except (OSError, IndexError, StopIteration):
                    continue
            time.sleep(0.2)


def last_event(folder: Path, name: str) -> tuple[int, int, int]:
    events = json.loads((folder / f"{name}.json").read_text())["events"]
    return len(events), events[-1]["start_sample"], events[-1]["end_sample"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MAKERS, nargs="+", default=list(MAKERS))
    options = parser.parse_args()
    end = last_minute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = scene(60, seed=21, settings=SceneSettings(calls_per_minute=30, calls_per_bout=(1, 1)))
        write_scene(alone, folder / "alone.wav")
        CliRunner().invoke(command_line, ["detect", str(folder / "alone.wav"), "--out", str(folder / "alone")])
        expected = last_event(folder / "alone", "alone.wav")
        for kind in options.only:
            run(kind, folder, end, expected)


def run(kind: str, folder: Path, end: np.ndarray, expected: tuple[int, int, int]) -> None:
    name, make = MAKERS[kind]
    path = folder / name
    samples = make(path, end)
    shift = samples - len(end)
    watch = PeakMemory()
    with LocalAws.start(REPOSITORY / ".build", REPOSITORY / ".venv-ministack" / "bin" / "python") as aws:
        stack = aws.deploy(REPOSITORY / "template.yaml", REPOSITORY / ".build" / "layers", {})
        watch.start()
        begin = time.perf_counter()
        execution = analyse(aws.client("s3"), stack, kind, [path], timeout=1200, settings={"formats": ["json", "csv"]})
        took = time.perf_counter() - begin
        assert execution.status == "SUCCEEDED", (execution.error, execution.cause)
        fetch(aws.client("s3"), stack, execution.output["job"], folder / kind)
    _, start, stop = last_event(folder / kind, name)
    off = start - shift - expected[1], stop - shift - expected[2]
    workers = {function: round(memory) for function, memory in sorted(watch.highest.items())}
    hours = samples / RATE / 3600
    print(
        f"{name}: {path.stat().st_size / 1e9:.2f} GB, {hours:.2f} h, {len(execution.children)} workers, {took:.0f} s "
        f"({hours * 3600 / took:.0f} x real time, upload included); last event off by {off} samples; "
        f"highest memory in MB: {workers}",
        flush=True,
    )
    path.unlink()


if __name__ == "__main__":
    main()
