"""Evaluate template.yaml as AWS does: resources with all intrinsic functions resolved, and what their policies allow.

The emulator enforces the roles of functions, but not the role of the state machine, which is evaluated here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

__all__ = ["ABSENT", "Stack", "is_allowed", "statements_of"]

REPOSITORY = Path(__file__).parents[1]
TRANSLATORS = [REPOSITORY / name / "bin" / "python" for name in (".venv-ministack", ".venv-lint")]
_ID = "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f"
ABSENT = object()
"""Value of ``AWS::NoValue``; such a property or item is left out."""


@cache
def _translated(parameters: tuple[str, ...]) -> dict[str, Any]:
    python = next((path for path in TRANSLATORS if path.exists()), None)
    assert python is not None, "aws-sam-translator is not installed; run: make .venv-ministack/ready"
    command = [str(python), str(REPOSITORY / "lint" / "translated.py"), *parameters]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@dataclass(frozen=True)
class Stack:
    """The translated template as deployed with some parameters."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = "anemonefish-dev"
    partition: str = "aws"
    region: str = "eu-central-1"
    account: str = "123456789012"

    @property
    def template(self) -> dict[str, Any]:
        """Return the template with SAM translated. It is shared, so do not change it."""
        return _translated(tuple(sorted(f"{name}={value}" for name, value in self.parameters.items())))

    @property
    def values(self) -> dict[str, Any]:
        """Return the values of all parameters."""
        defaults = {name: parameter["Default"] for name, parameter in self.template["Parameters"].items()}
        return defaults | dict(self.parameters)

    def resources(self, kind: str | None = None) -> dict[str, dict[str, Any]]:
        """Return the deployed resources of one type or of all types, with resolved properties."""
        return {
            name: {**resource, "Properties": self.resolved(resource.get("Properties", {}))}
            for name, resource in self.template["Resources"].items()
            if kind in {None, resource["Type"]}
            and ("Condition" not in resource or self.holds({"Condition": resource["Condition"]}))
        }

    def arn(self, name: str) -> str:
        """Return the ARN of a resource."""
        resource = self.template["Resources"][name]
        here = f"{self.region}:{self.account}"
        match resource["Type"]:
            case "AWS::S3::Bucket":
                return f"arn:{self.partition}:s3:::{self.name}-{name.lower()}"
            case "AWS::StepFunctions::StateMachine":
                machine = self.resolved(resource["Properties"]["StateMachineName"])
                return f"arn:{self.partition}:states:{here}:stateMachine:{machine}"
            case "AWS::IAM::Role":
                return f"arn:{self.partition}:iam::{self.account}:role/{self.name}-{name}"
            case "AWS::Lambda::Function":
                return f"arn:{self.partition}:lambda:{here}:function:{self.name}-{name}"
            case "AWS::DynamoDB::Table":
                return f"arn:{self.partition}:dynamodb:{here}:table/{self.name}-{name}"
            case "AWS::IAM::ManagedPolicy":
                return f"arn:{self.partition}:iam::{self.account}:policy/{self.name}-{name}"
            case "AWS::Logs::LogGroup":  # of GetAtt; it includes the streams
                group = self.resolved(resource["Properties"]["LogGroupName"])
                return f"arn:{self.partition}:logs:{here}:log-group:{group}:*"
            case "AWS::SecretsManager::Secret":
                return f"arn:{self.partition}:secretsmanager:{here}:secret:{self.name}-{name}-a1B2c3"
            case kind:
                return f"arn:{self.partition}:{kind.split('::')[1].lower()}:{here}:{self.name}-{name}"

    def resolved(self, document: Any) -> Any:
        """Return a part of the template with its intrinsic functions resolved; an unknown function is an error."""
        if isinstance(document, list):
            items = [self.resolved(item) for item in document]
            return [item for item in items if item is not ABSENT]
        if not isinstance(document, dict):
            return document
        if len(document) == 1:
            [(name, value)] = document.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, value)
        values = {name: self.resolved(value) for name, value in document.items()}
        return {name: value for name, value in values.items() if value is not ABSENT}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Return all statements of a role of the stack; see :func:`statements_of`."""
        managed = {
            self.arn(name): policy["Properties"]["PolicyDocument"]
            for name, policy in self.resources("AWS::IAM::ManagedPolicy").items()
        }
        return statements_of(self.resources("AWS::IAM::Role")[role], managed)

    def holds(self, condition: Any) -> bool:
        """Return whether a condition is true for the parameters."""
        [(name, value)] = condition.items()
        match name:
            case "Condition":
                return self.holds(self.template["Conditions"][value])
            case "Fn::Equals":
                left, right = (self.resolved(side) for side in value)
                return bool(str(left) == str(right))
            case "Fn::Not":
                return not self.holds(value[0])
            case "Fn::And":
                return all(map(self.holds, value))
            case "Fn::Or":
                return any(map(self.holds, value))
            case _:
                raise NotImplementedError(name)

    def _intrinsic(self, name: str, value: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(value)
            case "Fn::GetAtt":
                resource, attribute = value if isinstance(value, list) else value.split(".", 1)
                is_arn = attribute == "Arn" or ":secret:" in self.arn(resource)
                return self.arn(resource) if is_arn else f"{resource}.{attribute}"
            case "Fn::Sub":
                text, more = value if isinstance(value, list) else (value, {})
                return re.sub(r"\$\{([\w.:]+)\}", lambda found: self._substituted(found[1], more), text)
            case "Fn::If":
                return self.resolved(value[1] if self.holds({"Condition": value[0]}) else value[2])
            case "Fn::Join":
                return value[0].join(map(str, self.resolved(value[1])))
            case "Fn::Split":
                return str(self.resolved(value[1])).split(value[0])
            case "Fn::Select":
                return self.resolved(value[1])[int(value[0])]
            case _:
                raise NotImplementedError(name)

    def _substituted(self, name: str, more: Mapping[str, Any]) -> str:
        if name in more:
            return str(self.resolved(more[name]))
        return str(self._intrinsic("Fn::GetAtt", name) if "." in name else self._reference(name))

    def _reference(self, name: str) -> Any:
        pseudo = {
            "AWS::NoValue": ABSENT,
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::StackName": self.name,
            "AWS::StackId": f"arn:{self.partition}:cloudformation:{self.region}:{self.account}:stack/{self.name}/{_ID}",
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template["Parameters"]:
            return self.values[name]
        arn = self.arn(name)
        match self.template["Resources"][name]["Type"]:
            case kind if kind in _NAMED_BY_ARN:
                return arn
            case "AWS::SQS::Queue":
                return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self.name}-{name}"
            case "AWS::Logs::LogGroup":
                return self.resolved(self.template["Resources"][name]["Properties"]["LogGroupName"])
            case _:
                return re.split(r"[:/]", arn)[-1]


_NAMED_BY_ARN = {
    "AWS::IAM::ManagedPolicy",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
"""Types whose ``Ref`` is the ARN."""


def statements_of(role: Mapping[str, Any], managed: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return all statements of a role: of its inline policies, of the stack's managed policies, and of AWS's.

    Parameters
    ----------
    role : mapping
        The resolved resource.
    managed : mapping, optional
        The documents of the stack's managed policies by ARN.
    """
    properties = role["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    documents += [
        managed[arn] if managed and arn in managed else _policy_of_aws(arn.rpartition("/")[2])
        for arn in properties.get("ManagedPolicyArns", ())
    ]
    return [statement for document in documents for statement in _listed(document["Statement"])]


