"""Messages: tell a topic, put work into a queue."""

from __future__ import annotations

import json
from typing import Any

from anemonefish.cloud.clients import client, service_answers

__all__ = ["enqueue", "publish"]


def publish(topic: str, subject: str, document: dict[str, Any]) -> None:
    """Tell everybody who listens to an SNS topic."""
    with service_answers("the topic"):
        client("sns").publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(document, sort_keys=True))


def enqueue(queue: str, document: dict[str, Any]) -> None:
    """Put a document into an SQS queue."""
    with service_answers("the queue"):
        client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(document, sort_keys=True))
