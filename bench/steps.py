"""Print how long each step of scoring takes for a second of a recording, on one core.

    python -m bench.steps models reef@1.1.0 recording.wav

Each step's time is that of its fastest round, because whatever else the machine does makes a round slower. Decoding
includes the measurement of the signal. On one core, set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.audio.signal_meter import SignalMeter
from anemonefish.models.engine import Model
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.step_times import measure_steps
from anemonefish.stores import open_store
from anemonefish.windows import WindowRange
from anemonefish.workflow.score import score_windows


def main() -> None:
    """Print one line for each step, in microseconds per second of audio, and how many times real time that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", help="folder of bundles, or s3://bucket")
    parser.add_argument("model", help="name@version")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    model = ready_model(options.models, ModelRepository(open_store(options.models)).pin(options.model))
    least: dict[str, float] = {}
    for _ in range(options.rounds):
        for name, seconds in _steps(options.recording, model).items():
            least[name] = min(seconds, least.get(name, seconds))
    for name, seconds in least.items():
        print(f"{name:12} {seconds * 1e6:8.1f} us")
    print(f"{'together':12} {sum(least.values()) * 1e6:8.1f} us, {1 / sum(least.values()):.0f} x real time")


def _steps(recording: Path, model: Model) -> dict[str, float]:
    """Score a recording once, as a worker does; return the seconds of each step per second of audio."""
    profile, rate = model.spec.profile, model.spec.sample_rate
    with open_audio(str(recording), dtype=profile.sample_dtype) as audio, measure_steps() as times:
        samples = at_rate(audio, rate, profile.top_hz(rate or audio.sample_rate))
        grid = profile.grid(samples.n_samples, samples.sample_rate)
        windows = WindowRange(0, grid.n_windows)
        facts = audio.facts
        audio.watch(SignalMeter(grid, windows, samples.sample_rate, facts.sample_rate, facts.frames, facts.codec))
        score_windows(samples, grid, windows, model)
        return {name: seconds * facts.sample_rate / facts.frames for name, seconds in times.seconds.items()}


if __name__ == "__main__":
    main()
