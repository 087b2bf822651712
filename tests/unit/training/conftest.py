"""Recordings, labels and windows that the tests of training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anemonefish.profiles import BandDb
from anemonefish.training.audio_cache import CachedAudio, cache_audio
from anemonefish.training.labelled_recordings import LabelledRecording, TimedLabel
from anemonefish.training.network_input import NetworkInput
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_examples import WindowPool

RATE = 8_000
INPUT = NetworkInput(RATE, BandDb())
QUICK = TrainingOptions(epochs=2, epoch_windows=(64, 64), batch=16)


def labelled(name: str = "reef.wav", *labels: tuple[float, float, int], **changes: object) -> LabelledRecording:
    """Return a recording that need not exist, with labels of (start, stop, meaning) in seconds."""
    own = tuple(sorted(TimedLabel(round(a * 1e6), round(b * 1e6), meaning) for a, b, meaning in labels))
    made = LabelledRecording(
        name=name,
        uri=f"/nowhere/{name}",
        content=name,
        seconds=60.0,
        sample_rate=RATE,
        labels=own,
        label_file=f"{name}.txt",
        site=".",
        day=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def write_tones(path: Path, seconds: float, calls: list[tuple[float, float, float]], seed: int = 0) -> Path:
    """Write noise with tones of (start, stop, Hz) in it."""
    rng = np.random.default_rng(seed)
    samples = 0.01 * rng.standard_normal(round(seconds * RATE))
    times = np.arange(len(samples)) / RATE
    for start, stop, hertz in calls:
        inside = (times >= start) & (times < stop)
        samples[inside] += 0.1 * np.sin(2 * np.pi * hertz * times[inside])
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def write_table(path: Path, calls: list[tuple[float, float, str]]) -> Path:
    """Write a Raven selection table of (start, stop, name)."""
    rows = ["Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation"]
    rows += [
        f"{number}\tSpectrogram 1\t1\t{start:.6f}\t{stop:.6f}\t300\t900\t{name}"
        for number, (start, stop, name) in enumerate(calls, 1)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def make_pool(tmp_path: Path) -> Callable[..., WindowPool]:
    """Return a function that makes the windows of recordings with tones of 500 Hz where they are labelled."""

    def make(*recordings: LabelledRecording, options: TrainingOptions = QUICK, classes: int = 1) -> WindowPool:
        audio: list[CachedAudio] = []
        kept = []
        for number, recording in enumerate(recordings):
            calls = [
                (label.start / 1e6, label.stop / 1e6, 500.0 * (1 + label.meaning))
                for label in recording.labels
                if label.meaning >= 0
            ]
            path = write_tones(tmp_path / recording.name, recording.seconds, calls, number)
            kept.append(replace(recording, uri=str(path)))
            audio.append(cache_audio(kept[-1], INPUT, None, tmp_path / "cache"))
        return WindowPool(kept, audio, INPUT, options, classes)

    return make
