"""What every route says of itself in the OpenAPI document: its answers, and who may call it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import UnionType
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi import swagger_ui
from aws_lambda_powertools.event_handler.openapi.models import APIKey, HTTPBearer
from pydantic import BaseModel

from anemonefish.api.schemas import ErrorOut

__all__ = ["OPEN", "answers", "openapi_document", "readable_page", "security_schemes"]

OPEN: list[dict[str, list[str]]] = []
"""Security of a route that takes no key."""

_WITHOUT_KEY = frozenset({"/health"})

_REASONS = {
    400: "The request is wrong; the message says where",
    403: "No key, a wrong one, or nobody we know",
    404: "Nothing here by that name",
    405: "Another method",
    409: "Not in this state",
    410: "Expired",
    413: "Too large, or more than one key may spend",
    415: "Another content type",
    429: "Too many requests, or executions at once, for this key",
    500: "Our fault",
    503: "A service did not answer; try again",
}
_ALWAYS = (403, 429, 500, 503)


def answers(
    status: int, model: type[BaseModel] | UnionType | None, *errors: int, text: str = "Done", **more: Any
) -> Any:
    """Return the ``responses`` of a route: its answer and the errors it can end with."""
    empty = {"text/plain": {"schema": {"type": "string", "maxLength": 0}}}
    content = {"content": empty if model is None else {"application/json": {"model": model}}}
    documented: dict[int, Any] = {status: {"description": text, **content, **more}}
    for error in sorted({*errors, *_ALWAYS}):
        documented[error] = {
            "description": _REASONS[error],
            "content": {"application/json": {"model": ErrorOut}},
        }
    return documented


def openapi_document(app: APIGatewayRestResolver, base: str) -> dict[str, Any]:
    """Return the OpenAPI document of an application that lies at ``base``.

    Powertools documents a 422 on every route and leaves out an empty list of keys; ours answers 400, and a route
    without a key says so.
    """
    document: dict[str, Any] = json.loads(app.get_openapi_json_schema())
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if path in _WITHOUT_KEY:
                operation["security"] = OPEN
    if not os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE"):
        document["components"]["schemas"]["ExecutionBody"]["properties"].pop("webhook")
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    document["servers"] = [{"url": base}]
    return document


def readable_page(document: dict[str, Any]) -> str:
    """Return the document as a page: Swagger UI, its script inside, so that the page asks nobody else for anything."""
    folder = Path(swagger_ui.__file__).parent
    script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
    )
    text = json.dumps(document).replace("</", "<\\/")  # nothing in it may end the script
    return swagger_ui.generate_swagger_html(text, script, style, "", None, False)


def security_schemes() -> dict[str, Any]:
    """Return the scheme that this stack was deployed with."""
    match os.environ.get("ANEMONEFISH_AUTHORIZATION", "api-key"):
        case "cognito":
            return {"token": HTTPBearer(bearerFormat="JWT", description="Token of the user pool")}
        case "iam":
            return {"sigv4": _header("Authorization", "AWS signature version 4")}
        case _:
            return {"key": _header("x-api-key", "The key of its user")}


def _header(name: str, description: str) -> APIKey:
    return APIKey.model_validate({"name": name, "in": "header", "description": description})
