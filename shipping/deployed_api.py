"""Run a command with the URL and the first key of a deployed stage in its environment.

    python -m shipping.deployed_api STAGE make smoke     # the command gets URL and KEY

The stack's name is that of samconfig.toml; for the stage ``default`` it is the one that `make deploy-guided` saved in
samconfig.local.toml, with its region. It needs AWS credentials that may describe the stack and read its API key.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from shipping import account

__all__ = ["stack_and_region", "url_and_key"]

ROOT = Path(__file__).parents[1]


def main(words: list[str]) -> int:
    """Run the command and return its exit status."""
    if len(words) < 2:
        raise SystemExit(__doc__)
    stage, *command = words
    stack, region = stack_and_region(stage)
    account.main([] if region is None else ["--region", region])
    import boto3
    from botocore.exceptions import ClientError

    try:
        url, key = url_and_key(boto3.client("cloudformation", region), boto3.client("apigateway", region), stack)
    except ClientError as error:
        raise SystemExit(f"{error}; deploy the stack {stack} first (docs/deploy.md)") from None
    if os.environ.get("GITHUB_ACTIONS"):
        print(f"::add-mask::{key}", flush=True)  # the runner leaves it out of the log
    return subprocess.run(command, env={**os.environ, "URL": url, "KEY": key}, check=False).returncode


def stack_and_region(stage: str, folder: Path = ROOT) -> tuple[str, str | None]:
    """Return the name of a stage's stack, and its region if one is saved.

    Raises
    ------
    SystemExit
        The stage is unknown.
    """
    guided = folder / "samconfig.local.toml"
    file = guided if stage == "default" and guided.exists() else folder / "samconfig.toml"
    try:
        parameters = tomllib.loads(file.read_text(encoding="utf-8"))[stage]["deploy"]["parameters"]
        return parameters["stack_name"], parameters.get("region")
    except KeyError:
        raise SystemExit(f"{file.name} has no stage {stage}") from None


def url_and_key(cloudformation: Any, apigateway: Any, stack: str) -> tuple[str, str]:
    """Return the URL of a stack's API and the value of its first key.

    Raises
    ------
    SystemExit
        The stack has no API keys.
    """
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described}
    if "FirstKeyId" not in outputs:
        raise SystemExit(f"stack {stack} has no API key, because its Authorization is not api-key")
    key = apigateway.get_api_key(apiKey=outputs["FirstKeyId"], includeValue=True)["value"]
    return outputs["ApiUrl"], str(key)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
