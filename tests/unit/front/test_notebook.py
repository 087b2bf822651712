"""The notebook of the documentation runs, and its page shows what it shows."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[3] / "docs"
TOLERANCE = 0.002
"""Scores may differ in their last bits from processor to processor."""


@pytest.fixture(scope="module")
def make_notebook() -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_notebook", DOCS / "make_notebook.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def notebook() -> dict[str, Any]:
    return dict(json.loads((DOCS / "notebook.ipynb").read_text()))


def shown(notebook: dict[str, Any]) -> list[str]:
    """Return what each code cell shows as text, and whether it shows a picture."""
    return [
        "".join("".join(output.get("text") or output["data"]["text/plain"]) for output in cell["outputs"])
        + " picture" * sum("image/png" in output.get("data", {}) for output in cell["outputs"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def test_every_cell_runs_and_shows_what_the_notebook_shows(make_notebook: ModuleType, notebook: dict[str, Any]) -> None:
    expected = shown(notebook)
    executed = shown(make_notebook.execute(notebook))
    number = r"\d+\.\d+"
    assert [re.sub(number, "#", text) for text in executed] == [re.sub(number, "#", text) for text in expected]
    for ours, theirs in zip(executed, expected, strict=True):
        assert [float(text) for text in re.findall(number, ours)] == pytest.approx(
            [float(text) for text in re.findall(number, theirs)], abs=TOLERANCE
        )


def test_page_is_the_notebook(make_notebook: ModuleType, notebook: dict[str, Any]) -> None:
    text, pictures = make_notebook.page(notebook)
    assert (DOCS / "notebook.md").read_text() == text
    for name, png in pictures.items():
        assert (DOCS / name).read_bytes() == png


def test_cell_that_fails_ends_the_run(make_notebook: ModuleType) -> None:
    cell = {"cell_type": "code", "source": ["1 / 0"], "metadata": {}, "outputs": []}
    with pytest.raises(make_notebook.subprocess.CalledProcessError):
        make_notebook.execute({"cells": [cell]})
