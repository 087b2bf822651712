"""Who is calling, and how an error is answered to whoever it is."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from anemonefish import errors
from anemonefish.errors import InvalidRequest, NotAllowed, StorageError, error_classes
from anemonefish.jobs.job import Job
from anemonefish.service.api.caller import OPEN_TENANT, tenant_of
from anemonefish.service.api.faults import install, public_words
from anemonefish.stores.folder import LocalStore

SUB = "93d4c8a2-1061-70ab-c0a9-0a1b2c3d4e5f"


def an_event(authorizer: Any = None, **identity: Any) -> dict[str, Any]:
    """Return a request as API Gateway hands it over."""
    known = {"apiKey": None, "apiKeyId": None, "user": None, "userArn": None, "caller": None, "sourceIp": "192.0.2.1"}
    context: dict[str, Any] = {"requestId": "r-1", "identity": known | identity}
    if authorizer is not None:
        context["authorizer"] = authorizer
    return {
        "httpMethod": "POST",
        "path": "/uploads",
        "resource": "/{proxy+}",
        "headers": {},
        "queryStringParameters": None,
        "requestContext": context,
        "body": None,
        "isBase64Encoded": False,
    }


# --- who ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "tenant"),
    [
        (an_event(apiKey="secret", apiKeyId="a1b2c3d4e5"), "a1b2c3d4e5"),
        (an_event({"claims": {"sub": SUB, "email": "a@lab.org"}}), SUB),
        (an_event(user="AIDACKCEVSQ6C2EXAMPLE", userArn="arn:aws:iam::1:user/a"), "AIDACKCEVSQ6C2EXAMPLE"),
        (an_event(user="AROAEXAMPLE:session", userArn="arn:aws:sts::1:assumed-role/r/session"), "AROAEXAMPLE"),
    ],
    ids=["api-key", "cognito", "iam user", "iam role"],
)
def test_the_tenant_is_who_the_gateway_has_checked(event: dict[str, Any], tenant: str) -> None:
    assert tenant_of(event) == tenant


def test_the_name_of_a_session_makes_no_other_tenant() -> None:
    first, second = (tenant_of(an_event(user=f"AROAEXAMPLE:{session}")) for session in ("monday", "AROAOTHER"))
    assert first == second == "AROAEXAMPLE"


@pytest.mark.parametrize(
    ("event", "tenant"),
    [
        (an_event({"claims": {"sub": SUB}}, user="AIDAX", apiKeyId="a1"), SUB),
        (an_event({"claims": {}}, user="AIDAX", apiKeyId="a1"), "AIDAX"),
        (an_event({"principalId": "other"}, apiKeyId="a1"), "a1"),
        (an_event({"claims": None}, apiKeyId="a1"), "a1"),
        (an_event({"claims": {"sub": ""}}, user="", apiKeyId="a1"), "a1"),
    ],
)
def test_the_user_goes_before_the_key(event: dict[str, Any], tenant: str) -> None:
    assert tenant_of(event) == tenant


NOBODY: list[Any] = [
    {},
    {"requestContext": None},
    {"requestContext": {}},
    {"requestContext": {"identity": None, "authorizer": None}},
    an_event(),
    an_event({}),
    an_event({"claims": {}}),
    an_event({"claims": {"sub": ""}}),
    an_event({"claims": {"email": "a@lab.org", "cognito:username": "a"}}),
    an_event({"principalId": "lab", "sub": "lab"}),
    an_event(apiKey="a value that was not looked up"),
    an_event(user=":session"),
    an_event(caller="AIDAX", userArn="arn:aws:iam::1:user/a", accountId="1", cognitoIdentityId="eu:1"),
]


@pytest.mark.parametrize("event", NOBODY)
def test_nobody_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="x-api-key") as caught:
        tenant_of(event)
    assert caught.value.status == 403


@pytest.mark.parametrize("event", NOBODY)
def test_an_open_tenant_is_everybody_whom_no_gateway_has_checked(
    event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPEN_TENANT, "local")
    assert tenant_of(event) == "local"
    assert tenant_of(an_event(apiKeyId="a1")) == "a1"


def test_an_open_tenant_without_a_name_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPEN_TENANT, "")
    with pytest.raises(NotAllowed):
        tenant_of(an_event())


HINTS = {
    "body": json.dumps({"tenant": "other", "owner": "other", "apiKeyId": "other", "sub": "other"}),
    "headers": {
        "tenant": "other",
        "x-tenant": "other",
        "x-api-key": "other",
        "x-amzn-oidc-identity": "other",
        "authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvdGhlciJ9.",
    },
    "multiValueHeaders": {"x-tenant": ["other"], "x-api-key": ["other"]},
    "queryStringParameters": {"tenant": "other", "owner": "other", "sub": "other"},
    "pathParameters": {"tenant": "other", "proxy": "other"},
    "stageVariables": {"tenant": "other"},
    "identity": {"apiKeyId": "other", "user": "other"},
    "authorizer": {"claims": {"sub": "other"}},
}


def test_a_tenant_that_a_request_names_is_not_heard() -> None:
    assert tenant_of(an_event(apiKeyId="a1") | HINTS) == "a1"
    assert tenant_of(an_event({"claims": {"sub": SUB}}) | HINTS) == SUB
    with pytest.raises(NotAllowed):
        tenant_of(an_event() | HINTS)


@pytest.mark.parametrize(
    ("found", "tenant"),
    [
        ("a/../b", "a----b"),
        ("jobs/other", "jobs-other"),
        ("a b\n\0é", "a-b---"),
        ("x" * 65, "x" * 64),
        (12345, "12345"),
    ],
)
def test_a_tenant_is_no_path(found: object, tenant: str) -> None:
    assert tenant_of(an_event(apiKeyId=found)) == tenant


@given(st.text(st.characters(whitelist_categories=["L", "N", "P", "S", "Zs", "Cc"]), min_size=1))
def test_whoever_it_is_his_jobs_lie_below_his_own_prefix(found: str) -> None:
    tenant = tenant_of(an_event({"claims": {"sub": "a" + found}}))
    assert Job.of_tenant(LocalStore(Path()), tenant, "e-1").work == f"jobs/{tenant}/e-1"


# --- what is answered --------------------------------------------------------------------------------------------


class Body(BaseModel):
    """A body with more faults than anybody wants to read."""

    numbers: list[int]


def answer_to(error: BaseException | None = None, **changes: Any) -> tuple[int, Any, dict[str, str]]:
    """Answer a request with an application whose route raises; return status, body and headers."""
    app = APIGatewayRestResolver(enable_validation=True)
    install(app, Logger(service="faults", level=logging.CRITICAL))

    @app.post("/raise")
    def route() -> dict[str, str]:
        if error is not None:
            raise error
        return {}

    @app.post("/numbers")
    def numbers(body: Body) -> dict[str, str]:
        return {}

    @app.get("/numbers/<number>")
    def number(number: int) -> dict[str, str]:
        return {}

    event = an_event(apiKeyId="a1") | {"path": "/raise", "headers": {"content-type": "application/json"}} | changes
    event["multiValueHeaders"] = {name: [value] for name, value in event["headers"].items()}
    answer = app.resolve(event, None)  # type: ignore[arg-type]
    headers = {name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()}
    return answer["statusCode"], json.loads(answer["body"]), headers


@pytest.mark.parametrize("name", sorted(error_classes()))
def test_every_error_of_the_tree_has_its_answer(name: str) -> None:
    error = error_classes()[name]("a.wav: this is wrong; mend it")
    status, body, headers = answer_to(error)
    assert (status, body["error"], body["request_id"]) == (error.status, name, "r-1")
    assert set(body) == {"error", "message", "request_id"}
    assert headers["content-type"] == "application/json"
    if status < 500:
        assert body["message"] == "a.wav: this is wrong; mend it"
    else:
        assert "a.wav" not in body["message"]
        assert "again" in body["message"]
    assert headers.get("retry-after") == {"StorageError": "2", "TooManyJobs": "30"}.get(name)


@pytest.mark.parametrize(
    "error", [KeyError("secret"), RuntimeError("s3://secret"), ZeroDivisionError(), ValueError("x")]
)
def test_what_nobody_foresaw_is_our_fault_and_tells_nothing(error: Exception) -> None:
    status, body, _ = answer_to(error)
    assert (status, body["error"], body["request_id"]) == (500, "InternalError", "r-1")
    assert "secret" not in json.dumps(body)
    assert "tell us the request_id" in body["message"]


@pytest.mark.parametrize("content", ["text/plain", "application/xml", "text/csv", "image/png"])
def test_another_content_type_is_named(content: str) -> None:
    status, body, _ = answer_to(path="/numbers", headers={"content-type": content}, body="a=1")
    assert (status, body["error"]) == (415, "UnsupportedMediaType")
    assert "application/json" in body["message"]


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}])
@pytest.mark.parametrize("sent", ["{", "a=1", "\0", "[1", "{'a': 1}"])
def test_a_body_that_is_no_json_is_a_fault_of_the_request(headers: dict[str, str], sent: str) -> None:
    status, body, _ = answer_to(path="/numbers", headers=headers, body=sent)
    assert (status, body["error"]) == (400, "InvalidRequest")
    assert "JSON" in body["message"]


def test_words_in_any_language_go_out_as_they_are() -> None:
    assert answer_to(InvalidRequest("Größe ☃ 🐠"))[1]["message"] == "Größe ☃ 🐠"


def test_of_many_faults_three_are_in_the_message_and_twenty_in_the_details() -> None:
    status, body, _ = answer_to(path="/numbers", body=json.dumps({"numbers": ["x"] * 50}))
    assert (status, body["error"], len(body["details"])) == (400, "InvalidRequest", 20)
    assert body["message"].count("body.numbers.") == 3
    assert body["details"][7]["field"] == "body.numbers.7"
    assert set(body["details"][0]) == {"field", "message"}


def test_a_path_that_does_not_fit_is_not_there() -> None:
    status, body, _ = answer_to(path="/numbers/seven", httpMethod="GET")
    assert (status, body["error"]) == (404, "RouteNotFound")
    assert "details" not in body


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/raise", 405, "POST"),
        ("DELETE", "/numbers", 405, "POST"),
        ("POST", "/numbers/7", 405, "GET"),
        ("PATCH", "/numbers/7", 405, "GET"),
    ],
)
def test_another_method_is_told_which_there_are(method: str, path: str, status: int, allowed: str | None) -> None:
    found, body, headers = answer_to(httpMethod=method, path=path)
    assert (found, headers.get("allow")) == (status, allowed)
    assert body["error"] == ("MethodNotAllowed" if allowed else "RouteNotFound")


def test_a_request_without_an_id_is_answered_all_the_same() -> None:
    status, body, _ = answer_to(NotAllowed("no"), requestContext={})
    assert (status, body["request_id"]) == (403, "")


# --- names of ours -----------------------------------------------------------------------------------------------


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INPUT", "OUTPUT", "MODELS"):
        monkeypatch.setenv(f"ANEMONEFISH_{name}_BUCKET", f"stack-{name.lower()}-1a2b")


@pytest.mark.parametrize(
    ("message", "public"),
    [
        ("s3://stack-input-1a2b/uploads/lab/a.wav: cut off", "uploads/lab/a.wav: cut off"),
        ("there is no 'nemo' in s3://stack-models-1a2b; publish it", "there is no 'nemo' in this service; publish it"),
        ("from s3://stack-input-1a2b/a to s3://stack-output-1a2b/b", "from a to b"),
        ("s3://their-bucket/a.wav: not ours", "s3://their-bucket/a.wav: not ours"),
        ("threshold must be below 1", "threshold must be below 1"),
        ("", ""),
    ],
)
def test_a_message_does_not_name_our_buckets(buckets: None, message: str, public: str) -> None:
    assert public_words(message) == public
    assert answer_to(InvalidRequest(message))[1]["message"] == public


def test_without_buckets_words_stay_as_they_are() -> None:
    assert public_words("s3://bucket/a.wav") == "s3://bucket/a.wav"


def test_what_is_worth_another_try_says_so() -> None:
    status, _, headers = answer_to(StorageError("the table: AWS answered Throttling"))
    assert (status, headers["retry-after"]) == (503, "2")
    assert errors.StorageError.retryable
