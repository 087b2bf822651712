"""Links are signed for the bucket's host in its region, wherever the stack runs; every other client is regional too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from anemonefish.cloud.clients import OBJECT_BYTES, client
from anemonefish.cloud.s3_links import LINK_SECONDS, Transfers
from anemonefish.service.api.result_routes import MOST_FILES

PACKAGE = Path(__file__).parents[3] / "layers/anemonefish/src/anemonefish"
BUCKET = "anemonefish-dev-inputbucket-1a2b3c"
KEY = "uploads/lab/u-1/Riff südlich +1 %20.wav"
REGIONS = {
    "us-east-1": "amazonaws.com",
    "eu-central-1": "amazonaws.com",
    "ap-southeast-2": "amazonaws.com",
    "af-south-1": "amazonaws.com",  # has to be enabled in an account
    "eu-south-2": "amazonaws.com",
    "us-gov-west-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "xy-reef-7": "amazonaws.com",  # one that botocore does not know yet
}
LINKS = ("put", "put with a hash", "part", "get")


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREEF")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client.cache_clear()
    yield
    client.cache_clear()


def _link(kind: str, bucket: str = BUCKET) -> str:
    transfers = Transfers(bucket)
    match kind:
        case "put":
            return transfers.put_link(KEY, 5, None)[0]
        case "put with a hash":
            return transfers.put_link(KEY, 5, "ab" * 32)[0]
        case "part":
            return transfers.part_link(KEY, "upload-1", 2, 5)
        case _:
            return transfers.get_link("jobs/lab/e-1/results/a.csv", "a.csv", "text/csv")


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("region", REGIONS)
def test_link_names_the_buckets_host_in_its_region(monkeypatch: pytest.MonkeyPatch, region: str, kind: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    url = urlsplit(_link(kind))
    assert (url.scheme, url.netloc) == ("https", f"{BUCKET}.s3.{region}.{REGIONS[region]}")
    query = parse_qs(url.query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Credential"][0].split("/")[2:] == [region, "s3", "aws4_request"]
    assert query["X-Amz-Expires"] == [str(LINK_SECONDS)]


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("region", REGIONS)
def test_bucket_with_dots_is_a_path_at_the_regional_host(
    monkeypatch: pytest.MonkeyPatch, region: str, kind: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)  # no certificate of AWS's fits such a bucket's host
    url = urlsplit(_link(kind, "reef.with.dots"))
    assert url.netloc == f"s3.{region}.{REGIONS[region]}"
    assert url.path.startswith("/reef.with.dots/")


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "host.docker.internal:4566"])
def test_link_to_a_local_aws_is_a_path_at_its_address(
    monkeypatch: pytest.MonkeyPatch, host: str, variable: str, kind: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv(variable, f"http://{host}")
    url = urlsplit(_link(kind))
    assert (url.scheme, url.netloc) == ("http", host)
    assert url.path.startswith(f"/{BUCKET}/")


def test_empty_endpoint_means_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")  # as template.yaml sets it
    assert urlsplit(_link("get")).netloc == f"{BUCKET}.s3.eu-central-1.amazonaws.com"


def test_links_are_made_in_one_place() -> None:
    signing = [path for path in PACKAGE.rglob("*.py") if re.search(r"generate_presigned_\w+\(", path.read_text())]
    assert [path.name for path in signing] == ["s3_links.py"]


@pytest.mark.parametrize("region", REGIONS)
def test_every_client_calls_its_own_region(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    services = set(re.findall(r"\bclient\(\"(\w+)\"\)", code))
    assert {"s3", "dynamodb", "stepfunctions", "sns", "sqs"} <= services
    for service in services:
        assert region in urlsplit(client(service).meta.endpoint_url).netloc.split("."), service
    assert region in urlsplit(client("s3", OBJECT_BYTES).meta.endpoint_url).netloc.split(".")


def test_page_of_files_with_the_longest_links_fits_an_answer_of_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "A+/=" * 500)  # a role's token has more than 1 kB
    name = f"{'海' * 80}.events.json"  # 255 bytes, the longest name of a file
    folder = f"jobs/lab/e-1/results/{'海' * 200}"  # with it, a key has about 1,024 bytes, the most of S3
    key = f"{folder}/{name}"
    assert 850 < len(key.encode()) <= 1_024
    entry = {"name": key, "url": Transfers(BUCKET).get_link(key, name, "application/json"), "size": 10**12}
    assert MOST_FILES * len(json.dumps(entry)) < 6_000_000
