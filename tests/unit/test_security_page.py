"""docs/security.md names tests that exist, parameters that exist, and every function."""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))  # localstack is a folder of the repository, not an installed package

from localstack.packaging import load_template  # noqa: E402

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
UNTESTED = {"a workflow of another branch that deploys"}
"""Threats whose protection lies in the account of GitHub or AWS."""


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables of a section."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_threat_names_a_test_that_exists() -> None:
    rows = [row for row in _rows("Threats") if row[0] != "threat"]
    assert len(rows) > 20
    assert {row[0] for row in rows if not row[2]} == UNTESTED
    named = {name for row in rows for name in re.findall(r"`(tests/[\w/.]+)`", row[2])}
    assert {name for name in named if not (REPOSITORY / name).is_file()} == set()
    assert len(named) > 15


def test_every_function_is_in_the_table_of_what_functions_write() -> None:
    rows = [row[0] for row in _rows("Who may do what")]
    listed = {name.strip() for cell in rows[rows.index("function", 7) :] for name in cell.split(",")} - {"function"}
    assert listed == {path.parent.name for path in REPOSITORY.glob("functions/*/app.py")}


def test_parameters_of_the_page_exist() -> None:
    parameters = load_template(REPOSITORY / "template.yaml")["Parameters"]
    words = set(re.findall(r"`([A-Z]\w+)(?:=\w+)?`", PAGE))
    assert len(words) > 8
    assert words - set(parameters) == {"Metadata"}
