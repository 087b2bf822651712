"""Notify: call the webhooks of executions that have ended. Each message of the queue is one POST."""

import os
from typing import Any

from anemonefish.cloud.function_log import bound, log_error
from anemonefish.cloud.secrets_manager import secret
from anemonefish.errors import AnemonefishError
from anemonefish.service.webhook import deliver, parse_message
from anemonefish.service.webhook_signing import signing_keys
from anemonefish.workflow.function_metrics import function_handler


@function_handler("notify")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Deliver every message; return those that SQS must deliver to this function again."""
    keys = signing_keys(secret(os.environ["ANEMONEFISH_WEBHOOK_SECRET_ARN"]))
    failed = [record["messageId"] for record in event["Records"] if not _is_done(record, keys)]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _is_done(record: dict[str, Any], keys: tuple[bytes, ...]) -> bool:
    """Deliver a message; return True if it arrived, or if another attempt would fail as well."""
    try:
        message = parse_message(record["body"])
        with bound(correlation_id=message.correlation_id, execution=message.id.rpartition("-")[0]):
            deliver(message, keys)
    except AnemonefishError as error:
        log_error("a webhook was not delivered", error, message_id=record["messageId"], again=error.retryable)
        return not error.retryable
    return True
