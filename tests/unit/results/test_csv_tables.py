"""The table with a row per minute sums up the tables of windows and events."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from anemonefish.cli.main import main
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from tests.reference_models import spec_of


def test_rows_per_minute_sum_up_windows_and_events(tmp_path: Path) -> None:
    path = tmp_path / "a_20230210T000030Z.wav"
    write_scene(scene(150, seed=3, settings=SceneSettings(calls_per_minute=20, calls_per_bout=(1, 1))), path)
    done = CliRunner().invoke(main, ["detect", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output

    def table(suffix: str) -> list[dict[str, str]]:
        return list(csv.DictReader((tmp_path / "out" / f"{path.name}{suffix}").read_text().splitlines()))

    rows, windows, events = table(".longterm.csv"), table(".scores.csv"), table(".events.csv")
    assert [(row["start_time"], row["start_utc"]) for row in rows] == [
        ("0.000000", "2023-02-10T00:00:30.000000Z"),
        ("60.000000", "2023-02-10T00:01:30.000000Z"),
        ("120.000000", "2023-02-10T00:02:30.000000Z"),
    ]
    threshold = spec_of().decision.threshold
    for number, row in enumerate(rows):
        scores = [
            float(window["smoothed_anemonefish"])
            for window in windows
            if number * 60 <= float(window["start_time"]) < number * 60 + 60
        ]
        assert int(row["windows"]) == len(scores)
        assert int(row["windows_above"]) == sum(score > threshold for score in scores)
        assert abs(float(row["mean_anemonefish"]) - np.mean(scores)) < 2e-6
        assert abs(float(row["max_anemonefish"]) - max(scores)) < 2e-6
        assert int(row["events"]) == sum(
            number * 60 <= float(event["start_time"]) < number * 60 + 60 for event in events
        )
    assert sum(int(row["windows"]) for row in rows) == len(windows)
    assert sum(int(row["events"]) for row in rows) == len(events) > 3
