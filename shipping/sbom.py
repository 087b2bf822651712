"""The bill of materials of a deployment, as CycloneDX 1.6: every library of every layer and of the container image.

    python -m shipping.sbom write FOLDER      # FOLDER/anemonefish.cdx.json
    python -m shipping.sbom audit COMMAND     # COMMAND with each file of requirements, such as pip-audit

It is made from the files that the layers and the image are installed from, which name exact versions, so the same
commit gives the same bytes. Libraries inside of wheels, such as FFmpeg's in PyAV, are not listed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["bill_of_materials", "requirement_files"]

ROOT = Path(__file__).parents[1]
NAME = "anemonefish.cdx.json"
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([A-Za-z0-9.+!_-]+)\s*(;[^\\#]*)?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAMESPACE = uuid.UUID("6f3b5a0c-3b0e-5a53-9a4e-0f6d2f1a7c11")


def main(words: list[str]) -> int:
    """Write the bill, or run a command for each file of requirements; return the number of failures."""
    match words:
        case ["write", folder]:
            path = Path(folder, NAME)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(bill_of_materials(ROOT), indent=2) + "\n", encoding="utf-8")
            print(path)
            return 0
        case ["audit", *command] if command:
            return sum(
                subprocess.run([*command, str(path)], check=False).returncode != 0
                for paths in requirement_files(ROOT).values()
                for path in paths
            )
        case _:
            raise SystemExit(__doc__)


def requirement_files(root: Path) -> dict[str, list[Path]]:
    """Return the files of requirements of each layer and of the image, by what they are installed into."""
    layers = sorted(path for path in (root / "layers").iterdir() if path.is_dir())
    files = {f"layer {path.name}": sorted(path.glob("requirements*.txt")) for path in layers}
    return {name: paths for name, paths in files.items() if paths} | {"image": [root / "image" / "requirements.txt"]}


def bill_of_materials(root: Path) -> dict[str, Any]:
    """Return the document.

    Raises
    ------
    SystemExit
        A requirement has no exact version.
    """
    project = tomllib.loads((root / "layers/anemonefish/pyproject.toml").read_text(encoding="utf-8"))["project"]
    components: dict[str, dict[str, Any]] = {}
    for place, paths in requirement_files(root).items():
        for path in paths:
            for name, version, hashes, marker in _requirements(path):
                purl = f"pkg:pypi/{name}@{version}"
                component = components.setdefault(
                    purl,
                    {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
                    | {"hashes": [], "properties": []},
                )
                component["hashes"] += [hash_ for hash_ in hashes if hash_ not in component["hashes"]]
                where = f"{place}, {path.stem.partition('-')[2]}".removesuffix(", ") + (f", {marker}" if marker else "")
                component["properties"].append({"name": "anemonefish:installed-in", "value": where})
    listed = [_without_empty(components[purl]) for purl in sorted(components)]
    root_ref = f"pkg:pypi/{project['name']}@{project['version']}"
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                **{"type": "application", "bom-ref": root_ref, "name": project["name"], "version": project["version"]},
                **{"purl": root_ref, "licenses": [{"license": {"id": "Apache-2.0"}}]},
            }
        },
        "components": listed,
        "dependencies": [{"ref": root_ref, "dependsOn": [component["bom-ref"] for component in listed]}],
    }
    number = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "serialNumber": f"urn:uuid:{number}",
        **document,
    }


def _requirements(path: Path) -> Iterator[tuple[str, str, list[dict[str, str]], str]]:
    """Yield name, version, hashes and marker of each requirement of a file."""
    text = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8"))
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        found = _PINNED.match(line)
        if found is None:
            raise SystemExit(f"{path}: {line!r} has no exact version; pin it with ==")
        hashes = [{"alg": "SHA-256", "content": digest} for digest in sorted(_HASH.findall(line))]
        name = re.sub(r"[-_.]+", "-", found[1]).lower()
        marker = (found[3] or "").partition("--hash")[0].strip("; ").replace("'", '"')
        yield name, found[2], hashes, marker


def _without_empty(component: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in component.items() if value != []}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
