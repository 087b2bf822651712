"""The page of a review is closed: its script is allowed by hash, and names are data that cannot become HTML."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.results.review_html import PageClip, review_html
from anemonefish.results.review_units import EVENT, DrawnUnit, ReviewUnit
from anemonefish.results.verdict_table import read_verdicts
from anemonefish.results.verdicts import Verdict, empty_rows

NAMES = ["</script><script>alert(1)</script>.wav", "=1+1,'\"&amp;.wav", "récif $policy.wav", "<!--<script>.wav"]


def page_clips() -> list[PageClip]:
    drawn = [
        DrawnUnit(
            unit=ReviewUnit(
                recording=name, start=48, stop=96, sample_rate=48, label="</script>", kind=EVENT, score=0.25
            ),
            stratum_size=9,
            stratum_seconds=Fraction(9),
            drawn=len(NAMES),
        )
        for name in NAMES
    ]
    rows = empty_rows(drawn, PinnedModel("reef", "1", "ab"), Decision(), seed=0)
    return [
        PageClip(row=row, sound="c/a b.flac", image="c/a b.png", begins=0.0, seconds=3.0, low_hz=0.0, high_hz=2_500.0)
        for row in rows
    ]


def element(page: str, start: str) -> str:
    """Return the text of an element as a browser finds it: up to the first end tag of a script."""
    _, found, rest = page.partition(start)
    assert found
    return rest[: rest.index("</script>")]


def test_policy_allows_the_page_s_own_script_and_style_only() -> None:
    page = review_html(page_clips(), ["noise", "</datalist>"])
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    script = element(page, "<script>")
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    for name, text in (("script-src", script), ("style-src", style)):
        assert f"{name} 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert page.count("<script") == page.count("</script>") == 3
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_names_are_data_of_the_page(tmp_path: Path) -> None:
    clips = page_clips()
    data = json.loads(element(review_html(clips, ["noise"]), '<script type="application/json" id="data">'))
    assert [clip["recording"] for clip in data["clips"]] == NAMES
    assert data["label"] == "</script>"
    assert data["clips"][0]["sound"] == "c/a%20b.flac"
    assert (data["clips"][0]["start"], data["clips"][0]["stop"]) == (1.0, 2.0)
    # The page makes the table of these cells and adds the reviewer's.
    lines = [data["header"], *(clip["cells"] + ",yes,2,,,Ana,2026-11-29T10:00:00.000Z" for clip in data["clips"])]
    (tmp_path / "verdicts.csv").write_text("\n".join([*lines, ""]))
    rows = read_verdicts(tmp_path / "verdicts.csv").rows
    assert [row.recording for row in rows] == NAMES
    assert [_without_answers(row) for row in rows] == [_without_answers(clip.row) for clip in clips]


def _without_answers(row: Verdict) -> tuple[object, ...]:
    return row.review, row.clip, row.recording, row.start_sample, row.score, row.stratum, row.stratum_size, row.drawn


@pytest.mark.parametrize("name", ["page.html", "page.js"])
def test_every_text_of_the_page_exists_and_is_used(name: str) -> None:
    folder = Path(review_html.__code__.co_filename).with_name("review_page")
    texts = json.loads((folder / "texts.json").read_text())
    source = (folder / name).read_text()
    named = set(re.findall(r'data-text="(\w+)"|say\("(\w+)"|texts\.(\w+)', source))
    assert {text for found in named for text in found if text} - {"json"} <= texts.keys()  # texts.json is named
    used = (folder / "page.html").read_text() + (folder / "page.js").read_text()
    assert [text for text in texts if not re.search(rf"\b{text}\b", used)] == []
