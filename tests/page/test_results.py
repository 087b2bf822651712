"""Results: a moved slider decides as a fresh execution does, an event is heard as recorded, and files are the API's."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import soundfile

from localstack.serve import Service
from tests.page.conftest import HTML_NAME, Job, Open, show_results, sign_in, wait_until
from tests.reference_models import OTHER_THRESHOLD
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
        cells = row.get_by_role("gridcell").all_text_contents()
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
    fresh = api.start(*job.uploads, settings={"threshold": OTHER_THRESHOLD})["id"]
    assert api.ended(fresh)["status"] == "SUCCEEDED"
    own, wanted = (events_of(api, execution, job.analysed) for execution in (job.id, fresh))
    assert as_rows(job, own) != as_rows(job, wanted)  # else the slider could do nothing

    show_results(signed_in, job)
    expect(signed_in.get_by_text(re.compile(f"^{len(own)} events?$"))).to_be_visible()
    assert rows_of(signed_in) == as_rows(job, own)
    signed_in.get_by_role("slider", name="Threshold").fill(str(OTHER_THRESHOLD))
    expect(signed_in.get_by_text(f"Decided again: {len(wanted)} event")).to_be_visible()
    expect(signed_in.get_by_text(re.compile(f"^{len(wanted)} events?$"))).to_be_visible()
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


_LISTEN = """
window.heard = {blobs: new Map(), players: []};
const makeUrl = URL.createObjectURL;
URL.createObjectURL = (blob) => {
  const url = makeUrl(blob);
  heard.blobs.set(url, blob);
  return url;
};
window.Audio = class extends Audio {
  constructor(...given) {
    super(...given);
    heard.players.push(this);
  }
};
"""
"""Remembers what the page plays; nothing of the page is replaced."""

_DECODED = """async (rate) => {
  const {src} = heard.players.at(-1);
  const bytes = await heard.blobs.get(src).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  return {rate: sound.sampleRate, channels: sound.numberOfChannels, samples: [...sound.getChannelData(0)]};
}"""

_PIXELS = """(image) => {
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return new Set(new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
}"""


def test_event_is_seen_and_heard_with_the_samples_of_the_recording(
    open_page: Open, service: Service, api: Api, job: Job
) -> None:
    """What the browser decodes and plays is what the recorder wrote, and the neighbours come by the arrow keys."""
    page = open_page()
    page.context.add_init_script(_LISTEN)
    page.reload()
    sign_in(page, service.stack.api_key)
    page.get_by_role("button", name="Sign out").wait_for()
    clips: list[str] = []
    page.on("request", lambda request: clips.append(request.url) if "/clip?" in request.url else None)
    show_results(page, job)
    number, name = next((n, path.name) for n, path in enumerate(job.paths) if path.name.endswith("053000Z.wav"))
    page.get_by_role("combobox", name="Recordings", exact=True).select_option(str(number))
    page.get_by_role("grid").focus()
    page.keyboard.press("Enter")
    event = page.get_by_role("region", name=re.compile("^Event 1 of"))
    expect(event).to_be_focused()
    expect(event.get_by_text(name)).to_be_visible()
    expect(event.get_by_role("button", name="Play")).to_be_visible()
    picture = event.get_by_role("img", name=re.compile("Spectrogram, .* Hz"))
    expect(picture).to_be_visible()
    assert picture.evaluate(_PIXELS) > 20  # colours: not an empty picture

    clip = api.http.get(clips[0]).json()
    within = {"start": clip["start_sample"], "stop": clip["stop_sample"]}
    recorded, rate = soundfile.read(job.paths[number], dtype="int16", **within)
    stored, stored_rate = soundfile.read(io.BytesIO(api.http.get(clip["url"]).content), dtype="int16")
    assert stored_rate == clip["sample_rate"] == rate
    np.testing.assert_array_equal(stored, recorded)
    decoded = page.evaluate(_DECODED, rate)
    assert (decoded["rate"], decoded["channels"]) == (rate, 1)
    # Chromium divides positive samples by 32,767; for samples below a half of full scale that rounds to the same.
    assert abs(recorded).max() < 16_384
    np.testing.assert_array_equal(np.round(np.array(decoded["samples"]) * 32_768), recorded)

    page.keyboard.press("Space")
    expect(event.get_by_role("button", name="Pause")).to_be_visible()
    wait_until(page, lambda: page.evaluate("heard.players.at(-1).currentTime") > 0.2, "the sound to play")
    page.keyboard.press("Space")
    expect(event.get_by_role("button", name="Play")).to_be_visible()


def test_neighbours_of_an_event_come_by_the_arrow_keys_however_it_was_opened(signed_in, job: Job) -> None:
    show_results(signed_in, job)
    signed_in.get_by_role("grid").focus()
    signed_in.keyboard.press("Enter")
    expect(signed_in.get_by_role("region", name=re.compile("^Event 1 of"))).to_be_focused()
    for key, number in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2)):
        signed_in.keyboard.press(key)
        expect(signed_in.get_by_role("heading", name=re.compile(f"^Event {number} of"))).to_be_visible()
    signed_in.keyboard.press("Escape")
    expect(signed_in.get_by_role("heading", name=re.compile("^Event [0-9]+ of"))).to_have_count(0)
    signed_in.get_by_role("grid").get_by_role("row").nth(1).click()
    expect(signed_in.get_by_role("region", name=re.compile("^Event 1 of"))).to_be_focused()
    signed_in.keyboard.press("ArrowRight")
    expect(signed_in.get_by_role("heading", name=re.compile("^Event 2 of"))).to_be_visible()
