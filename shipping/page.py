"""Upload the built page into the bucket of a deployed stage.

    python -m shipping.page STAGE

The stack must have been deployed with ``Page=enabled``. The page learns the address of the API from ``config.json``,
which is written here with the stack's outputs; it contains no secret. A file of ``assets/`` has the hash of its content
in its name: it is kept by browsers for good, uploaded before the page that names it, and deleted when no page names it
any more.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shipping import account
from shipping.deployed_api import ROOT, stack_and_region
from shipping.page_headers import cache_control, content_type

__all__ = ["PageStack", "page_files", "upload"]

BUILT = ROOT / ".build" / "web"
INDEX, CONFIG = "index.html", "config.json"
_HEAD = "<head>"


@dataclass(frozen=True, slots=True)
class PageStack:
    """What the page must know of its stack.

    Attributes
    ----------
    outputs : mapping of str to str
        The outputs of the stack.
    parameters : mapping of str to str
        Its parameters.
    """

    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    @classmethod
    def describe(cls, cloudformation: Any, name: str) -> PageStack:
        """Look a stack up.

        Raises
        ------
        SystemExit
            The stack has no page; the message says how to get one.
        """
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
        if "PageBucketName" not in outputs:
            raise SystemExit(f"the stack {name} has no page; deploy it with Page=enabled first (docs/deploy.md)")
        parameters = {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", ())}
        return cls(outputs, parameters)

    @property
    def config(self) -> dict[str, Any]:
        """The document that the page reads at its start."""
        if self.parameters.get("Authorization", "api-key") != "cognito":
            return {"apiUrl": self.outputs["ApiUrl"], "signIn": "api-key", "cognito": None}
        cognito = {
            "domain": self.parameters["CognitoDomain"],
            "clientId": self.parameters["CognitoClientId"],
            "region": self.parameters["UserPoolArn"].split(":")[3],
        }
        return {"apiUrl": self.outputs["ApiUrl"], "signIn": "cognito", "cognito": cognito}

    @property
    def origins(self) -> list[str]:
        """The origins that the page calls: the API, the buckets, and the hosted login if there is one."""
        api = urlsplit(self.outputs["ApiUrl"])
        _, _, region_and_suffix = (api.hostname or "").partition(".execute-api.")
        buckets = [
            f"https://{self.outputs[name]}.s3.{region_and_suffix}" for name in ("InputBucketName", "OutputBucketName")
        ]
        cognito = self.config["cognito"]
        return [f"https://{api.netloc}", *buckets, *([] if cognito is None else [f"https://{cognito['domain']}"])]


def page_files(folder: Path, stack: PageStack) -> dict[str, bytes]:
    """Return the files of the page for a stack, in the order in which they are uploaded: the page itself is last.

    Parameters
    ----------
    folder : Path
        The built page.
    stack : PageStack

    Raises
    ------
    SystemExit
        The page is not built.
    """
    if not (folder / INDEX).is_file():
        raise SystemExit(f"there is no {folder / INDEX}; build the page first (make web)")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    before, head, after = files.pop(INDEX).decode().partition(_HEAD)
    if not head:
        raise SystemExit(f"{folder / INDEX} has no {_HEAD}, so the policy of this stack cannot be written into it")
    policy = f"connect-src 'self' {' '.join(stack.origins)}"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    assets = dict(sorted(files.items(), key=lambda item: not item[0].startswith("assets/")))
    return {**assets, CONFIG: json.dumps(stack.config).encode(), INDEX: f"{before}{head}\n    {meta}{after}".encode()}


def upload(s3: Any, cloudfront: Any, stack: PageStack, files: Mapping[str, bytes]) -> list[str]:
    """Upload the files, request an invalidation of CloudFront's cache, and delete files that are not of this page.

    Parameters
    ----------
    s3, cloudfront : botocore.client.BaseClient
    stack : PageStack
    files : mapping of str to bytes
        See :func:`page_files`.

    Returns
    -------
    list of str
        The keys that were deleted.
    """
    bucket = stack.outputs["PageBucketName"]
    for path, content in files.items():
        s3.put_object(
            Bucket=bucket, Key=path, Body=content, ContentType=content_type(path), CacheControl=cache_control(path)
        )
    cloudfront.create_invalidation(
        DistributionId=stack.outputs["PageDistributionId"],
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(time.time_ns())},
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    old = [item["Key"] for page in pages for item in page.get("Contents", ()) if item["Key"] not in files]
    for key in old:
        s3.delete_object(Bucket=bucket, Key=key)
    return old


def main(words: list[str]) -> None:
    """Upload the page of a stage, and print its address."""
    if len(words) != 1:
        raise SystemExit(__doc__)
    name, region = stack_and_region(words[0])
    account.main([] if region is None else ["--region", region])
    import boto3
    from botocore.exceptions import ClientError

    try:
        stack = PageStack.describe(boto3.client("cloudformation", region), name)
        files = page_files(BUILT, stack)
        old = upload(boto3.client("s3", region), boto3.client("cloudfront", region), stack, files)
    except ClientError as error:
        raise SystemExit(f"{error}; deploy the stack {name} first (docs/deploy.md)") from None
    print(f"{len(files)} files uploaded, {len(old)} old ones deleted; the page is at {stack.outputs['PageUrl']}")


if __name__ == "__main__":
    main(sys.argv[1:])
