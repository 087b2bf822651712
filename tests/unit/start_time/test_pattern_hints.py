"""Messages about names show patterns that read these names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.start_time.start import find_start
from tests.unit.start_time.start_times import settings_in


@pytest.mark.parametrize(
    "name",
    [
        "20230101T085500_20230101T145500.wav",
        "120101_230210_000001.wav",
        "x_201011121314.wav",
        "reef_20230210_000001-0330.wav",
        "reef_20230210_000001_UTC-001.wav",
        "20230210T000001-05.wav",
        "reef 20230210_000001-0330 (left).wav",
        "gain 100% 20230101$085500 20230101$145500.wav",
        "it's 20230101_085500 and 20230101_145500.wav",
        "pool_13-02-2023_12-05-55.wav",
        "2023-02-10_12-05.wav",
        "site_20231301_120000.wav",
        "2024366-2359.wav",
        "REC 13.02.23 at 12:05:55.wav",
    ],
)
def test_pattern_in_a_message_reads_the_name(name: str) -> None:
    start = find_start(name, time_zone="UTC")
    assert start.utc is None
    patterns = [value for key, value in settings_in(start.reason) if key == "name_pattern"]
    assert patterns
    for pattern in patterns:
        known = find_start(name, time_zone="UTC", pattern=pattern)
        assert known.utc is not None, (pattern, known.reason)
    assert len({find_start(name, time_zone="UTC", pattern=each).utc for each in patterns}) == len(patterns)


@pytest.mark.parametrize("name", ["noise.wav", "3_20230210.wav", "1678032935.wav", "site_20230229_120000.wav"])
def test_no_pattern_is_shown_for_a_name_that_none_can_read(name: str) -> None:
    reason = find_start(name, time_zone="UTC").reason
    assert [key for key, _ in settings_in(reason)] == ["start"]


@given(st.text(alphabet="0123456789_-T. $%'*", max_size=30))
def test_every_pattern_in_a_message_reads_the_name(name: str) -> None:
    reason = find_start(name, time_zone="+10:00").reason.removeprefix(f"{name}: ")
    for key, value in settings_in(reason):
        if key == "name_pattern":
            assert find_start(name, time_zone="+10:00", pattern=value).local is not None
