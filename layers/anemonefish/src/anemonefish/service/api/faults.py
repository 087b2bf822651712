"""Errors as answers: one shape, the right status, nothing internal.

Owns ``{error, message, details?, request_id}``. The words of an error of the tree are for its user and go out as they
are, but for the names of our buckets; what is our fault is logged in full and answered with the request's id only.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from anemonefish.errors import (
    AnemonefishError,
    InvalidRequest,
    MethodNotAllowed,
    RouteNotFound,
    StorageError,
)
from anemonefish.service.api import bodies

__all__ = ["install", "public_words"]

_BUCKETS = ("ANEMONEFISH_INPUT_BUCKET", "ANEMONEFISH_OUTPUT_BUCKET", "ANEMONEFISH_MODELS_BUCKET")
_OURS = "this is our fault, not yours; try again, and tell us the request_id if it stays"
_WAIT_SECONDS = "30"
_BUSY = "a service we need did not answer; try again in a moment"


def public_words(message: str) -> str:
    """Return a message without the names of our buckets."""
    for variable in _BUCKETS:
        if bucket := os.environ.get(variable):
            message = message.replace(f"s3://{bucket}/", "").replace(f"s3://{bucket}", "this service")
    return message


def install(app: APIGatewayRestResolver, logger: Logger) -> None:
    """Answer every error that a route can raise, or that reading its body can."""
    bodies.install(app)

    def answer(
        error: str, status: int, message: str, headers: dict[str, str] | None = None, **more: Any
    ) -> Response[str]:
        body = {"error": error, "message": message, **more, "request_id": _request_id(app)}
        text = json.dumps(body, ensure_ascii=False).encode(errors="replace").decode()  # half a surrogate pair
        return Response(status, "application/json", text, headers)

    def ours() -> Response[str]:
        logger.exception("a request failed unforeseen")
        return answer("InternalError", HTTPStatus.INTERNAL_SERVER_ERROR, _OURS)

    @app.exception_handler(Exception)
    def _unforeseen(_: Exception) -> Response[str]:
        return ours()

    @app.exception_handler(AnemonefishError)
    def _of_the_tree(error: AnemonefishError) -> Response[str]:
        if isinstance(error, StorageError):
            logger.exception("a service did not answer")
            return answer("StorageError", error.status, _BUSY, {"Retry-After": "2"})
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.exception("a request failed")
            return answer(type(error).__name__, error.status, _OURS)
        wait = {"Retry-After": _WAIT_SECONDS} if error.status == HTTPStatus.TOO_MANY_REQUESTS else None
        return answer(type(error).__name__, error.status, public_words(str(error)), wait)

    @app.exception_handler(RequestValidationError)
    def _of_the_request(error: RequestValidationError) -> Response[str]:
        faults = error.errors()
        if any(fault["loc"][0] == "path" for fault in faults):
            return answer(RouteNotFound.__name__, RouteNotFound.status, "there is nothing here by that name")
        details = [
            {"field": ".".join(str(part) for part in fault["loc"]), "message": str(fault.get("msg") or fault["type"])}
            for fault in faults[:20]
        ]
        message = "; ".join(f"{each['field']}: {each['message']}" for each in details[:3])
        return answer(InvalidRequest.__name__, InvalidRequest.status, message, details=details)

    @app.not_found
    def _of_the_path(_: NotFoundError) -> Response[str]:
        allowed = _methods(app, app.current_event.path)
        if not allowed:
            return answer(RouteNotFound.__name__, RouteNotFound.status, "there is no such path; see GET /openapi.json")
        message = f"this path takes {' and '.join(allowed)} only"
        return answer(MethodNotAllowed.__name__, MethodNotAllowed.status, message, {"Allow": ", ".join(allowed)})


def _methods(app: APIGatewayRestResolver, path: str) -> list[str]:
    """Return the methods of a path. Powertools has no public list of its routes; its version is pinned."""
    routes = [*app._static_routes, *app._dynamic_routes]
    return sorted({route.method for route in routes if route.rule.match(path)})


def _request_id(app: APIGatewayRestResolver) -> str:
    return str((app.current_event.raw_event.get("requestContext") or {}).get("requestId") or "")