@cache
def _policy_of_aws(name: str) -> Any:
    document = json.loads(aws_managed_policies_data)[name]["Document"]
    return json.loads(document) if isinstance(document, str) else document


def is_allowed(
    statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Return whether policies allow an action on a resource, as IAM decides: a Deny overrides every Allow.

    ``context`` has the condition keys that AWS sets for the call. The principal of a resource policy is not compared:
    give the statements of one principal only. Elements that this page does not know (NotAction, an operator of a
    condition ...) are an error, so that no statement is misunderstood in silence.
    """
    allowed = False
    for statement in statements:
        unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        if unknown:
            raise NotImplementedError(f"{statement.get('Sid')}: {unknown}")
        names_action = any(_matches(pattern.lower(), action.lower()) for pattern in _listed(statement["Action"]))
        names_resource = any(_matches(pattern, resource) for pattern in _listed(statement["Resource"]))
        if names_action and names_resource and _conditions_hold(statement.get("Condition", {}), context or {}):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Return whether every condition holds; a key that AWS does not set fails, except with ``...IfExists``."""
    for operator, keys in conditions.items():
        name = operator.removesuffix("IfExists")
        if name not in {"Bool", "StringEquals", "StringLike", "ArnLike"}:
            raise NotImplementedError(f"the operator {operator}")
        for key, patterns in keys.items():
            if key not in context:
                if name == operator:
                    return False
            elif not any(
                pattern == context[key] if name in {"Bool", "StringEquals"} else _matches(pattern, context[key])
                for pattern in _listed(patterns)
            ):
                return False
    return True


def _matches(pattern: str, text: str) -> bool:
    """Match like IAM: ``*`` matches any text, ``?`` one character."""
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(letter, re.escape(letter)) for letter in pattern), text, re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
