"""Check that a build is for the processor of the stage; `make deploy` runs it before `sam deploy`.

    python lint/built.py STAGE [FOLDER]     # FOLDER of `sam build`; .aws-sam/build by default
    python lint/built.py --of STAGE         # prints the stage's Architecture
    python lint/built.py --guided FILE [ARCHITECTURE]     # prepares FILE for `sam deploy --guided`

The stage's processor is the parameter Architecture in samconfig.toml. The build's processor is read from its libraries
and from the marker file of each layer.
"""

from __future__ import annotations

import re
import shlex
import shutil
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
    if words[:1] == ["--guided"]:
        print(prepare_guided(Path(words[1]), *words[2:]))
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


def prepare_guided(file: Path, architecture: str = "") -> str:
    """Make the file in which ``sam deploy --guided`` saves its answers, if it is missing; return its Architecture.

    Parameters
    ----------
    file : Path
        It starts as a copy of samconfig.toml.
    architecture : str
        Processor that the question proposes from now on; without it the file's own is kept.
    """
    if not file.exists():
        shutil.copyfile(ROOT / "samconfig.toml", file)
    if architecture:
        text = file.read_text(encoding="utf-8")
        replaced = re.sub(r'(?<=\bArchitecture=)(\\?"?)\w+', lambda found: found[1] + architecture, text)
        file.write_text(replaced, encoding="utf-8")
    return architecture_of("default", file)


def architecture_of(stage: str, file: Path = ROOT / "samconfig.toml") -> str:
    """Return the parameter Architecture of a stage in samconfig.toml."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    if stage not in document:
        stages = ", ".join(
            sorted(name for name, table in document.items() if isinstance(table, dict) and "deploy" in table)
        )
        raise SystemExit(f"{file.name} has no stage {stage}; it has {stages}")
    words = document[stage]["deploy"]["parameters"]["parameter_overrides"]
    # A list as in the repository, or one text, as `sam deploy --guided` saves it.
    overrides = dict(word.split("=", 1) for word in (shlex.split(words) if isinstance(words, str) else words))
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
