"""The tenant is the caller that the gateway has identified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import NotAllowed
from anemonefish.jobs.job import Job
from anemonefish.service.api.caller import OPEN_TENANT, tenant_of
from anemonefish.stores.folder import LocalStore
from tests.fakes.api_requests import an_event

SUB = "93d4c8a2-1061-70ab-c0a9-0a1b2c3d4e5f"


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
def test_tenant_is_the_caller_that_the_gateway_identified(event: dict[str, Any], tenant: str) -> None:
    assert tenant_of(event) == tenant


def test_session_name_does_not_change_the_tenant() -> None:
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
def test_user_takes_precedence_over_the_key(event: dict[str, Any], tenant: str) -> None:
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
def test_request_without_identity_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="x-api-key") as caught:
        tenant_of(event)
    assert caught.value.status == 403


@pytest.mark.parametrize("event", NOBODY)
def test_open_tenant_is_used_without_an_identity(event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPEN_TENANT, "local")
    assert tenant_of(event) == "local"
    assert tenant_of(an_event(apiKeyId="a1")) == "a1"


def test_empty_open_tenant_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_tenant_named_by_the_request_is_ignored() -> None:
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
def test_tenant_contains_no_path_characters(found: object, tenant: str) -> None:
    assert tenant_of(an_event(apiKeyId=found)) == tenant


@given(st.text(st.characters(whitelist_categories=["L", "N", "P", "S", "Zs", "Cc"]), min_size=1))
def test_jobs_of_every_tenant_lie_below_its_own_prefix(found: str) -> None:
    tenant = tenant_of(an_event({"claims": {"sub": "a" + found}}))
    assert Job.of_tenant(LocalStore(Path()), tenant, "e-1").work == f"jobs/{tenant}/e-1"
