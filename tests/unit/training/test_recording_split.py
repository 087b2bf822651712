"""Recordings are divided, never windows."""

from __future__ import annotations

from datetime import date

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.training.recording_split import PARTS, split_recordings
from tests.unit.training.conftest import labelled


def many(count: int, **changes: object) -> list:
    return [labelled(f"r{index:02d}.wav", (1, 2, 0), **changes) for index in range(count)]


def test_every_recording_is_in_one_part() -> None:
    recordings = many(20)
    split = split_recordings(recordings, ["call"], "auto", 1)
    names = [each.name for part in PARTS for each in split.part(part)]
    assert sorted(names) == [each.name for each in recordings]
    assert [len(split.part(part)) for part in PARTS] == [16, 4]
    assert sorted(len(fold) for fold in split.folds) == [5, 5, 6]
    assert sorted(each.name for fold in split.folds for each in fold) == [each.name for each in split.training]
    assert split.by == "recording"


def test_rare_class_is_in_the_test_and_in_every_fold() -> None:
    recordings = [*many(27), *(labelled(f"rare{index}.wav", (1, 2, 1)) for index in range(3))]
    for seed in range(10):
        split = split_recordings(recordings, ["call", "rare"], "auto", seed)
        assert [sum(each.count(1) for each in part) for part in (*split.folds, split.test)] == [1, 1, 1]


def test_three_recordings_are_enough() -> None:
    split = split_recordings(many(3), ["call"], "auto", 5)
    assert [len(part) for part in (*split.folds, split.test)] == [1, 1, 1]


def test_sites_stay_together_where_there_are_enough() -> None:
    recordings = [labelled(f"{site}/{index}.wav", (1, 2, 0), site=site) for site in "abcdef" for index in range(3)]
    split = split_recordings(recordings, ["call"], "auto", 1)
    assert split.by == "site"
    sites = [{each.site for each in part} for part in (*split.folds, split.test)]
    assert sum(map(len, sites)) == 6


def test_days_stay_together_where_there_are_too_few_sites() -> None:
    recordings = [
        labelled(f"{day}-{index}.wav", (1, 2, 0), day=date(2026, 5, day)) for day in range(1, 8) for index in range(2)
    ]
    split = split_recordings(recordings, ["call"], "auto", 1)
    assert split.by == "day"
    days = [{each.day for each in part} for part in (*split.folds, split.test)]
    assert sum(map(len, days)) == 7


def test_seed_changes_the_split_and_the_same_seed_does_not() -> None:
    recordings = many(20)
    assert split_recordings(recordings, ["call"], "auto", 1) == split_recordings(recordings, ["call"], "auto", 1)
    assert len({split_recordings(recordings, ["call"], "auto", seed).test for seed in range(5)}) > 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_recordings_are_named_with_the_mend(count: int) -> None:
    recordings = [*many(5), *(labelled(f"rare{index}.wav", (1, 2, 1)) for index in range(count))]
    with pytest.raises(InvalidRequest, match=rf"class 'rare' is in {count} recording.*three are needed.*Label more"):
        split_recordings(recordings, ["call", "rare"], "auto", 1)


def test_too_few_sites_that_were_asked_for_name_the_looser_choice() -> None:
    with pytest.raises(InvalidRequest, match="--split-by recording"):
        split_recordings(many(9), ["call"], "site", 1)
