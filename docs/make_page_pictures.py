"""Take the pictures of docs/page.md: every screen of the page in Chromium, on simulated recordings.

    make web && .venv/bin/python docs/make_page_pictures.py

It starts the service of ``make serve`` on a free port with data of its own, simulates an hour and a folder of short
recordings of which one is broken, and uses the page as a person does. It prints how long what a person waits for took.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

import anemonefish as af

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from localstack.serve import start_service  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5, "is_mobile": True, "has_touch": True}
MOST_BYTES = 120_000  # of one picture
PATIENCE_MS = 600_000


def main() -> None:
    """Use the page once on a laptop and once on a phone; take a picture of every screen."""
    expect.set_options(timeout=PATIENCE_MS)
    with (
        tempfile.TemporaryDirectory() as name,
        start_service(port=0, build=REPOSITORY / ".build" / "pictures") as service,
        sync_playwright() as playwright,
    ):
        reef = recordings(Path(name) / "reef")
        # Root, the user in most containers, cannot have a sandbox.
        flags = ["--no-proxy-server", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        address, key = service.page.origin, service.stack.api_key
        execution = walk(browser, address, key, reef)
        look_in_the_dark(browser, address, key, execution)
        look_on_a_phone(browser, address, key, execution)
        browser.close()


def recordings(folder: Path) -> Path:
    """Simulate an hour and two short recordings; write a broken recording and a text file."""
    folder.mkdir()
    lengths = {"REEF_20240601_050000Z.wav": 3600, "REEF_20240601_063000Z.wav": 300, "REEF_20240601_070000Z.wav": 300}
    for seed, (name, seconds) in enumerate(lengths.items(), start=1):
        made = af.simulate(folder / name, seconds=seconds, seed=seed, sample_rate=12_000)
        for labels in (made.raven_path, made.audacity_path):
            labels.unlink()
    (folder / "REEF_20240601_073000Z.wav").write_bytes(b"The card was pulled out while this was written. " * 99)
    (folder / "field notes.txt").write_text("Site 3, calm\n", encoding="utf-8")
    return folder


def walk(browser: Browser, address: str, key: str, reef: Path) -> str:
    """Go from signing in to a review on a laptop; return the address of the execution."""
    page = browser.new_context(**DESKTOP).new_page()
    page.set_default_timeout(PATIENCE_MS)
    began = time.monotonic()
    page.goto(address)
    page.get_by_label("API key").wait_for()
    paints = "performance.getEntriesByType('paint').map(({name, startTime}) => `${name} ${Math.round(startTime)} ms`)"
    print(*page.evaluate(paints), f"to the sign-in screen {time.monotonic() - began:.2f} s", sep=", ")
    take(page, "page-sign-in")
    sign_in(page, key)

    began = time.monotonic()
    page.get_by_label("Choose a folder").set_input_files(reef)
    expect(page.get_by_role("button", name="Start the analysis")).to_be_enabled()
    print(f"four files sent and quoted {time.monotonic() - began:.1f} s")
    take(page, "page-start", height=1500)

    began = time.monotonic()
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.get_by_text("parts computed").or_(page.get_by_text("All parts are computed"))).to_be_visible()
    take(page, "page-progress")
    page.get_by_role("grid").wait_for()
    print(f"to the results of 70 minutes of sound {time.monotonic() - began:.1f} s")
    execution = page.url
    page.get_by_label("Times").select_option("utc")
    take(page, "page-results", height=1400)

    began = time.monotonic()
    page.get_by_role("grid").get_by_role("row").nth(3).click()
    page.get_by_role("button", name="Play").wait_for()
    print(f"an event seen and ready to be heard {time.monotonic() - began:.1f} s")
    page.wait_for_timeout(1_000)  # the image is decoded
    take(page, "page-event", of=page.locator(".results-columns"))

    page.get_by_role("slider", name="Threshold").fill("0.8")
    page.get_by_text("Decided again:").wait_for()
    take(page, "page-decide", of=page.get_by_role("region", name="Decide again"))
    take(page, "page-downloads", of=page.get_by_role("region", name="Downloads"))

    page.goto(f"{execution}/review")
    page.get_by_label("Your name or initials").fill("Ana")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Play").wait_for()
    for judged, answer in enumerate(("y", "n", "2"), start=1):
        page.keyboard.press(answer)
        page.get_by_role("heading", name=f"Clip {judged + 1} of").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_timeout(1_000)
    take(page, "page-review", height=1150)

    page.goto(f"{address}/#/executions")
    page.get_by_role("table").wait_for()
    take(page, "page-executions", height=420)
    page.goto(f"{address}/#/uploads")
    page.get_by_role("table").wait_for()
    take(page, "page-uploads", height=520)
    return execution


def look_in_the_dark(browser: Browser, address: str, key: str, execution: str) -> None:
    """Take the results as a computer with a dark desktop shows them."""
    page = browser.new_context(**DESKTOP, color_scheme="dark").new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    sign_in(page, key)
    page.goto(execution)
    page.get_by_role("grid").wait_for()
    take(page, "page-dark", height=1000)


def look_on_a_phone(browser: Browser, address: str, key: str, execution: str) -> None:
    """Take the start, the results and one event on a phone."""
    page = browser.new_context(**PHONE).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    sign_in(page, key)
    page.get_by_role("heading", name="Time and cost").wait_for()
    page.get_by_label("Threshold").wait_for()
    take(page, "page-phone-start")
    page.goto(execution)
    page.get_by_role("grid").wait_for()
    take(page, "page-phone-results", height=1500)
    page.get_by_role("grid").get_by_role("row").nth(3).click()
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_timeout(1_000)
    take(page, "page-phone-event", of=page.get_by_role("region", name="Event 3 of"))


def sign_in(page: Page, key: str) -> None:
    """Type the key and wait for the start screen."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def take(page: Page, name: str, *, of: Locator | None = None, height: int | None = None) -> None:
    """Save a picture of the page, of its first pixels down to a height, or of one element."""
    size = page.viewport_size
    assert size is not None
    if height is not None:
        page.set_viewport_size({"width": size["width"], "height": height})
    page.wait_for_timeout(300)  # canvases are drawn for the new size
    if of is None:
        page.evaluate("scrollTo(0, 0)")
    picture = Image.open(io.BytesIO(of.screenshot() if of is not None else page.screenshot()))
    file = IMAGES / f"{name}.png"
    picture = picture.convert("RGB")
    for share in (1, 0.8, 0.65, 0.5):  # a picture with a large spectrogram is shown smaller
        size_of_share = (round(share * picture.width), round(share * picture.height))
        picture.resize(size_of_share, Image.Resampling.LANCZOS).quantize(96).save(file, optimize=True)
        if file.stat().st_size < MOST_BYTES:
            break
    print(
        f"{file.relative_to(REPOSITORY)}: {size_of_share[0]} x {size_of_share[1]}, {file.stat().st_size / 1000:.0f} kB"
    )
    page.set_viewport_size(size)


if __name__ == "__main__":
    main()
