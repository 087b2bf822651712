"""What a network hears follows from the labels and the recordings."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidSettings
from anemonefish.profiles import BandDb
from anemonefish.training.labelled_recordings import LabelledRecording, TimedLabel
from anemonefish.training.network_input import choose_input
from anemonefish.training.training_options import TrainingOptions
from tests.unit.training.conftest import labelled


def recording(rate: int, *edges: float) -> LabelledRecording:
    labels = tuple(TimedLabel(n, n + 1, 0, edge) for n, edge in enumerate(edges))
    return labelled("reef.wav", sample_rate=rate, labels=labels)


@pytest.mark.parametrize(
    ("rate", "edges", "expected", "top"),
    [
        (48_000, [], 8_000, 1_500),  # the band of the reference model
        (48_000, [900.0, 1_000.0], 8_000, 1_500),
        (48_000, [900.0, 1_000.0, 24_000.0], 8_000, 1_500),  # one box of the height of the window
        (96_000, [16_000.0, 18_000.0], 48_000, 21_250),
        (8_000, [2_000.0], 8_000, 2_500),
        (4_000, [], 4_000, 1_500),
        (2_000, [], 2_000, 900),
    ],
)
def test_band_holds_the_boxes_at_the_lowest_rate(rate: int, edges: list[float], expected: int, top: float) -> None:
    heard = choose_input([recording(rate, *edges)], TrainingOptions())
    low, high = heard.profile.band(heard.sample_rate)
    assert (heard.profile.kind, heard.sample_rate) == ("band-db", expected)
    assert 100 <= low < 135
    assert high == pytest.approx(top, abs=100)


def test_default_input_is_that_of_the_reference_network() -> None:
    assert choose_input([recording(48_000)], TrainingOptions()).profile == BandDb()


def test_narrow_band_has_longer_frames() -> None:
    heard = choose_input([recording(48_000)], TrainingOptions(band=(40, 160), window_seconds=1.0))
    assert heard.shape[1] >= 8


def test_other_profile_is_used_where_it_is_asked_for() -> None:
    heard = choose_input([recording(48_000)], TrainingOptions(profile="stft-db"))
    assert (heard.profile.kind, heard.sample_rate) == ("stft-db", 16_000)
    assert heard.profile.band(16_000) == (50, 6_000)


def test_band_that_the_recordings_do_not_hold_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="hold nothing above 4000 Hz; choose a lower end with --band"):
        choose_input([recording(8_000)], TrainingOptions(band=(50, 5_000)))
