"""The page of a review: one HTML file that shows clips, takes verdicts by key and saves them as a table.

The page is opened from a folder (``file://``), so it has no server, no dependencies and no network: its policy allows
its own script and style by their hashes, and images and sounds beside it. Names of recordings and classes are data of
the page and are shown as text only. The files in ``review_page`` are the page; ``texts.json`` has every sentence of it.
"""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from anemonefish.csv_cells import write_rows
from anemonefish.results.verdict_table import ANSWERS, COLUMNS, verdict_cells
from anemonefish.results.verdicts import Verdict

__all__ = ["PageClip", "review_html"]

_PAGE = files("anemonefish.results") / "review_page"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageClip:
    """A clip as the page shows it.

    Attributes
    ----------
    row : Verdict
        Its row of the table, without a verdict.
    sound, image : str
        Paths of the clip and its spectrogram, relative to the page.
    begins, seconds : float
        When the clip begins in the recording, and its length.
    low_hz, high_hz : float
        Frequencies at the lower and the upper edge of the image.
    """

    row: Verdict
    sound: str
    image: str
    begins: float
    seconds: float
    low_hz: float
    high_hz: float


def review_html(clips: Sequence[PageClip], classes: Sequence[str]) -> str:
    """Return the page.

    Parameters
    ----------
    clips : sequence of PageClip
        In the order in which they are shown; at least one.
    classes : sequence of str
        Classes that are proposed for sounds of another class.
    """
    script, style = (_PAGE.joinpath(name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    texts = json.loads(_PAGE.joinpath("texts.json").read_text(encoding="utf-8"))
    data = {
        "review": clips[0].row.review,
        "label": clips[0].row.label,
        "classes": list(classes),
        "header": ",".join(COLUMNS),
        "clips": [_clip(clip) for clip in clips],
    }
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src 'self' file:; "
        f"media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
    return Template(_PAGE.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        policy=policy, title=escape(texts["title"]), style=style, texts=_json(texts), data=_json(data), script=script
    )


def _clip(clip: PageClip) -> dict[str, Any]:
    row = clip.row
    return {
        "clip": row.clip,
        "sound": quote(clip.sound),
        "image": quote(clip.image),
        "recording": row.recording,
        "begins": clip.begins,
        "seconds": clip.seconds,
        "start": row.start_sample / row.sample_rate,
        "stop": row.stop_sample / row.sample_rate,
        "low": clip.low_hz,
        "high": clip.high_hz,
        "score": f"{row.score:.3f}",
        "stratum": row.stratum,
        "cells": _cells_of_the_draw(row),
    }


def _cells_of_the_draw(row: Verdict) -> str:
    """Return the beginning of the row in the table; the page adds the reviewer's cells."""
    line = io.StringIO()
    write_rows(line, [verdict_cells(row)[: -len(ANSWERS)]])
    return line.getvalue().removesuffix("\n")


def _hash(text: str) -> str:
    """Return the hash by which a policy allows an inline script or style (CSP Level 3, section 6.7.3)."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _json(document: Any) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
