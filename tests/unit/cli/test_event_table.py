"""The table of events fits the terminal: one line for each event, whatever the recordings are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from anemonefish.cli.event_table import event_table
from anemonefish.front.recording_detections import DetectedEvent

LONG = "day 2/SITE A-north_reef_unit6075_20240331T010130Z.wav"


def event(recording: str, *, label: str = "anemonefish", measured: bool = True) -> DetectedEvent:
    start = 86_399_000
    return DetectedEvent(
        recording=recording,
        start_time=start / 1_000,
        end_time=start / 1_000 + 1,
        duration=1.0,
        label=label,
        mean_score=0.991,
        max_score=0.999,
        n_windows=5,
        start_sample=start,
        end_sample=start + 1_000,
        sample_rate=1_000,
        calls=12 if measured else None,
        level_db=-103.2 if measured else None,
        level_db_re_1upa=None,
        snr_db=24.1 if measured else None,
        peak_hz=1_585.0 if measured else None,
    )


def lines(events: Sequence[DetectedEvent], width: int = 80) -> list[str]:
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(event_table(events, width), markup=False)
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_every_event_has_one_line_within_the_terminal(width: int) -> None:
    events = [event("a.wav"), event(LONG), event(LONG, label="a class with a very long name"), event("[b].wav")]
    printed = lines(events, width)
    assert max(map(cell_len, printed)) <= width
    assert sum("86399.000" in line for line in printed) == len(events)
    assert sum("-103" in line and "1585" in line and "0.991" in line for line in printed) == len(events)
    assert any(line.lstrip().startswith("[b].wav") for line in printed)
    assert sum("010130Z.wav" in line for line in printed) == 2
    assert sum(LONG in line for line in printed) == (2 if width == 200 else 0)


def test_probability_has_a_column_where_scores_are_calibrated() -> None:
    printed = lines([replace(event("a.wav"), probability=0.627), event(LONG)])
    assert printed[0].split()[-1] == "prob"
    assert printed[1].endswith(" 0.63")
    assert max(map(cell_len, printed)) <= 80


def test_only_recording_is_the_title() -> None:
    printed = lines([event(LONG), event(LONG)])
    assert printed[0].strip() == LONG
    assert sum(LONG[-10:] in line for line in printed) == 1


def test_event_without_measurements_has_empty_cells() -> None:
    assert lines([event("a.wav", measured=False)])[-1].split() == ["86399.000", "86400.000", "anemonefish", "0.991"]
