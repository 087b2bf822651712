"""Results: a moved slider decides as a fresh execution does, an event is heard as recorded, and files are the API's."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.page.conftest import HTML_NAME, Job, show_results
from tests.workflow.conftest import Api

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect

FORMATS = {
    "JSON, everything": "json",
    "Events (CSV)": "csv",
    "Scores (CSV)": "scores",
    "Raven selection table": "raven",
    "Audacity labels": "audacity",
    "Audacity labels, all classes": "classes",
    "Kaleidoscope (CSV)": "kaleidoscope",
    "Per minute (CSV)": "longterm",
    "Scores (Parquet)": "parquet",
}
"""The button of each format, and its name in the API."""


def events_of(api: Api, execution: str, numbers: list[int]) -> list[dict[str, Any]]:
    """Return the events of an execution in the order of the table: by start time, then by recording."""
    found: list[dict[str, Any]] = []
    for number in numbers:
        results = api("GET", f"/executions/{execution}/results", params={"recording": number}).json()
        found += [{**event, "recording": number} for event in results["events"]]
    return found


def rows_of(page) -> list[tuple[str, ...]]:
    """Return name, length and highest score of every row of the table, sorted."""
    rows = []
    for row in page.get_by_role("grid").get_by_role("row").all()[1:]:
        cells = row.get_by_role("gridcell").all_inner_texts()
        rows.append((cells[0].strip(), cells[2].strip(), cells[3].strip()))
    return sorted(rows)


def as_rows(job: Job, events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted(
        (
            job.paths[event["recording"]].name,
            f"{event['end_time'] - event['start_time']:.2f}",
            f"{event['max_confidence']:.3f}",
        )
        for event in events
    )


def test_moved_threshold_shows_the_events_of_a_fresh_execution(signed_in, api: Api, job: Job) -> None:
    threshold = 0.9
    fresh = api.start(*job.uploads, settings={"threshold": threshold})["id"]
    assert api.ended(fresh)["status"] == "SUCCEEDED"
    own, wanted = (events_of(api, execution, job.analysed) for execution in (job.id, fresh))
    assert as_rows(job, own) != as_rows(job, wanted)  # else the slider could do nothing

    show_results(signed_in, job)
    expect(signed_in.get_by_text(f"{len(own)} events", exact=True)).to_be_visible()
    assert rows_of(signed_in) == as_rows(job, own)
    signed_in.get_by_role("slider", name="Threshold").fill(str(threshold))
    expect(signed_in.get_by_text(f"Decided again: {len(wanted)} event")).to_be_visible()
    expect(signed_in.get_by_text(f"{len(wanted)} events", exact=True)).to_be_visible()
    assert rows_of(signed_in) == as_rows(job, wanted)

    signed_in.get_by_role("button", name="Back to the execution").click()
    expect(signed_in.get_by_text("These are the events of the execution.")).to_be_visible()
    assert rows_of(signed_in) == as_rows(job, own)


def test_every_format_is_downloaded_as_the_api_has_it(signed_in, api: Api, job: Job) -> None:
    number = [path.name for path in job.paths].index(HTML_NAME)
    show_results(signed_in, job)
    downloads = signed_in.get_by_role("region", name="Downloads")
    downloads.get_by_label("Recording").select_option(str(number))
    for button, form in FORMATS.items():
        with signed_in.expect_download() as download:
            downloads.get_by_role("button", name=button, exact=True).click()
        assert Path(download.value.path()).read_bytes() == api.file(job.id, form, recording=number), form
        assert not re.search(r'[<>:"|?*/\\]', download.value.suggested_filename), form


def test_files_of_the_whole_execution_are_downloaded_as_the_api_has_them(signed_in, api: Api, job: Job) -> None:
    show_results(signed_in, job)
    downloads = signed_in.get_by_role("region", name="Downloads")
    files = {each["name"]: each["url"] for each in api("GET", f"/executions/{job.id}/files").json()["files"]}
    for name in ("summary.csv", "combined.events.csv"):
        with signed_in.expect_download() as download:
            downloads.get_by_role("button", name=name, exact=True).click()
        assert Path(download.value.path()).read_bytes() == api.http.get(files[name]).content


def test_archive_has_every_file_under_a_safe_name(signed_in, api: Api, job: Job, tmp_path: Path) -> None:
    listed: dict[str, str] = {}
    path = f"/executions/{job.id}/files?all=true"
    while path:
        answer = api("GET", path).json()
        listed |= {each["name"]: each["url"] for each in answer["files"]}
        path = answer["next"]
    assert len(listed) > 3 * len(FORMATS)

    show_results(signed_in, job)
    with signed_in.expect_download() as download:
        signed_in.get_by_role("button", name=re.compile("Everything as one archive")).click()
    expect(signed_in.get_by_text(f"The archive is complete: {len(listed)} files")).to_be_visible()
    assert download.value.suggested_filename == f"{job.id}.zip"
    archive = tmp_path / "job.zip"
    download.value.save_as(archive)
    with zipfile.ZipFile(archive) as unzipped:
        assert unzipped.testzip() is None
        names = unzipped.namelist()
        assert len(set(names)) == len(listed)
        for name in names:
            assert not re.search(r'[<>:"|?*\\]', name)
            assert not PurePosixPath(name).is_absolute()
            assert ".." not in PurePosixPath(name).parts
        contents = {unzipped.read(name) for name in names}
    assert contents == {api.http.get(url).content for url in listed.values()}
