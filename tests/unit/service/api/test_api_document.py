"""docs/api.md against the API: every request it shows, every status, error, limit, route, field and header it names.

The page is the only place where these are written down. Requests are run in order through the handler of the function,
over S3, DynamoDB and Step Functions in this process (moto); numbers stand in tables, and each row is tried at its value
and one beyond.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import numpy as np
import pytest
import soundfile
import yaml
from moto import mock_aws

from anemonefish.errors import AnemonefishError, RemoteError, error_classes
from anemonefish.jobs.score_calibration import write_score_calibration
from anemonefish.models.repository import ready_model
from anemonefish.service import excerpts, verdict_records
from anemonefish.service.api import app
from anemonefish.service.api import predict_routes as routes
from anemonefish.service.api import result_routes as results
from anemonefish.service.api.documents import openapi_document
from anemonefish.service.api.lab import SETTINGS
from anemonefish.service.api.schemas import clip_schemas
from anemonefish.service.api.services import services
from anemonefish.service.execution_end import end_execution
from anemonefish.service.executions import MOST_QUOTED_AT_START, QUOTE_SECONDS
from anemonefish.service.review_draw import DRAW_SECONDS, MOST_STRETCHES
from anemonefish.settings import Settings
from anemonefish.workflow import predict
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.review import MOST_CLIPS
from anemonefish.workflow.score import score_range
from tests.reference_models import DEFAULT
from tests.score_calibrations import calibration_of

REPOSITORY = Path(__file__).parents[4]
PAGE = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
CODE = re.compile(r"^    .*$", re.MULTILINE)
REQUEST = re.compile(
    r"^    (GET|POST|PUT|DELETE) (/\S*)(?: (form .*?|\{.*\}))?\s{2,}(\d{3})((?: [\w-]+)*)$", re.MULTILINE
)
CONTEXT = SimpleNamespace(
    function_name="api", memory_limit_in_mb=1769, invoked_function_arn="arn:aws:lambda:eu-1:1:f", aws_request_id="r"
)
GATEWAYS = {"TooManyRequests": 429, "InternalError": 500, "ServiceBusy": 503}
"""Errors that no class of ours is: the gateway's, and whatever nobody foresaw."""


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading of the page, or with these names of its columns."""
    _, _, rest = PAGE.partition(heading)
    rows = re.search(r"\|---.*\n((?:\|.*\n)+)", rest)
    assert rows is not None, heading
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1].splitlines()]


def code(text: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


# --- an account --------------------------------------------------------------------------------------------------


class _Template(yaml.SafeLoader):
    """Reads a template of CloudFormation: its tags mean nothing here."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: None)


