"""The application with all routes, and its handler for Lambda.

Every request gets a log line with its correlation id, a trace, CORS and security headers. The functions Api, Predict
and Excerpt run the same application; the gateway sends clips to Predict, excerpts of recordings to Excerpt, and
everything else to Api.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from anemonefish import __version__
from anemonefish.cloud.correlation import correlation_of_request
from anemonefish.cloud.function_log import bound, log
from anemonefish.service.api import excerpt_routes as excerpts
from anemonefish.service.api import execution_routes as executions
from anemonefish.service.api import faults
from anemonefish.service.api import model_routes as models
from anemonefish.service.api import predict_routes as predict
from anemonefish.service.api import result_routes as results
from anemonefish.service.api import review_routes as review
from anemonefish.service.api import upload_routes as uploads
from anemonefish.service.api.documents import OPEN, answers, openapi_document, readable_page, security_schemes
from anemonefish.service.api.schemas.shared_schemas import Health
from anemonefish.workflow.function_metrics import measured

__all__ = ["handler", "make_app"]

tracer = Tracer(service="anemonefish")

_SAFETY = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Origin"}
"""Answers are not cached, and browsers do not guess their content type."""

_EXECUTION = re.compile(r"/executions/(e-[a-z0-9]{1,64})(?:/|$)")
_FUNCTIONS = {
    "/predict": "predict",
    "/inference/predict": "predict",
    "/executions/{execution}/recordings/{proxy+}": "excerpt",
}
"""The function of each resource of the gateway that Api does not answer."""

_TITLE = "anemonefish"
_ABOUT = (
    "Finds anemonefish calls in hydrophone recordings: upload, start, poll, results. "
    "Scores are what the network says; they are not probabilities."
)


def make_app() -> APIGatewayRestResolver:
    """Return the application with all its routes."""
    app = APIGatewayRestResolver(enable_validation=True, cors=_cors())
    for routes in (uploads, executions, results, excerpts, review, models, predict):
        app.include_router(routes.router)
    faults.install(app)
    schemes = security_schemes()
    app.configure_openapi(
        title=_TITLE,
        version=__version__,
        description=_ABOUT,
        security_schemes=schemes,
        security=[{name: []} for name in schemes],
    )

    @app.get(
        "/health", summary="Whether the API answers", tags=["about"], security=OPEN, responses=answers(200, Health)
    )
    def health() -> Health:
        """Calls no other service."""
        return Health(status="ok", version=__version__)

    # Neither route needs a key. Each page is made once, because that takes a tenth of a second.
    @lru_cache(maxsize=4)
    def document(base: str) -> str:
        return json.dumps(openapi_document(app, base))

    @lru_cache(maxsize=4)
    def page(base: str) -> str:
        return readable_page(json.loads(document(base)))

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> Response[str]:
        return Response(200, "application/json", document(_base(app)))

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response[str]:
        return Response(200, "text/html; charset=utf-8", page(_base(app)))

    return app


def _base(app: APIGatewayRestResolver) -> str:
    """Return the base path of the API in this request."""
    context = app.current_event.raw_event.get("requestContext") or {}
    full, path = str(context.get("path") or ""), str(app.current_event.path)
    return full.removesuffix(path) or "/"


def _cors() -> CORSConfig | None:
    """Allow the configured origins; without any, browsers cannot call the API from other sites."""
    origins = [origin.strip() for origin in os.environ.get("ANEMONEFISH_ORIGINS", "").split(",") if origin.strip()]
    if not origins:
        return None
    return CORSConfig(
        allow_origin=origins[0],
        extra_origins=origins[1:],
        allow_headers=["Idempotency-Key", "X-Correlation-Id"],
        expose_headers=["ETag", "Location", "Retry-After"],
        max_age=3600,
    )


_app = make_app()


@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway (REST, proxy integration)."""
    execution = _EXECUTION.match(str(event.get("path")))
    with bound(
        correlation_id=correlation_of_request(event),
        function=_function_of(event),
        execution=None if execution is None else execution[1],
    ):
        return _answer(event, context)


def _function_of(event: dict[str, Any]) -> str:
    """Return the function that answers a request."""
    return _FUNCTIONS.get(str(event.get("resource")), "api")


@measured
def _answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
    head = event.get("httpMethod") == "HEAD"  # answered as GET, without the body
    answer: dict[str, Any] = _app.resolve({**event, "httpMethod": "GET"} if head else event, context)
    if head:
        answer |= {"body": "", "isBase64Encoded": False}
    for name, value in _SAFETY.items():
        answer["multiValueHeaders"].setdefault(name, [value])
    route = f"{event.get('httpMethod')} {event.get('resource')}"
    log("INFO", "answered", route=route, path=event.get("path"), status=answer["statusCode"])
    return answer
