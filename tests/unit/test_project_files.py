"""Facts that stand in several files of the repository are the same in each."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import anemonefish

REPOSITORY = Path(__file__).parents[2]


def test_the_version_is_the_same_in_the_package_and_in_the_citation() -> None:
    project = tomllib.loads((REPOSITORY / "layers/anemonefish/pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == anemonefish.__version__
    assert project["license"] == citation["license"]


def test_pre_commit_runs_the_ruff_of_the_tests() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    (revision,) = [hook["rev"] for hook in hooks if "ruff" in hook["repo"]]
    pinned = re.search(r"^ruff==(\S+)", (REPOSITORY / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert revision == f"v{pinned[1]}"


def test_the_readme_names_every_page_of_the_documentation() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    for page in (REPOSITORY / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in readme, page.name
