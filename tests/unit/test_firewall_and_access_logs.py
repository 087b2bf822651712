"""The web firewall of the API, and the access logs of the API and of the buckets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.account_templates import AccountStack
from tests.cloudformation import Stack, is_allowed

ACL = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/lab/0a1b2c3d"
ON = Stack({"WebAclArn": ACL, "ApiAccessLogs": "enabled", "AccessLogBucket": "lab-logs"})
OFF = Stack()


@pytest.fixture(scope="module")
def rules() -> dict[str, dict[str, Any]]:
    [acl] = AccountStack("web_acl.yaml").resources("AWS::WAFv2::WebACL").values()
    assert acl["Properties"]["Scope"] == "REGIONAL"
    return {rule["Name"]: rule for rule in acl["Properties"]["Rules"]}


# --- the firewall ----------------------------------------------------------------------------------------------------


def test_web_acl_is_in_front_of_the_stage_of_the_api() -> None:
    [firewall] = ON.resources("AWS::WAFv2::WebACLAssociation").values()
    assert firewall["Properties"]["WebACLArn"] == ACL
    assert re.search(r"apigateway:eu-central-1::/restapis/[\w-]+/stages/[\w-]+$", firewall["Properties"]["ResourceArn"])
    assert OFF.resources("AWS::WAFv2::WebACLAssociation") == {}


def test_clips_pass_the_rules_for_bodies(rules: dict[str, dict[str, Any]]) -> None:
    """A clip has up to 4 MB; the common rules would block a body of more than 8 KB or with certain text."""
    group = rules["CommonRules"]["Statement"]["ManagedRuleGroupStatement"]
    counted = {rule["Name"] for rule in group["RuleActionOverrides"] if rule["ActionToUse"] == {"Count": {}}}
    assert counted == {
        "SizeRestrictions_BODY",
        "CrossSiteScripting_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "EC2MetaDataSSRF_BODY",
    }


def test_other_rules_block(rules: dict[str, dict[str, Any]]) -> None:
    for name in ("KnownAttackers", "KnownBadInputs", "CommonRules"):
        assert rules[name]["OverrideAction"] == {"None": {}}
    assert rules["RequestLimit"]["Action"] == {"Block": {}}
    assert sorted(rule["Priority"] for rule in rules.values()) == [0, 1, 2, 3]


def test_a_key_at_its_full_rate_stays_below_the_limit_of_an_address(rules: dict[str, dict[str, Any]]) -> None:
    statement = rules["RequestLimit"]["Statement"]["RateBasedStatement"]
    rate, burst = (int(OFF.values[name]) for name in ("RequestRate", "RequestBurst"))
    assert int(statement["Limit"]) > rate * int(statement["EvaluationWindowSec"]) + burst


def test_log_of_the_firewall_has_no_keys_and_no_requests_that_passed() -> None:
    [logging] = AccountStack("web_acl.yaml").resources("AWS::WAFv2::LoggingConfiguration").values()
    redacted = {field["SingleHeader"]["Name"] for field in logging["Properties"]["RedactedFields"]}
    document = OFF.template["Resources"]["Api"]["Properties"]["Body"]
    schemes = document["components"]["securitySchemes"]["caller"]
    assert redacted == {name.lower() for name in re.findall(r"'name': '([\w-]+)'", str(schemes))}
    assert logging["Properties"]["LoggingFilter"]["DefaultBehavior"] == "DROP"
    [destination] = logging["Properties"]["LogDestinationConfigs"]
    assert not destination.endswith("*")  # as WAF requires it


def test_refused_request_gets_an_answer_of_the_api() -> None:
    responses = ON.template["Resources"]["Api"]["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"]
    answer = json.loads(responses["WAF_FILTERED"]["responseTemplates"]["application/json"])
    assert (responses["WAF_FILTERED"]["statusCode"], answer["error"]) == ("403", "NotAllowed")
    assert "firewall" in answer["message"]


# --- access logs -----------------------------------------------------------------------------------------------------


def _format() -> str:
    [stage] = ON.resources("AWS::ApiGateway::Stage").values()
    return str(stage["Properties"]["AccessLogSetting"]["Format"])


def test_a_line_of_the_access_log_is_json() -> None:
    line = re.sub(r"\$context\.[\w.]+", "-", _format())
    fields = json.loads(line)
    assert "\n" not in _format()  # API Gateway takes one line
    assert {"request_id", "key_id", "status", "latency_ms", "function_error", "firewall"} <= fields.keys()


def test_access_log_has_no_keys_no_queries_and_no_text_of_the_caller() -> None:
    variables = set(re.findall(r"\$context\.([\w.]+)", _format()))
    assert "identity.apiKeyId" in variables
    # The user agent is the caller's text: a quote in it would break the line.
    assert not {name for name in variables if re.search(r"apiKey$|query|header|userAgent", name)}


def test_access_log_of_the_api_has_a_group_with_retention_only_on_request() -> None:
    group = ON.resources("AWS::Logs::LogGroup")["ApiLogGroup"]["Properties"]
    assert group["RetentionInDays"] == ON.values["LogRetentionDays"]
    [stage] = ON.resources("AWS::ApiGateway::Stage").values()
    assert stage["Properties"]["AccessLogSetting"]["DestinationArn"] == ON.arn("ApiLogGroup")
    assert "ApiLogGroup" not in OFF.resources("AWS::Logs::LogGroup")
    [stage] = OFF.resources("AWS::ApiGateway::Stage").values()
    assert "AccessLogSetting" not in stage["Properties"]  # a new account has no role for it


def test_every_bucket_has_its_own_folder_of_access_logs() -> None:
    buckets = ON.resources("AWS::S3::Bucket").values()
    logging = [bucket["Properties"]["LoggingConfiguration"] for bucket in buckets]
    assert {entry["DestinationBucketName"] for entry in logging} == {"lab-logs"}
    prefixes = {entry["LogFilePrefix"] for entry in logging}
    assert prefixes == {f"anemonefish-dev/{name}/" for name in ("input", "output", "models")}
    for bucket in OFF.resources("AWS::S3::Bucket").values():
        assert "LoggingConfiguration" not in bucket["Properties"]


def test_log_bucket_accepts_logs_of_the_account_and_deletes_them_in_time() -> None:
    account = AccountStack("access_logs.yaml", {"Days": 30})
    [bucket] = account.resources("AWS::S3::Bucket").values()
    [policy] = account.resources("AWS::S3::BucketPolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    place = f"{account.arn('LogBucket')}/anemonefish-dev/input/x"
    for owner, allowed in (("123456789012", True), ("999999999999", False)):
        context = {"aws:SourceAccount": owner, "aws:SecureTransport": "true"}
        assert is_allowed(statements, "s3:PutObject", place, context) is allowed
    context = {"aws:SourceAccount": "123456789012", "aws:SecureTransport": "false"}
    assert not is_allowed(statements, "s3:PutObject", place, context)
    [rule] = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 30)


def test_role_of_api_gateway_that_exists_is_left_alone_on_request() -> None:
    assert set(AccountStack("access_logs.yaml").resources("AWS::ApiGateway::Account")) == {"Gateway"}
    kept = AccountStack("access_logs.yaml", {"GatewayRole": "keep"})
    assert kept.resources("AWS::ApiGateway::Account") == kept.resources("AWS::IAM::Role") == {}
