"""Selection tables and the printing of seconds."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from anemonefish.annotations.selections import (
    RAVEN_COLUMNS,
    Selection,
    SoundFile,
    format_seconds,
    seconds,
    within_nyquist,
    write_audacity,
    write_raven,
)

SELECTIONS = [
    Selection(48_000, 57_600, "anemonefish", 0, 12_000, 0.75),
    Selection(96_001, 115_201, "biological", 100.5, 2_000),
]


@given(st.integers(0, 10**12), st.integers(1, 1_000_000))
def test_seconds_are_printed_to_the_nearest_microsecond(samples: int, rate: int) -> None:
    printed = format_seconds(samples, rate)
    whole, _, decimals = printed.partition(".")
    assert len(decimals) == 6
    assert abs(Fraction(printed) - Fraction(samples, rate)) <= Fraction(1, 2_000_000)
    assert float(printed) == seconds(samples, rate)
    assert whole == str(int(whole))


def test_no_float_noise() -> None:
    assert format_seconds(29_121_600, 48_000) == "606.700000"
    assert repr(seconds(29_121_600, 48_000)) == "606.7"


def test_raven() -> None:
    file = io.StringIO(newline="")
    write_raven(file, [(SoundFile("/data/a.wav", "a.wav", 48_000), SELECTIONS)])
    rows = list(csv.DictReader(io.StringIO(file.getvalue()), delimiter="\t"))
    assert [row["Begin Time (s)"] for row in rows] == ["1.000000", "2.000021"]
    assert [row["Delta Time (s)"] for row in rows] == ["0.200000", "0.400000"]
    assert rows[0]["File Offset (s)"] == rows[0]["Begin Time (s)"]
    assert [row["Score"] for row in rows] == ["0.750000", ""]
    assert {row["Begin Path"] for row in rows} == {"/data/a.wav"}
    assert [row["Selection"] for row in rows] == ["1", "2"]


def test_an_empty_raven_table_still_has_its_header() -> None:
    file = io.StringIO()
    write_raven(file, [])
    assert file.getvalue() == "\t".join(RAVEN_COLUMNS) + "\n"


def test_audacity() -> None:
    file = io.StringIO()
    write_audacity(file, SELECTIONS, sample_rate=48_000)
    assert file.getvalue() == "1.000000\t1.200000\tanemonefish\n2.000021\t2.400021\tbiological\n"


@given(st.floats(-100, 50_000), st.floats(0.1, 50_000), st.integers(1, 400_000))
def test_a_band_lies_within_what_the_recording_holds(low: float, width: float, rate: int) -> None:
    lowest, highest = within_nyquist((low, low + width), rate)
    assert 0 <= lowest < highest <= rate / 2
    if low >= 0 and low + width <= rate / 2:
        assert (lowest, highest) == (low, low + width)


def test_a_band_above_the_nyquist_frequency_becomes_the_whole_spectrum() -> None:
    assert within_nyquist((1_500, 6_000), 2_000) == (0, 1_000)


def test_texts_of_both_tables_are_safe_in_a_spreadsheet() -> None:
    raven, audacity = io.StringIO(newline=""), io.StringIO(newline="")
    selections = [Selection(0, 9, "=cmd", 0, 9, 0.5)]
    write_raven(raven, [(SoundFile("-dep/@a.wav", "@a.wav", 48_000), selections)])
    write_audacity(audacity, selections, sample_rate=48_000)
    [row] = csv.DictReader(io.StringIO(raven.getvalue()), delimiter="\t")
    assert (row["Begin Path"], row["Begin File"], row["Class"]) == ("'-dep/@a.wav", "'@a.wav", "'=cmd")
    assert audacity.getvalue() == "0.000000\t0.000188\t'=cmd\n"
