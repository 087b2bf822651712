"""Evaluation: the matching against brute force, the sweep against the system, and what the files say."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from anemonefish.cli.evaluate_command import evaluate as command
from anemonefish.cli.main import main
from anemonefish.errors import InvalidRequest, InvalidSettings
from anemonefish.evaluation.curves import Evaluation, Point, average_precision
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.evaluation.evaluation_files import EVALUATION_COLUMNS, write_evaluation, write_evaluation_json
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from anemonefish.evaluation.matching import Counts, Rule, maximum_matching, merge_intervals
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.results.decide import decide
from anemonefish.results.events import smooth
from anemonefish.results.read import find_results, read_result
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import REPORTS, write_report
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job

HALF = Fraction(1, 2)
intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 15)).map(lambda each: (each[0], sum(each))), max_size=6
).map(sorted)
rules = st.builds(Rule, st.fractions(Fraction(1, 20), 1, max_denominator=20), st.sampled_from(["shorter", "iou"]))


# ---------------------------------------------------------------------------------------- the rule


def by_brute_force(agreements: list[list[int]]) -> int:
    """Try every set of events with every choice of labels."""
    if not agreements:
        return 0
    rest = by_brute_force(agreements[1:])
    for label in agreements[0]:
        without = [[each for each in options if each != label] for options in agreements[1:]]
        rest = max(rest, 1 + by_brute_force(without))
    return rest


@given(st.lists(st.lists(st.integers(0, 5), unique=True, max_size=4), max_size=6))
def test_no_matching_is_larger(agreements: list[list[int]]) -> None:
    matched = maximum_matching(agreements, 6)
    pairs = [(event, label) for event, label in enumerate(matched) if label is not None]
    assert len({label for _, label in pairs}) == len(pairs)
    assert all(label in agreements[event] for event, label in pairs)
    assert len(pairs) == by_brute_force(agreements)


@given(st.integers(0, 10_000))
def test_large_matchings_are_as_large_as_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = rng.random((60, 50)) < rng.uniform(0.01, 0.1)
    matched = maximum_matching([np.flatnonzero(row).tolist() for row in edges], 50)
    expected = maximum_bipartite_matching(csr_array(edges.astype(np.int8)), perm_type="column")
    assert sum(label is not None for label in matched) == int((expected >= 0).sum())


def test_a_long_chain_needs_no_recursion() -> None:
    length = 20_000
    chain = [[index, index + 1] for index in range(length)] + [[0]]
    matched = maximum_matching(chain, length + 1)
    assert sorted(label for label in matched if label is not None) == list(range(length + 1))


@given(intervals, intervals, rules)
def test_agreements_are_those_of_every_pair(
    events: list[tuple[int, int]], labels: list[tuple[int, int]], rule: Rule
) -> None:
    events = [event for event in events if event[0] < event[1]]
    expected = [[n for n, label in enumerate(labels) if literally(event, label, rule)] for event in events]
    assert rule.agreements(events, labels) == expected


def literally(event: tuple[int, int], label: tuple[int, int], rule: Rule) -> bool:
    """The rule as docs/evaluate.md says it, by counting ticks."""
    here, there = set(range(*event)), set(range(*label))
    if not there:
        return rule.criterion == "shorter" and label[0] in here
    whole = min(len(here), len(there)) if rule.criterion == "shorter" else len(here | there)
    return bool(here & there) and Fraction(len(here & there), whole) >= rule.overlap


@given(intervals, intervals, rules)
def test_counts_belong_together(events: list[tuple[int, int]], labels: list[tuple[int, int]], rule: Rule) -> None:
    events = [event for event in events if event[0] < event[1]]
    counts = Counts.of(events, labels, rule)
    assert counts.matched <= min(counts.labels_found, counts.events_right)
    assert counts.labels_found <= counts.labels == len(labels)
    assert counts.events_right <= counts.events == len(events)
    if counts.precision and counts.recall:
        assert counts.f1 == 2 * counts.precision * counts.recall / (counts.precision + counts.recall)


@pytest.mark.parametrize(
    ("label", "shorter", "iou"),
    [((0, 100), True, True), ((50, 60), True, False), ((95, 105), True, False), ((96, 106), False, False),
     ((100, 110), False, False), ((0, 200), True, True), ((0, 201), True, False), ((50, 50), True, False),
     ((100, 100), False, False), ((0, 0), True, False)],
)  # fmt: skip
def test_the_border_of_the_rule(label: tuple[int, int], shorter: bool, iou: bool) -> None:
    assert Rule(HALF, "shorter").agree((0, 100), label) is shorter
    assert Rule(HALF, "iou").agree((0, 100), label) is iou


def test_one_event_over_a_bout_is_one_match() -> None:
    counts = Counts.of([(0, 100)], [(0, 10), (20, 30), (40, 50)], Rule())
    assert (counts.matched, counts.missed, counts.false_positives) == (1, 2, 0)
    assert (counts.labels_found, counts.events_right) == (3, 1)


def test_greedy_would_lose_a_match() -> None:
    # The long event comes first and could take the only label that the short one has.
    assert Counts.of([(0, 100), (10, 20)], [(10, 20), (50, 60)], Rule()).matched == 2


@given(intervals, st.integers(0, 5))
def test_merged_labels_are_runs_with_gaps(labels: list[tuple[int, int]], gap: int) -> None:
    merged = merge_intervals(labels, Fraction(gap))
    assert all(later[0] - earlier[1] >= gap for earlier, later in pairwise(merged))
    covered = {tick for label in labels for tick in range(*label)}
    assert covered <= {tick for label in merged for tick in range(*label)}
    assert {start for start, _ in merged} <= {start for start, _ in labels}


@pytest.mark.parametrize(("overlap", "criterion"), [("0", "shorter"), ("1.01", "iou"), ("0.5", "dice"), ("-1", "iou")])
def test_a_rule_out_of_range(overlap: str, criterion: str) -> None:
    with pytest.raises(InvalidSettings):
        Rule(Fraction(overlap), criterion)


# ----------------------------------------------------------------------------------- average precision


def curve(*pairs: tuple[int, int, int]) -> list[Point]:
    """Points from (labels, events, matched)."""
    return [Point(0.1 * n, Counts(labels, events, matched)) for n, (labels, events, matched) in enumerate(pairs)]


def test_average_precision_by_hand() -> None:
    # Recalls 1/4, 2/4, 3/4 with precisions 1, 2/4, 3/5: interpolated 1, 3/5, 3/5.
    points = curve((4, 5, 3), (4, 4, 2), (4, 1, 1), (4, 0, 0))
    assert average_precision(points) == Fraction(1, 4) * 1 + Fraction(1, 4) * Fraction(3, 5) * 2


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=8))
def test_average_precision_is_the_area_below_the_interpolated_curve(pairs: list[tuple[int, int]]) -> None:
    points = curve(*((10, max(events, matched), matched) for events, matched in pairs))
    area = average_precision(points)
    strips = []
    for strip in range(10):  # recalls are tenths: within a strip the curve is level
        wanted = Fraction(strip + 1, 10)
        strips.append(
            max((p.counts.precision or 0 for p in points if p.counts.recall >= wanted), default=Fraction(0))  # type: ignore[operator]
        )
    assert area == sum(strips, Fraction(0)) / 10
    assert area == average_precision(reversed(points))


def test_average_precision_without_labels_or_events() -> None:
    assert average_precision(curve((0, 5, 0))) is None
    assert average_precision(curve((5, 0, 0))) == 0
    assert average_precision([]) is None


# ------------------------------------------------------------------------------------- whole folders

WINDOWS = 500


@pytest.fixture(scope="module")
def made(models_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RecordingResult]:
    """Return a function that makes the result of a recording from scores."""
    import soundfile

    folder = tmp_path_factory.mktemp("recordings")
    models = ModelRepository(open_store(models_uri))

    def make(name: str, scores: np.ndarray, **settings: object) -> RecordingResult:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = (len(scores) - 1) * 9_600 + 19_200
        soundfile.write(path, np.zeros(frames, np.int16), 48_000)
        plan = plan_job([RecordingRequest(str(path), name, str(path))], "reef", Settings.load(settings, {}), models)
        return decide(plan.recordings[0], models.spec(plan.model), plan.model, plan.settings, scores)

    return make


def scores_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = np.convolve(rng.random(WINDOWS + 6), np.ones(7) / 7, "valid")
    target = np.clip((raw - 0.5) * 4 + 0.5, 0, 1)
    return np.stack([(1 - target) * 0.7, target, (1 - target) * 0.3], axis=1).astype(np.float32)


def stored(folder: Path, result: RecordingResult, *formats: str) -> None:
    for name in formats or ("json", "parquet", "raven"):
        path = folder / f"{result.recording.name}{REPORTS[name].suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_report(name, path, result)


@pytest.fixture
def results(made: Callable[..., RecordingResult], tmp_path: Path) -> Path:
    for seed, name in enumerate(["a.wav", "site/b.wav", "site/c.wav"]):
        stored(tmp_path / "results", made(name, scores_of(seed)))
    return tmp_path / "results"


def labelled(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.wav.txt").write_text(text)
    return folder


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_a_stored_result_is_decided_as_the_system_decides(
    made: Callable[..., RecordingResult], tmp_path: Path, form: str
) -> None:
    result = made("a.wav", scores_of(3), median_windows=3, min_gap_seconds=0.7)
    stored(tmp_path, result, form)
    (path,) = find_results(tmp_path).values()
    scored = read_result(path)
    assert (scored.name, scored.classes, scored.seconds) == ("a.wav", result.spec.classes, Fraction(WINDOWS + 1, 5))
    smoothed = smooth(scored.scores, scored.settings.median_windows)
    for threshold in (0.3, 0.5, 0.77):
        fresh = decide(
            result.recording, result.spec, result.model, replace(result.settings, threshold=threshold), result.scores
        )
        found = scored.events(smoothed, "anemonefish", threshold)
        assert [(e.start, e.stop, e.n_windows) for e in found] == [(e.start, e.stop, e.n_windows) for e in fresh.events]
        assert found  # a comparison of nothing with nothing proves nothing
    if form == "parquet":
        assert scored.scores.tobytes() == result.scores.tobytes()


def test_parquet_is_preferred_and_other_files_are_passed_over(results: Path) -> None:
    (results / "manifest.json").write_text("{}")
    (results / ".anemonefish").mkdir()
    (results / ".anemonefish" / "x.json").write_text("{}")
    assert {name: path.name for name, path in find_results(results).items()} == {
        "a.wav": "a.wav.scores.parquet",
        "site/b.wav": "b.wav.scores.parquet",
        "site/c.wav": "c.wav.scores.parquet",
    }


def test_its_own_events_as_labels_are_found_without_fault(results: Path, tmp_path: Path) -> None:
    for file in results.rglob("*.selections.txt"):
        (tmp_path / "labels").mkdir(exist_ok=True)
        file.rename(tmp_path / "labels" / file.name)
    outcome = evaluate(results, tmp_path / "labels", EvaluationOptions(rule=Rule(Fraction(1), "iou")))
    (target,) = outcome.classes
    counts = target.at(0.5)
    assert counts.labels == counts.events == counts.matched > 20
    assert target.average_precision == 1
    assert target.best is not None
    assert target.best.threshold == 0.5
    assert outcome.labelled == ("a.wav", "site/b.wav", "site/c.wav")
    assert sum(each.matched for each in target.by_recording.values()) == counts.matched


def test_every_threshold_is_counted_as_a_run_with_it(
    made: Callable[..., RecordingResult], results: Path, tmp_path: Path
) -> None:
    labels = labelled(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n10\t10.5\tanemonefish\n50\t51\tanemonefish\n")
    outcome = evaluate(results, labels, EvaluationOptions(thresholds=(0.2, 0.4, 0.6, 0.8)))
    for point in outcome.classes[0].points:
        fresh = made("a.wav", scores_of(0), threshold=point.threshold)
        assert point.counts.events == len(fresh.events)
        mine = sorted(
            (s * 48_000, e * 48_000) for s, e in [(10**6, 2 * 10**6), (10**7, 10_500_000), (5 * 10**7, 51 * 10**6)]
        )
        assert point.counts == Counts.of([(e.start * 10**6, e.stop * 10**6) for e in fresh.events], mine, Rule())
    assert [point.threshold for point in outcome.classes[0].points] == [0.2, 0.4, 0.5, 0.6, 0.8]


def test_recordings_without_labels_count_only_if_wanted(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n", c="")
    ignoring = evaluate(results, labels)
    assert (ignoring.labelled, ignoring.negative, ignoring.ignored) == (("a.wav", "site/c.wav"), (), ("site/b.wav",))
    counting = evaluate(results, labels, EvaluationOptions(unlabelled="negative"))
    assert (counting.negative, counting.ignored) == (("site/b.wav",), ())
    one, other = ignoring.classes[0].at(0.5), counting.classes[0].at(0.5)
    assert (one.labels, one.matched) == (other.labels, other.matched)
    assert one.events < other.events
    assert counting.seconds == ignoring.seconds * Fraction(3, 2)


def test_labels_in_one_file_for_all(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("file,start,end,label\na.wav,1,2,AF\nc.wav,1,2,AF\nd.wav,3,4,AF\nd.wav,5,6,boat\na.wav,5,6,boat\n")
    outcome = evaluate(results, path, EvaluationOptions(mapping={"AF": "anemonefish"}))
    assert outcome.labelled == ("a.wav", "site/c.wav")
    assert dict(outcome.elsewhere) == {"d.wav": 2}
    assert dict(outcome.unmapped) == {"boat": 1}
    assert outcome.classes[0].at(0.5).labels == 2
    everything = evaluate(results, path, EvaluationOptions(mapping={"AF": "anemonefish", "*": "biological"}))
    assert {each.name: each.at(0.5).labels for each in everything.classes} == {"anemonefish": 2, "biological": 1}


def test_the_only_file_is_of_the_only_recording(made: Callable[..., RecordingResult], tmp_path: Path) -> None:
    stored(tmp_path / "results", made("a.wav", scores_of(0)))
    (tmp_path / "marks.txt").write_text("1\t2\tanemonefish\n")
    assert evaluate(tmp_path / "results", tmp_path / "marks.txt").labelled == ("a.wav",)
    labels = tmp_path / "labels"
    labels.mkdir()
    (tmp_path / "marks.txt").rename(labels / "marks.txt")
    with pytest.raises(InvalidRequest, match=r"are of marks, the results of a\.wav"):
        evaluate(tmp_path / "results", labels)


def test_bouts(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1.0\t1.1\tanemonefish\n1.3\t1.4\tanemonefish\n2.4\t2.5\tanemonefish\n")
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
        ("1\t1\tanemonefish\n", EvaluationOptions(rule=Rule(HALF, "iou")), "is a point"),
    ],
)
def test_labels_that_do_not_fit(
    results: Path, tmp_path: Path, text: str, question: EvaluationOptions, what: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        evaluate(results, labelled(tmp_path / "labels", a=text), question)
    assert what in str(raised.value)


def test_two_files_for_one_recording(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1\t2\tanemonefish\n")
    (labels / "a.wav.csv").write_text("start,end\n1,2\n")
    with pytest.raises(InvalidRequest, match=r"a\.wav: labels in a\.wav\.csv and in a\.wav\.txt"):
        evaluate(results, labels)
    assert evaluate(results, labels, EvaluationOptions(pattern="*.txt")).labelled == ("a.wav",)


# ------------------------------------------------------------------------- one bad thing takes no other along


BROKEN = {
    "beyond its recording": b"900\t901\tanemonefish\n901\t902\tanemonefish\n",
    "damaged": b"1\t2\tanemonefish\nhello\n",
    "undecodable": b"1\t2\tM\xe4nnchen\n",
    "no table": b"calm sea, no wind\n",
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("unlabelled", ["ignore", "negative"])
def test_a_recording_whose_labels_cannot_be_used_is_left_out_with_the_reason(
    results: Path, tmp_path: Path, broken: str, unlabelled: str
) -> None:
    labels = labelled(tmp_path / "labels", b="1\t2\tanemonefish\n")
    expected = evaluate(results, labels, EvaluationOptions(unlabelled="ignore"))
    (labels / "a.wav.txt").write_bytes(BROKEN[broken])
    outcome = evaluate(results, labels, EvaluationOptions(unlabelled=unlabelled))
    assert outcome.labelled == ("site/b.wav",)
    assert list(outcome.left_out) == ["a.wav"]
    assert outcome.negative == (("site/c.wav",) if unlabelled == "negative" else ())
    if unlabelled == "ignore":
        assert outcome.classes == expected.classes
        assert outcome.seconds == expected.seconds
    _, document = files_of(outcome)
    assert document["recordings"]["left_out"] == dict(outcome.left_out)  # type: ignore[index]


def test_every_reason_is_listed(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="900\t901\tx\n910\t911\tx\n", b="1\t2\tanemonefish\n", c="x\ty\tz\n")
    outcome = evaluate(results, labels)
    assert list(outcome.left_out) == ["a.wav", "site/c.wav"]
    assert "line 1 begins at 900.000 s" in outcome.left_out["a.wav"]
    assert "line 2 begins at 910.000 s" in outcome.left_out["a.wav"]
    assert "x" not in outcome.unmapped  # what was left out is not counted anywhere
    (labels / "b.wav.txt").write_text("5\t4\tanemonefish\n")
    with pytest.raises(InvalidRequest, match="the labels are called 'x'") as raised:
        evaluate(results, labels)
    assert all(name in str(raised.value) for name in ("site/b.wav: ", "site/c.wav: "))
    (labels / "a.wav.txt").write_text("900\t901\tanemonefish\n")
    with pytest.raises(InvalidRequest) as raised:
        evaluate(results, labels)
    assert all(name in str(raised.value) for name in ("a.wav: ", "site/b.wav: ", "site/c.wav: "))


def test_a_row_of_a_table_over_all_recordings_leaves_out_one(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("file,start,end,label\na.wav,1,2,anemonefish\nb.wav,NaN,2,anemonefish\nc.wav,1,2,anemonefish\n")
    outcome = evaluate(results, path)
    assert outcome.labelled == ("a.wav", "site/c.wav")
    assert list(outcome.left_out) == ["site/b.wav"]


def test_a_file_of_no_recording_that_cannot_be_read_is_named(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1\t2\tanemonefish\n")
    (labels / "README.txt").write_text("Labels by K., March\n")
    outcome = evaluate(results, labels)
    assert outcome.labelled == ("a.wav",)
    assert [Path(name).name for name in outcome.unread] == ["README.txt"]
    # It may hold labels of any recording without a file of its own: none of these is known to be empty.
    negative = evaluate(results, labels, EvaluationOptions(unlabelled="negative"))
    assert (negative.negative, list(negative.left_out)) == ((), ["site/b.wav", "site/c.wav"])


def test_a_damaged_result_leaves_out_its_recording(results: Path, tmp_path: Path) -> None:
    (results / "site" / "b.wav.scores.parquet").write_bytes(b"PAR1")
    labels = labelled(tmp_path / "labels", a="1\t2\tanemonefish\n", b="1\t2\tanemonefish\n")
    outcome = evaluate(results, labels)
    assert outcome.labelled == ("a.wav",)
    assert "damaged" in outcome.left_out["site/b.wav"]


def test_the_command_ends_with_1_and_names_what_was_left_out(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="900\t901\tanemonefish\n", b="1\t2\tanemonefish\n")
    (labels / "README.txt").write_text("Labels by K.\n")
    answer = run(results, labels, "--out", tmp_path / "out")
    assert answer.exit_code == 1
    assert "1 of 2 recordings could not be evaluated" in answer.output
    assert f"InvalidRequest: a.wav: {labels / 'a.wav.txt'}: the label at line 1 begins at 900.000 s" in answer.output
    assert "README.txt: no column says where a label begins" in answer.output
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert list(document["recordings"]["left_out"]) == ["a.wav"]
    assert [Path(name).name for name in document["label_files"]["not_read"]] == ["README.txt"]
    assert (tmp_path / "out" / "evaluation.csv").exists()


def test_a_label_file_whose_name_is_not_utf8_is_named_and_the_others_count(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1\t2\tanemonefish\n")
    try:
        with open(os.fsencode(labels) + b"/\xe9.txt", "wb") as file:  # noqa: PTH123
            file.write(b"no labels\n")
    except OSError:
        pytest.skip("this file system takes names of UTF-8 alone")
    with open(os.fsencode(labels) + b"/\xe8.txt", "wb") as file:  # noqa: PTH123
        file.write(b"1\t2\tx\n")
    answer = run(results, labels, "--out", tmp_path / "out")
    assert answer.exit_code == 1
    assert "\\xe9.txt" in answer.output
    assert "not counted: _ (1)" in answer.output  # the name that a recording of this name would have
    assert "\\\\xe9.txt" in (tmp_path / "out" / "evaluation.json").read_text()


def test_a_recording_whose_name_is_not_utf8_is_named_in_every_output(results: Path, tmp_path: Path) -> None:
    try:
        (results / "a.wav.scores.parquet").rename(results / "\udce9.wav.scores.parquet")
    except OSError:
        pytest.skip("this file system takes names of UTF-8 alone")
    path = tmp_path / "all.csv"
    path.write_text("file,start,end,label\nb.wav,1,2,anemonefish\n")
    assert run(results, path, "--unlabelled", "negative", "--out", tmp_path / "out").exit_code == 0
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert "\udce9.wav" in document["recordings"]["negative"]
    (results / "\udce9.wav.scores.parquet").write_bytes(b"PAR1")
    answer = run(results, path, "--unlabelled", "negative", "--out", tmp_path / "out")
    assert answer.exit_code == 1
    assert "\\xe9.wav: " in answer.output


# ------------------------------------------------------------------------------------- what labels mean


@pytest.mark.parametrize("empty", ["no file", "an empty file"])
def test_an_empty_folder_of_labels_gives_false_positives_per_hour(results: Path, tmp_path: Path, empty: str) -> None:
    labels = labelled(tmp_path / "labels", **({} if empty == "no file" else {"a": ""}))
    outcome = evaluate(results, labels, EvaluationOptions(unlabelled="negative"))
    assert len(outcome.negative) + len(outcome.labelled) == 3
    [target] = outcome.classes
    counts = target.at(0.5)
    assert (counts.labels, counts.matched) == (0, 0)
    assert counts.events > 20
    assert outcome.per_hour(counts.false_positives) == Fraction(counts.events * 3600) / outcome.seconds
    answer = run(results, labels, "--unlabelled", "negative", "--out", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    row = next(row for row in csv.DictReader((tmp_path / "out" / "evaluation.csv").open()) if row["threshold"] == "0.5")
    assert float(row["false_positives_per_hour"]) > 0
    assert row["recall"] == ""


def test_an_empty_folder_is_refused_where_recordings_without_labels_are_left_out(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels")
    with pytest.raises(InvalidRequest, match="no label file in this folder"):
        evaluate(results, labels)
    (labels / "a.txt").write_text("")
    with pytest.raises(InvalidRequest, match="no label file in this folder"):  # a slip in the pattern is no answer
        evaluate(results, labels, EvaluationOptions(unlabelled="negative", pattern="*.selections.txt"))


def test_zeros_of_a_column_per_class_are_no_labels_whatever_the_mapping(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    rows = ["a.wav,0.0,3.0,0,0", "a.wav,3.0,6.0,0,1", "a.wav,6.0,9.0,1,0", "b.wav,0,3,0,0"]
    path.write_text("\n".join(["file,start_time,end_time,anemonefish,biological", *rows]))
    for mapping in ({}, {"*": "anemonefish"}):
        outcome = evaluate(results, path, EvaluationOptions(mapping=mapping))
        assert {each.name: each.at(0.5).labels for each in outcome.classes} == {"anemonefish": 1, "biological": 1}
        assert outcome.labelled == ("a.wav", "site/b.wav")
        assert dict(outcome.named_by) == {"anemonefish and biological": 2}


def test_a_name_that_says_absent_is_mapped_only_by_itself(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,start,end,label\na.wav,0,3,0\na.wav,3,6,1\n")
    with pytest.raises(InvalidRequest, match=r"--map '1=biological', or --map '\*=biological' for all but 0"):
        evaluate(results, path)
    outcome = evaluate(results, path, EvaluationOptions(mapping={"*": "anemonefish"}))
    assert outcome.classes[0].at(0.5).labels == 1
    assert dict(outcome.unmapped) == {"0": 1}
    assert evaluate(results, path, EvaluationOptions(mapping={"0": "anemonefish", "1": "biological"})).unmapped == {}


def test_labels_without_names_are_told_in_the_counts(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(",file,start,end\n0,a.wav,1,2\n1,a.wav,3,4\n")
    with pytest.raises(InvalidRequest, match=r"the labels have no names.*--map '\*=biological'"):
        evaluate(results, path)
    answer = run(results, path, "--map", "*=anemonefish", "--out", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    assert "no column (2); 2 of them without a name" in answer.output
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert document["label_files"]["labels_without_a_name"] == 2


def test_times_beyond_a_recording_are_asked_about_as_those_of_a_sequence(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="900\t901\tanemonefish\n")
    with pytest.raises(InvalidRequest, match="or of a sequence of files whose table needs the measurement File Offset"):
        evaluate(results, labels)


@pytest.mark.parametrize("answer", [(), ("--times-per-file",)])
def test_a_table_of_a_sequence_without_offsets_is_asked_about(
    results: Path, tmp_path: Path, answer: tuple[str, ...]
) -> None:
    labels = labelled(tmp_path / "labels", b="1\t2\tanemonefish\n")
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tBegin File\tSpecies"
    (labels / "day.selections.txt").write_text(f"{head}\n1\tS\t1\t26.9\t27.4\ta.wav\tanemonefish\n")
    done = run(results, labels, "--out", tmp_path / "out", *answer)
    assert done.exit_code == (0 if answer else 1), done.output
    assert ("say --times-per-file" in done.output) is not answer
    assert f"{2 if answer else 1} labelled recordings" in done.output


def test_two_files_with_the_same_labels_count_once(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1\t2\tanemonefish\n3\t4\tanemonefish\n")
    (labels / "a.wav.csv").write_text("start,end,label\n3,4,anemonefish\n1,2,anemonefish\n")
    outcome = evaluate(results, labels)
    assert outcome.classes[0].at(0.5).labels == 2
    assert [Path(name).name for name in outcome.repeated] == ["a.wav.txt"]


def test_two_files_with_other_labels_leave_out_one_recording(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1\t2\tanemonefish\n", b="1\t2\tanemonefish\n")
    (labels / "a.wav.csv").write_text("start,end,label\n1,2,boat\n")
    outcome = evaluate(results, labels)
    assert outcome.labelled == ("site/b.wav",)
    assert "--files" in outcome.left_out["a.wav"]


def test_the_folder_of_simulate_is_a_folder_of_labels(tmp_path: Path) -> None:
    folder, out = tmp_path / "x", tmp_path / "r"
    folder.mkdir()
    for arguments in (
        ["simulate", "--seconds", "60", "--seed", "6", "--out", str(folder / "reef.wav")],
        ["detect", str(folder), "--out", str(out)],
        ["evaluate", str(out), str(folder), "--out", str(tmp_path / "e")],
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
    assert "counted once" in done.output
    written = list(csv.DictReader((folder / "reef.wav.selections.txt").open(), delimiter="\t"))
    document = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    counts = {each["class"]: each["recordings"][0]["labels"] for each in document["classes"]}
    for name in ("anemonefish", "biological"):
        assert counts[name] == sum(row["Class"] == name for row in written) > 0


def test_results_of_two_runs(made: Callable[..., RecordingResult], results: Path, tmp_path: Path) -> None:
    stored(results, made("z.wav", scores_of(9), median_windows=1))
    with pytest.raises(InvalidRequest, match="evaluate the two separately"):
        evaluate(results, labelled(tmp_path / "labels", a="1\t2\tanemonefish\n", z="1\t2\tanemonefish\n"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"recording": 1}', b"PAR1"])
@pytest.mark.parametrize("name", ["a.wav.json", "a.wav.scores.parquet"])
def test_a_damaged_result_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest, match="not a result of this program, or damaged"):
        read_result(tmp_path / name)


@pytest.mark.parametrize("where", ["first page", "footer"])
def test_a_parquet_file_with_damage_inside_is_named(
    made: Callable[..., RecordingResult], tmp_path: Path, where: str
) -> None:
    stored(tmp_path, made("a.wav", scores_of(0)), "parquet")
    (path,) = tmp_path.glob("*.parquet")
    content = bytearray(path.read_bytes())
    first = 4 if where == "first page" else len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[first : first + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match="not a result of this program, or damaged"):
        read_result(path)


def test_a_folder_without_results(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InvalidRequest, match="no results in this folder"):
            find_results(folder)


@pytest.mark.parametrize(
    "options", [{"thresholds": [1.0]}, {"thresholds": [-0.1]}, {"unlabelled": "x"}, {"bout_seconds": Fraction(-1)}]
)
def test_a_question_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings):
        EvaluationOptions(**options)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ files, command


def files_of(outcome: Evaluation) -> tuple[list[dict[str, str]], dict[str, object]]:
    table, document = io.StringIO(newline=""), io.StringIO()
    write_evaluation(table, outcome)
    write_evaluation_json(document, outcome)
    return list(csv.DictReader(io.StringIO(table.getvalue()))), json.loads(document.getvalue())


def test_the_files_say_the_same(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n", b="3\t4\tbiological\n")
    outcome = evaluate(results, labels)
    rows, document = files_of(outcome)
    assert tuple(rows[0]) == EVALUATION_COLUMNS
    points = [(each["class"], point) for each in document["classes"] for point in each["points"]]  # type: ignore[attr-defined]
    assert len(points) == len(rows) == 2 * 23
    for row, (name, point) in zip(rows, points, strict=True):
        assert row["class"] == name
        for column in EVALUATION_COLUMNS[1:]:
            assert row[column] == ("" if point[column] is None else str(point[column]))
    empty = [row for row in rows if row["events"] == "0"]
    assert empty
    assert all(row["precision"] == "" and row["recall"] == "0.0" for row in empty)
    assert document["recordings"]["labelled"] == ["a.wav", "site/b.wav"]  # type: ignore[index]
    assert files_of(evaluate(results, labels)) == (rows, document)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)


def test_the_command(results: Path, tmp_path: Path) -> None:
    labels = labelled(tmp_path / "labels", a="1.0\t2.0\tAF=x\n", b="3\t4\tboat\n")
    out = tmp_path / "out"
    answer = run(
        results,
        labels,
        "--map",
        "AF=x=anemonefish",
        "--thresholds",
        "0.3, 0.7",
        "--bout",
        "0.5",
        "--out",
        out,
        "--picture",
    )
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.csv", "evaluation.json", "precision_recall.png"]
    assert "anemonefish: 1 labels, average precision" in answer.output
    assert "names that are no class, not counted: boat (1)" in answer.output
    assert "2 labelled recordings, 0 counted as empty, 1 left out" in answer.output
    rows = list(csv.DictReader((out / "evaluation.csv").open()))
    assert [row["threshold"] for row in rows] == ["0.3", "0.5", "0.7"]


@pytest.mark.parametrize(
    "options", [("--overlap", "half"), ("--thresholds", "0.1,x"), ("--map", "x"), ("--map", "x="), ("--bout", "-1")]
)
def test_the_command_refuses(results: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    with pytest.raises(InvalidSettings):
        run(results, labelled(tmp_path / "labels", a=""), *options)


def test_brute_force_itself() -> None:
    assert [by_brute_force([[0], [0, 1]]), by_brute_force([[0], [0]]), by_brute_force([])] == [2, 1, 0]
