"""Validate the translated template with cfn-guard and the rules of AWS Control Tower's proactive controls.

    python lint/guard.py DEFAULTS EVERYTHING     # what is deployed with the defaults, and with everything on

Binary and rules are AWS's, from the npm package @cdklabs/cdk-validator-cfnguard. A finding is an error unless it is
accepted below with a reason, and one that is accepted and does not occur is an error too. The controls are described in
https://docs.aws.amazon.com/controltower/latest/controlreference/proactive-controls.html; most have a control of the
same meaning in Security Hub.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

__all__ = ["GUARD", "findings", "with_values"]

PACKAGE = Path(__file__).parent / "node_modules" / "@cdklabs" / "cdk-validator-cfnguard"
SYSTEM = "macos" if platform.system() == "Darwin" else "ubuntu"
PROCESSOR = "aarch64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
GUARD = PACKAGE / "bin" / SYSTEM / PROCESSOR / "cfn-guard"
RULES = PACKAGE / "rules" / "control-tower" / "cfn-guard"
FAILED = 19
"""Exit status of cfn-guard when a rule fails."""


@dataclass(frozen=True)
class Accepted:
    """A finding that is no error.

    Attributes
    ----------
    control : str
    resources : str
        Logical ids, as a pattern.
    reason : str
    parameter : str or None
        The parameter that satisfies the control; then only the default is accepted.
    """

    control: str
    resources: str
    reason: str
    parameter: str | None = None


ACCEPTED = (
    Accepted(
        "CT.APIGATEWAY.PR.1", "Apiv1Stage", "Execution logs need a role of the account; the function logs requests"
    ),
    Accepted("CT.CLOUDFRONT.PR.4", "PageDistribution", "One bucket has the files; a copy would need its own uploads"),
    Accepted(
        "CT.CLOUDFRONT.PR.5",
        "PageDistribution",
        "CloudFront logs to buckets with ACLs; AccessLogBucket logs this bucket",
    ),
    Accepted("CT.CLOUDWATCH.PR.2", "*LogGroup", "30 days are enough to find a fault", "LogRetentionDays"),
    Accepted("CT.CLOUDWATCH.PR.3", "*LogGroup", "AWS encrypts logs; a key costs money", "KeyArn"),
    Accepted("CT.DYNAMODB.PR.2", "RecordTable", "AWS encrypts the table; a key costs money", "KeyArn"),
    Accepted("CT.LAMBDA.PR.3", "*Function", "A private network needs endpoints, which cost money", "VpcSubnetIds"),
    Accepted("CT.LAMBDA.PR.3", "NotifyFunction", "It calls receivers on the internet"),
    Accepted("CT.S3.PR.10", "*Bucket", "S3 encrypts the buckets; a key costs money", "KeyArn"),
    Accepted("CT.S3.PR.10", "PageBucket", "It holds the public code of the page"),
    Accepted("CT.S3.PR.11", "OutputBucket", "Objects are written once; a repeated write has the same bytes"),
    Accepted("CT.S3.PR.2", "*Bucket", "Access logs need another bucket to protect", "AccessLogBucket"),
    Accepted("CT.S3.PR.4", "*Bucket", "Nothing waits for an object; clients complete their uploads"),
    Accepted("CT.S3.PR.9", "*Bucket", "A lab may delete its recordings, and recordings expire"),
    Accepted("CT.SQS.PR.1", "*DeadLetters", "These are the dead-letter queues"),
)


def main() -> int:
    """Validate both files; return the number of errors."""
    if not GUARD.exists():
        raise SystemExit("cfn-guard is not installed; run: npm ci --prefix lint")
    errors = []
    for number, name in enumerate(sys.argv[1:]):
        template = json.loads(Path(name).read_text(encoding="utf-8"))
        found = findings(template)
        accepted = [each for each in ACCEPTED if number == 0 or each.parameter is None]
        for control, resource in sorted(found):
            if not any(each.control == control and fnmatchcase(resource, each.resources) for each in accepted):
                errors.append(f"{resource} does not satisfy {control}; correct it, or accept it with a reason")
        for each in accepted:
            ids = [resource for control, resource in found if control == each.control]
            deployed = any(fnmatchcase(resource, each.resources) for resource in template["Resources"])
            if deployed and not any(fnmatchcase(resource, each.resources) for resource in ids):
                errors.append(f"{each.control} is satisfied by {each.resources}; it need not be accepted any more")
        print(f"{Path(name).stem}: {len(found)} findings")
    for error in errors:
        print(f"{error} ({__file__})")
    return len(errors)


def findings(template: dict[str, Any]) -> set[tuple[str, str]]:
    """Return every control that a resource does not satisfy, with the resource."""
    command = [GUARD, "validate", "--rules", RULES, "--structured", "--output-format", "json", "--show-summary", "none"]
    document = json.dumps(with_values(template))
    done = subprocess.run(command, input=document, capture_output=True, text=True, check=False)
    if done.returncode not in {0, FAILED}:
        raise SystemExit(f"cfn-guard ended with {done.returncode}: {done.stderr}")
    found = set()
    for report in json.loads(done.stdout):
        for failed in report["not_compliant"]:
            text = json.dumps(failed)
            [control] = set(re.findall(r"\[(CT\.[A-Z0-9.]+)\]", text))
            found |= {(control, resource) for resource in set(re.findall(r'"/Resources/(\w+)', text))}
    return found


def with_values(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template with texts in place of the intrinsic functions that the rules cannot read."""
    parameters = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
    pseudo = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
    pseudo |= {"AWS::StackName": "anemonefish", "AWS::URLSuffix": "amazonaws.com"}
    buckets = {name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::S3::Bucket"}

    def text(name: str) -> str:
        known = {**parameters, **pseudo}
        resource = name.partition(".")[0]
        return str(known.get(name, f"arn:aws:s3:::{resource.lower()}" if resource in buckets else resource.lower()))

    def substituted(pattern: str, values: dict[str, Any]) -> str:
        known = {name: resolved(value) for name, value in values.items()}
        return re.sub(r"\$\{([\w.:]+)\}", lambda found: str(known.get(found[1], text(found[1]))), pattern)

    def resolved(document: Any) -> Any:
        result = document
        match document:
            case {"Ref": str(name)} if name in parameters or name in pseudo:
                result = parameters[name] if name in parameters else text(name)
            case {"Fn::GetAtt": [str(name), "Arn"]} if name in buckets:
                result = text(name)
            case {"Fn::Sub": [str(pattern), dict(values)]}:
                result = substituted(pattern, values)
            case {"Fn::Sub": str(pattern)}:
                result = substituted(pattern, {})
            case {"Fn::Split": [str(separator), value]}:
                result = str(resolved(value)).split(separator)
            case dict():
                result = {key: resolved(value) for key, value in document.items()}
            case list():
                result = [resolved(item) for item in document]
        return result

    return {**template, "Resources": resolved(template["Resources"])}


if __name__ == "__main__":
    sys.exit(main())
