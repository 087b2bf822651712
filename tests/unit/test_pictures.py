"""Pictures: the same bytes every time, no state of the process, and what they show."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anemonefish.errors import InvalidRequest
from anemonefish.plots import pictures
from anemonefish.plots.pictures import Curve, CurvePoint, Span, activity, precision_recall, score_timeline, spectrogram

MARCH = datetime(2024, 3, 1, tzinfo=UTC)
CURVE = Curve("anemonefish", tuple(CurvePoint(t / 10, 1 - t / 10, t / 10) for t in range(1, 10)), 0.4, 0.5)


def sine(hz: float, seconds: float = 2, rate: int = 8_000, level: float = 0.5) -> np.ndarray[Any, Any]:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def drawn() -> dict[str, bytes]:
    """Draw one of each."""
    scores = np.random.default_rng(5).random(5_000).astype(np.float32)
    starts = np.arange(5_000) * 0.2
    hours = [MARCH + timedelta(hours=hour) for hour in (1, 1.5, 30)]
    return {
        "curve": precision_recall([CURVE], title="Precision and recall"),
        "timeline": score_timeline(
            scores, starts, threshold=0.5, title="a.wav", label="anemonefish", events=[Span(1, 9)], begins=MARCH
        ),
        "activity": activity(hours, title="Site A", recorded=[(MARCH, MARCH + timedelta(days=2))]),
        "spectrogram": spectrogram(sine(1_000), 8_000, title="a.wav", events=[Span(0.5, 1, "anemonefish")]),
    }


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


IN_ANOTHER_PROCESS = """
import hashlib, importlib.util, sys
spec = importlib.util.spec_from_file_location("test_pictures", sys.argv[1])
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
made = {name: hashlib.sha256(png).hexdigest() for name, png in tests.drawn().items()}
print(made, "matplotlib.pyplot" in sys.modules)
"""


def test_the_same_bytes_in_every_process_and_no_pyplot() -> None:
    expected = {name: hashlib.sha256(png).hexdigest() for name, png in drawn().items()}
    answer = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, __file__], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == f"{expected} False"


@pytest.mark.parametrize("name", ["curve", "timeline", "activity", "spectrogram"])
def test_a_picture_is_a_png_without_software_or_time(name: str) -> None:
    png = drawn()[name]
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"Software" not in png
    assert b"tIME" not in png
    assert len(png) < 400_000
    assert min(pixels(png).shape[:2]) > 400


def test_the_library_is_loaded_only_by_who_draws() -> None:
    script = "import sys, anemonefish.cli.evaluate_command; print('matplotlib' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_without_matplotlib_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'anemonefish\[pictures\]'"):
        precision_recall([], title="")


def test_empty_pictures_are_pictures() -> None:
    none = np.empty(0, np.float32)
    assert pixels(precision_recall([], title="")).size
    assert pixels(precision_recall([Curve("x", ())], title="x")).size
    assert pixels(score_timeline(none, none.astype(float), threshold=0.5, title="x", label="y")).size
    assert pixels(activity([], title="x", recorded=[])).size


def test_titles_are_text_and_never_formulas() -> None:
    assert pixels(precision_recall([CURVE], title=r"$\frac{a}$ _ ^ \x.wav " + "long " * 40)).size


def test_no_peak_of_a_long_recording_is_lost() -> None:
    scores = np.zeros(432_000, np.float32)
    scores[123_457] = 0.97
    times, shown = pictures._highest(np.arange(432_000) * 0.2, scores)
    assert len(times) == len(shown) == 2_000
    assert shown.max() == np.float32(0.97)
    assert abs(times[shown.argmax()] - 123_457 * 0.2) < 432_000 * 0.2 / 2_000


@pytest.mark.parametrize(
    ("seconds", "begins", "label", "ticks"),
    [
        (60, None, "Time in the recording (s)", ["0", "5", "10"]),
        (600, None, "Time in the recording (min)", ["0", "1", "2"]),
        (86_400, None, "Time in the recording (h)", ["0", "2", "4"]),
        (86_400, MARCH + timedelta(minutes=42), "Time (UTC), 2024-03-01 to 2024-03-02", ["02:00", "04:00", "06:00"]),
        (60, datetime(2024, 3, 1, 2, tzinfo=timezone(timedelta(hours=3))), "Time (UTC), 2024-02-29",
         ["23:00:00", "23:00:05", "23:00:10"]),
    ],
)  # fmt: skip
def test_the_time_axis(seconds: float, begins: datetime | None, label: str, ticks: list[str]) -> None:
    _, axes = pictures._figure(10, 3, "x")
    axes.set_xlim(0, seconds)
    pictures._time_axis(axes, begins)
    shown = axes.xaxis.get_major_formatter()
    assert axes.get_xlabel() == label
    assert [shown(value) for value in axes.get_xticks()[:3]] == ticks


def test_hours_that_were_recorded() -> None:
    covered = pictures._covered_hours(
        [
            (MARCH + timedelta(minutes=30), MARCH + timedelta(hours=2)),
            (MARCH + timedelta(hours=2.5), MARCH + timedelta(hours=3)),
        ]
    )
    assert covered == {(MARCH.date(), 0): 0.5, (MARCH.date(), 1): 1.0, (MARCH.date(), 2): 0.5}


def test_activity_without_a_clock_looks_alike() -> None:
    clock = activity([MARCH + timedelta(hours=2)], title="x", recorded=[(MARCH, MARCH + timedelta(hours=5))])
    plain = activity([7_200.0], title="x", recorded=[(0.0, 18_000.0)])
    assert pixels(clock).shape == pixels(plain).shape
    assert (pixels(clock) != pixels(plain)).any()  # the words differ


@pytest.mark.parametrize(
    ("events", "what"),
    [([MARCH, 5.0], "have a clock and some have not"), ([datetime(2024, 3, 1)], "time zone")],
)
def test_clocks_are_not_mixed(events: list[Any], what: str) -> None:
    recorded = [(MARCH, MARCH + timedelta(hours=5))]
    with pytest.raises(InvalidRequest, match=what):
        activity(events, title="x", recorded=recorded)


@pytest.mark.parametrize("hz", [500.0, 1_000.0, 3_000.0])
def test_a_tone_has_its_frequency_and_level(hz: float) -> None:
    decibels, times, frequencies = pictures._decibels(sine(hz, level=0.5), 8_000)
    peaks = frequencies[decibels.argmax(axis=0)]
    assert np.abs(peaks - hz).max() <= frequencies[1]
    assert np.abs(decibels.max(axis=0) + 6.02).max() < 0.2
    assert 0 < times[0] < times[-1] < 2


def test_a_clip_that_is_too_short() -> None:
    with pytest.raises(InvalidRequest, match="too short for a spectrogram"):
        spectrogram(np.zeros(10), 48_000, title="x")


def test_silence_can_be_drawn() -> None:
    assert pixels(spectrogram(np.zeros(48_000), 48_000, title="x", band=(0, 2_500))).size
