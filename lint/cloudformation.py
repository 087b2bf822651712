"""Lint template.yaml, monitoring.yaml, the templates in account/ and the state machine.

    python lint/cloudformation.py

- cfn-lint checks the templates as they are written, and template.yaml as the transforms AWS::Include and
  AWS::Serverless leave it: cfn-lint does not run them, so it would not find an undefined reference in a policy or an
  alarm. The translation is also checked with everything on that is off by default.
- cfn-lint checks the state machine after substitution, as a plain resource, because it does not read a DefinitionUri.
- asl-validator checks the same definition. It finds errors that cfn-lint does not, such as an unknown state in Next.
- checkov checks security settings. .checkov.yaml and the Metadata of resources list what is skipped, with reasons.
- cfn-guard checks AWS's own controls (lint/guard.py, which lists what is accepted, with reasons).

The exit status is the number of linters that complained.
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

from conditions import deployed  # beside this file
from samtranslator.yaml_helper import yaml_parse
from translated import TEMPLATE, translated  # beside this file

ROOT = TEMPLATE.parent
BIN = Path(sys.executable).parent
ASL_VALIDATOR = ROOT / "lint" / "node_modules" / ".bin" / "asl-validator"
ACCOUNT = sorted((ROOT / "account").glob("*.yaml"))
EVERYTHING: dict[str, str | int] = {
    "Stage": "prod",
    "AlarmEmail": "lab@example.org",
    "AllowedOrigins": "https://lab.example.org",
    "Webhooks": "enabled",
    "Page": "enabled",
    "PageDomain": "reef.lab.example.org",
    "PageCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
    "VpcSubnetIds": "subnet-0a1b2c3d,subnet-4e5f6a7b",
    "VpcSecurityGroupIds": "sg-0a1b2c3d",
    "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
    "WebAclArn": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/lab/0a1b2c3d",
    "ApiAccessLogs": "enabled",
    "AccessLogBucket": "lab-logs",
    "LogRetentionDays": 365,
}
"""Parameters that switch on what is off by default."""

SKIPPED_WITH_EVERYTHING = ("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_120")
"""Checks of checkov that are skipped with everything on; .checkov.yaml and the Metadata of the API say why."""


def main() -> int:
    """Run every linter; return how many complained."""
    if not ASL_VALIDATOR.exists():
        raise SystemExit("asl-validator is not installed; run: npm ci --prefix lint")
    with tempfile.TemporaryDirectory() as folder:
        without_sam = _write(Path(folder, "translated.json"), translated())
        with_everything = _with_defaults(translated(EVERYTHING), EVERYTHING)
        everything = _write(Path(folder, "everything.json"), with_everything)
        without_conditions = _write(Path(folder, "everything-deployed.json"), deployed(with_everything))
        defaults = _write(Path(folder, "defaults-deployed.json"), deployed(translated()))
        definition = _write(Path(folder, "definition.asl.json"), _definition())
        machine = _write(Path(folder, "machine.json"), _machine(definition.read_text()))
        checks: dict[str, list[str | Path]] = {
            "cfn-lint: the template": [BIN / "cfn-lint", TEMPLATE],
            "cfn-lint: the template, translated": [BIN / "cfn-lint", without_sam],
            "cfn-lint: the template, translated, everything on": [BIN / "cfn-lint", everything],
            "cfn-lint: the templates of an account": [BIN / "cfn-lint", *ACCOUNT],
            "cfn-lint: the state machine": [BIN / "cfn-lint", machine],
            "asl-validator: the state machine": [ASL_VALIDATOR, "--json-path", definition],
            "checkov: the template": [*_checkov(TEMPLATE), "--config-file", ROOT / ".checkov.yaml"],
            "checkov: the templates of an account": [*_checkov(*ACCOUNT), "--config-file", ROOT / ".checkov.yaml"],
            "checkov: the template, translated, everything on": [
                *_checkov(without_conditions),
                *("--skip-check", ",".join(SKIPPED_WITH_EVERYTHING)),
            ],
            "cfn-guard: defaults, and everything on": [
                *(sys.executable, ROOT / "lint" / "guard.py", defaults, without_conditions),
            ],
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # each linter is a process
            passed = list(pool.map(_passes, checks.keys(), checks.values()))
    return passed.count(False)


def _with_defaults(template: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return a template whose parameters have these values as defaults, which linters use to evaluate conditions."""
    for name, value in values.items():
        template["Parameters"][name]["Default"] = value
    return template


def _checkov(*files: Path) -> list[str | Path]:
    named = [word for file in files for word in ("--file", file)]
    return [BIN / "checkov", *named, "--framework", "cloudformation", "--quiet", "--compact", "--skip-download"]


def _passes(name: str, command: list[str | Path]) -> bool:
    """Run one linter; print its time, and its output if it complained."""
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = f"\n{done.stdout}{done.stderr}" if done.returncode else ""
    print(f"{'FAILED' if done.returncode else 'ok    '} {name}, {time.monotonic() - began:.0f} s{said}")
    return done.returncode == 0


def _definition() -> dict[str, Any]:
    """Return the state machine's definition with every ``${Name}`` substituted."""
    machines = [
        resource["Properties"]
        for resource in yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"].values()
        if resource.get("Type") == "AWS::Serverless::StateMachine"  # AWS::Include has no type
    ]
    [machine] = machines
    values = {
        name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in machine["DefinitionSubstitutions"]
    } | {"Partition": "aws"}
    text = (ROOT / machine["DefinitionUri"]).read_text(encoding="utf-8")
    # A name without a substitution is a KeyError here; CloudFormation would deploy it unchanged.
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
