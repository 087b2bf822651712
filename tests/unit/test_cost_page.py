"""docs/cost.md has the tables that ``anemonefish plan`` makes."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_tables_of_the_page_are_what_plan_says() -> None:
    page = (DOCS / "cost.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(DOCS / "make_cost_table.py"))["page_with_tables"](page)
    assert made == page, "run docs/make_cost_table.py"
