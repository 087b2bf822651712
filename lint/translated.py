"""Translate template.yaml as CloudFormation does: run its transforms AWS::Include and AWS::Serverless.

    python lint/translated.py [Parameter=value ...]      # prints the result as JSON

aws-sam-translator needs an older pydantic than the API, so it is not in the project's environment: run this file with
the Python of .venv-lint or .venv-ministack, as the tests do.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

__all__ = ["TEMPLATE", "translated"]

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


class _ManagedPolicies:
    """Replaces the translator's lookup of managed policies in IAM; the template names policies by ARN."""

    def load(self) -> dict[str, str]:
        """Return an empty mapping."""
        return {}


def translated(parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the translated template; parameters that are not given have their defaults."""
    template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    template["Resources"] |= _included(template["Resources"].pop("Fn::Transform"))
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = {"Bucket": "packages", "Key": "packaged"}
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator asks boto3 for the region
    values = {name: parameter["Default"] for name, parameter in template["Parameters"].items()} | (parameters or {})
    document: dict[str, Any] = transform(template, values, _ManagedPolicies())
    return document


def _included(transform: dict[str, Any]) -> dict[str, Any]:
    """Return the content of the file that ``AWS::Include`` names."""
    path = TEMPLATE.parent / transform["Parameters"]["Location"]
    resources: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))  # CloudFormation allows no !Ref there
    return resources


if __name__ == "__main__":
    json.dump(translated(dict(word.split("=", 1) for word in sys.argv[1:])), sys.stdout)
