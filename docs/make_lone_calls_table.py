"""Write the table of lone calls in docs/settings.md.

.venv/bin/python docs/make_lone_calls_table.py

A test compares the page with the table that this makes.
"""

from __future__ import annotations

import re
from pathlib import Path

from anemonefish.models.decision import Decision
from anemonefish.results.lone_calls import LoneCalls

DOCUMENT = Path(__file__).with_name("settings.md")
_PLACE = re.compile(r"(?<=<!-- lone calls -->\n).*(?=<!-- /lone calls -->)", re.S)
_SETTINGS = ((0.4, 0.2, 5), (0.4, 0.2, 3), (0.4, 0.1, 5), (0.4, 0.1, 9), (1.0, 0.4, 5))
_SECONDS = (0.05, 0.2, 0.3, 0.4, 0.6)


def lone_calls_table() -> str:
    """Return the share of lone calls that survive, in Markdown."""
    names = ("window", "hop", "median", *(f"{seconds * 1000:g} ms" for seconds in _SECONDS))
    rows = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for window, hop, median in _SETTINGS:
        calls = LoneCalls.of(window, hop, Decision(median_windows=median))
        cells = (f"{window:g} s", f"{hop:g} s", str(median), *(f"{float(calls.chance(each)):.2f}" for each in _SECONDS))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def page_with_table(page: str) -> str:
    """Return docs/settings.md with the table as it is computed now."""
    return _PLACE.sub(lambda _: lone_calls_table(), page)


if __name__ == "__main__":
    DOCUMENT.write_text(page_with_table(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
