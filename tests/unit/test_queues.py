"""Who may send to the queues: the dead-letter queues take messages from their own sources only."""

from __future__ import annotations

from typing import Any

from tests.cloudformation import Stack

STACK = Stack({"Webhooks": "enabled"})


def test_dead_letters_of_events_come_from_their_rule_only() -> None:
    rules = STACK.resources("AWS::Events::Rule")
    sources = {
        target["DeadLetterConfig"]["Arn"]: STACK.arn(name)
        for name, rule in rules.items()
        for target in rule["Properties"]["Targets"]
        if "DeadLetterConfig" in target
    }
    allowed = {}
    for policy in STACK.resources("AWS::SQS::QueuePolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert statement["Principal"] == {"Service": "events.amazonaws.com"}
                assert statement["Action"] == "sqs:SendMessage"
                [[key, source]] = statement["Condition"]["ArnEquals"].items()
                assert key == "aws:SourceArn"
                allowed[statement["Resource"]] = source
    assert allowed == sources
    assert len(sources) == 1


def test_dead_letter_queues_accept_the_queues_that_name_them_only() -> None:
    queues = STACK.resources("AWS::SQS::Queue")
    arns = {name: _arn(queue["Properties"], name) for name, queue in queues.items()}
    dead_letters: dict[str, list[str]] = {name: [] for name in queues if name.endswith("DeadLetters")}
    for name, queue in queues.items():
        if "RedrivePolicy" in queue["Properties"]:
            target = queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
            [receiver] = [other for other in queues if STACK.arn(other) == target]
            dead_letters[receiver].append(arns[name])
    assert {name: queues[name]["Properties"]["RedriveAllowPolicy"] for name in dead_letters} == {
        name: {"redrivePermission": "byQueue", "sourceQueueArns": sources}
        if sources
        else {"redrivePermission": "denyAll"}
        for name, sources in dead_letters.items()
    }


def _arn(properties: dict[str, Any], name: str) -> str:
    queue = properties.get("QueueName", f"{STACK.name}-{name}")
    return f"arn:{STACK.partition}:sqs:{STACK.region}:{STACK.account}:{queue}"
