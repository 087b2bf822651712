"""Requests as API Gateway sends them, and a small application that answers them."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import BaseModel

from anemonefish.service.api.faults import install


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


class Body(BaseModel):
    """A body with more faults than anybody wants to read."""

    numbers: list[int]


def answer_to(error: BaseException | None = None, **changes: Any) -> tuple[int, Any, dict[str, str]]:
    """Answer a request with an application whose route raises; return status, body and headers."""
    app = APIGatewayRestResolver(enable_validation=True)
    install(app)

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
