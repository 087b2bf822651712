"""Judging by key: stored for each reviewer, kept while there is no line, and read by what calibrates and trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import anemonefish as af
from anemonefish.results.verdict_table import read_verdicts
from tests.page.conftest import Complaints, Job, show
from tests.workflow.conftest import Api

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect

CLIPS = 40


def begin(page, job: Job, name: str) -> None:
    """Start a review under a name."""
    show(page, f"executions/{job.id}/review")
    page.get_by_label("Your name or initials").fill(name)
    page.get_by_label("Clips to judge").fill(str(CLIPS))
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="Clip 1 of")).to_be_visible()


def is_stored(page) -> None:
    expect(page.get_by_text("All verdicts are stored by the service.")).to_be_visible()


def verdicts_of(api: Api, job: Job, units: list[dict[str, Any]], reviewer: str) -> list[tuple[str, int | None] | None]:
    """Return what the service stored for each unit of the sample."""
    stored = api("GET", f"/executions/{job.id}/verdicts").json()["verdicts"]
    own = {
        (each["recording"], each["start_sample"]): (each["verdict"], each.get("calls"))
        for each in stored
        if each["reviewer"] == reviewer
    }
    return [own.get((unit["recording"], unit["start_sample"])) for unit in units]


def test_clips_are_judged_by_key_by_two_people_and_the_tables_are_read_by_the_package(
    signed_in, api: Api, job: Job, complaints: Complaints, tmp_path: Path
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED")  # provoked below
    page = signed_in
    units = api("GET", f"/executions/{job.id}/review", params={"clips": CLIPS, "seed": 0}).json()["units"]
    begin(page, job, "Ana")
    for number, key in enumerate(["y", "N", "u", "3", "o"], start=1):
        expect(page.get_by_role("heading", name=f"Clip {number} of {len(units)}")).to_be_visible()
        page.keyboard.press(key)
    page.get_by_label("Which class?").fill("damselfish")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Clip 6 of {len(units)}")).to_be_visible()
    page.keyboard.press("y")
    expect(page.get_by_role("heading", name=f"Clip 7 of {len(units)}")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name=f"Clip 6 of {len(units)}")).to_be_visible()
    spectrogram = page.locator(".spectrogram-area")
    spectrogram.drag_to(spectrogram, source_position={"x": 200, "y": 50}, target_position={"x": 300, "y": 50})
    expect(page.get_by_text("Marked: ")).to_be_visible()
    page.keyboard.press("Backspace")  # the sound is there, so nothing else draws the clip again
    expect(page.get_by_text("Not judged yet.")).to_be_visible()
    is_stored(page)
    said = [("yes", None), ("no", None), ("unsure", None), ("yes", 3), ("other:damselfish", None), None]
    assert verdicts_of(api, job, units, "Ana")[:6] == said

    page.context.set_offline(True)
    page.keyboard.press("n")
    expect(page.get_by_text("1 verdict is not sent yet")).to_be_visible()
    assert verdicts_of(api, job, units, "Ana")[5] is None
    page.context.set_offline(False)
    is_stored(page)
    assert verdicts_of(api, job, units, "Ana")[5] == ("no", None)

    page.get_by_role("button", name="Change").click()
    begin(page, job, "Ben")
    expect(page.get_by_text(f"0 of {len(units)} judged").first).to_be_visible()
    highest = sorted(unit["score"] for unit in units)[-16]  # a calibration needs ten of each verdict
    for number in range(1, len(units) + 1):
        expect(page.get_by_role("heading", name=f"Clip {number} of {len(units)}")).to_be_visible()
        page.keyboard.press("y" if units[number - 1]["score"] >= highest else "n")
    expect(page.get_by_text("All clips are judged.")).to_be_visible()
    is_stored(page)
    assert verdicts_of(api, job, units, "Ana")[:6] == [*said[:5], ("no", None)]
    assert None not in verdicts_of(api, job, units, "Ben")

    saved = {}
    for button in ("Download verdicts.csv", "Download labels (CSV)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        saved[button] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[button])
    table = read_verdicts(saved["Download verdicts.csv"])
    assert set(table.reviewers) == {"Ana", "Ben"}
    assert len(af.read_annotations(saved["Download labels (CSV)"])) > 0
    is_taken_into(saved["Download verdicts.csv"], api, job, tmp_path / "results")


def is_taken_into(verdicts: Path, api: Api, job: Job, results: Path) -> None:
    """Put the table that the page saved beside downloaded results, which calibrate-scores reads then."""
    results.mkdir()
    for number in job.analysed:
        for form in ("parquet", "json"):
            query = {"format": form, "recording": number, "redirect": "false"}
            link = api("GET", f"/executions/{job.id}/results", params=query).json()
            (results / link["filename"]).write_bytes(api.http.get(link["url"]).content)
    assert af.take_verdicts(results, verdicts).n_labels > 0
    assert af.calibrate_scores(results, keep=False).reviewers == 2
