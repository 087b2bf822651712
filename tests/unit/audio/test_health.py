"""Signal health: what is measured of the samples, which notes follow, and that no cut changes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.audio.health import Observed
from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import at_rate, resampled_length
from anemonefish.audio.signal_meter import SignalMeter
from anemonefish.notes import Note
from anemonefish.windows import WindowGrid, WindowRange

RATE = 8_000
NOISE = np.random.default_rng(5).normal(0, 0.05, (20 * RATE, 2))


def observe(path: Path, *, cuts: list[int] | None = None, analysis_rate: int = RATE, channel: int | None = None,
            window: float = 0.4, hop: float = 0.2, block: int = 8) -> tuple[Observed, tuple[Note, ...]]:  # fmt: skip
    """Read a recording range by range, as the scorer does, and return what was seen of it."""
    parts = []
    for number in range(len(cuts or [0, None]) - 1):
        with open_audio(str(path), dtype="float64", channel=channel) as audio:
            facts = audio.facts
            length = resampled_length(facts.frames, facts.sample_rate, analysis_rate)
            grid = WindowGrid(length, int(window * analysis_rate), int(hop * analysis_rate))
            edges = [0, grid.n_windows] if cuts is None else [min(cut, grid.n_windows) for cut in cuts]
            windows = WindowRange(edges[number], edges[number + 1])
            meter = SignalMeter(grid, windows, analysis_rate, facts.sample_rate, facts.frames, facts.codec)
            audio.watch(meter)
            samples = at_rate(audio, analysis_rate)
            reached = 0
            for some in windows.blocks(block):
                start, stop = grid.samples_of(some)
                samples.read(max(start, reached), stop)
                reached = stop
            parts.append(meter.observed())
    observed = Observed.of_all(parts)
    return observed, observed.notes(grid, analysis_rate, facts.sample_rate, channel)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_(samples: np.ndarray, name: str = "recording.wav", rate: int = RATE, **options: str) -> Path:
        soundfile.write(tmp_path / name, np.clip(samples, -1, 1), rate, **options)
        return tmp_path / name

    return write_


def test_an_intact_recording_has_no_notes(write: Callable[..., Path]) -> None:
    for samples in (NOISE, NOISE[:, 0], NOISE * 0.01, NOISE * 4):
        assert observe(write(samples))[1] == ()


def test_digital_silence_is_noted_with_its_longest_stretch(write: Callable[..., Path]) -> None:
    assert [note.code for note in observe(write(np.zeros(5 * RATE)))[1]] == ["silence"]
    samples = NOISE[:, 0].copy()
    samples[3 * RATE : 7 * RATE] = 0
    (note,) = observe(write(samples))[1]
    assert (note.code, note.numbers["start_sample"], note.numbers["stop_sample"]) == ("silence", 3 * RATE, 7 * RATE)


@pytest.mark.parametrize("offset", [0.0916, 0.013, -0.02])
def test_an_offset_is_noted_where_it_outweighs_the_noise(write: Callable[..., Path], offset: float) -> None:
    (note,) = observe(write(NOISE[:, 0] * 0.2 + offset))[1]
    assert note.code == "dc-offset"
    assert note.numbers["offset"] == pytest.approx(offset, abs=1e-3)


def test_clipping_is_noted(write: Callable[..., Path]) -> None:
    (note,) = observe(write(NOISE[:, 0] * 15))[1]
    assert note.code == "clipping"
    assert note.numbers["samples"] == np.count_nonzero(np.abs(NOISE[:, 0] * 15) >= 1 - 2**-16)
    peak = NOISE[:, 0] / np.abs(NOISE[:, 0]).max()
    assert observe(write(peak))[1] == ()  # scaled to its peak: one sample at full scale


@pytest.mark.parametrize("rate", [RATE, 12_000])
def test_channels_that_are_dead_or_cancel_are_noted(write: Callable[..., Path], rate: int) -> None:
    dead = NOISE.copy()
    dead[:, 1] = 0
    (note,) = observe(write(dead), analysis_rate=rate)[1]
    assert (note.code, note.numbers["channel"]) == ("dead-channel", 2)
    assert observe(write(dead), analysis_rate=rate, channel=1)[1] == ()
    turned = np.stack([NOISE[:, 0], -NOISE[:, 0] + NOISE[:, 1] * 0.02], axis=1)
    (note,) = observe(write(turned), analysis_rate=rate)[1]
    assert note.code == "channels-cancel"


def test_a_channel_that_is_dead_for_half_of_the_time_is_noted(write: Callable[..., Path]) -> None:
    samples = NOISE.copy()
    samples[10 * RATE :, 0] = 0
    (note,) = observe(write(samples))[1]
    assert (note.code, note.numbers["channel"]) == ("dead-channel", 1)
    assert 0.4 < note.numbers["steps"] / note.numbers["of"] < 0.6


def test_channels_that_cancel_have_no_offset_of_their_own(write: Callable[..., Path]) -> None:
    channel = NOISE[:, 0] + 0.001
    notes = observe(write(np.stack([channel, -channel + NOISE[:, 1] * 0.01], axis=1)))[1]
    assert [note.code for note in notes] == ["channels-cancel"]


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_32"])
def test_clipping_of_16_bits_in_a_wider_format_is_noted(write: Callable[..., Path], subtype: str) -> None:
    words = np.clip(np.rint(NOISE[:, 0] * 15 * 2**15), -(2**15), 2**15 - 1) / 2**15
    (note,) = observe(write(np.maximum(words, -0.9), subtype=subtype))[1]
    assert (note.code, note.numbers["samples"]) == ("clipping", np.count_nonzero(words == 1 - 2**-15))


def test_damage_is_the_same_however_windows_with_gaps_are_cut(write: Callable[..., Path]) -> None:
    path = write(NOISE[:, 0], "holes.flac")
    content = bytearray(path.read_bytes())
    for number in range(1, 13):
        at = number * len(content) // 14
        content[at : at + 16] = bytes(16)
    path.write_bytes(content)
    whole, notes = observe(path, window=0.2, hop=0.7, block=3)
    assert observe(path, window=0.2, hop=0.7, block=3, cuts=[0, 5, 11, 12, 20, 10_000]) == (whole, notes)
    assert observe(path, window=0.2, hop=0.7, block=7) == (whole, notes)
    assert {note.code for note in notes} >= {"damaged"}
    assert all(start % 5_600 < 1_600 and stop - start <= 1_600 for start, stop in whole.missing)


def test_many_damaged_stretches_share_a_note() -> None:
    missing = tuple((at * 100, at * 100 + 10) for at in range(1_000))
    notes = Observed(missing=missing).notes(WindowGrid(100_000, 400, 200), RATE, RATE, None)
    assert len(notes) == 9
    assert notes[-1].numbers == {
        "start_sample": 800,
        "stop_sample": 99_910,
        "sample_rate": RATE,
        "stretches": 992,
        "samples": 992 * 10,
    }


@given(
    cuts=st.lists(st.integers(1, 98), max_size=5, unique=True).map(sorted),
    analysis_rate=st.sampled_from([RATE, 6_000, 11_025]),
    hop=st.sampled_from([0.2, 0.15, 0.4, 0.7]),
    block=st.integers(1, 9),
    form=st.sampled_from(["PCM_16", "PCM_24", "FLOAT", "FLAC"]),
    channels=st.sampled_from([1, 2]),
)
def test_measured_values_are_the_same_however_ranges_are_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], analysis_rate: int, hop: float, block: int, form: str,
    channels: int,
) -> None:  # fmt: skip
    name = f"cut-{form}-{channels}." + ("flac" if form == "FLAC" else "wav")
    path = tmp_path_factory.getbasetemp() / name
    if not path.exists():
        samples = NOISE[:, :channels] * 6 + 0.01
        samples[RATE : 2 * RATE] = 0
        soundfile.write(path, np.clip(samples, -1, 1), RATE, **({} if form == "FLAC" else {"subtype": form}))
    whole, notes = observe(path, analysis_rate=analysis_rate, hop=hop)
    assert notes
    again = observe(path, cuts=[0, *cuts, 10_000], analysis_rate=analysis_rate, hop=hop, block=block)
    assert again == (whole, notes)
