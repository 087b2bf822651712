"""Read the bodies of requests: which content types and which JSON are accepted.

JSON that a parser could misread is refused with :class:`~anemonefish.errors.InvalidRequest`, which says what is wrong
and where: nesting that is too deep, numbers that are too long or not finite, a repeated name in one object, half of a
surrogate pair, bytes that are not UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware

from anemonefish.errors import InvalidRequest, UnsupportedMediaType, short_repr

__all__ = [
    "MOST_BODY_BYTES",
    "MOST_DEPTH",
    "MOST_NUMBER",
    "body_bytes",
    "install",
    "kind_of",
    "media_type",
    "read_json",
]

MOST_BODY_BYTES = 2_000_000
"""Largest JSON body in bytes; ten thousand parts of an upload with their tags have a million."""

MOST_DEPTH = 32
"""Largest depth of nested lists and objects; the deepest body of a route has four levels."""

MOST_NUMBER = 100
"""Largest number of characters of a JSON number; a double has 17 significant digits."""

_JSON = "application/json"
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _JsonBodies(OpenAPIRequestValidationMiddleware):
    """Validates requests as Powertools does, but reads their bodies by the rules of this module.

    ``_get_body`` is private in Powertools; tests/unit/service/api/test_powertools.py fails if an upgrade changes it.
    """

    def _get_body(self, app: Any) -> Any:
        content = body_bytes(app.current_event)
        if not content.strip():
            return None
        if media_type(app.current_event) not in {"", _JSON}:
            raise UnsupportedMediaType(f"the body must be JSON; send it with content-type: {_JSON}")
        if len(content) > MOST_BODY_BYTES:
            raise InvalidRequest(
                f"the body has {len(content)} bytes; at most {MOST_BODY_BYTES} bytes of JSON are accepted"
            )
        body = read_json(content, "the body")
        if body is not None and not isinstance(body, dict):
            raise InvalidRequest(f"the body must be a JSON object with names and values, not {kind_of(body)}")
        return body


def install(app: APIGatewayRestResolver) -> None:
    """Let an application read its bodies by these rules.

    The attribute is private in Powertools, which has no public one for it; its version is pinned, and
    tests/unit/service/api/test_powertools.py fails if an upgrade changes it.
    """
    app._request_validation_middleware = _JsonBodies()


def media_type(event: Any) -> str:
    """Return the content type of a request in lower case without parameters, or an empty string."""
    return str(event.headers.get("content-type") or "").partition(";")[0].strip().lower()


def body_bytes(event: Any) -> bytes:
    """Return the bytes of a request's body.

    Raises
    ------
    InvalidRequest
        The gateway's base64 is invalid.
    """
    body = str(event.body or "")
    if event.is_base64_encoded:
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequest("the body is marked as base64 and is not; send it again") from None
    return body.encode("utf-8", "surrogatepass")  # read_json refuses half of a surrogate pair


def read_json(content: bytes, what: str) -> Any:
    """Read JSON.

    Parameters
    ----------
    content : bytes
        UTF-8, with or without a byte order mark.
    what : str
        Name of the content in messages.

    Raises
    ------
    InvalidRequest
        It is not JSON, or JSON that is not accepted.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{what} is not JSON: byte {error.start} ({content[error.start]:#04x}) is not UTF-8; send JSON in UTF-8"
        ) from None
    _check_depth(text, what)
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, what),
            parse_int=lambda number: int(_check_length(number, what)),
            parse_float=lambda number: _parse_float(number, what),
            parse_constant=lambda name: _refuse_constant(name, what),
        )
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"{what} is not JSON: {error.msg} at character {error.pos} (line {error.lineno}, column {error.colno})"
        ) from None
    if _SURROGATE.search(text):
        _check_text(value, what)
    return value


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value, for messages."""
    if value is None:
        return "null"
    kinds: dict[type, str] = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "an object")


def _check_depth(text: str, what: str) -> None:
    """Raise for nesting that is deeper than :data:`MOST_DEPTH`."""
    depth = 0
    for token in _TOKENS.finditer(text):
        match token[0][0]:
            case "[" | "{":
                depth += 1
                if depth > MOST_DEPTH:
                    raise InvalidRequest(
                        f"{what} is JSON of more than {MOST_DEPTH} levels at character {token.start()}; send it flatter"
                    )
            case "]" | "}":
                depth -= 1


def _object(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise InvalidRequest(f"{what} is JSON with the name {short_repr(name)} twice in one object; send it once")
        result[name] = value
    return result


def _check_length(number: str, what: str) -> str:
    if len(number) > MOST_NUMBER:
        raise InvalidRequest(
            f"{what} is JSON with a number of {len(number)} characters ({number[:12]}...); send at most {MOST_NUMBER}"
        )
    return number


def _parse_float(number: str, what: str) -> float:
    value = float(_check_length(number, what))
    if not math.isfinite(value):
        raise InvalidRequest(f"{what} is JSON with the number {number}, which is larger than a double can hold")
    return value


def _refuse_constant(name: str, what: str) -> Any:
    raise InvalidRequest(f"{what} is not JSON: {name} is no number of JSON; send a finite number or null")


def _check_text(value: Any, what: str) -> None:
    """Raise for a string that cannot be encoded; the depth of ``value`` was checked before."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InvalidRequest(
                    f"{what} is JSON with half of a surrogate pair in {short_repr(value)}; send whole characters"
                ) from None
        case list():
            for item in value:
                _check_text(item, what)
        case dict():
            for name, item in value.items():
                _check_text(name, what)
                _check_text(item, what)
