"""The spectrogram shows frequencies and levels as they are."""

from __future__ import annotations

import numpy as np
import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.plots.spectrogram import _decibels, _with_margin, draw_spectrogram_image, plot_spectrogram
from tests.unit.plots.example_plots import pixels, sine


@pytest.mark.parametrize("hz", [500.0, 1_000.0, 3_000.0])
def test_tone_has_its_frequency_and_level(hz: float) -> None:
    decibels, times, frequencies = _decibels(sine(hz, level=0.5), 8_000)
    peaks = frequencies[decibels.argmax(axis=0)]
    assert np.abs(peaks - hz).max() <= frequencies[1]
    assert np.abs(decibels.max(axis=0) + 6.02).max() < 0.2
    assert 0 < times[0] < times[-1] < 2


def test_clip_that_is_too_short_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too short for a spectrogram"):
        plot_spectrogram(np.zeros(10), 48_000, title="x")


def test_the_band_of_the_events_is_shown_with_a_margin_of_a_tenth() -> None:
    assert _with_margin((0.0, 6_000.0), 24_000.0) == (0.0, 6_600.0)
    assert _with_margin((1_000.0, 3_000.0), 3_100.0) == (800.0, 3_100.0)
    assert _with_margin((0.0, 4_000.0), 4_000.0) == (0.0, 4_000.0)


def test_silence_is_drawn() -> None:
    assert pixels(plot_spectrogram(np.zeros(48_000), 48_000, title="x", band=(0, 2_500))).size


def test_image_without_axes_shows_a_tone_where_its_frequencies_say() -> None:
    samples = np.zeros(16_000)
    samples[8_000:] = sine(1_000.0, level=0.5)[:8_000]
    image = draw_spectrogram_image(samples, 8_000, band=(500.0, 2_000.0))
    shown = pixels(image.png).astype(float)[..., :3].sum(axis=-1)
    assert shown.shape[1] == 1_000
    a_bin = 8_000 / 512  # 32 ms are 256 samples, and the transform is twice as long
    assert abs(image.low_hz - 350) < a_bin
    assert abs(image.high_hz - 2_150) < a_bin
    levels = shown[:, 600:].mean(axis=1)
    loudest = round(np.flatnonzero(levels == levels.max()).mean())  # the brightest colour spans several bins
    hz = image.high_hz - (loudest + 0.5) / len(shown) * (image.high_hz - image.low_hz)
    assert abs(hz - 1_000) < a_bin
    assert shown[loudest, :480].max() < shown[loudest, 520:].min()  # the tone begins in the middle
