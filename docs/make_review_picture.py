"""Draw the picture of docs/review.md: the page of a review in Chromium, on a simulated reef.

.venv/bin/python docs/make_review_picture.py
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import anemonefish as af

REPOSITORY = Path(__file__).parents[1]
SIZE = {"width": 860, "height": 690}
COLOURS = 64  # of the PNG, which is then a third as large


def main() -> None:
    """Simulate a reef, make a review of it, judge a clip and take a picture of the next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        af.simulate(folder / "20230210_060000.wav", seconds=60, seed=2)
        af.detect(folder / "20230210_060000.wav", folder=folder / "results", formats=["parquet"], processes=1)
        made = af.review(folder / "results", clips=12, seed=1)
        best = max(range(len(made.rows)), key=lambda number: made.rows[number].score)
        with sync_playwright() as playwright:
            # Root, the user in most containers, cannot have a sandbox.
            flags = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            page = browser.new_page(viewport=SIZE)
            page.goto(made.page.as_uri())
            page.get_by_label("Your name or initials").fill("Ana")
            page.keyboard.press("Enter")
            for _ in range(best):
                page.keyboard.press("n")
            for key in ("2", "ArrowLeft", "z", "z"):
                page.keyboard.press(key)
            page.wait_for_timeout(1_000)  # the image is decoded
            picture = Image.open(io.BytesIO(page.screenshot()))
            browser.close()
    picture.convert("RGB").quantize(COLOURS).save(REPOSITORY / "docs" / "images" / "review.png", optimize=True)


if __name__ == "__main__":
    main()
