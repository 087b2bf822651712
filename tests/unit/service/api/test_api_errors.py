"""Every error is answered in one shape, without the names of our buckets."""

from __future__ import annotations

import json

import pytest

from anemonefish import errors
from anemonefish.errors import InvalidRequest, NotAllowed, StorageError, error_classes
from anemonefish.service.api.faults import public_words
from tests.fakes.api_requests import answer_to


@pytest.mark.parametrize("name", sorted(error_classes()))
def test_every_error_class_has_its_status_and_name(name: str) -> None:
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
def test_unexpected_error_is_500_without_details(error: Exception) -> None:
    status, body, _ = answer_to(error)
    assert (status, body["error"], body["request_id"]) == (500, "InternalError", "r-1")
    assert "secret" not in json.dumps(body)
    assert "report the request_id" in body["message"]


@pytest.mark.parametrize("content", ["text/plain", "application/xml", "text/csv", "image/png"])
def test_other_content_type_is_415(content: str) -> None:
    status, body, _ = answer_to(path="/numbers", headers={"content-type": content}, body="a=1")
    assert (status, body["error"]) == (415, "UnsupportedMediaType")
    assert "application/json" in body["message"]


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}])
@pytest.mark.parametrize("sent", ["{", "a=1", "\0", "[1", "{'a': 1}"])
def test_body_that_is_no_json_is_400(headers: dict[str, str], sent: str) -> None:
    status, body, _ = answer_to(path="/numbers", headers=headers, body=sent)
    assert (status, body["error"]) == (400, "InvalidRequest")
    assert "JSON" in body["message"]


def test_message_in_any_language_is_sent_unchanged() -> None:
    assert answer_to(InvalidRequest("Größe ☃ 🐠"))[1]["message"] == "Größe ☃ 🐠"


def test_message_has_three_errors_and_details_have_twenty() -> None:
    status, body, _ = answer_to(path="/numbers", body=json.dumps({"numbers": ["x"] * 50}))
    assert (status, body["error"], len(body["details"])) == (400, "InvalidRequest", 20)
    assert body["message"].count("body.numbers.") == 3
    assert body["details"][7]["field"] == "body.numbers.7"
    assert set(body["details"][0]) == {"field", "message"}


def test_path_that_does_not_match_its_pattern_is_404() -> None:
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
def test_other_method_is_405_with_the_allowed_ones(method: str, path: str, status: int, allowed: str | None) -> None:
    found, body, headers = answer_to(httpMethod=method, path=path)
    assert (found, headers.get("allow")) == (status, allowed)
    assert body["error"] == ("MethodNotAllowed" if allowed else "RouteNotFound")


def test_request_without_an_id_is_answered() -> None:
    status, body, _ = answer_to(NotAllowed("no"), requestContext={})
    assert (status, body["request_id"]) == (403, "")


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
def test_message_does_not_name_our_buckets(buckets: None, message: str, public: str) -> None:
    assert public_words(message) == public
    assert answer_to(InvalidRequest(message))[1]["message"] == public


def test_message_is_unchanged_without_bucket_variables() -> None:
    assert public_words("s3://bucket/a.wav") == "s3://bucket/a.wav"


def test_storage_error_has_a_retry_after_header() -> None:
    status, _, headers = answer_to(StorageError("the table: AWS answered Throttling"))
    assert (status, headers["retry-after"]) == (503, "2")
    assert errors.StorageError.retryable
