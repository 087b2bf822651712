"""Audacity label tracks are written."""

from __future__ import annotations

import io

from anemonefish.annotations.audacity import write_audacity
from anemonefish.annotations.selections import Selection


def written(*selections: Selection) -> str:
    file = io.StringIO(newline="")
    write_audacity(file, selections, sample_rate=48_000)
    return file.getvalue()


def test_each_selection_is_a_line_of_start_end_and_label() -> None:
    call = Selection(48_000, 57_600, "anemonefish", 0, 12_000, 0.75)
    noise = Selection(96_001, 115_201, "biological", 100.5, 2_000)
    assert written(call, noise) == "1.000000\t1.200000\tanemonefish\n2.000021\t2.400021\tbiological\n"


def test_labels_are_escaped_for_spreadsheets() -> None:
    assert written(Selection(0, 9, "=cmd", 0, 9, 0.5)) == "0.000000\t0.000188\t'=cmd\n"
