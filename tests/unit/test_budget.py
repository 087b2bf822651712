"""account/budget.yaml: it counts what the stages of samconfig.toml are tagged with, and tells its address in time."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from localstack.packaging import load_template

REPOSITORY = Path(__file__).parents[2]
TEMPLATE = load_template(REPOSITORY / "account" / "budget.yaml")
VALUES = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()} | {
    "MonthlyUsd": 100,
    "Email": "lab@example.org",
}


def resolved(document: Any) -> Any:
    """Return a part of the template with its references resolved."""
    match document:
        case {"Ref": name}:
            return VALUES[name]
        case {"Fn::Sub": text}:
            return text.replace("${TagKey}", VALUES["TagKey"])
        case {"Fn::Join": [separator, items]}:
            return separator.join(map(resolved, items))
        case dict():
            return {name: resolved(value) for name, value in document.items()}
        case list():
            return [resolved(item) for item in document]
    return document


BUDGET = resolved(TEMPLATE["Resources"]["Budget"]["Properties"])


@pytest.mark.parametrize("stage", ["default", "dev", "staging", "prod"])
def test_budget_counts_what_every_stage_is_tagged_with(stage: str) -> None:
    stages = tomllib.loads((REPOSITORY / "samconfig.toml").read_text(encoding="utf-8"))
    tags = stages[stage]["deploy"]["parameters"]["tags"]
    [counted] = BUDGET["Budget"]["CostFilters"]["TagKeyValue"]
    assert counted.startswith("user:")
    assert counted.removeprefix("user:").replace("$", "=") in tags


def test_address_is_told_at_80_percent_expected_and_100_percent_spent() -> None:
    told = {
        (
            each["Notification"]["NotificationType"],
            each["Notification"]["Threshold"],
            each["Notification"]["ThresholdType"],
        ): [subscriber["Address"] for subscriber in each["Subscribers"]]
        for each in BUDGET["NotificationsWithSubscribers"]
    }
    assert told == {
        ("FORECASTED", 80, "PERCENTAGE"): ["lab@example.org"],
        ("ACTUAL", 100, "PERCENTAGE"): ["lab@example.org"],
    }
    assert (BUDGET["Budget"]["TimeUnit"], BUDGET["Budget"]["BudgetLimit"]) == (
        "MONTHLY",
        {"Amount": 100, "Unit": "USD"},
    )


def test_template_of_a_stack_has_no_budget() -> None:
    """Twenty regions do not have the type, and may refuse a template with it."""
    text = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    assert "AWS::Budgets" not in text
    assert "AWS::Budgets" not in (REPOSITORY / "monitoring.yaml").read_text(encoding="utf-8")
