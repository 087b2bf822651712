"""Refuses to deploy a build that is for another processor than the stage: make deploy runs it before `sam deploy`.

    python lint/built.py STAGE [FOLDER]     # FOLDER of `sam build`; .aws-sam/build unless given
    python lint/built.py --of STAGE         # prints the stage's Architecture

The processor of a stage is the parameter Architecture in samconfig.toml, that of a build is what its libraries are for.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARKERS = "anemonefish_layers"
MACHINES = {62: "x86_64", 183: "arm64"}
"""Numbers of processors in the header of a library (ELF, e_machine)."""


def main(words: list[str]) -> int:
    """Print the stage's processor, or compare a build with it; return 1 when the build is for another."""
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
    """Return the parameter Architecture of a stage of samconfig.toml."""
    document = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    if stage not in document:
        stages = ", ".join(
            sorted(name for name, table in document.items() if isinstance(table, dict) and "deploy" in table)
        )
        raise SystemExit(f"samconfig.toml has no stage {stage}; it has {stages}")
    overrides = dict(word.split("=", 1) for word in document[stage]["deploy"]["parameters"]["parameter_overrides"])
    return str(overrides["Architecture"])


def processors(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each layer of a build with a processor that its marker or one of its libraries names."""
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
