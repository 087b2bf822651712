"""The table of docs/formats.md, measured again: every format opens, seeks exactly and can be cut anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
sys.path.insert(0, str(REPOSITORY))  # bench is a folder of the repository, not an installed package

from bench.formats import DOCUMENT, FORMATS, Format, measure  # noqa: E402


def documented() -> dict[str, list[str]]:
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    return {row[0]: row[1:] for row in rows[1:]}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.title)
def test_every_format_behaves_as_documented(form: Format, tmp_path: Path) -> None:
    title, read, sought, invariant, fetched, _ = measure(form, tmp_path)
    assert [read, sought, invariant] == documented()[title][:3]
    assert (sought, invariant) == ("yes", "yes")
    if read == "in place":
        # A block ahead that a busy machine had not begun to fetch when the file was closed is never fetched.
        assert 1.0 <= float(fetched) <= min(1.3, float(documented()[title][3]) + 0.02)


def test_every_documented_format_is_tested() -> None:
    assert set(documented()) == {form.title for form in FORMATS}
