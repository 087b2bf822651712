"""The rules of docs/architecture.md. `lint-imports` checks the floors; these tests check the rest."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "layers/anemonefish/src/anemonefish"
MODULES = sorted(PACKAGE.rglob("*.py"))

ONLY_IN = {
    "csv": {"csv_cells.py", "annotations/table_parser.py"},  # what is written is escaped, what is read is unescaped
    "tempfile": {"stores/temporary.py", "front/scored_jobs.py"},  # a full disk is an error that is retried
    "boto3": {"cloud/clients.py"},
    "botocore": {"cloud/", "stores/s3.py"},
    "aws_lambda_powertools": {"service/api/"},
    "pydantic": {"service/api/"},
    "python_multipart": {"service/api/forms.py"},
    "httpx": {"client/"},
    "arro3": {"results/"},
    "tensorflow": {"models/keras.py", "publishing/", "training/"},
    "keras": {"models/keras.py", "models/portable.py", "publishing/", "training/"},
    "h5py": {"models/keras.py"},
    "librosa": {"profiles/reference.py"},
    "soundfile": {"audio/", "results/clips.py", "simulation/"},
    "matplotlib": {"plots/", "profiles/reference.py"},
    "soxr": {"audio/resample.py"},
    "av": {"audio/"},
    "ai_edge_litert": {"models/litert.py"},
    "ncnn": {"models/ncnn.py"},
    "click": {"cli/"},
    "rich": {"cli/"},
    "pandas": {"front/"},
}
NOWHERE = {"scipy"}
MOST_LINES = 400


def imported(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, at any level."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def floors() -> list[set[str]]:
    """Return the floors of the import-linter contract, the lowest first."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    contract = settings["tool"]["importlinter"]["contracts"][0]
    return [set(re.findall(r"\w+", layer)) for layer in reversed(contract["layers"])]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_library_is_imported_only_where_it_belongs(path: Path) -> None:
    here = name_of(path)
    for library in {name.partition(".")[0] for name in imported(path)}:
        assert library not in NOWHERE, f"{here} must not import {library}"
        allowed = ONLY_IN.get(library, {here})
        assert any(here == place or (place.endswith("/") and here.startswith(place)) for place in allowed), (
            f"{library} belongs to {sorted(allowed)}, not to {here}"
        )


@pytest.mark.parametrize("library", ONLY_IN)
def test_places_of_a_library_exist(library: str) -> None:
    assert all((PACKAGE / place).exists() for place in ONLY_IN[library])


def test_table_of_floors_equals_the_contract() -> None:
    document = (REPOSITORY / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", document, re.MULTILINE)
    table = {int(number): set(re.findall(r"`(\w+)`", names)) for number, names in rows}
    assert table == dict(enumerate(floors()))


def test_every_module_of_the_package_has_its_line_in_the_document() -> None:
    document = (REPOSITORY / "docs/architecture.md").read_text()
    tree = document[document.index("## Packages") : document.index("## Who may import whom")]
    names = {path.relative_to(PACKAGE).parts[0] for path in MODULES} - {"__main__.py"}
    assert {name for name in names if name not in tree} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_long_module_states_its_reason(path: Path) -> None:
    text = path.read_text()
    if len(text.splitlines()) > MOST_LINES:
        assert f"Longer than {MOST_LINES} lines" in (ast.get_docstring(ast.parse(text)) or "")


def test_module_names_are_unique() -> None:
    count = Counter(path.stem for path in MODULES if not path.stem.startswith("__"))
    assert {stem for stem, times in count.items() if times > 1} == set()


def test_handlers_are_thin() -> None:
    for path in sorted((REPOSITORY / "functions").glob("*/app.py")):
        assert len(path.read_text().splitlines()) <= 60, f"{path}: a handler parses, calls the package, answers"
        allowed = {"anemonefish", "os", "typing", "dataclasses", "contextlib", "collections", "json"}
        if path.parent.name == "models":
            # It answers CloudFormation even when the package cannot be imported.
            allowed |= {"hashlib", "urllib"}
        assert {name.partition(".")[0] for name in imported(path)} <= allowed, path
