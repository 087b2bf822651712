"""Lints template.yaml and its state machine in every form they take on the way into an account.

    python lint/cloudformation.py

cfn-lint sees the template as written; as aws-sam-translator leaves it, because cfn-lint does not look through
the transform and an undefined reference in a policy would pass; and the state machine after substitution, as a
plain resource, because neither looks into a DefinitionUri. asl-validator then reads the same definition: it
finds what cfn-lint does not, such as a Next that leads nowhere. checkov looks for what is open or unguarded; a
skip stands in the template with its reason. Ends with status 1 when any of them complains.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from translated import TEMPLATE, translated  # beside this file

ROOT = TEMPLATE.parent
BIN = Path(sys.executable).parent
ASL_VALIDATOR = ROOT / "lint" / "node_modules" / ".bin" / "asl-validator"


def main() -> int:
    """Run every linter and return how many complained."""
    if not ASL_VALIDATOR.exists():
        raise SystemExit("asl-validator is not installed; run: npm ci --prefix lint")
    with tempfile.TemporaryDirectory() as folder:
        without_sam = _write(Path(folder, "translated.json"), translated())
        definition = _write(Path(folder, "definition.asl.json"), _definition())
        machine = _write(Path(folder, "machine.json"), _machine(definition.read_text()))
        checks: dict[str, list[str | Path]] = {
            "cfn-lint: the template": [BIN / "cfn-lint", TEMPLATE],
            "cfn-lint: the template, translated": [BIN / "cfn-lint", without_sam],
            "cfn-lint: the state machine": [BIN / "cfn-lint", machine],
            "asl-validator: the state machine": [ASL_VALIDATOR, "--json-path", definition],
            "checkov: the template": [
                *(BIN / "checkov", "--file", TEMPLATE, "--framework", "cloudformation"),
                *("--quiet", "--compact", "--skip-download"),
            ],
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # each is a process of its own
            passed = list(pool.map(_passes, checks.keys(), checks.values()))
    return passed.count(False)


def _passes(name: str, command: list[str | Path]) -> bool:
    """Run one linter; print what it took, and what it said where it complained."""
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = f"\n{done.stdout}{done.stderr}" if done.returncode else ""
    print(f"{'FAILED' if done.returncode else 'ok    '} {name}, {time.monotonic() - began:.0f} s{said}")
    return done.returncode == 0


def _definition() -> dict[str, Any]:
    """Return the state machine's definition with every ``${Name}`` filled in."""
    machines = [
        resource["Properties"]
        for resource in yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    ]
    [machine] = machines
    values = {
        name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in machine["DefinitionSubstitutions"]
    } | {"Partition": "aws"}
    text = (ROOT / machine["DefinitionUri"]).read_text(encoding="utf-8")
    # A name that the template does not substitute is a KeyError here: it would reach the account as it stands.
    definition: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text))
    return definition


def _machine(definition: str) -> dict[str, Any]:
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/analyze", "DefinitionString": definition}
    return {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
