"""``/inference/predict`` and ``/predict``: one clip, answered at once."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError

from anemonefish.api.caller import tenant_of
from anemonefish.api.documents import answers
from anemonefish.api.schemas import ClipConfig, PredictionOut
from anemonefish.api.services import services
from anemonefish.errors import ClipTooLarge, InvalidRequest, UnsupportedMediaType, shown
from anemonefish.request import DEFAULT_MODEL
from anemonefish.settings import Settings

__all__ = ["router"]

router = Router()

AUDIO_FIELDS = ("audio_file", "audio")
_MOST_CONFIG = 16_384
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["audio_file"],
                    "properties": {
                        "audio_file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The clip; older front ends call it audio",
                        },
                        "config": ClipConfig.model_json_schema(),
                    },
                },
                "encoding": {
                    "audio_file": {"contentType": "audio/wav"},
                    "config": {"contentType": "application/json"},
                },
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    audio: bytes
    config: dict[str, Any]


@router.post(
    "/inference/predict",
    summary="Find events in a clip",
    tags=["predict"],
    responses=answers(200, PredictionOut, 400, 404, 413, 415, text="The lab's JSON"),
    openapi_extensions=_FORM,
    operation_id="predict",
)
def inference_predict() -> Response[Any]:
    """A clip of up to 4 MB, as a form."""
    return _predict()


@router.post(
    "/predict",
    summary="Find events in a clip",
    tags=["predict"],
    responses=answers(200, PredictionOut, 400, 404, 413, 415, text="The lab's JSON"),
    openapi_extensions=_FORM,
    operation_id="predict_short",
)
def predict() -> Response[Any]:
    """The same under the path that older front ends know."""
    return _predict()


def _predict() -> Response[Any]:
    from anemonefish.predict import predict_clip  # the engine is loaded where it is meant only
    from anemonefish.report import lab_document

    began = time.monotonic()
    event = router.current_event
    tenant_of(event.raw_event)
    form = _form(str(event.headers.get("content-type") or ""), _body(event))
    config = {name: value for name, value in form.config.items() if value is not None}
    model = config.pop("model", DEFAULT_MODEL)
    if not isinstance(model, str):
        raise InvalidRequest(f"config: model must be text, not {shown(model)}")
    settings = Settings.load(config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip")
        path.write_bytes(form.audio)
        result = predict_clip(path, form.name, model, settings, services().models_uri, len(form.audio))
    document = lab_document(result, predictions=True, processing_seconds=round(time.monotonic() - began, 3))
    return Response(200, "application/json", document)


def _body(event: Any) -> bytes:
    """Return the body; what came as text has lost its bytes on the way, unless it was text."""
    body: str = event.body or ""
    if event.is_base64_encoded:
        import base64

        return base64.b64decode(body)
    return body.encode()


def _form(content_type: str, body: bytes) -> _Form:
    """Read the clip and the configuration out of a form."""
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise UnsupportedMediaType("send the clip as a form: content-type multipart/form-data, field audio_file")
    files: dict[str, tuple[str, bytes]] = {}
    fields: dict[str, bytes] = {}

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        name = (file.file_name or b"").decode(errors="replace").replace("\\", "/").rpartition("/")[2]
        files[file.field_name.decode(errors="replace")] = (name, file.file_object.read())

    def on_field(field: Any) -> None:
        fields[field.field_name.decode(errors="replace")] = field.value or b""

    try:
        parser = create_form_parser(
            {"Content-Type": content_type.encode()}, on_field, on_file, config={"MAX_MEMORY_FILE_SIZE": len(body) + 1}
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise InvalidRequest(f"the form cannot be read ({error}); send multipart/form-data with a boundary") from None
    sent = [name for name in AUDIO_FIELDS if name in files]
    if not sent:
        have = ", ".join(sorted({*files, *fields})) or "nothing"
        raise InvalidRequest(f"the form has no file audio_file, or it breaks off before its end; it has {shown(have)}")
    name, audio = files[sent[0]]
    return _Form(_printable(name) or "clip", audio, _config(fields.get("config", b"")))


def _config(text: bytes) -> dict[str, Any]:
    if len(text) > _MOST_CONFIG:
        raise ClipTooLarge(f"config has {len(text)} bytes; {_MOST_CONFIG} are enough for all settings")
    try:
        config = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise InvalidRequest(f"config is not JSON ({error}); send an object with settings by name") from None
    if not isinstance(config, dict):
        raise InvalidRequest(f"config must be an object with settings by name, not {shown(config)}")
    return config


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "_" for letter in name)[:200]
