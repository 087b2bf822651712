"""Results are judged through the API on a local AWS; the verdicts are those of the command line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import anemonefish as af
from anemonefish.results.verdict_table import read_verdicts
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings

from .conftest import Api


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a minute and a half of a busy reef."""
    path = tmp_path_factory.mktemp("recordings") / "20230210_000001_LL_B55_M_R.wav"
    write_scene(scene(90, seed=21, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), path)
    return path


@pytest.fixture(scope="module")
def execution(api: Api, recording: Path) -> str:
    ended = api.ended(api.start(api.upload(recording), settings={"max_range_seconds": 40})["id"])
    assert ended["status"] == "SUCCEEDED", ended
    return str(ended["id"])


@pytest.fixture(scope="module")
def downloaded(api: Api, execution: str, recording: Path) -> Path:
    folder = recording.parent / "results"
    folder.mkdir()
    (folder / f"{recording.name}.scores.parquet").write_bytes(api.file(execution, "parquet"))
    return folder


def test_two_people_judge_the_sample_of_the_command_line(
    api: Api, execution: str, downloaded: Path, recording: Path, tmp_path: Path, models_uri: str
) -> None:
    made = af.review(downloaded, tmp_path / "page", clips=40, seed=5, recordings=recording.parent, models=models_uri)
    drawn = api("GET", f"/executions/{execution}/review", params={"clips": 40, "seed": 5}).json()
    assert [unit["clip"] for unit in drawn["units"]] == [row.clip for row in made.rows]
    assert [unit["score"] for unit in drawn["units"]] == [row.score for row in made.rows]
    assert {drawn["review"]} == {row.review for row in made.rows}
    assert drawn["stretches"] == made.n_units > 40

    names = ("recording", "start_sample", "stop_sample", "kind")

    def judge(number: int) -> int:
        unit, reviewer = drawn["units"][number // 2], ("Ana", "=Ben")[number % 2]
        verdict = "yes" if (unit["score"] > 0.5) != (number // 2 % 9 == 0) else "no"
        stretch = {name: unit[name] for name in names}
        body = {"reviewer": reviewer, "verdicts": [{**stretch, "class": "anemonefish", "verdict": verdict}]}
        return api("PUT", f"/executions/{execution}/verdicts", json=body).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(judge, range(80))) == {200}
    listed, path = [], f"/executions/{execution}/verdicts?limit=30"
    while path:
        page = api("GET", path).json()
        listed += page["verdicts"]
        path = page["next"]
    assert len(listed) == 80
    assert {each["reviewer"] for each in listed} == {"Ana", "=Ben"}

    table = tmp_path / "verdicts.csv"
    query = {"format": "verdicts", "clips": 40, "seed": 5}
    answer = api("GET", f"/executions/{execution}/verdicts", params=query)
    assert answer.status_code == 303
    table.write_bytes(httpx.get(answer.headers["location"]).raise_for_status().content)
    taken = af.take_verdicts(downloaded, table)
    assert taken.table.reviewers == ("=Ben", "Ana")
    assert len(read_verdicts(table).rows) == 80
    link = api("GET", f"/executions/{execution}/verdicts", params={"format": "labels", "redirect": "false"}).json()
    assert (link["verdict_count"], link["left_out"]) == (80, 0)
    labels = httpx.get(link["url"])
    assert len(labels.text.splitlines()) == 41
    assert 'filename="review-labels.csv"' in labels.headers["content-disposition"]


def test_other_tenant_sees_and_judges_nothing(other_tenant: Api, execution: str) -> None:
    verdict = {"recording": 0, "start_sample": 0, "stop_sample": 1, "class": "anemonefish", "verdict": "no"}
    answers = [
        other_tenant("GET", f"/executions/{execution}/review"),
        other_tenant("GET", f"/executions/{execution}/verdicts"),
        other_tenant("PUT", f"/executions/{execution}/verdicts", json={"reviewer": "Eve", "verdicts": [verdict]}),
    ]
    assert {(each.status_code, each.json()["error"]) for each in answers} == {(404, "ExecutionNotFound")}


def test_sent_verdicts_are_checked(api: Api, execution: str) -> None:
    verdict: dict[str, Any] = {
        "recording": 0,
        "start_sample": 0,
        "stop_sample": 9600,
        "class": "anemonefish",
        "verdict": "no",
    }
    for change, said in (
        ({"stop_sample": 10**9}, "verdicts.0: the stretch"),
        ({"verdict": "no way"}, "verdict must be"),
        ({"start_sample": -1}, "greater than or equal to 0"),
        ({"extra": 1}, "Extra inputs"),
    ):
        body = {"reviewer": "Ana", "verdicts": [verdict | change]}
        answer = api("PUT", f"/executions/{execution}/verdicts", json=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")
        assert said in answer.json()["message"]
    answer = api("PUT", f"/executions/{execution}/verdicts", json={"reviewer": "a\u202eb", "verdicts": [verdict]})
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")
