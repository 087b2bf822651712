"""Models: the custom resources of the stack.

``ReferenceModel`` copies the reference model into the models bucket when the stack is deployed. ``ConfigurationDigest``
returns a digest of its values, because CloudFormation itself cannot tell whether any of them has changed.

The package is imported inside the answer: layers for another processor then fail the deployment with that reason.
"""

import hashlib
import json
import os
import urllib.request
from typing import Any

LAYERS = os.environ.get("ANEMONEFISH_LAYER_ROOT", "/opt")
"""Where Lambda puts the content of layers."""

DIGEST = "Custom::ConfigurationDigest"

MOST_REASON = 1000
"""Characters of a reason; CloudFormation takes answers of up to 4,096 bytes."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer CloudFormation's request; return the answer, for a call by hand."""
    answer: dict[str, Any] = {name: event.get(name, "") for name in ("StackId", "RequestId", "LogicalResourceId")}
    digests = event.get("ResourceType") == DIGEST
    answer["PhysicalResourceId"] = "configuration-digest" if digests else "reference-model"
    try:
        if digests:
            values = json.dumps(event["ResourceProperties"]["Values"])
            data: dict[str, Any] = {"Digest": hashlib.sha256(values.encode()).hexdigest()[:16]}
        else:
            # A deleted stack keeps its models bucket, and with it the models.
            data = {"Copied": 0 if event["RequestType"] == "Delete" else len(_copy())}
        answer |= {"Status": "SUCCESS", "Data": data}
    except Exception as error:  # without an answer CloudFormation waits until its timeout and knows no reason
        answer |= {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"[:MOST_REASON]}
    print(json.dumps({"request": event.get("RequestType"), **answer}))
    if "ResponseURL" in event:
        _send(event["ResponseURL"], answer)
    return answer


def _copy() -> list[str]:
    from anemonefish.models.copy_bundles import copy_missing
    from anemonefish.stores import open_store

    return copy_missing(open_store(LAYERS), open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"), "reef")


def _send(url: str, answer: dict[str, Any]) -> None:
    """Put the answer to CloudFormation's presigned URL, which is signed without a content type."""
    body = json.dumps(answer).encode()
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})
    with urllib.request.urlopen(request, timeout=30):
        pass
