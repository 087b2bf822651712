"""A short run of ``make test-faults``: a job of each kind while calls fail, workers die and events go astray."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.__main__ import prepare, table
from tests.faults.cases import SCENARIOS, Case, Outcome, Recordings, Scenario, run_case
from tests.faults.service import Service

SHORT = ("s3", "dynamodb", "tasks", "everything", "killed", "killed-after", "s3-down-two", "disk-full", "stopped",
         "events-twice", "events-late", "events-lost")  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service.start(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def recordings(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recordings]:
    return prepare(service, tmp_path_factory.mktemp("recordings"))


@pytest.mark.parametrize("number", range(len(SHORT)), ids=SHORT)
def test_job_under_fire_has_the_same_bytes_or_fails_with_a_reason_and_resumes(
    service: Service, recordings: dict[str, Recordings], number: int
) -> None:
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == SHORT[number])
    outcome = run_case(service, Case(2, number, scenario), recordings[scenario.recordings])
    assert outcome.lost is None
    assert outcome.survived or outcome.resumed
    assert outcome.injected


def test_job_that_is_lost_is_counted(service: Service, recordings: dict[str, Recordings]) -> None:
    """The judge sees other bytes: here those of a job whose undisturbed results were changed."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == "s3")
    wrong = {**recordings["one"].expected, "results/summary.csv": b"other"}
    changed = Recordings(recordings["one"].uploads, recordings["one"].settings, wrong)
    outcome = run_case(service, Case(3, 0, Scenario("s3", scenario.plan)), changed)
    assert outcome.lost is not None
    assert "other bytes in ['results/summary.csv']" in outcome.lost
    assert not outcome.resumed
    assert [line.split()[-1] for line in table([outcome]).splitlines() if line.startswith("all")] != ["0"]


def test_table_counts_every_fault_once() -> None:
    case = Case(1, 0, SCENARIOS[0])
    outcomes = [
        Outcome(case, ("S3: slow", "S3: slow"), True, None, "", False, None, 1.0),
        Outcome(case, ("S3: slow",), False, "StorageError", "S3 is down", True, None, 1.0),
    ]
    [row] = [line for line in table(outcomes).splitlines() if line.startswith("S3: slow")]
    assert row.split()[2:] == ["3", "2", "1", "1", "3", "0"]
