"""The routes ``/inference/predict`` and ``/predict``: analyse one clip and return the result at once.

A clip is sent as a file in a form, and the answer is the lab's JSON. The lab's newest front end sends base64, in JSON
or in a form; its answer has additional fields.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from anemonefish.errors import ClipTooLarge, InvalidRequest, InvalidSettings, UnsupportedMediaType, short_repr
from anemonefish.jobs.request import DEFAULT_MODEL
from anemonefish.service.api.bodies import body_bytes, kind_of, media_type, read_json
from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers, reference
from anemonefish.service.api.encoded import decode_audio, is_encoded_audio
from anemonefish.service.api.forms import Part, file_name, read_form
from anemonefish.service.api.lab import lab_answer, our_settings, their_words
from anemonefish.service.api.schemas.clip_schemas import (
    AUDIO_FIELDS,
    CLIP_LIMIT,
    ENCODED_FIELDS,
    ClipBody,
    LabConfig,
    LabPredictionOut,
)
from anemonefish.service.api.schemas.result_schemas import PredictionOut
from anemonefish.service.api.services import services
from anemonefish.settings import Settings
from anemonefish.stores.temporary import temporary_folder

__all__ = ["router"]

router = Router()

MOST_CONFIG = 16_384
"""Largest configuration in bytes; all settings together have a tenth of it."""

MOST_LAB_WINDOWS = 6_000
"""Largest number of windows in an answer that lists them three times."""

_TAKEN = frozenset(LabConfig.model_fields)
_OF_THE_STACK = {"memory_mb", "architecture"}
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
                            "description": f"The clip as a file; older front ends call it audio. {CLIP_LIMIT}",
                        },
                        "config": reference(LabConfig),
                    },
                },
                "encoding": {
                    "audio_file": {"contentType": "audio/wav"},
                    "config": {"contentType": "application/json"},
                },
            },
            "application/json": {"schema": reference(ClipBody)},
        },
    }
}


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip, its name, its settings as they were sent, and whether it was sent as base64."""

    name: str
    audio: bytes
    config: dict[str, Any]
    encoded: bool


@router.post(
    "/inference/predict",
    summary="Find events in a clip",
    tags=["predict"],
    responses=answers(200, LabPredictionOut | PredictionOut, 400, 404, 413, 415, text="The lab's JSON"),
    openapi_extensions=_FORM,
)
def inference_predict() -> Response[Any]:
    """A clip of up to 4 MB, as a form with a file or as JSON with base64."""
    return _predict()


@router.post(
    "/predict",
    summary="Find events in a clip",
    tags=["predict"],
    responses=answers(200, LabPredictionOut | PredictionOut, 400, 404, 413, 415, text="The lab's JSON"),
    openapi_extensions=_FORM,
)
def predict() -> Response[Any]:
    """The same route for older front ends."""
    return _predict()


def _predict() -> Response[Any]:
    from anemonefish.results.lab_json import lab_document
    from anemonefish.workflow.job_metrics import emit_clip
    from anemonefish.workflow.predict import MOST_WINDOWS, predict_clip  # imported here, because Api has no engine

    began = time.monotonic()
    event = router.current_event
    tenant_of(event.raw_event)
    clip = _clip(event)
    model, settings = _settings(clip.config)
    most = MOST_LAB_WINDOWS if clip.encoded else MOST_WINDOWS
    with temporary_folder() as folder:
        path = Path(folder, "clip")
        path.write_bytes(clip.audio)
        result = predict_clip(path, clip.name, model, settings, services().models_uri, len(clip.audio), most)
    emit_clip(result.analysis, len(result.events))
    document = lab_document(result, predictions=True, processing_seconds=round(time.monotonic() - began, 3))
    return Response(200, "application/json", lab_answer(result, document) if clip.encoded else document)


def _clip(event: Any) -> _Clip:
    """Read a clip and its settings from a request."""
    match media_type(event):
        case "multipart/form-data":
            content = body_bytes(event)
            if not event.is_base64_encoded and "\N{REPLACEMENT CHARACTER}".encode() in content:
                raise InvalidRequest(
                    "the form was decoded as text and has lost bytes; "
                    "send content-type: multipart/form-data in lower case"
                )
            return _clip_from_form(read_form(str(event.headers.get("content-type")), content))
        case "application/json" | "":
            return _clip_from_json(read_json(body_bytes(event), "the body"))
        case _:
            raise UnsupportedMediaType(
                "send the clip as a form (content-type multipart/form-data, field audio_file) or in base64 as JSON "
                "(content-type application/json, field audio_data)"
            )


