"""Answer errors in one shape, ``{error, message, details?, request_id}``, without internal information.

Messages of our exceptions are written for users and are sent, except the names of our buckets. Unexpected errors are
logged completely, and answered with the request's id only.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from anemonefish.cloud.function_log import log_error, traceback_of
from anemonefish.errors import (
    AnemonefishError,
    InvalidRequest,
    MethodNotAllowed,
    RouteNotFound,
    StorageError,
)
from anemonefish.service.api import bodies
from anemonefish.workflow.function_metrics import emit_failure

__all__ = ["install", "public_words"]

_BUCKETS = ("ANEMONEFISH_INPUT_BUCKET", "ANEMONEFISH_OUTPUT_BUCKET", "ANEMONEFISH_MODELS_BUCKET")
_INTERNAL = "an internal error, which your request did not cause; try again, and report the request_id if it persists"
_WAIT_SECONDS = "30"
_UNAVAILABLE = "an AWS service did not answer; try again in a moment"


def public_words(message: str) -> str:
    """Return a message without the names of our buckets."""
    for variable in _BUCKETS:
        if bucket := os.environ.get(variable):
            message = message.replace(f"s3://{bucket}/", "").replace(f"s3://{bucket}", "this service")
    return message


def install(app: APIGatewayRestResolver) -> None:
    """Install the handlers for every error of a route and of reading its body."""
    bodies.install(app)

    def answer(
        error: str, status: int, message: str, headers: dict[str, str] | None = None, **more: Any
    ) -> Response[str]:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            emit_failure(error)
        body = {"error": error, "message": message, **more, "request_id": _request_id(app)}
        text = (
            json.dumps(body, ensure_ascii=False).encode(errors="replace").decode()
        )  # replaces half of a surrogate pair
        return Response(status, "application/json", text, headers)

    @app.exception_handler(Exception)
    def _unexpected(error: Exception) -> Response[str]:
        log_error("a request failed unexpectedly", error, traceback=traceback_of(error))
        return answer("InternalError", HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)

    @app.exception_handler(AnemonefishError)
    def _anemonefish_error(error: AnemonefishError) -> Response[str]:
        if isinstance(error, StorageError):
            log_error("a service did not answer", error, traceback=traceback_of(error))
            return answer("StorageError", error.status, _UNAVAILABLE, {"Retry-After": "2"})
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log_error("a request failed", error, traceback=traceback_of(error))
            return answer(type(error).__name__, error.status, _INTERNAL)
        wait = {"Retry-After": _WAIT_SECONDS} if error.status == HTTPStatus.TOO_MANY_REQUESTS else None
        return answer(type(error).__name__, error.status, public_words(str(error)), wait)

    @app.exception_handler(RequestValidationError)
    def _validation_error(error: RequestValidationError) -> Response[str]:
        errors = error.errors()
        if any(entry["loc"][0] == "path" for entry in errors):
            return answer(RouteNotFound.__name__, RouteNotFound.status, "there is nothing here by that name")
        details = [
            {"field": ".".join(str(part) for part in entry["loc"]), "message": str(entry.get("msg") or entry["type"])}
            for entry in errors[:20]
        ]
        message = "; ".join(f"{detail['field']}: {detail['message']}" for detail in details[:3])
        return answer(InvalidRequest.__name__, InvalidRequest.status, message, details=details)

    @app.not_found
    def _not_found(_: NotFoundError) -> Response[str]:
        allowed = _methods(app, app.current_event.path)
        if not allowed:
            return answer(RouteNotFound.__name__, RouteNotFound.status, "there is no such path; see GET /openapi.json")
        message = f"this path takes {' and '.join(allowed)} only"
        return answer(MethodNotAllowed.__name__, MethodNotAllowed.status, message, {"Allow": ", ".join(allowed)})


def _methods(app: APIGatewayRestResolver, path: str) -> list[str]:
    """Return the methods of a path.

    Powertools has no public list of its routes; its version is pinned, and tests/unit/service/api/test_powertools.py
    fails if an upgrade changes these attributes.
    """
    routes = [*app._static_routes, *app._dynamic_routes]
    return sorted({route.method for route in routes if route.rule.match(path)})


def _request_id(app: APIGatewayRestResolver) -> str:
    return str((app.current_event.raw_event.get("requestContext") or {}).get("requestId") or "")
