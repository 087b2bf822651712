"""From a folder of files to results: sent over a broken line, quoted, started, cancelled and resumed."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile

import anemonefish as af
from tests.page.conftest import HTML_NAME, Complaints, show, wait_until
from tests.workflow.conftest import Api

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect

PART_3 = re.compile(r"[?&]partNumber=3(&|$)")


def write_large_recording(path: Path) -> None:
    """Write a recording that is sent in five parts, although it is short: 45 s of noise at a high rate."""
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.01 * rng.standard_normal((45 * 192_000, 2)), 192_000, subtype="FLOAT")


def test_folder_survives_a_broken_line_and_a_reload_and_no_part_is_sent_twice(
    signed_in, folder: Path, tmp_path: Path, complaints: Complaints
) -> None:
    """The whole way of a user: choose a folder, lose the line, reload, choose it again, quote, start, results."""
    complaints.expect("ERR_CONNECTION_RESET|ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED")  # provoked below
    page, reef = signed_in, tmp_path / "reef"
    shutil.copytree(folder, reef)
    write_large_recording(reef / "REEF_20240601_060000Z.wav")
    arrived: Counter[tuple[str, str]] = Counter()

    def note(response) -> None:
        if response.request.method == "PUT" and response.ok:
            parts = urlsplit(response.url)
            arrived[parts.path, parse_qs(parts.query).get("partNumber", [""])[0]] += 1

    page.on("response", note)
    page.route(PART_3, lambda route: route.abort("connectionreset"))
    page.get_by_label("Choose a folder").set_input_files(reef)
    expect(page.get_by_text("1 file left out").first).to_be_visible()
    expect(page.get_by_text("field notes.txt: not a recording").first).to_be_visible()
    wait_until(page, lambda: len(arrived) == 4 + 4, "four files and all parts except the third")

    page.context.set_offline(True)
    expect(page.get_by_text("The connection is broken").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("The connection is broken")).to_have_count(0)

    page.reload()
    expect(page.get_by_text("1 file must be chosen again").first).to_be_visible()
    expect(page.get_by_text("4 of 5 recordings ready").first).to_be_visible()
    page.unroute(PART_3)
    page.get_by_label("Choose a folder").set_input_files(reef)
    expect(page.get_by_text("5 of 5 recordings ready").first).to_be_visible()
    multipart = {part for _, part in arrived if part}
    assert multipart == {"1", "2", "3", "4", "5"}
    assert set(arrived.values()) == {1}
    assert len(arrived) == 4 + 5

    quote = page.get_by_role("region", name="Time and cost")
    expect(quote.get_by_text("1 recording cannot be analysed").first).to_be_visible()
    expect(quote.get_by_text("broken.wav")).to_be_visible()
    expect(quote.get_by_text(re.compile(r"[0-9] USD")).first).to_be_visible()
    page.get_by_role("button", name="Start the analysis").click()
    expect(page).to_have_url(re.compile("#/executions/e-"))
    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
    expect(page.get_by_text("4 analysed, 1 failed")).to_be_visible()
    expect(page.get_by_role("gridcell", name=HTML_NAME).first).to_be_visible()
    assert page.locator("img[src='x']").count() == 0

    show(page, "uploads")
    expect(page.get_by_role("cell", name=HTML_NAME).first).to_be_visible()
    assert page.locator("img[src='x']").count() == 0


def test_execution_is_cancelled_and_resumed(signed_in, api: Api, tmp_path: Path) -> None:
    """An execution with many parts is stopped while it runs; resume computes what is missing."""
    recording = tmp_path / "night.wav"
    af.simulate(recording, seconds=600, seed=4, sample_rate=8_000)
    page, upload = signed_in, api.upload(recording)
    execution = api.start(upload)["id"]
    show(page, f"executions/{execution}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The execution was cancelled")).to_be_visible()
    expect(page.get_by_text("Resume computes only what is missing")).to_be_visible()
    assert api("GET", f"/executions/{execution}").json()["status"] == "CANCELLED"

    show(page, "executions")
    row = page.get_by_role("row").filter(has_text="Cancelled")
    row.first.get_by_role("link").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
    resumed = api.ended(execution)
    assert (resumed["status"], resumed["attempt"]) == ("SUCCEEDED", 2)
    api.file(execution, "csv")
