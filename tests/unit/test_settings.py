"""Settings: where they come from, what must hold, what is said when it does not."""

from __future__ import annotations

import math

import pytest

from anemonefish.errors import InvalidSettings
from anemonefish.settings import Settings


def test_the_defaults_are_the_labs() -> None:
    settings = Settings.load(environment={})
    assert settings.decision() == {
        "target_class": None,
        "threshold": 0.5,
        "median_windows": 5,
        "min_duration_seconds": 0.2,
        "min_gap_seconds": 0.1,
    }


def test_the_request_wins_over_the_environment_over_the_defaults() -> None:
    environment = {"ANEMONEFISH_THRESHOLD": "0.6", "ANEMONEFISH_MEDIAN_WINDOWS": "3", "ANEMONEFISH_OTHER": "x"}
    settings = Settings.load({"threshold": 0.7}, environment)
    assert (settings.threshold, settings.median_windows, settings.min_gap_seconds) == (0.7, 3, 0.1)


def test_the_environment_reads_lists_and_null() -> None:
    environment = {"ANEMONEFISH_FORMATS": "[csv, raven]", "ANEMONEFISH_TARGET_CLASS": "null"}
    settings = Settings.load(environment=environment)
    assert (settings.formats, settings.target_class) == (("csv", "raven"), None)


def test_a_round_trip_changes_nothing() -> None:
    settings = Settings.load({"hop_seconds": 0.1, "formats": ["json"]}, {})
    assert Settings.load(settings.to_dict(), {}) == settings


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"treshold": 0.5}, "there is no setting 'treshold'; the settings are"),
        ({"threshold": 1}, "threshold must be a number at least 0 and below 1, not 1"),
        ({"threshold": -0.1}, "threshold must be a number"),
        ({"threshold": "high"}, "not 'high'"),
        ({"threshold": True}, "not True"),
        ({"threshold": math.nan}, "threshold must be"),
        ({"median_windows": 4}, "median_windows must be an odd number"),
        ({"median_windows": 2.5}, "whole number from 1 to 99"),
        ({"window_seconds": 0}, "window_seconds must be a number at least 0.001"),
        ({"hop_seconds": math.inf}, "hop_seconds must be"),
        ({"min_gap_seconds": -1}, "min_gap_seconds must be"),
        ({"formats": []}, "formats must be a list of json, csv"),
        ({"formats": ["xlsx"]}, "not \\['xlsx'\\]"),
        ({"formats": "csv"}, "formats must be a list"),
        ({"formats": [{}]}, "formats must be a list"),
        ({"target_class": ""}, "target_class must be a name"),
        ({"resample": "yes"}, "resample must be true or false"),
        ({"architecture": "sparc"}, "arm64 or x86_64"),
        ({"max_concurrency": 0}, "from 1 to 10000"),
        ({"memory_mb": 128}, "from 512 to 10240"),
        (["threshold"], "settings must be an object"),
    ],
)
def test_what_must_hold_is_said(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        Settings.load(overrides, {})


def test_an_environment_variable_that_is_no_yaml_is_named() -> None:
    with pytest.raises(InvalidSettings, match="ANEMONEFISH_THRESHOLD"):
        Settings.load(environment={"ANEMONEFISH_THRESHOLD": "{"})


def test_scoring_and_decision_part_what_changes_scores_from_what_changes_events() -> None:
    settings = Settings.load(environment={})
    assert not set(settings.scoring()) & set(settings.decision())
    assert Settings.load({"threshold": 0.9}, {}).scoring() == settings.scoring()
