"""Measure how well ``calls``, ``peak_hz`` and ``level_db`` of events agree with simulated scenes, whose truth is known.

    python training/measure_calls.py [--model reef] [--scenes 10] [--seconds 300] [--set NAME=VALUE ...]

An event is compared with the anemonefish calls whose middle lies in it; events without one are counted as false. The
signal-to-noise ratio of a call is the simulator's: its mean power over that of the steady noise in its own band.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import anemonefish as af
from anemonefish.settings import Settings
from anemonefish.simulation.calls import ANEMONEFISH

FIRST_SEED = 980_000
"""Training, validation and held-out scenes of train.py have seeds below 400,000."""

_ROW = "{:>8} {:>7} {:>6} {:>8} {:>6} {:>9} {:>11} {:>7}"
SNR_STEPS = ((6.0, 12.0), (12.0, 20.0), (20.0, 30.0), (6.0, 30.0))


@dataclass(frozen=True, slots=True)
class Compared:
    """An event, and the calls that really lie in it."""

    counted: int
    true: int
    snr_db: float
    hertz_off: float


def main() -> None:
    """Print the errors by signal-to-noise ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="reef")
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    settings = Settings.read(dict(text.split("=", 1) for text in options.settings))
    compared: list[Compared] = []
    false = calls = 0
    for number in range(options.scenes):
        with tempfile.TemporaryDirectory() as folder:
            scene = af.simulate(Path(folder, "scene.wav"), seconds=options.seconds, seed=FIRST_SEED + number)
            results = af.detect(scene.path, options.model, processes=1, **settings)
            right = list(_compare(results.events, scene))
            compared += right
            false += len(results.events) - len(right)
            calls += scene.n_calls
    minutes = options.scenes * options.seconds / 60
    events = len(compared) + false
    print(f"{options.model}: {minutes:g} minutes with {calls} calls, {events} events, {false} of them false")
    print(_ROW.format("SNR dB", "events", "calls", "counted", "exact", "within 1", "mean error", "Hz off"))
    for low, high in SNR_STEPS:
        _print_row(f"{low:g}-{high:g}", [each for each in compared if low <= each.snr_db <= high])


def _compare(events: Sequence[af.DetectedEvent], scene: af.SimulatedRecording) -> Iterator[Compared]:
    rate = scene.scene.sample_rate
    sounds = [sound for sound in scene.scene.sounds if sound.label == ANEMONEFISH]
    for event in events:
        inside = [
            sound for sound in sounds if event.start_time <= (sound.start + sound.stop) / 2 / rate < event.end_time
        ]
        if inside and event.calls is not None and event.peak_hz is not None:
            hertz = median(sound.frequency_hz for sound in inside)
            yield Compared(event.calls, len(inside), max(s.snr_db for s in inside), abs(event.peak_hz - hertz))


def _print_row(name: str, rows: Sequence[Compared]) -> None:
    if not rows:
        return
    errors = [abs(row.counted - row.true) for row in rows]
    print(
        _ROW.format(
            name,
            len(rows),
            sum(row.true for row in rows),
            sum(row.counted for row in rows),
            f"{mean(error == 0 for error in errors):.2f}",
            f"{mean(error <= 1 for error in errors):.2f}",
            f"{mean(errors):.2f}",
            f"{median(row.hertz_off for row in rows):.0f}",
        )
    )


if __name__ == "__main__":
    main()
