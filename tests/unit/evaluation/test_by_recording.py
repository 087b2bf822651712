"""The figures to report: per call, per bout, false events per hour, with intervals over whole recordings."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from anemonefish.evaluation.by_recording import BOUT_SECONDS, RecordingCounts, Summary
from anemonefish.evaluation.matching import Counts

HOUR = Fraction(3600)


def recording(labels: int, events: int, matched: int, seconds: Fraction = HOUR) -> RecordingCounts:
    counts = Counts(labels=labels, events=events, matched=matched)
    return RecordingCounts(seconds, counts, counts)


def summary(*recordings: RecordingCounts) -> Summary:
    return Summary({f"{number}.wav": each for number, each in enumerate(recordings)}, BOUT_SECONDS)


def test_interval_is_over_recordings_and_not_over_calls() -> None:
    # ten recordings with 100 calls each: in half of them all are found, in the others none
    made = summary(*([recording(100, 100, 100), recording(100, 0, 0)] * 5))
    recall = made.recall(bouts=False)
    assert recall.value == 0.5
    assert recall.low is not None
    assert recall.high is not None
    assert recall.low <= 0.3, "an interval over 1,000 calls would be 0.47 to 0.53"
    assert recall.high >= 0.7


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    truth, covered, trials = 0.6, 0, 60
    for _ in range(trials):
        found = [int(rng.binomial(10, share)) for share in rng.beta(6, 4, size=20)]
        recall = summary(*(recording(10, number, number) for number in found)).recall(bouts=False)
        covered += recall.low <= truth <= recall.high  # type: ignore[operator]  # 20 recordings have an interval
    assert 0.8 <= covered / trials <= 0.98


def test_few_recordings_have_no_interval_and_a_line_says_so() -> None:
    made = summary(*([recording(4, 4, 2)] * 4))
    assert (made.recall(bouts=False).value, made.recall(bouts=False).low) == (0.5, None)
    assert list(made.lines())[-1] == "no intervals: they need 5 recordings, and there are 4"


def test_no_false_event_is_not_a_rate_of_zero_for_certain() -> None:
    rate = summary(*([recording(0, 0, 0)] * 6)).false_per_hour
    assert (rate.value, rate.low) == (0, 0)
    assert rate.high == pytest.approx(3.0 / 6, rel=0.01), "three divided by the hours"


def test_all_found_is_not_a_recall_of_one_for_certain() -> None:
    recall = summary(*([recording(5, 5, 5)] * 6)).recall(bouts=False)
    assert (recall.value, recall.high) == (1, 1)
    assert recall.low == pytest.approx(1 - 3 / 30, abs=0.01)


def test_false_events_of_recordings_without_labels_are_told_apart() -> None:
    made = summary(recording(4, 6, 4), recording(0, 1, 0, HOUR / 2))
    assert made.false_per_hour.value == pytest.approx(2)
    assert made.false_per_hour_without_labels.value == pytest.approx(2)
    assert "false events per hour: 2.0; in 1 without a label (0.5 h): 2.0" in list(made.lines())


def test_precision_without_events_is_not_defined() -> None:
    made = summary(*([recording(2, 0, 0)] * 5))
    assert made.precision(bouts=False).words() == "-"
    assert made.to_dict()["per_call"] == {
        "recall": {"value": 0.0, "low": 0.0, "high": pytest.approx(0.258866)},
        "precision": {"value": None, "low": None, "high": None},
        "f1": {"value": 0.0, "low": 0.0, "high": pytest.approx(0.258866)},
    }
