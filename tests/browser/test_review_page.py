"""A person's review in a real Chromium: ten clips judged by key, marks, several reviewers, and the table that is saved.

The page is opened from its folder, as reviewers open it. Playwright presses the keys; nothing of the page is replaced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import anemonefish as af
from anemonefish.results.verdict_table import VerdictTable, read_verdicts
from anemonefish.workflow.review_folder import MadeReview

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)")

ODD = "<img src=x onerror=document.title='run'> &'.wav"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a recording with an odd name."""
    folder = tmp_path_factory.mktemp("review")
    af.simulate(folder / ODD, seconds=60, seed=6)
    af.detect(folder / ODD, folder=folder / "results", formats=["parquet"], processes=1)
    return folder / "results"


@pytest.fixture(scope="module")
def made(results: Path) -> MadeReview:
    drawn = af.review(results, clips=100, seed=1)
    assert len(drawn.rows) > 12  # all units of a minute
    return drawn


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: playwright.Browser, made: MadeReview) -> Iterator[playwright.Page]:
    """Return the page as a browser without a history opens it; what it complains about fails the test."""
    context = browser.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.goto(made.page.as_uri())
    yield opened
    assert complaints == []
    context.close()


def begin(page: playwright.Page, name: str = "Ana") -> None:
    page.get_by_label("Your name or initials").fill(name)
    page.keyboard.press("Enter")


def press(page: playwright.Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def saved(page: playwright.Page, path: Path) -> VerdictTable:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download verdicts.csv").click()
    assert download.value.suggested_filename == "verdicts.csv"
    download.value.save_as(path)
    return read_verdicts(path)


def test_ten_clips_are_judged_by_key_and_come_back_beside_the_results(
    page: playwright.Page, made: MadeReview, results: Path, tmp_path: Path
) -> None:
    total = len(made.rows)
    begin(page, '=Ana "A", Lab;<b>')
    press(page, "y", "n", "u", "3", "o")
    page.keyboard.type("=damselfish, <i>")
    press(page, "Enter", "Y", "n", "n", "1", "n")  # the tenth; a capital is the same key
    playwright.expect(page.locator("#progress")).to_have_text(f"10 of {total} judged")
    playwright.expect(page.locator("#position")).to_have_text(f"Clip 11 of {total}")
    table = saved(page, tmp_path / "verdicts.csv")
    assert [row.clip for row in table.rows] == [row.clip for row in made.rows]
    said = ["yes", "no", "unsure", "yes", "other:damselfish, <i>", "yes", "no", "no", "yes", "no"]
    assert [row.verdict for row in table.rows] == said + [""] * (total - 10)
    assert [row.calls for row in table.rows[:10]] == [None, None, None, 3, None, None, None, None, 1, None]
    assert table.reviewers == ('Ana "A", Lab <b>',)
    assert [row.recording for row in table.rows] == [ODD] * total
    taken = af.take_verdicts(results, tmp_path / "verdicts.csv")
    assert taken.n_labels == 10
    assert page.title() == "Review"  # the name of the recording was shown, and did not run
    assert ODD in page.locator("#where").inner_text()


def test_verdicts_are_resumed_and_reviewers_are_kept_apart(
    page: playwright.Page, made: MadeReview, tmp_path: Path
) -> None:
    begin(page, "Ana")
    press(page, "y", "y")
    page.reload()
    playwright.expect(page.locator("#progress")).to_have_text(f"2 of {len(made.rows)} judged")
    playwright.expect(page.locator("#position")).to_have_text(f"Clip 3 of {len(made.rows)}")
    page.get_by_role("button", name="Reviewer: Ana").click()
    begin(page, "Ben")
    playwright.expect(page.locator("#progress")).to_have_text(f"0 of {len(made.rows)} judged")
    press(page, "n")
    assert saved(page, tmp_path / "ben.csv").reviewers == ("Ben",)
    page.get_by_role("button", name="Reviewer: Ben").click()
    begin(page, "Ana")
    press(page, "ArrowLeft", "ArrowLeft", "Backspace", "ArrowRight", "n")
    table = saved(page, tmp_path / "ana.csv")
    assert [row.verdict for row in table.rows[:3]] == ["", "no", ""]


def test_sound_plays_and_a_call_is_marked_by_keys_and_by_dragging(page: playwright.Page, tmp_path: Path) -> None:
    begin(page)
    press(page, " ")
    played = "document.getElementById('audio').currentTime"
    for _ in range(400):  # the page's policy forbids wait_for_function
        if page.evaluate(played) > 0.3:
            break
        page.wait_for_timeout(50)
    press(page, " ")
    at = page.evaluate(played)
    press(page, "[", "y", "ArrowLeft")
    assert "Marked" in page.locator("#marked").inner_text()
    press(page, "ArrowRight")
    box = page.locator("#picture").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=4)
    page.mouse.up()
    press(page, "2")
    first, second, *_ = saved(page, tmp_path / "verdicts.csv").rows
    begins, seconds = page.evaluate("[data.clips[0].begins, data.clips[1].seconds]")
    assert first.mark_start_s == pytest.approx(begins + at, abs=0.05)
    assert (first.mark_stop_s or 0) > (first.mark_start_s or 0)
    assert (second.mark_stop_s or 0) - (second.mark_start_s or 0) == pytest.approx(seconds / 10, rel=0.05)


