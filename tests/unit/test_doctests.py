"""The examples in the docstrings of the package run and give the answers that they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import anemonefish

NAMES = ["anemonefish", *(each.name for each in pkgutil.walk_packages(anemonefish.__path__, "anemonefish."))]
MODULES = sorted(name for name in NAMES if not name.endswith(".__main__"))  # that one runs the command line


def examples(module: str) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples."""
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    return [docstring for docstring in found if docstring.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_a_module_give_the_answers_shown(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # examples write where they run
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for docstring in examples(module):
        runner.run(docstring, out=report.append)
    assert not runner.failures, "".join(report)


def test_examples_are_found() -> None:
    """Without this, a finder that finds nothing would pass."""
    assert examples("anemonefish.annotations.label_numbers")
    assert examples("anemonefish.front.detection")
    assert "anemonefish.profiles" in MODULES
