"""An evaluation counts what new runs with each threshold would find, and refuses labels that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from anemonefish.evaluation.matching import Counts, MatchingRule
from anemonefish.results.recording_result import RecordingResult
from tests.decided_results import random_scores, write_formats, write_labels

HALF = Fraction(1, 2)


def test_events_evaluated_against_themselves_match_completely(results: Path, tmp_path: Path) -> None:
    for file in results.rglob("*.selections.txt"):
        (tmp_path / "labels").mkdir(exist_ok=True)
        file.rename(tmp_path / "labels" / file.name)
    outcome = evaluate(results, tmp_path / "labels", EvaluationOptions(rule=MatchingRule(Fraction(1), "iou")))
    (target,) = outcome.classes
    counts = target.at(0.5)
    assert counts.labels == counts.events == counts.matched > 20
    assert target.average_precision == 1
    assert target.best is not None
    assert target.best.threshold == 0.5
    assert outcome.labelled == ("a.wav", "site/b.wav", "site/c.wav")
    assert sum(counted.matched for counted in target.by_recording.values()) == counts.matched


def test_counts_at_a_threshold_equal_those_of_a_run_with_it(
    make_result: Callable[..., RecordingResult], results: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n10\t10.5\tanemonefish\n50\t51\tanemonefish\n")
    outcome = evaluate(results, labels, EvaluationOptions(thresholds=(0.2, 0.4, 0.6, 0.8)))
    for point in outcome.classes[0].points:
        fresh = make_result("a.wav", random_scores(0), threshold=point.threshold)
        assert point.counts.events == len(fresh.events)
        mine = sorted(
            (s * 48_000, e * 48_000) for s, e in [(10**6, 2 * 10**6), (10**7, 10_500_000), (5 * 10**7, 51 * 10**6)]
        )
        assert point.counts == Counts.of(
            [(e.start * 10**6, e.stop * 10**6) for e in fresh.events], mine, MatchingRule()
        )
    assert [point.threshold for point in outcome.classes[0].points] == [0.2, 0.4, 0.5, 0.6, 0.8]


def test_unlabelled_recordings_are_counted_only_as_negative(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n", c="")
    ignoring = evaluate(results, labels)
    assert (ignoring.labelled, ignoring.negative, ignoring.ignored) == (
        ("a.wav", "site/c.wav"),
        (),
        ("site/b.wav",),
    )
    counting = evaluate(results, labels, EvaluationOptions(unlabelled="negative"))
    assert (counting.negative, counting.ignored) == (("site/b.wav",), ())
    one, other = ignoring.classes[0].at(0.5), counting.classes[0].at(0.5)
    assert (one.labels, one.matched) == (other.labels, other.matched)
    assert one.events < other.events
    assert counting.seconds == ignoring.seconds * Fraction(3, 2)


def test_labels_of_one_bout_count_as_one(results: Path, tmp_path: Path) -> None:
    labels = write_labels(
        tmp_path / "labels", a="1.0\t1.1\tanemonefish\n1.3\t1.4\tanemonefish\n2.4\t2.5\tanemonefish\n"
    )
    assert evaluate(results, labels).classes[0].at(0.5).labels == 3
    assert evaluate(results, labels, EvaluationOptions(bout_seconds=Fraction("0.2"))).classes[0].at(0.5).labels == 3
    assert evaluate(results, labels, EvaluationOptions(bout_seconds=Fraction("0.21"))).classes[0].at(0.5).labels == 2


@pytest.mark.parametrize(
    ("text", "question", "what"),
    [
        ("1\t2\tAF\n", EvaluationOptions(), "--map 'AF=biological'"),
        ("1\t2\tAF\n", EvaluationOptions(mapping={"AF": "fish"}), "mapped to 'fish', but the model has noise"),
        ("1\t2\tanemonefish\n", EvaluationOptions(classes=["fish"]), "no class 'fish'"),
        ("900\t901\tanemonefish\n", EvaluationOptions(), "line 1 begins at 900.000 s, but the recording has 100.200 s"),
        ("1\t1\tanemonefish\n", EvaluationOptions(rule=MatchingRule(HALF, "iou")), "is a point"),
    ],
)
def test_labels_that_cannot_be_evaluated_are_refused(
    results: Path, tmp_path: Path, text: str, question: EvaluationOptions, what: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        evaluate(results, write_labels(tmp_path / "labels", a=text), question)
    assert what in str(raised.value)


def test_damaged_result_leaves_out_its_recording(results: Path, tmp_path: Path) -> None:
    (results / "site" / "b.wav.scores.parquet").write_bytes(b"PAR1")
    labels = write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n", b="1\t2\tanemonefish\n")
    outcome = evaluate(results, labels)
    assert outcome.labelled == ("a.wav",)
    assert "damaged" in outcome.left_out["site/b.wav"]


def test_label_after_the_end_of_its_recording_names_possible_causes(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="900\t901\tanemonefish\n")
    with pytest.raises(InvalidRequest, match="or of a sequence of files whose table needs the measurement File Offset"):
        evaluate(results, labels)


def test_results_of_two_runs_are_refused(
    make_result: Callable[..., RecordingResult], results: Path, tmp_path: Path
) -> None:
    write_formats(results, make_result("z.wav", random_scores(9), median_windows=1))
    with pytest.raises(InvalidRequest, match="evaluate the two separately"):
        evaluate(results, write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n", z="1\t2\tanemonefish\n"))
