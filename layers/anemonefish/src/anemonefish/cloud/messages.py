"""Send messages: to an SNS topic, into an SQS queue."""

from __future__ import annotations

import json
from typing import Any

from anemonefish.cloud.clients import client, translate_errors

__all__ = ["enqueue", "publish"]


def publish(topic: str, subject: str, document: dict[str, Any]) -> None:
    """Publish a document as JSON to an SNS topic."""
    with translate_errors("the topic"):
        client("sns").publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(document, sort_keys=True))


def enqueue(queue: str, document: dict[str, Any]) -> None:
    """Send a document as JSON to an SQS queue."""
    with translate_errors("the queue"):
        client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(document, sort_keys=True))
