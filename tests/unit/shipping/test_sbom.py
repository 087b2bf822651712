"""The bill of materials lists what the layers and the image are installed from, with exact versions."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shipping.sbom import bill_of_materials, main, requirement_files

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return bill_of_materials(REPOSITORY)


def _requirements(path: Path) -> list[Requirement]:
    lines = re.sub(r"\\\n", " ", path.read_text()).splitlines()
    texts = [
        re.split(r"\s+(?:#|--hash)", line)[0] for line in lines if line.strip() and not line.lstrip().startswith("#")
    ]
    return [Requirement(text) for text in texts]


def test_bill_has_every_library_of_every_layer_and_of_the_image(bill: dict[str, Any]) -> None:
    files = requirement_files(REPOSITORY)
    layers = {path.parent.name for path in REPOSITORY.glob("layers/*/requirements*.txt")}
    assert set(files) == {"image", *(f"layer {name}" for name in layers)}
    listed = {component["purl"]: component for component in bill["components"]}
    wanted = set()
    for place, paths in files.items():
        for requirement in (each for path in paths for each in _requirements(path)):
            [version] = requirement.specifier
            purl = f"pkg:pypi/{canonicalize_name(requirement.name)}@{version.version}"
            wanted.add(purl)
            assert any(item["value"].startswith(place) for item in listed[purl]["properties"]), (place, purl)
    assert set(listed) == wanted
    assert len(listed) > 50


def test_bill_has_the_hashes_of_the_requirements(bill: dict[str, Any]) -> None:
    text = (REPOSITORY / "image" / "requirements.txt").read_text()
    hashes = {hash_["content"] for component in bill["components"] for hash_ in component.get("hashes", ())}
    assert hashes == set(re.findall(r"sha256:([0-9a-f]{64})", text))


def test_component_is_listed_once_and_the_package_depends_on_it(bill: dict[str, Any]) -> None:
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
    [dependencies] = bill["dependencies"]
    assert dependencies["ref"] == bill["metadata"]["component"]["bom-ref"]
    assert dependencies["dependsOn"] == references


def test_same_commit_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        assert main(["write", str(tmp_path / folder)]) == 0
    written = [Path(line).read_bytes() for line in capsys.readouterr().out.splitlines()]
    assert written[0] == written[1]
    assert json.loads(written[0])["specVersion"] == "1.6"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the files that the bill is made from."""
    for path in (*(path for paths in requirement_files(REPOSITORY).values() for path in paths),
                 REPOSITORY / "layers/anemonefish/pyproject.toml"):  # fmt: skip
        target = tmp_path / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_requirement_without_an_exact_version_is_refused(checkout: Path) -> None:
    with (checkout / "layers/media/requirements.txt").open("a") as file:
        file.write("numpy>=2\n")
    with pytest.raises(SystemExit, match="'numpy>=2' has no exact version"):
        bill_of_materials(checkout)


def test_new_version_changes_the_serial_number(checkout: Path, bill: dict[str, Any]) -> None:
    assert bill_of_materials(checkout) == bill
    path = checkout / "layers/media/requirements.txt"
    path.write_text(path.read_text().replace("av==", "av==1"))
    assert bill_of_materials(checkout)["serialNumber"] != bill["serialNumber"]


def test_audit_runs_the_command_for_each_file_and_counts_the_failures(capfd: pytest.CaptureFixture[str]) -> None:
    files = [path for paths in requirement_files(REPOSITORY).values() for path in paths]
    code = "import sys; print(sys.argv[1]); sys.exit('media' in sys.argv[1])"
    assert main(["audit", sys.executable, "-c", code]) == 1
    assert capfd.readouterr().out.splitlines() == [str(path) for path in files]
