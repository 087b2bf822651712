"""Patterns of users are read, and invalid ones are refused."""

from __future__ import annotations

import contextlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import InvalidSettings
from anemonefish.start_time.name_patterns import parse_pattern
from anemonefish.start_time.start import find_start
from tests.unit.start_time.start_times import MOMENTS


@pytest.mark.parametrize(
    ("pattern", "name", "local"),
    [
        ("%d%m%y_%H%M%S", "pu11wh87_210714_070957.wav", "2014-07-21 07:09:57"),
        ("%d.%m.%y_%H%M%S", "Motorboat_08.08.23_105220_20sec.wav", "2023-08-08 10:52:20"),
        ("%Y%j-%H%M", "2024366-2359.wav", "2024-12-31 23:59:00"),
        ("%Y%m%d_*_%H%M%S", "20230210_LL_B55_000001.wav", "2023-02-10 00:00:01"),
        ("%H%M%S,%f %Y%m%d", "000001,5 20230210.wav", "2023-02-10 00:00:01.500000"),
        ("100%%_%Y%m%d%H%M", "gain 100%_202302100001.wav", "2023-02-10 00:01:00"),
        ("[%Y%m%d](%H%M%S)", "[20230210](000001).wav", "2023-02-10 00:00:01"),
    ],
)
def test_given_pattern_reads_a_name(pattern: str, name: str, local: str) -> None:
    assert str(find_start(name, pattern=pattern).local) == local


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "%Y%m%d",
        "%H%M%S",
        "%Y%m_%H%M",
        "%Y%y%m%d_%H%M",
        "%Y%m%d%j_%H%M",
        "%Y%m%d_%I%M%S",
        "%Y%m%d_%H%M%",
        "%Y%m%d_%Y_%H%M",
        "*%Y%m%d*%H%M",
        "soundtrp",
        r"(\d+)",
        "%Y%m%d%H%M" + "x" * 300,
    ],
)
def test_invalid_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidSettings, match="name_pattern"):
        parse_pattern(pattern)


@given(MOMENTS, st.sampled_from(["%Y%m%d_%H%M%S", "%d-%m-%y %H.%M.%S", "%Y%j%H%M%S", "%S%M%H_%d%m%Y"]))
def test_pattern_reads_what_it_prints(moment: datetime, pattern: str) -> None:
    start = find_start(f"reef_{moment.strftime(pattern)}_x.wav", pattern=pattern)
    assert start.local == moment.replace(microsecond=0)


@given(st.text(alphabet="%YmdHMSfzj*_[(.)", max_size=30))
def test_any_pattern_is_handled(text: str) -> None:
    with contextlib.suppress(InvalidSettings):
        find_start("20230210_000001.wav", pattern=text)
