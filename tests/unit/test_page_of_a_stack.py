"""The page in an account (Page=enabled): private files, strict headers, and origins without a circle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest

from shipping.page_headers import SECURITY_HEADERS, content_security_policy
from tests.cloudformation import Stack, is_allowed

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
OFF = Stack()
ON = Stack({"Page": "enabled"})
NAMED = Stack({"Page": "enabled", "PageDomain": "reef.lab.example.org", "PageCertificateArn": CERTIFICATE})
LISTED = Stack({"Page": "enabled", "AllowedOrigins": "https://lab.example.org,http://localhost:5173"})
COGNITO = Stack({"Page": "enabled", "Authorization": "cognito", "CognitoDomain": "lab.auth.example.org"})
REGION = ["https://*.execute-api.eu-central-1.amazonaws.com", "https://*.s3.eu-central-1.amazonaws.com"]
PAGE_ORIGIN = "https://PageDistribution.DomainName"


def _distribution(stack: Stack) -> dict[str, Any]:
    [distribution] = stack.resources("AWS::CloudFront::Distribution").values()
    return dict(distribution["Properties"]["DistributionConfig"])


def _headers(stack: Stack) -> dict[str, Any]:
    [policy] = stack.resources("AWS::CloudFront::ResponseHeadersPolicy").values()
    return dict(policy["Properties"]["ResponseHeadersPolicyConfig"])


def test_stack_has_no_page_unless_it_is_asked_for() -> None:
    kinds = {resource["Type"] for resource in OFF.resources().values()}
    assert not {kind for kind in kinds if "CloudFront" in kind}
    assert "PageBucket" not in OFF.resources()
    assert {name for name, output in OFF.template["Outputs"].items() if output.get("Condition") == "HasPage"} == {
        "PageUrl",
        "PageHost",
        "PageBucketName",
        "PageDistributionId",
    }


def test_cloudfront_sends_the_headers_of_the_local_page() -> None:
    config = _headers(ON)
    security = config["SecurityHeadersConfig"]
    sent = {
        **({"X-Content-Type-Options": "nosniff"} if "ContentTypeOptions" in security else {}),
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        **{item["Header"]: item["Value"] for item in config["CustomHeadersConfig"]["Items"]},
    }
    assert sent == SECURITY_HEADERS
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
    entries = [*security.values(), *config["CustomHeadersConfig"]["Items"]]
    assert all(entry["Override"] is True for entry in entries)


@pytest.mark.parametrize(
    ("stack", "origins"), [(ON, REGION), (NAMED, REGION), (COGNITO, [*REGION, "https://lab.auth.example.org"])]
)
def test_policy_of_cloudfront_admits_apis_and_buckets_of_the_region_and_the_login(
    stack: Stack, origins: list[str]
) -> None:
    policy = _headers(stack)["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert policy == content_security_policy(origins)


def test_only_this_distribution_reads_the_bucket() -> None:
    policy = ON.resources("AWS::S3::BucketPolicy")["PageBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    [reading] = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert reading["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    file = f"{ON.arn('PageBucket')}/index.html"
    own = {"aws:SourceArn": reading["Condition"]["StringEquals"]["aws:SourceArn"], "aws:SecureTransport": "true"}
    assert re.fullmatch(r"arn:aws:cloudfront::123456789012:distribution/[\w.-]*PageDistribution", own["aws:SourceArn"])
    other = {**own, "aws:SourceArn": "arn:aws:cloudfront::999999999999:distribution/E1"}
    assert is_allowed(policy, "s3:GetObject", file, own)
    assert not is_allowed(policy, "s3:GetObject", file, other)
    assert not is_allowed(policy, "s3:GetObject", file, {**own, "aws:SecureTransport": "false"})
    assert not is_allowed(policy, "s3:GetObject", file, {})
    assert not is_allowed(policy, "s3:ListBucket", ON.arn("PageBucket"), own)
    assert not is_allowed(policy, "s3:PutObject", file, own)
    [access] = ON.resources("AWS::CloudFront::OriginAccessControl").values()
    assert access["Properties"]["OriginAccessControlConfig"]["SigningBehavior"] == "always"
    [origin] = _distribution(ON)["Origins"]
    assert origin["OriginAccessControlId"] == "PageAccess.Id"


def test_bucket_of_the_page_is_private() -> None:
    bucket = ON.resources("AWS::S3::Bucket")["PageBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_page_is_served_by_https_only_and_answers_no_changes() -> None:
    behaviour = _distribution(ON)["DefaultCacheBehavior"]
    assert behaviour["ViewerProtocolPolicy"] == "redirect-to-https"
    assert behaviour["AllowedMethods"] == ["GET", "HEAD"]
    assert _distribution(ON)["DefaultRootObject"] == "index.html"
    assert _distribution(ON)["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    named = _distribution(NAMED)
    assert named["Aliases"] == ["reef.lab.example.org"]
    assert named["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


@pytest.mark.parametrize(
    ("stack", "origins"),
    [
        (ON, [PAGE_ORIGIN]),
        (NAMED, ["https://reef.lab.example.org"]),
        (LISTED, ["https://lab.example.org", "http://localhost:5173", PAGE_ORIGIN]),
    ],
)
def test_origin_of_the_page_may_call_the_api_and_use_the_buckets(stack: Stack, origins: list[str]) -> None:
    for name in ("InputBucket", "OutputBucket"):
        [rule] = stack.resources("AWS::S3::Bucket")[name]["Properties"]["CorsConfiguration"]["CorsRules"]
        assert rule["AllowedOrigins"] == origins
    body = stack.resolved(stack.template["Resources"]["Api"]["Properties"]["Body"])
    behind = set(re.findall(r"(\w+Function)\b", json.dumps(body["paths"])))
    assert behind == {"ApiFunction", "PredictFunction", "ExcerptFunction"}
    for name in behind:
        variables = stack.resources("AWS::Lambda::Function")[name]["Properties"]["Environment"]["Variables"]
        assert variables["ANEMONEFISH_ORIGINS"] == ",".join(origins)
    responses = body["x-amazon-apigateway-gateway-responses"]
    assert responses["INVALID_API_KEY"]["responseParameters"]


def test_without_page_and_origins_nobody_elses_page_may_call() -> None:
    for name in ("InputBucket", "OutputBucket"):
        assert "CorsConfiguration" not in OFF.resources("AWS::S3::Bucket")[name]["Properties"]
    for name in ("ApiFunction", "PredictFunction", "ExcerptFunction"):
        variables = OFF.resources("AWS::Lambda::Function")[name]["Properties"]["Environment"]["Variables"]
        assert variables["ANEMONEFISH_ORIGINS"] == ""


def test_no_resource_needs_itself() -> None:
    """The API needs the page's origin, so the page must need neither the API nor the buckets of recordings."""
    resources = ON.template["Resources"]
    graph = {
        name: (set(_names(resource)) | set(_listed(resource.get("DependsOn", [])))) & resources.keys()
        for name, resource in resources.items()
    }
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("PageDistribution") < order.index("ApiFunction")
    assert order.index("PageDistribution") < order.index("InputBucket")


