"""The rule that turns labels into classes of windows."""

from __future__ import annotations

import numpy as np
import pytest

from anemonefish.training.label_meanings import NEGATIVE, UNSURE
from anemonefish.training.labelled_recordings import TimedLabel
from anemonefish.training.window_rule import rule_in_words, window_targets

STARTS = np.arange(0, 2000, 100)  # windows of 0.4 s every 0.1 s at 1000 Hz


def targets(*labels: tuple[int, int, int], classes: int = 1, **options: object) -> list[list[int]]:
    own = [TimedLabel(start * 1000, stop * 1000, meaning) for start, stop, meaning in labels]
    found, _ = window_targets(STARTS, 400, 1000, own, classes, **options)  # type: ignore[arg-type]
    return found.T.tolist()


def test_window_needs_half_of_a_call() -> None:
    (found,) = targets((1000, 1100, 0))
    # Windows from 0.7 s (0.1 s inside) to 1.0 s hold all of it; the one from 0.6 s ends where it begins.
    assert [index for index, own in enumerate(found) if own == 1] == [7, 8, 9, 10]
    assert -1 not in found


def test_tenth_of_a_second_of_a_long_call_is_enough() -> None:
    (found,) = targets((1000, 1950, 0))
    assert found[6:8] == [0, 1]
    (found,) = targets((1050, 1950, 0))
    assert found[6:9] == [0, -1, 1]  # 0.05 s is neither


def test_smaller_share_takes_windows_with_less_of_a_call() -> None:
    assert targets((1060, 1200, 0))[0][7] == -1  # 0.04 of 0.14 s
    assert targets((1060, 1200, 0), overlap=0.25)[0][7] == 1


def test_overlapping_classes_are_judged_by_themselves() -> None:
    first, second = targets((1000, 1200, 0), (1100, 1300, 1), classes=2)
    assert first[9:12] == [1, 1, 1]
    assert second[9:12] == [1, 1, 1]
    assert (first[7], second[7]) == (1, 0)


def test_doubt_is_left_out_but_hides_no_call() -> None:
    (found,) = targets((500, 1500, UNSURE), (1000, 1100, 0))
    assert found[8] == 1
    assert found[3] == -1
    assert found[0] == 0


def test_other_sounds_are_negative_also_where_unlabelled_stretches_are_ignored() -> None:
    (found,) = targets((500, 600, NEGATIVE), (1500, 1600, 0), ignore_unlabelled=True)
    assert found[3:6] == [0, 0, 0]
    assert found[8] == -1
    assert found[13] == 1


def test_point_is_held_by_the_windows_around_it() -> None:
    (found,) = targets((1000, 1000, 0))
    assert [index for index, own in enumerate(found) if own == 1] == [7, 8, 9, 10]


@pytest.mark.parametrize("seed", range(20))
def test_windows_near_labels_equal_those_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, 20_000, 200))
    edges = rng.integers(0, 20_000, (30, 1)) + np.sort(rng.integers(1, 2_000, (30, 2)), axis=1)
    labels = [TimedLabel(int(a) * 1000, int(b) * 1000, index % 2) for index, (a, b) in enumerate(edges.tolist())]
    found, labelled = window_targets(starts, 400, 1000, labels, 2)
    for start, own, touched in zip(starts.tolist(), found.tolist(), labelled.tolist(), strict=True):
        inside = [min(start + 400, label.stop / 1000) - max(start, label.start / 1000) for label in labels]
        assert touched == any(share > 0 for share in inside)
        for column in range(2):
            shares = [
                share >= min((label.stop - label.start) / 2000, 100)
                for label, share in zip(labels, inside, strict=True)
                if label.meaning == column and share > 0
            ]
            assert own[column] == (1 if any(shares) else -1 if shares else 0)


def test_rule_says_what_happens_to_unlabelled_stretches() -> None:
    assert "stretches without a label hold nothing" in rule_in_words(0.5, "negative")
    assert "stretches without a label are ignored" in rule_in_words(0.5, "ignore")