def _clip_from_form(parts: Sequence[Part]) -> _Clip:
    names = [part.name for part in parts]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InvalidRequest(f"the form has {short_repr(repeated)} {names.count(repeated)} times; send it once")
    fields = {part.name: part for part in parts}
    audio = fields.pop(
        _audio_field(AUDIO_FIELDS, fields, "the form", f"; it has {short_repr(', '.join(sorted(names)) or 'nothing')}")
    )
    config: dict[str, Any] = {}
    for part in fields.values():
        if len(part.content) > MOST_CONFIG:
            raise ClipTooLarge(
                f"{short_repr(part.name)} has {len(part.content)} bytes; {MOST_CONFIG} are enough for all settings"
            )
        _add(config, _config(part.content) if part.name == "config" else _field(part))
    encoded = is_encoded_audio(audio.content)
    content = decode_audio(audio.content.decode("latin-1"), audio.name) if encoded else audio.content
    return _Clip(audio.filename or "clip", content, config, encoded)


def _clip_from_json(body: Any) -> _Clip:
    document = _object(body, "the body", "audio_data in base64, and settings by name")
    fields = {name: value for name, value in document.items() if value is not None}
    name = _audio_field(ENCODED_FIELDS, fields, "the body", "")
    text, filename = fields.pop(name), fields.pop("filename", None)
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} must be a text, the audio file in base64, not {kind_of(text)}")
    if not (filename is None or isinstance(filename, str)):
        raise InvalidRequest(f"filename must be a text, not {kind_of(filename)}")
    config: dict[str, Any] = {}
    for group in ("config", "settings"):
        if group in fields:
            _add(config, _object(fields.pop(group), group, "settings by name"))
    _add(config, fields)
    return _Clip(file_name(filename or "") or "clip", decode_audio(text, name), config, encoded=True)


def _audio_field(names: Sequence[str], fields: Mapping[str, Any], what: str, has: str) -> str:
    """Return the name of the field that holds the audio; it has one of several names."""
    sent = [name for name in names if name in fields]
    if not sent:
        raise InvalidRequest(f"{what} has no {names[0]}{has}; send the clip as {names[0]}")
    if len(sent) > 1:
        raise InvalidRequest(f"{what} has {' and '.join(sent)}, which are the same field; send one of them")
    return sent[0]


def _config(content: bytes) -> dict[str, Any]:
    if not content.strip():
        return {}
    return _object(read_json(content, "config"), "config", "settings by name")


def _field(part: Part) -> dict[str, Any]:
    """Return a setting that was sent as a form field."""
    if part.name not in _TAKEN:
        return {part.name: None}  # an unknown setting, which is refused later
    if part.name == "model":
        return {part.name: part.content.decode(errors="replace")}
    try:
        return {part.name: read_json(part.content, part.name)}
    except InvalidRequest:
        return {part.name: part.content.decode(errors="replace")}  # text without quotation marks


def _object(value: Any, what: str, content: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be an object with {content}, not {kind_of(value)}")
    return dict(value)


def _add(config: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if name in config and config[name] != value:
            raise InvalidSettings(
                f"{name} is given twice, as {short_repr(config[name])} and as {short_repr(value)}; send it once"
            )
        config[name] = value


def _settings(config: Mapping[str, Any]) -> tuple[str, Settings]:
    """Return the model and the settings of a request; a setting that is null counts as not set."""
    for name in config:
        _check_setting(name)
    sent = {name: value for name, value in config.items() if value is not None}
    model = sent.pop("model", DEFAULT_MODEL)
    if not isinstance(model, str):
        raise InvalidRequest(f"config: model must be text, not {short_repr(model)}")
    try:
        return model, Settings.load(our_settings(sent))
    except InvalidSettings as error:
        raise their_words(error, sent) from None


def _check_setting(name: str) -> None:
    """Raise for a name that is not a setting of a clip."""
    if name in _TAKEN:
        return
    if name in _OF_THE_STACK:
        raise InvalidSettings(f"{name} is a setting of the stack and cannot be set in a request; leave it out")
    if name in Settings.__dataclass_fields__:
        raise InvalidSettings(f"{name} is a setting of executions and has no effect on one clip; leave it out")
    raise InvalidSettings(
        f"there is no setting {short_repr(name)} of a clip; the settings are {', '.join(sorted(_TAKEN))}"
    )
