"""Every plot is a PNG with the same bytes in every process."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.plots.activity import plot_activity
from anemonefish.plots.precision_recall import Curve, plot_precision_recall
from anemonefish.plots.score_timeline import plot_score_timeline
from tests.conftest import REPOSITORY
from tests.unit.plots.example_plots import CURVE, one_of_each, pixels

IN_ANOTHER_PROCESS = """
import hashlib, sys
from tests.unit.plots.example_plots import one_of_each
hashes = {name: hashlib.sha256(png).hexdigest() for name, png in one_of_each().items()}
print(hashes, "matplotlib.pyplot" in sys.modules)
"""


def test_plots_have_the_same_bytes_in_every_process_and_need_no_pyplot() -> None:
    expected = {name: hashlib.sha256(png).hexdigest() for name, png in one_of_each().items()}
    answer = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == f"{expected} False"


@pytest.mark.parametrize("name", ["curve", "timeline", "activity", "spectrogram"])
def test_plot_is_a_png_without_software_or_time(name: str) -> None:
    png = one_of_each()[name]
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"Software" not in png
    assert b"tIME" not in png
    assert len(png) < 400_000
    assert min(pixels(png).shape[:2]) > 400


def test_matplotlib_is_loaded_only_for_drawing() -> None:
    script = "import sys, anemonefish.cli.evaluate_command; print('matplotlib' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_missing_matplotlib_is_an_error_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'anemonefish\[pictures\]'"):
        plot_precision_recall([], title="")


def test_plots_without_values_are_drawn() -> None:
    none = np.empty(0, np.float32)
    assert pixels(plot_precision_recall([], title="")).size
    assert pixels(plot_precision_recall([Curve("x", ())], title="x")).size
    assert pixels(plot_score_timeline(none, none.astype(float), threshold=0.5, title="x", label="y")).size
    assert pixels(plot_activity([], [None] * 24, title="x", time_zone="UTC")).size


def test_title_is_drawn_as_text_not_as_a_formula() -> None:
    assert pixels(plot_precision_recall([CURVE], title=r"$\frac{a}$ _ ^ \x.wav " + "long " * 40)).size
