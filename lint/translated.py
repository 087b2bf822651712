"""The template without SAM, as CloudFormation gets to see it.

    python lint/translated.py [Parameter=value ...]      # prints it as JSON

Runs in an environment that has aws-sam-translator (.venv-lint, .venv-ministack): it wants an older pydantic than the
API, so the project's own environment cannot hold it, and tests call this file as a program.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

__all__ = ["TEMPLATE", "translated"]

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


class _ManagedPolicies:
    """Stands where the translator would ask IAM for the ARNs of policies by name; ours are given by ARN."""

    def load(self) -> dict[str, str]:
        """Return no policies."""
        return {}


def translated(parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the translated template; parameters that are not given have their defaults."""
    template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = {"Bucket": "packages", "Key": "packaged"}
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator asks boto3 where it is
    values = {name: parameter["Default"] for name, parameter in template["Parameters"].items()} | (parameters or {})
    document: dict[str, Any] = transform(template, values, _ManagedPolicies())
    return document


if __name__ == "__main__":
    json.dump(translated(dict(word.split("=", 1) for word in sys.argv[1:])), sys.stdout)