def _names(document: Any) -> Iterator[str]:
    """Yield the names to which a part of the template refers."""
    if isinstance(document, list):
        for item in document:
            yield from _names(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                yield from re.findall(r"\$\{(\w+)", text)
            yield from _names(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Request(Stack):
    """Parameters that may be refused; the template is not translated for them."""

    @property
    def template(self) -> dict[str, Any]:
        return ON.template


def _refused(**parameters: str) -> list[str]:
    """Return what the rules of the template say of parameters."""
    stack = _Request(parameters)
    return [
        assertion["AssertDescription"]
        for rule in stack.template["Rules"].values()
        if "RuleCondition" not in rule or stack.holds(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not stack.holds(assertion["Assert"])
    ]


def test_page_needs_a_way_to_sign_in_that_a_browser_has() -> None:
    assert _refused(Page="enabled") == []
    assert "browser" in "".join(_refused(Page="enabled", Authorization="iam"))
    pool = {"Authorization": "cognito", "UserPoolArn": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/p"}
    assert "CognitoDomain" in "".join(_refused(Page="enabled", **pool))
    login = {"CognitoDomain": "lab.auth.example.org", "CognitoClientId": "abc"}
    assert _refused(Page="enabled", **pool, **login) == []
    assert _refused(**pool) == []


def test_domain_and_certificate_are_needed_together() -> None:
    assert "together" in "".join(_refused(PageDomain="reef.lab.example.org"))
    assert "together" in "".join(_refused(PageCertificateArn=CERTIFICATE))
    assert _refused(PageDomain="reef.lab.example.org", PageCertificateArn=CERTIFICATE) == []


def test_names_in_cloudfront_are_short_and_belong_to_one_stack() -> None:
    longest = _Request({"Page": "enabled"}, name="a" * 128)
    for stack in (ON, longest):
        name = _headers(stack)["Name"]
        assert len(name) <= 64
        assert name in json.dumps(stack.resources("AWS::CloudFront::OriginAccessControl"))