def a_wav(seconds: float = 3.0, rate: int = 48_000) -> bytes:
    file = BytesIO()
    sound = np.random.default_rng(1).uniform(-0.1, 0.1, int(seconds * rate))
    soundfile.write(file, sound, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


@dataclass
class World:
    """The API of an account, as one tenant sees it."""

    clip: bytes
    names: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes = b"", content_type: str = "", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request as API Gateway hands it over; return status, body and headers."""
        url = urlsplit(path)
        query = parse_qs(url.query, keep_blank_values=True)
        form = content_type.startswith("multipart")
        sent = {**({"content-type": content_type} if content_type else {}), **headers}
        event = {
            "httpMethod": method,
            "path": url.path,
            "resource": "/{proxy+}",
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "requestContext": {"requestId": "r-1", "identity": {"apiKeyId": "lab"}, "path": f"/v1{url.path}"},
            "body": (base64.b64encode(body).decode() if form else body.decode()) or None,
            "isBase64Encoded": form,
        }
        answer = app.handler(event, CONTEXT)
        found = {name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()}
        text = answer["body"] or ""
        return answer["statusCode"], json.loads(text) if text.startswith("{") else text, found

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        content = b"" if body is None else json.dumps(body).encode()
        return self.ask(method, path, content, "application/json", **headers)

    def form(self, path: str, **parts: bytes) -> tuple[int, Any, dict[str, str]]:
        body = b"".join(
            b"--x\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n" % (name.encode(), content)
            for name, content in parts.items()
        )
        return self.ask("POST", path, body + b"--x--\r\n", "multipart/form-data; boundary=x")

    def upload(self, content: bytes | None = None, **more: Any) -> str:
        """Begin an upload, and complete it where there are bytes."""
        size = {"size": len(content)} if content is not None else {"size": 10}
        _, answer, _ = self.json("POST", "/uploads", {"filename": "20230210_000001.wav", **size, **more})
        if content is not None:
            key = f"uploads/lab/{answer['id']}/{answer['filename']}"
            boto3.client("s3").put_object(Bucket="reef-input", Key=key, Body=content)
            assert self.json("POST", f"/uploads/{answer['id']}/complete")[0] == 200
        return str(answer["id"])

    def finish(self, identifier: str) -> None:
        """Let an execution succeed: what the workflow's functions do, called here."""
        made, models = services().executions, services().models
        execution = made.get("lab", identifier)
        job = made.job(execution)
        request = job.read_request()
        plan = plan_job(request.recordings, request.model, Settings.load(request.settings, {}), models, job)
        job.write_plan(plan)
        model = ready_model(services().models_uri, plan.model)
        for task in plan.tasks():
            score_range(job, task, model)
        report_and_aggregate(job, models)
        assert end_execution(made._table, execution.name, "SUCCEEDED", None)

    def archive(self, identifier: str) -> None:
        """Move the reports of an execution to the archive, as a lifecycle rule does."""
        s3 = boto3.client("s3")
        for item in s3.list_objects_v2(Bucket="reef-output", Prefix=f"jobs/lab/{identifier}/results/")["Contents"]:
            body = s3.get_object(Bucket="reef-output", Key=item["Key"])["Body"].read()
            s3.put_object(Bucket="reef-output", Key=item["Key"], Body=body, StorageClass="DEEP_ARCHIVE")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, models_uri: str) -> Iterator[World]:
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
        "ANEMONEFISH_INPUT_BUCKET": "reef-input", "ANEMONEFISH_OUTPUT_BUCKET": "reef-output",
        "ANEMONEFISH_MODELS_BUCKET": "reef-models", "ANEMONEFISH_RECORD_TABLE": "records",
        "ANEMONEFISH_WEBHOOK_QUEUE": "https://queue",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3, region = boto3.client("s3"), {"LocationConstraint": "eu-central-1"}
        for bucket in ("reef-input", "reef-output", "reef-models"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
        s3.put_bucket_versioning(Bucket="reef-input", VersioningConfiguration={"Status": "Enabled"})
        for path in Path(models_uri).rglob("*"):
            if path.is_file():
                s3.upload_file(str(path), "reef-models", path.relative_to(models_uri).as_posix())
        template = yaml.load((REPOSITORY / "template.yaml").read_text(encoding="utf-8"), _Template)
        records = template["Resources"]["RecordTable"]["Properties"]
        wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        boto3.client("dynamodb").create_table(TableName="records", **{name: records[name] for name in wanted})
        machine = boto3.client("stepfunctions").create_state_machine(
            name="analyze",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": true}}}',
            roleArn="arn:aws:iam::123456789012:role/analyze",
        )
        monkeypatch.setenv("ANEMONEFISH_STATE_MACHINE", machine["stateMachineArn"])
        services.cache_clear()
        yield World(a_wav())
    services.cache_clear()


# --- requests ----------------------------------------------------------------------------------------------------


def test_requests_of_the_page_have_the_documented_answers(world: World) -> None:
    """In the order of the page: a decision is made before its files are asked for, an execution is stopped last."""
    upload = world.upload(world.clip)
    names = world.names = {
        "upload": upload,
        "open": world.upload(),
        "large": world.upload(size=5 << 30),
        "clip in base64": base64.b64encode(world.clip).decode(),
        "no_upload": "u-" + "a" * 26,
        "no_execution": "e-" + "a" * 26,
        "no_decision": "d-" + "0" * 16,
    }
    for name in ("execution", "running", "archived"):
        names[name] = world.json("POST", "/executions", {"recordings": [upload]})[1]["id"]
    for name in ("execution", "archived"):
        world.finish(names[name])
    world.archive(names["archived"])
    requests = REQUEST.findall(PAGE)
    assert len(requests) > 60
    wrong, seen = [], set()
    for method, path, body, status, rest in requests:
        answer = _send(world, method, path, body)
        if path.endswith("/decisions?recording=0"):
            names["decision"] = answer[1]["decision"]
        words = rest.split()
        said = (int(status), [word for word in words if word in error_classes()])
        found = (answer[0], [answer[1]["error"]] if answer[0] >= 400 else [])
        missing = [word for word in words if word not in error_classes() and word.lower() not in answer[2]]
        seen |= set(words)
        if said != found or missing:
            wrong.append((method, path, body[:60], status, rest, answer))
    assert wrong == []
    assert {"Location", "Retry-After"} <= seen


def test_results_name_the_settings_that_decided_also_those_of_the_model(world: World) -> None:
    upload = world.upload(world.clip)
    execution = world.json("POST", "/executions", {"recordings": [upload], "settings": {"median_windows": 3}})[1]["id"]
    world.finish(execution)
    path = f"/executions/{execution}"
    whole, short = (world.json("GET", f"{path}/results{query}")[1] for query in ("", "?predictions=false"))
    decided = world.json("POST", f"{path}/decisions", {"threshold": 0.7, "min_gap_seconds": 2})[1]
    assert (len(short["predictions"]), short["predictions_url"]) == (0, None)
    assert len(whole["predictions"]) == whole["metadata"]["num_predictions"]
    assert short["settings"] == whole["settings"]
    own = DEFAULT.decision
    assert own.threshold == whole["metadata"]["confidence_threshold"]
    assert whole["settings"] == {
        **own.to_dict(),
        "target_class": whole["metadata"]["target_class"],
        "median_windows": 3,
        "full_scale_db": None,
    }
    assert decided["settings"] == whole["settings"] | {"threshold": 0.7, "min_gap_seconds": 2}


def test_every_request_line_of_the_page_is_run() -> None:
    lines = [line for line in CODE.findall(PAGE) if re.match(r"    (GET|POST|DELETE|HEAD|PUT|OPTIONS) ", line)]
    others = [line for line in lines if REQUEST.match(line) is None]
    assert [line for line in others if "(S3, not the API)" not in line] == []


def _send(world: World, method: str, path: str, body: str) -> tuple[int, Any, dict[str, str]]:
    path = _filled(path, world.names)
    if not body.startswith("form "):
        return world.json(method, path, json.loads(_filled(body, world.names)) if body else None)
    parts = dict(re.findall(r"(\w+)=(\{clip\}|\{clip in base64\}|\{.*|\S+)", body.removeprefix("form ")))
    contents = {"{clip}": world.clip}
    return world.form(
        path, **{name: contents.get(value) or _filled(value, world.names).encode() for name, value in parts.items()}
    )


def _filled(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


# --- limits ------------------------------------------------------------------------------------------------------

Outcome = tuple[int, str]
Probe = Callable[[World, int], tuple[bool, Outcome | None]]
"""Tries a limit: whether its value is taken, and how one more is refused (None where it is not refused)."""


def outcome(answer: tuple[int, Any, dict[str, str]]) -> Outcome:
    return answer[0], answer[1]["error"] if answer[0] >= 400 else ""


def at_and_beyond(send: Callable[[World, int], tuple[int, Any, dict[str, str]]]) -> Probe:
    """Return a probe that sends the value, which must not be refused as one more is, and one more."""

    def probe(world: World, value: int) -> tuple[bool, Outcome | None]:
        inside, beyond = outcome(send(world, value)), outcome(send(world, value + 1))
        return inside != beyond, beyond

    return probe


def constant(value: float) -> Probe:
    """Return a probe that compares with the constant of the code; tests of the code try it."""
    return lambda _, said: (said == value, None)


def _file_name(world: World, length: int) -> tuple[int, Any, dict[str, str]]:
    return world.json("POST", "/uploads", {"filename": "a" * (length - 4) + ".wav", "size": 1})


def _single(world: World, value: int) -> tuple[bool, Outcome | None]:
    one, more = (world.json("POST", "/uploads", {"filename": "a.wav", "size": size})[1] for size in (value, value + 1))
    return one["put"] is not None and one["multipart"] is None and more["put"] is None, None


def _multipart(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.json("POST", "/uploads", {"filename": "a.wav", "size": 5 << 30})[1]["multipart"]
    return found


def _expiry(world: World, value: int) -> tuple[bool, Outcome | None]:
    upload = world.json("POST", "/uploads", {"filename": "a.wav", "size": 1})[1]
    begin, end = (datetime.fromisoformat(upload[name]) for name in ("created_at", "expires_at"))
    return (end - begin).total_seconds() == value, None


def _link(world: World, value: int) -> tuple[bool, Outcome | None]:
    upload = world.json("POST", "/uploads", {"filename": "a.wav", "size": 1})[1]
    links = [upload["put"]["url"], _multipart(world)["parts"][0]["url"]]
    return all(parse_qs(urlsplit(link).query)["X-Amz-Expires"] == [str(value)] for link in links), None


def _named_parts(world: World, count: int) -> tuple[int, Any, dict[str, str]]:
    parts = [{"number": 1, "etag": "a"}] * count
    return world.json("POST", f"/uploads/{world.upload()}/complete", {"parts": parts})


def _recordings(world: World, count: int) -> tuple[int, Any, dict[str, str]]:
    return world.json("POST", "/executions", {"recordings": ["u-" + "a" * 26] * count})


def _page(world: World, limit: int) -> tuple[int, Any, dict[str, str]]:
    first, second = (world.json("GET", f"{path}?limit={limit}") for path in ("/executions", "/uploads"))
    assert outcome(first) == outcome(second)
    return second


def _key(world: World, length: int) -> tuple[int, Any, dict[str, str]]:
    body = {"recordings": ["u-" + "a" * 26]}
    return world.json("POST", "/executions", body, **{"Idempotency-Key": "k" * length})


def _verdicts(world: World, reviewer: str, count: int) -> tuple[int, Any, dict[str, str]]:
    verdict = {"recording": 0, "start_sample": 0, "stop_sample": 1, "class": "anemonefish", "verdict": "no"}
    body = {"reviewer": reviewer, "verdicts": [verdict] * count}
    return world.json("PUT", f"/executions/e-{'a' * 26}/verdicts", body)


def _webhook(world: World, length: int) -> tuple[int, Any, dict[str, str]]:
    url = "https://a.org/"
    return world.json("POST", "/executions", {"recordings": ["u-" + "a" * 26], "webhook": url.ljust(length, "x")})


def _clip_bytes(world: World, size: int) -> tuple[int, Any, dict[str, str]]:
    return world.form("/predict", audio_file=bytes(size))


def _config_bytes(world: World, size: int) -> tuple[int, Any, dict[str, str]]:
    return world.form("/predict", audio_file=b"RIFF", config=b"{" + b" " * (size - 2) + b"}")


def _form_parts(world: World, count: int) -> tuple[int, Any, dict[str, str]]:
    names = sorted(clip_schemas.LabConfig.model_fields)
    parts = dict.fromkeys([*names, *(f"x{number}" for number in range(count))][: count - 1], b"null")
    return world.form("/predict", audio_file=b"RIFF", **parts)


def _json_bytes(world: World, size: int) -> tuple[int, Any, dict[str, str]]:
    return world.ask("POST", f"/uploads/{world.upload()}/complete", b"{" + b" " * (size - 2) + b"}", "application/json")


def _levels(world: World, depth: int) -> tuple[int, Any, dict[str, str]]:
    """The deepest value of a body is no setting, which is said of it where its depth is not."""
    status, answer, headers = world.ask("POST", "/predict", b'{"a":' * depth + b"1" + b"}" * depth, "application/json")
    return status, {**answer, "error": answer["error"] if "levels" in answer["message"] else "none"}, headers


def _digits(world: World, length: int) -> tuple[int, Any, dict[str, str]]:
    body = b'{"recordings":[' + b"9" * length + b"]}"
    status, answer, headers = world.ask("POST", "/executions", body, "application/json")
    return status, {**answer, "error": answer["error"] if "characters" in answer["message"] else "none"}, headers


LIMITS: dict[str, Probe] = {
    "bytes of a recording": at_and_beyond(
        lambda world, size: world.json("POST", "/uploads", {"filename": "a.wav", "size": size})
    ),
    "characters of a file name": at_and_beyond(_file_name),
    "bytes of a file that is sent in one `PUT`": _single,
    "bytes of a part, unless there would be too many": lambda world, value: (
        _multipart(world)["part_size"] == value, None
    ),
    "parts on a page": lambda world, value: (len(_multipart(world)["parts"]) == value, None),
    "parts that are named in a body": at_and_beyond(_named_parts),
    "seconds to complete an upload": _expiry,
    "seconds that a link to send or to fetch holds": _link,
    "recordings of an execution": at_and_beyond(_recordings),
    "executions or uploads on a page": at_and_beyond(_page),
    "characters of an `Idempotency-Key`": at_and_beyond(_key),
    "characters of a webhook's URL": at_and_beyond(_webhook),
    "seconds that a quote looks at recordings": constant(QUOTE_SECONDS),
    "files on a page": constant(results.MOST_FILES),
    "predictions in an answer": constant(results.MOST_INLINE),
    "events of a job that get a clip": constant(MOST_CLIPS),
    "seconds between `start` and `stop`": constant(excerpts.LONGEST_SECONDS),
    "samples of all channels between them": constant(excerpts.MOST_SAMPLES),
    "seconds that a review reads scores": constant(DRAW_SECONDS),
    "stretches that a review is drawn from: three seconds each, so 20 days of recordings": constant(MOST_STRETCHES),
    "clips of a review": at_and_beyond(
        lambda world, clips: world.json("GET", f"/executions/e-{'a' * 26}/review?clips={clips}")
    ),
    "verdicts in a request": at_and_beyond(
        lambda world, count: _verdicts(world, "Ana", count)
    ),
    "verdicts of a reviewer on an execution": constant(verdict_records.MOST_VERDICTS),
    "reviewers of an execution": constant(verdict_records.MOST_REVIEWERS),
    "characters of a reviewer's name": constant(verdict_records.LONGEST_NAME),
    "bytes of a clip": at_and_beyond(_clip_bytes),
    "bytes of a clip in base64 in a form": lambda _, value: (
        f"{value / 1e6:g} MB as base64 in a form" in (REPOSITORY / "template.yaml").read_text(encoding="utf-8"), None
    ),
    "samples of all channels that a clip decodes to": constant(predict.MOST_SAMPLES),
    "windows of a clip": constant(predict.MOST_WINDOWS),
    "windows of a clip that came in base64": constant(routes.MOST_LAB_WINDOWS),
    "bytes of `config` in a form": at_and_beyond(_config_bytes),
    "parts of a form": at_and_beyond(_form_parts),
    "bytes of JSON, but for a clip": at_and_beyond(_json_bytes),
    "levels of lists and objects in JSON": at_and_beyond(_levels),
    "characters of a number in JSON": at_and_beyond(_digits),
}  # fmt: skip


def test_limits_of_the_page_are_enforced(world: World) -> None:
    rows = table("## Limits")
    assert [row[0] for row in rows] == list(LIMITS)
    wrong = []
    for name, value, said in rows:
        holds, beyond = LIMITS[name](world, int(value))
        if beyond is not None:
            holds = holds and said == f"{beyond[0]} `{beyond[1]}`"
        if not holds:
            wrong.append((name, value, said, beyond))
    assert wrong == []


def test_gateway_answer_names_the_limit_of_a_clip() -> None:
    template = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    limits = {row[0]: int(row[1]) for row in table("## Limits")}
    size = limits["bytes of a clip"]
    assert f"a clip has {size / 1e6:g} MB ({size} bytes) at most" in template


def test_quote_that_takes_too_long_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(row for row in table("## Limits") if row[0] == "seconds that a quote looks at recordings")
    upload = world.upload(world.clip)
    monkeypatch.setattr("anemonefish.service.executions.QUOTE_SECONDS", -1.0)
    status, answer, _ = world.json("POST", "/executions?dry_run=true", {"recordings": [upload]})
    assert row[2] == f"{status} `{answer['error']}`"
    assert "0 of 1 recordings were looked at" in answer["message"]
    assert "in several requests" in answer["message"]


# --- routes, errors, names ---------------------------------------------------------------------------------------


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_QUEUE", "https://queue")
    return openapi_document(app.make_app(), "/v1")


def test_routes_and_statuses_of_the_page_are_those_of_the_document(document: dict[str, Any]) -> None:
    rows = table("## Routes")
    said: dict[str, tuple[set[str], set[str]]] = {}
    for routes_, answers, errors in rows[:-2]:
        for route in code(routes_):
            said[route] = (set(answers.split()), set(errors.split()) - {"none"})
    always = set(rows[-2][2].split())
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            own = {status for status in statuses if status >= "400"} - always
            found[f"{method.upper()} {path}"] = ({status for status in statuses if status < "400"}, own)
            assert always <= statuses
    hidden = {"GET /openapi.json", "GET /docs"}
    assert {route: said[route] for route in said if route not in hidden} == found
    open_routes = set(code(rows[-3][0]))
    assert {"GET /health", *hidden} == open_routes
    assert [
        path for path, operations in document["paths"].items() if operations.get("get", {}).get("security") == []
    ] == ["/health"]


def test_routes_in_the_text_exist(document: dict[str, Any]) -> None:
    known = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}
    known |= {"GET /openapi.json", "GET /docs"}
    for text in code(PAGE):
        route = re.fullmatch(r"(GET|POST|PUT|DELETE) (/\S*)", text)
        if route is not None:
            assert text in known, text


def test_unknown_path_and_method_have_the_documented_answers(world: World) -> None:
    said = set(table("## Routes")[-1][2].split())
    found = {str(world.json(method, path)[0]) for method, path in [("GET", "/nothing"), ("PUT", "/uploads")]}
    assert found == said


def test_head_is_a_get_without_a_body(world: World) -> None:
    for path in ("/health", "/openapi.json", "/docs", "/models", "/uploads/u-x"):
        status, _, headers = world.ask("GET", path)
        assert world.ask("HEAD", path)[:2] == (status, "")
        assert world.ask("HEAD", path)[2]["content-type"] == headers["content-type"]


def test_model_says_its_decision_and_the_sites_with_a_calibration(world: World) -> None:
    models = services().models
    pinned = models.pin("reef@2.0.0")
    for site in (None, "lizard-island", "heron"):
        write_score_calibration(models, pinned, calibration_of(models, pinned, site=site))
    answer = world.json("GET", "/models/reef/2.0.0")[1]
    assert answer["decision"] == models.spec(pinned).decision.to_dict()
    assert answer["decision"]["threshold"] == 0.8
    assert answer["sites"] == ["heron", "lizard-island"]
    assert world.json("GET", "/models/reef/1.1.0")[1]["sites"] == []


def test_page_lists_every_error_with_its_status() -> None:
    rows = {code(row[0])[0]: int(row[1]) for row in table("## Errors")}
    classes = error_classes()
    parents = {base for cls in classes.values() for base in cls.__mro__[1:]}
    answered = {
        name: cls.status
        for name, cls in classes.items()
        if (cls.status < 500 or name == "StorageError") and not issubclass(cls, RemoteError)
        and cls.__module__ == AnemonefishError.__module__
        and (cls not in parents or name == "UnsupportedRecording") and cls is not AnemonefishError
    }  # fmt: skip
    assert rows == answered | GATEWAYS
    template = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    for name, status in GATEWAYS.items():
        assert f'"error":"{name}"' in template
        assert f'statusCode: "{status}"' in template or name == "InternalError"


def test_limits_of_a_key_raise_the_documented_errors() -> None:
    template = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    errors = {code(row[0])[0]: row[1] for row in table("## Errors")}
    rows = table("## What a key may spend")
    for limit, beyond in rows:
        status, name = re.search(r"(\d{3}) `(\w+)`", beyond).groups()  # type: ignore[union-attr]
        assert errors[name] == status
        for parameter in code(limit):
            assert f"\n  {parameter}:\n" in template
    assert len(re.findall(r"(\d+) to `(/\S+)`", rows[-1][1])) == 3
    for rate, path in re.findall(r"(\d+) to `(/\S+)`", rows[-1][1]):
        throttle = rf"ResourcePath: /~1{re.escape(path[1:])}, ThrottlingRateLimit: {rate},"
        assert re.search(throttle, template), path
    excerpts_of_a_key = re.search(r"(\d+) for each API key, (\d+) in a burst; (\d+) for all .*?, (\d+) in", rows[-2][1])
    assert excerpts_of_a_key is not None
    rate, burst, of_all, burst_of_all = excerpts_of_a_key.groups()
    assert f'/recordings/{{proxy+}}/GET": {{RateLimit: {rate}, BurstLimit: {burst}}}' in template
    throttle = f'{{proxy+}}", ThrottlingRateLimit: {of_all}, ThrottlingBurstLimit: {burst_of_all},'
    assert f'HttpMethod: GET, ResourcePath: "/~1executions~1{{execution}}~1recordings~1{throttle}' in template
    assert f"more than {MOST_QUOTED_AT_START} recordings" in rows[0][1]


def test_page_lists_the_labs_names_of_settings() -> None:
    assert {code(row[0])[0]: code(row[1])[0] for row in table("| the lab's name | ours |")} == SETTINGS


def test_fields_of_examples_are_in_the_document(document: dict[str, Any]) -> None:
    known = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})}
    known |= {"content-type", "if-none-match"}  # of the headers of a link
    known |= {"tenant"}  # of the notice at the end
    found = {name for line in CODE.findall(PAGE) + code(PAGE) for name in re.findall(r'"([\w-]+)"\s*[:,}]', line)}
    values = {"SUCCEEDED", "RUNNING", "OPEN", "InvalidSettings", "TruncatedRecording", "done", "clips", "pictures"}
    values |= {
        "reef",
        "anemonefish",
        "litert",
        "arm64",
        "score",
        "nemo",
        "whale",
        "raven",
        "UklG",
        "format",
        "filename",
        "url",
        "bulk",
    }
    values |= {"Ana", "yes", "no", "perhaps", "segment"}
    examples = {name for name in found if not re.fullmatch(r"[a-f0-9]{64}", name)} - values
    assert examples - known == set()
    assert len(examples) > 40


