"""One plot of each kind, and its pixels."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from anemonefish.plots.activity import HourBar, HourCell, plot_activity
from anemonefish.plots.precision_recall import Curve, CurvePoint, plot_precision_recall
from anemonefish.plots.score_timeline import plot_score_timeline
from anemonefish.plots.spectrogram import plot_spectrogram
from anemonefish.plots.style import Span

MARCH = datetime(2024, 3, 1, tzinfo=UTC)
CURVE = Curve("anemonefish", tuple(CurvePoint(t / 10, 1 - t / 10, t / 10) for t in range(1, 10)), 0.4, 0.5)


def sine(hz: float, seconds: float = 2, rate: int = 8_000, level: float = 0.5) -> np.ndarray[Any, Any]:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


@cache
def one_of_each() -> dict[str, bytes]:
    """Return one plot of each kind."""
    scores = np.random.default_rng(5).random(5_000).astype(np.float32)
    starts = np.arange(5_000) * 0.2
    cells = [HourCell(MARCH.date() + timedelta(days=day), 5, 1.0, day) for day in (0, 1, 3)]
    bars = [HourBar(1.5, 0.5, 3.0) if hour == 5 else None for hour in range(24)]
    return {
        "curve": plot_precision_recall([CURVE], title="Precision and recall"),
        "timeline": plot_score_timeline(
            scores, starts, threshold=0.5, title="a.wav", label="anemonefish", events=[Span(1, 9)], begins=MARCH
        ),
        "activity": plot_activity(cells, bars, title="Site A", time_zone="UTC"),
        "spectrogram": plot_spectrogram(sine(1_000), 8_000, title="a.wav", events=[Span(0.5, 1, "anemonefish")]),
    }


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
