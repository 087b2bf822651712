"""Uploading the page: what it is told, in which order, with which headers, and what is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shipping.page import PageStack, page_files, upload

BUCKET, REGION = "lab-page", "eu-central-1"
OUTPUTS = {
    "ApiUrl": "https://a1b2.execute-api.eu-central-1.amazonaws.com/v1",
    "InputBucketName": "lab-input",
    "OutputBucketName": "lab-output",
    "PageBucketName": BUCKET,
    "PageDistributionId": "E1",
    "PageUrl": "https://d1.cloudfront.net",
    "FirstKeyId": "k1",
}
KEYS = PageStack(OUTPUTS, {"Authorization": "api-key", "CognitoDomain": ""})
COGNITO = PageStack(
    OUTPUTS,
    {
        "Authorization": "cognito",
        "CognitoDomain": "lab.auth.example.org",
        "CognitoClientId": "c1",
        "UserPoolArn": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_p",
    },
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<!doctype html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n')
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-new.js").write_text("2")
    return tmp_path


class CloudFront:
    """Notes invalidations together with what the bucket held at that time."""

    def __init__(self, s3: Any) -> None:
        self.calls: list[tuple[str, list[str], list[str]]] = []
        self._s3 = s3

    def create_invalidation(self, DistributionId: str, InvalidationBatch: dict[str, Any]) -> None:
        keys = [item["Key"] for item in self._s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        assert InvalidationBatch["CallerReference"]
        self.calls.append((DistributionId, InvalidationBatch["Paths"]["Items"], keys))


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", REGION, aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield client


def test_configuration_has_the_address_of_the_api_and_no_key(built: Path) -> None:
    files = page_files(built, KEYS)
    assert json.loads(files["config.json"]) == {"apiUrl": OUTPUTS["ApiUrl"], "signIn": "api-key", "cognito": None}
    assert not any(b"k1" in content for content in files.values())


def test_configuration_names_the_hosted_login_where_the_stack_has_one(built: Path) -> None:
    assert json.loads(page_files(built, COGNITO)["config.json"]) == {
        "apiUrl": OUTPUTS["ApiUrl"],
        "signIn": "cognito",
        "cognito": {"domain": "lab.auth.example.org", "clientId": "c1", "region": "eu-west-1"},
    }


@pytest.mark.parametrize(("stack", "login"), [(KEYS, ""), (COGNITO, " https://lab.auth.example.org")])
def test_page_may_call_the_api_and_the_buckets_of_its_stack_only(built: Path, stack: PageStack, login: str) -> None:
    page = page_files(built, stack)["index.html"].decode()
    policy = (
        "connect-src 'self' https://a1b2.execute-api.eu-central-1.amazonaws.com "
        "https://lab-input.s3.eu-central-1.amazonaws.com https://lab-output.s3.eu-central-1.amazonaws.com" + login
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    assert page.startswith(f'<!doctype html>\n<html lang="en">\n  <head>\n    {meta}\n    <meta charset="utf-8">')
    assert (built / "index.html").read_text().count("Content-Security-Policy") == 0  # the built page stays as it is


def test_page_comes_after_what_it_names(built: Path) -> None:
    assert list(page_files(built, KEYS)) == ["assets/index-new.js", "icon.svg", "config.json", "index.html"]


def test_files_have_their_types_and_only_named_ones_are_kept_by_browsers(built: Path, s3: Any) -> None:
    upload(s3, CloudFront(s3), KEYS, page_files(built, KEYS))
    stored = {path: s3.head_object(Bucket=BUCKET, Key=path) for path in page_files(built, KEYS)}
    assert {path: (head["ContentType"], head["CacheControl"]) for path, head in stored.items()} == {
        "assets/index-new.js": ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        "icon.svg": ("image/svg+xml", "no-cache"),
        "config.json": ("application/json", "no-cache"),
        "index.html": ("text/html; charset=utf-8", "no-cache"),
    }


def test_old_assets_are_deleted_after_the_invalidation_is_requested(built: Path, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="assets/index-old.js", Body=b"1")
    cloudfront = CloudFront(s3)
    assert upload(s3, cloudfront, KEYS, page_files(built, KEYS)) == ["assets/index-old.js"]
    [(distribution, paths, keys)] = cloudfront.calls
    assert (distribution, paths) == ("E1", ["/*"])
    assert {"assets/index-old.js", "assets/index-new.js", "index.html"} <= set(keys)
    left = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert left == {"assets/index-new.js", "icon.svg", "config.json", "index.html"}
    assert upload(s3, cloudfront, KEYS, page_files(built, KEYS)) == []


def test_page_that_is_not_built_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make web"):
        page_files(tmp_path, KEYS)


def test_stack_without_a_page_is_refused_with_the_parameter() -> None:
    class CloudFormation:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:
            return {"Stacks": [{"Outputs": [{"OutputKey": "ApiUrl", "OutputValue": "https://x"}]}]}

    with pytest.raises(SystemExit, match="Page=enabled"):
        PageStack.describe(CloudFormation(), "lab")


def test_outputs_and_parameters_of_the_stack_are_read() -> None:
    class CloudFormation:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:
            outputs = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]
            parameters = [{"ParameterKey": "Authorization", "ParameterValue": "api-key"}]
            return {"Stacks": [{"Outputs": outputs, "Parameters": parameters}]}

    assert PageStack.describe(CloudFormation(), "lab") == PageStack(OUTPUTS, {"Authorization": "api-key"})
