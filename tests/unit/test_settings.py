"""Settings: where they come from, what must hold, what is said when it does not."""

from __future__ import annotations

import math
import runpy
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Interval

from anemonefish.errors import InvalidSettings
from anemonefish.field_checks import FieldType
from anemonefish.profiles import PROFILES, StftDb, profile_named
from anemonefish.settings import Settings
from anemonefish.typed_text import read_fields


def test_how_events_are_decided_is_left_to_the_model_by_default() -> None:
    assert set(Settings.load(environment={}).decision().values()) == {None}


def test_the_request_wins_over_the_environment_over_the_defaults() -> None:
    environment = {"ANEMONEFISH_THRESHOLD": "0.6", "ANEMONEFISH_MEDIAN_WINDOWS": "3", "ANEMONEFISH_OTHER": "x"}
    settings = Settings.load({"threshold": 0.7}, environment)
    assert (settings.threshold, settings.median_windows, settings.min_gap_seconds) == (0.7, 3, None)


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
        ({"target_class": ""}, "target_class must be text of at least one letter, not ''"),
        ({"time_zone": 600}, "time_zone must be text of at least one letter, not 600"),
        ({"start": 2019}, "start must be text"),
        ({"review": None}, "review must be a list of clips, pictures"),
        ({"threshold": "0.5"}, "threshold must be a number at least 0 and below 1, not '0.5'"),
        ({"channel": "1"}, "channel must be a whole number from 1 to 1024, not '1'"),
        ({"resample": "yes"}, "resample must be true or false"),
        ({"architecture": "sparc"}, "arm64 or x86_64"),
        ({"max_concurrency": 0}, "from 1 to 10000"),
        ({"memory_mb": 128}, "from 512 to 10240"),
        (["threshold"], "settings must be an object"),
    ],
)
def test_invalid_setting_is_refused_with_what_must_hold(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        Settings.load(overrides, {})


# --- text is read by the type of its setting ---------------------------------------------------------------------

TYPED = [
    # Text stays text, whatever else it looks like.
    ("time_zone", "+10:00", "+10:00"),  # YAML: 600
    ("time_zone", "-03:30", "-03:30"),
    ("time_zone", "10:00", "10:00"),
    ("time_zone", "UTC", "UTC"),
    ("time_zone", " Australia/Brisbane ", "Australia/Brisbane"),
    ("name_pattern", "%Y%m%d_%H%M%S", "%Y%m%d_%H%M%S"),  # YAML: an error
    ("name_pattern", "%Y-%m-%d*%H:%M:%S", "%Y-%m-%d*%H:%M:%S"),
    ("name_pattern", "*%y%m%d", "*%y%m%d"),  # YAML: an alias
    ("name_pattern", "{%Y", "{%Y"),
    ("name_pattern", "a=%Y", "a=%Y"),
    ("start", "2019-09-20T00:42:48Z", "2019-09-20T00:42:48Z"),  # YAML: a datetime
    ("start", "2019-09-20", "2019-09-20"),
    ("target_class", "12e5", "12e5"),
    ("target_class", "no", "no"),
    ("target_class", "On", "On"),
    ("target_class", "1_000", "1_000"),
    ("target_class", "0x1F", "0x1F"),
    ("target_class", "[a, b]", ("a", "b")),
    ("target_class", "a,b", ("a", "b")),
    ("threshold", "a:0.7, *:.5", (("*", 0.5), ("a", 0.7))),
    ("threshold", "Pomacentrus: pop:0.7", (("Pomacentrus: pop", 0.7),)),
    ("target_class", "# fish", "# fish"),
    ("target_class", "a: b", "a: b"),
    ("target_class", "Null", "Null"),
    ("target_class", "NaN", "NaN"),
    ("target_class", "~", "~"),
    ("target_class", "!!python/name:os.system", "!!python/name:os.system"),
    ("target_class", "null", None),
    ("target_class", "", None),
    ("target_class", "'null'", "null"),  # a class of that name
    ("time_zone", '"+10:00"', "+10:00"),
    ("target_class", "'", "'"),
    # Numbers are decimal.
    ("threshold", "0.5", 0.5),
    ("threshold", "+.5", 0.5),
    ("threshold", "1e-5", 1e-5),  # YAML 1.1: text
    ("threshold", "0", 0),
    ("threshold", " 0.25 ", 0.25),
    ("median_windows", "07", 7),
    ("median_windows", "011", 11),  # YAML: octal, 9
    ("window_seconds", "null", None),
    ("window_seconds", "2", 2),
    ("channel", "", None),
    ("memory_mb", "2048", 2048),
    # Flags.
    ("resample", "false", False),
    ("resample", "NO", False),
    ("resample", "off", False),
    ("resample", "0", False),
    ("resample", "True", True),
    ("resample", "yes", True),
    ("resample", "1", True),
    # Lists.
    ("formats", "csv", ("csv",)),
    ("formats", "csv,raven", ("csv", "raven")),
    ("formats", " csv , raven ", ("csv", "raven")),
    ("formats", "[csv, raven]", ("csv", "raven")),
    ("formats", '["csv","raven"]', ("csv", "raven")),
    ("review", "[]", ()),
    ("review", "", ()),
    ("review", "clips,pictures", ("clips", "pictures")),
]


@pytest.mark.parametrize(("name", "text", "value"), TYPED)
def test_text_is_read_by_the_type_of_its_setting(name: str, text: str, value: object) -> None:
    typed = Settings.load(Settings.read({name: text}), {})
    from_environment = Settings.load({}, {f"ANEMONEFISH_{name.upper()}": text})
    for settings in (typed, from_environment):
        assert getattr(settings, name) == value
        assert type(getattr(settings, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("threshold", "nan", "threshold must be a number at least 0 and below 1, not 'nan'"),
        ("threshold", "0,5", "a number at least 0 and below 1, not '0,5'"),
        ("target_seconds", "", "a number above 0 and at most 86400, not ''"),
        ("target_seconds", "null", "not 'null'"),
        ("threshold", "0.5s", "not '0.5s'"),
        ("threshold", "٠.٥", "threshold must be a number"),
        ("threshold", "1/2", "threshold must be a number"),
        ("min_gap_seconds", "inf", "min_gap_seconds must be a number at least 0 and at most 3600, not 'inf'"),
        ("min_gap_seconds", "1e999", "min_gap_seconds must be a number"),
        ("min_gap_seconds", "1_000", "not '1_000'"),
        ("min_gap_seconds", "1:30", "not '1:30'"),  # YAML: sexagesimal, 90
        ("target_seconds", "1e9", "above 0 and at most 86400"),
        ("max_concurrency", "1e3", "max_concurrency must be a whole number from 1 to 10000, not '1e3'"),
        ("max_concurrency", "5.0", "not '5.0'"),
        ("max_concurrency", "0x10", "not '0x10'"),
        ("max_concurrency", "٥", "whole number"),
        ("max_concurrency", "9" * 5_000, "whole number"),
        ("channel", "left", "channel must be a whole number from 1 to 1024, not 'left'"),
        ("channel", "-1", "whole number from 1 to 1024, not -1"),
        ("resample", "maybe", "resample must be true or false, not 'maybe'"),
        ("resample", "", "true or false, not ''"),
        ("resample", "2", "true or false, not '2'"),
        ("formats", "csv,doc", "formats must be a list of json, csv"),
        ("formats", "csv,,raven", "formats must be a list of"),
        ("formats", "{csv: 1}", "formats must be a list of"),
        ("formats", "null", "formats must be a list of"),
        ("formats", "", "formats must be a list of"),
        ("architecture", "1_000", "architecture must be arm64 or x86_64, not '1_000'"),
    ],
)
def test_text_that_is_not_of_its_type_is_refused_with_what_must_hold(name: str, text: str, words: str) -> None:
    with pytest.raises(InvalidSettings) as typed:
        Settings.load(Settings.read({name: text}), {})
    assert words in str(typed.value)
    assert str(typed.value).startswith(f"{name} must be ")
    with pytest.raises(InvalidSettings) as from_environment:
        Settings.load({}, {f"ANEMONEFISH_{name.upper()}": text})
    assert words in str(from_environment.value)
    assert f"environment variable ANEMONEFISH_{name.upper()}" in str(from_environment.value)


def test_a_setting_that_is_given_hides_an_invalid_variable() -> None:
    assert Settings.load({"threshold": 0.7}, {"ANEMONEFISH_THRESHOLD": "high"}).threshold == 0.7


@pytest.mark.parametrize("cls", [Settings, *PROFILES.values()])
def test_text_of_every_field_can_be_read(cls: type) -> None:
    assert set(read_fields(cls, {field.name: "1" for field in fields(cls)})) == {field.name for field in fields(cls)}


def test_constants_of_a_profile_are_read_by_their_types() -> None:
    profile = profile_named("stft-db", **read_fields(StftDb, {"hop_length": "0512", "amin": "1e-5", "top_db": "80"}))
    assert (profile.hop_length, profile.amin, profile.top_db) == (512, 1e-5, 80)
    with pytest.raises(InvalidSettings, match="hop_length must be a whole number from 1 to 65536, not '1_0'"):
        profile_named("stft-db", **read_fields(StftDb, {"hop_length": "1_0"}))


def test_scoring_and_decision_settings_do_not_overlap() -> None:
    settings = Settings.load(environment={})
    assert not set(settings.scoring()) & set(settings.decision())
    assert Settings.load({"threshold": 0.9}, {}).scoring() == settings.scoring()


# --- one declaration ---------------------------------------------------------------------------------------------


def test_settings_without_arguments_are_the_defaults() -> None:
    assert Settings() == Settings.load(environment={})
    with pytest.raises(InvalidSettings, match="threshold must be a number at least 0 and below 1, not 2"):
        Settings(threshold=2)
    with pytest.raises(FrozenInstanceError):
        Settings().threshold = 0.6  # type: ignore[misc]


def test_the_page_of_the_settings_is_made_from_their_declarations() -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "settings.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(docs / "make_settings_table.py"))["page_with_table"](page) == page, (
        "run docs/make_settings_table.py"
    )


def test_every_setting_says_what_it_means_and_what_it_changes() -> None:
    for setting in fields(Settings):
        assert setting.metadata["meaning"]
        assert setting.metadata["use"]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[float, Interval(gt=0, le=60)] | None, "a number above 0 and at most 60"),
        (Annotated[int, Interval(ge=2, le=8)], "a whole number from 2 to 8"),
        (bool, "true or false"),
        (str, "text"),
    ],
)
def test_limits_are_put_into_words(annotation: object, words: str) -> None:
    assert FieldType.of(annotation).words() == words


def test_a_field_of_another_type_is_a_mistake_in_the_class() -> None:
    with pytest.raises(TypeError, match="cannot be checked"):
        FieldType.of(dict[str, int])
