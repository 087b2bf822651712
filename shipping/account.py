"""Check the credentials and the region of a deployment before anything is built.

    python -m shipping.account [--guided] [options of sam deploy]

It reads ``--profile`` and ``--region`` from the options and everything else as AWS's tools do, and prints the account.
With ``--guided`` the region may be missing, because `sam deploy --guided` asks for it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

__all__ = ["main"]

_SEE = "docs/deploy.md begins with this"


def main(words: list[str]) -> int:
    """Print the account and the region of a deployment.

    Raises
    ------
    SystemExit
        There are no usable credentials, or there is no region; the message says what to enter.
    """
    parser = argparse.ArgumentParser(prog="python -m shipping.account")
    parser.add_argument("--profile")
    parser.add_argument("--region")
    parser.add_argument("--guided", action="store_true")
    options, _ = parser.parse_known_args(words)
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        if session.get_credentials() is None:
            raise SystemExit(f"there are no AWS credentials: run aws configure, or export AWS_PROFILE=... ({_SEE})")
        if session.region_name is None:
            if options.guided:
                return 0
            raise SystemExit(f"there is no AWS region: export AWS_DEFAULT_REGION=eu-central-1, or another one ({_SEE})")
        caller: dict[str, Any] = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(f"the AWS credentials cannot be used: {error} ({_SEE})") from None
    print(f"account {caller['Account']} in {session.region_name}, as {caller['Arn']}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