def test_score_is_hidden_until_it_is_asked_for(page: playwright.Page) -> None:
    begin(page)
    assert "core 0" not in page.locator("main").inner_text()
    page.get_by_label("Show the score").check()
    assert "Score 0" in page.locator("main").inner_text()


def test_low_frequencies_are_magnified_with_their_axis(page: playwright.Page) -> None:
    begin(page)
    heights, highest = [], []
    for _ in range(5):
        heights.append(page.locator("#image").evaluate("image => image.getBoundingClientRect().height"))
        highest.append(max(map(float, page.locator("#frequencies").inner_text().split())))
        press(page, "z")
    assert [height / heights[0] for height in heights] == pytest.approx([1, 2, 4, 8, 1])
    assert highest[0] > highest[1] > highest[2] > highest[3] < highest[4] == highest[0]
    bottom = "element => element.getBoundingClientRect().bottom"
    assert page.locator("#image").evaluate(bottom) == pytest.approx(page.locator("#picture").evaluate(bottom))


def test_keys_typed_into_a_field_are_no_verdicts(page: playwright.Page) -> None:
    begin(page, "nyu")
    press(page, "o")
    page.keyboard.type("yn 12")
    press(page, "Escape")
    playwright.expect(page.locator("#progress")).to_have_text(re.compile("^0 of"))
    page.get_by_label("Calls in the marked stretch").fill("12")
    press(page, "Tab")
    playwright.expect(page.locator("#verdict")).to_have_text("Your verdict: Yes, 12 calls")


def test_everything_is_reached_by_tab_with_a_visible_focus(page: playwright.Page) -> None:
    begin(page)
    reached = set()
    for _ in range(40):
        press(page, "Tab")
        name, width = page.evaluate(
            "[document.activeElement.id, getComputedStyle(document.activeElement).outlineWidth]"
        )
        reached.add(name)
        assert width != "0px" or name in {"", "audio"}, name
    assert {"yes", "no", "unsure", "other", "calls", "next", "download", "mark-begin", "show-score"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone_and_its_text_is_readable(browser: playwright.Browser, made: MadeReview, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(made.page.as_uri())
    begin(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("yes", "download", "verdict"):
        assert contrast(opened, name) >= 4.5, (scheme, name)  # WCAG 2.2, 1.4.3
    context.close()


def contrast(page: playwright.Page, name: str) -> float:
    """Return the contrast of an element's text with what lies behind it, as WCAG 2.2 defines it."""
    colours = page.evaluate(
        """name => {
            let element = document.getElementById(name);
            const ink = getComputedStyle(element).color;
            while (getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)") element = element.parentElement;
            return [ink, getComputedStyle(element).backgroundColor].map((text) => text.match(/\\d+/g).map(Number));
        }""",
        name,
    )
    lighter, darker = sorted((_luminance(colour) for colour in colours), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: list[int]) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