def test_names_in_backticks_are_names_of_the_api(document: dict[str, Any]) -> None:
    page = PAGE.partition("## Who is who")[0]
    prose = "\n".join(line for line in page.splitlines() if not line.startswith("    "))
    known = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})}
    text = json.dumps(document)
    known |= set(re.findall(r'"name": "([\w-]+)"', text))  # parameters
    known |= set(re.findall(r'"([\w-]+)"', text))  # values of enumerations, and the like
    known |= {segment for path in document["paths"] for segment in path.split("/")}
    known |= {*clip_schemas.AUDIO_FIELDS, *clip_schemas.ENCODED_FIELDS}
    known |= set(Settings.__dataclass_fields__) | set(error_classes()) | set(GATEWAYS)
    names = [name for name in code(prose) if re.fullmatch(r"[a-z]+(_[a-z0-9]+)*|[A-Z]\w+", name)]
    of_others = {"fetch", "name", "PUT", "GET", "DELETE", "HEAD", "OPTIONS", "Location", "Allow", "Authorization"}
    of_others |= {"yes", "no", "unsure", "train"}  # verdicts, a command
    of_others |= {"PreconditionFailed", "ConditionalRequestConflict", "ApiUrl"}  # S3's errors, an output
    of_others |= {
        "DeepArchiveDays",
        "InputExpiryDays",
        "MaxJobUsd",
        "MaxJobs",
        "MaxStoredGb",
        "RequestRate",
        "RequestBurst",
        "RequestQuota",
    }  # parameters
    assert sorted({name for name in names if name not in known} - of_others) == []
    assert len(set(names)) > 80


def test_status_codes_stand_in_request_lines_and_tables_only() -> None:
    """In lines of requests and in tables, but nowhere in the prose."""
    prose = [line for line in PAGE.splitlines() if not line.startswith(("    ", "|"))]
    found = [line for line in prose if re.search(r"(?<![\w.:/-])[2-5]\d\d(?![\w:/-])|\b[45]xx\b", line)]
    assert found == []
    limits = [
        line
        for line in prose
        if re.search(r"\b\d[\d,.]* (MB|MiB|GB|bytes|windows|characters|seconds|hours|days)\b", line)
    ]
    assert limits == []
