"""What a deletion cannot take away: buckets and the table are kept, and the table of production is protected."""

from __future__ import annotations

from tests.cloudformation import Stack

KEPT = {"InputBucket", "OutputBucket", "ModelsBucket", "RecordTable"}
PRODUCTION = Stack({"Stage": "prod", "AlarmEmail": "lab@example.org"})


def test_recordings_results_models_and_records_outlive_the_stack() -> None:
    resources = Stack().resources()
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in resources.items()
        if resource["Type"] in {"AWS::S3::Bucket", "AWS::DynamoDB::Table"}
    }
    # Except on create: a first deployment that fails leaves nothing that the next one would collide with.
    assert policies == dict.fromkeys(KEPT, ("RetainExceptOnCreate", "Retain"))


def test_table_is_protected_in_production_only() -> None:
    """CloudFormation cannot roll a protected table back, so a stage for trials has none."""
    for stack, protected in ((PRODUCTION, True), (Stack({"Stage": "staging"}), False), (Stack(), False)):
        [table] = stack.resources("AWS::DynamoDB::Table").values()
        assert table["Properties"]["DeletionProtectionEnabled"] is protected
