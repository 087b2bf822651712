"""The OpenAPI document: answers and errors of every route, authorization, and the page that shows the document."""

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
from pydantic.json_schema import models_json_schema

from anemonefish.service.api.schemas.clip_schemas import ClipBody, LabConfig
from anemonefish.service.api.schemas.shared_schemas import ErrorOut

__all__ = ["OPEN", "answers", "openapi_document", "readable_page", "reference", "security_schemes"]

OPEN: list[dict[str, list[str]]] = []
"""Security of a route that needs no key."""

_WITHOUT_KEY = frozenset({"/health"})

_SCHEMAS = "#/components/schemas/"

_IN_EXTENSIONS = (ClipBody, LabConfig)
"""Schemas of bodies that routes read themselves, so Powertools does not find them."""

_OPERATIONS = {
    ("post", "/uploads"): "begin_upload",
    ("get", "/uploads"): "list_uploads",
    ("get", "/uploads/{upload}"): "get_upload",
    ("delete", "/uploads/{upload}"): "delete_upload",
    ("get", "/uploads/{upload}/parts"): "list_parts",
    ("post", "/uploads/{upload}/complete"): "complete_upload",
    ("post", "/executions"): "start_execution",
    ("get", "/executions"): "list_executions",
    ("get", "/executions/{execution}"): "get_execution",
    ("delete", "/executions/{execution}"): "stop_execution",
    ("post", "/executions/{execution}/resume"): "resume_execution",
    ("post", "/executions/{execution}/restore"): "restore_results",
    ("get", "/executions/{execution}/results"): "get_results",
    ("post", "/executions/{execution}/decisions"): "decide_again",
    ("get", "/executions/{execution}/files"): "list_files",
    ("get", "/executions/{execution}/review"): "draw_review",
    ("get", "/executions/{execution}/verdicts"): "list_verdicts",
    ("put", "/executions/{execution}/verdicts"): "put_verdicts",
    ("get", "/executions/{execution}/recordings/{recording}/clip"): "get_clip",
    ("get", "/executions/{execution}/recordings/{recording}/spectrogram"): "get_spectrogram",
    ("get", "/usage"): "get_usage",
    ("get", "/models"): "list_models",
    ("get", "/models/{name}/{version}"): "get_model",
    ("post", "/inference/predict"): "predict",
    ("post", "/predict"): "predict_short",
    ("get", "/health"): "get_health",
}
"""Names of the operations: generated clients name their functions after them."""

_REASONS = {
    400: "The request is wrong; the message says where",
    403: "Missing or unknown credentials",
    404: "Nothing with this name",
    405: "This path has other methods",
    409: "Not possible in this state",
    410: "Expired",
    413: "Too large, or above a limit of the key",
    415: "Unsupported content type",
    429: "Too many requests or running executions for this key",
    500: "Internal error",
    503: "An AWS service did not answer; try again",
}
_ALWAYS = (403, 429, 500, 503)


def answers(
    status: int, model: type[BaseModel] | UnionType | None, *errors: int, text: str = "Done", **more: Any
) -> Any:
    """Return the ``responses`` of a route: its answer, and the errors that it can return."""
    empty = {"text/plain": {"schema": {"type": "string", "maxLength": 0}}}
    content = {"content": empty if model is None else {"application/json": {"model": model}}}
    documented: dict[int, Any] = {status: {"description": text, **content, **more}}
    for error in sorted({*errors, *_ALWAYS}):
        documented[error] = {
            "description": _REASONS[error],
            "content": {"application/json": {"model": ErrorOut}},
        }
    return documented


def reference(model: type[BaseModel]) -> dict[str, str]:
    """Return a reference to the schema of a model; :func:`openapi_document` adds the schema."""
    return {"$ref": f"{_SCHEMAS}{model.__name__}"}


def openapi_document(app: APIGatewayRestResolver, base: str) -> dict[str, Any]:
    """Return the OpenAPI document of an application at the address ``base``.

    It corrects the document of Powertools: 422 on every route (this API answers 400), the route without a key, names of
    operations, unused schemas, and defaults. Generators of typed clients require a field that has a default, although a
    request may leave it out; so descriptions state the defaults.
    """
    document: dict[str, Any] = json.loads(app.get_openapi_json_schema())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            operation["operationId"] = _OPERATIONS.get((method, path), operation["operationId"])
            if path in _WITHOUT_KEY:
                operation["security"] = OPEN
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas |= models_json_schema(
        [(model, "validation") for model in _IN_EXTENSIONS], ref_template=_SCHEMAS + "{model}"
    )[1]["$defs"]
    if not os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE"):
        schemas["ExecutionBody"]["properties"].pop("webhook")
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            field.pop("default", None)
    used = _reachable(document["paths"], schemas)
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}
    document["servers"] = [{"url": base}]
    return document


def _reachable(part: Any, schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that a part of a document refers to, directly or through others."""
    names: set[str] = set()
    pending = [part]
    while pending:
        match pending.pop():
            case {"$ref": str() as target}:
                name = target.removeprefix(_SCHEMAS)
                if name not in names:
                    names.add(name)
                    pending.append(schemas[name])
            case dict() as values:
                pending.extend(values.values())
            case list() as values:
                pending.extend(values)
    return names


def readable_page(document: dict[str, Any]) -> str:
    """Return the document as an HTML page: Swagger UI with its script included, so the page loads nothing else."""
    folder = Path(swagger_ui.__file__).parent
    script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
    )
    text = json.dumps(document).replace("</", "<\\/")  # so that no text can end the script
    return swagger_ui.generate_swagger_html(text, script, style, "", None, False)


def security_schemes() -> dict[str, Any]:
    """Return the security scheme of this stack."""
    match os.environ.get("ANEMONEFISH_AUTHORIZATION", "api-key"):
        case "cognito":
            return {"token": HTTPBearer(bearerFormat="JWT", description="Token of the user pool")}
        case "iam":
            return {"sigv4": _header("Authorization", "AWS signature version 4")}
        case _:
            return {"key": _header("x-api-key", "The key of its user")}


def _header(name: str, description: str) -> APIKey:
    return APIKey.model_validate({"name": name, "in": "header", "description": description})
