"""Check that a build is for the processor of the stage; `make deploy` runs it before `sam deploy`.

    python lint/built.py STAGE [FOLDER]     # FOLDER of `sam build`; .aws-sam/build by default
    python lint/built.py --of STAGE         # prints the stage's Architecture

The stage's processor is the parameter Architecture in samconfig.toml. The build's processor is read from its libraries
and from the marker file of each layer.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARKERS = "anemonefish_layers"
MACHINES = {62: "x86_64", 183: "arm64"}
"""Processors by their number in the ELF header of a library (e_machine)."""


def main(words: list[str]) -> int:
    """Print the stage's processor, or compare a build with it; return 1 if they differ."""
    if words[:1] == ["--of"]:
        print(architecture_of(words[1]))
        return 0
    stage, folder = words[0], Path(words[1]) if len(words) > 1 else ROOT / ".aws-sam" / "build"
    wanted = architecture_of(stage)
    wrong = sorted({f"{layer} for {found}" for layer, found in processors(folder) if found != wanted})
    if not any(folder.glob(f"*/python/{MARKERS}/*")):
        wrong.append(f"nothing in {folder}")
    if wrong:
        print(f"stage {stage} has Architecture={wanted}, but the build has other layers: {', '.join(wrong)}")
        print(f"build again: ARCHITECTURE={wanted} sam build")
    return int(bool(wrong))


def architecture_of(stage: str) -> str:
    """Return the parameter Architecture of a stage in samconfig.toml."""
    document = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    if stage not in document:
        stages = ", ".join(
            sorted(name for name, table in document.items() if isinstance(table, dict) and "deploy" in table)
        )
        raise SystemExit(f"samconfig.toml has no stage {stage}; it has {stages}")
    overrides = dict(word.split("=", 1) for word in document[stage]["deploy"]["parameters"]["parameter_overrides"])
    return str(overrides["Architecture"])


def processors(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each layer of a build with the processor of its marker and of each of its libraries."""
    for layer in sorted(path.parents[1] for path in folder.glob(f"*/python/{MARKERS}")):
        for marker in layer.glob(f"python/{MARKERS}/*"):
            yield layer.name, marker.read_text(encoding="ascii").strip()
        for path in (file for file in layer.rglob("*") if file.is_file()):
            with path.open("rb") as file:
                header = file.read(20)
            if header[:4] == b"\x7fELF":
                number = int.from_bytes(header[18:20], "little")
                yield layer.name, MACHINES.get(number, f"processor {number}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
