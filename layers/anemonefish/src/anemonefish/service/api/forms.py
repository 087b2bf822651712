"""Read multipart forms: their parts with names, file names and bytes."""

from __future__ import annotations

import quopri
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from anemonefish.errors import InvalidRequest, short_repr
from anemonefish.service.api.encoded import decode_audio

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = ["MOST_PARTS", "Part", "file_name", "read_form"]

MOST_PARTS = 20
"""Largest number of parts: a clip, a configuration, and one field for each setting."""

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form.

    Attributes
    ----------
    name : str
        Name of the field.
    filename : str or None
        Without folders; None for a field that is not a file.
    content : bytes
    """

    name: str
    filename: str | None
    content: bytes


@dataclass(slots=True)
class _Reader:
    """Collects the parts from the callbacks of the parser."""

    parts: list[Part] = field(default_factory=list)
    ended: bool = False
    _headers: dict[str, str] = field(default_factory=dict)
    _name: bytes = b""
    _value: bytes = b""
    _content: list[bytes] = field(default_factory=list)

    def on_part_begin(self) -> None:
        if len(self.parts) == MOST_PARTS:
            raise InvalidRequest(f"the form has more than {MOST_PARTS} parts; send the clip and its settings")
        self._headers, self._content = {}, []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = _text(self._value)
        self._name = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def on_part_end(self) -> None:
        name, filename = _names(self._headers.get("content-disposition", ""))
        content = _decoded(b"".join(self._content), self._headers.get("content-transfer-encoding", ""), name)
        self.parts.append(Part(name, filename, content))
        self._content = []

    def on_end(self) -> None:
        self.ended = True


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Read a form (multipart/form-data).

    Parameters
    ----------
    content_type : str
        The header ``content-type``, with its boundary.
    body : bytes

    Raises
    ------
    InvalidRequest
        The form is malformed or incomplete, or has too many parts.
    """
    try:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
    except ValueError:  # for characters that a header cannot have
        boundary = None
    if not boundary:
        raise InvalidRequest("the form has no boundary; send content-type: multipart/form-data; boundary=...")
    reader = _Reader()
    callbacks: MultipartCallbacks = {
        "on_part_begin": reader.on_part_begin,
        "on_header_field": reader.on_header_field,
        "on_header_value": reader.on_header_value,
        "on_header_end": reader.on_header_end,
        "on_part_data": reader.on_part_data,
        "on_part_end": reader.on_part_end,
        "on_end": reader.on_end,
    }
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise InvalidRequest(f"the form cannot be read ({error}); send multipart/form-data with a boundary") from None
    if not reader.ended:
        raise InvalidRequest(
            f"the form is incomplete, it ends after {len(reader.parts)} complete parts; send all of it"
        )
    return reader.parts


def _text(value: bytes) -> str:
    """Decode a header's value: as UTF-8, which browsers send, or as Latin-1 if it is not UTF-8."""
    try:
        return value.decode().strip(" \t")
    except UnicodeDecodeError:
        return value.decode("latin-1").strip(" \t")


def _names(disposition: str) -> tuple[str, str | None]:
    """Return the name of a field and of its file.

    RFC 7578 asks for plain UTF-8 in ``filename``; ``filename*`` (RFC 8187) takes precedence if a client sends it.
    """
    header = Message()
    header["content-disposition"] = disposition.replace("\r", " ").replace("\n", " ")
    params: dict[str, str] = {}
    for key, value in header.get_params(failobj=[], header="content-disposition"):
        if isinstance(value, tuple):
            params[key.lower()] = collapse_rfc2231_value(value)
        else:
            params.setdefault(key.lower(), value)
    if "name" not in params:
        raise InvalidRequest(
            f"a part of the form has no name ({short_repr(disposition)}); send it as form-data with a name"
        )
    filename = params.get("filename")
    return params["name"], None if filename is None else file_name(filename)


def file_name(sent: str) -> str:
    """Return a file name without folders; characters that cannot be printed become ``_``."""
    name = sent.replace("\\", "/").rpartition("/")[2]
    return "".join(letter if letter.isprintable() else "_" for letter in name)[:_LONGEST_NAME]


def _decoded(content: bytes, encoding: str, name: str) -> bytes:
    match encoding.lower():
        case "" | "7bit" | "8bit" | "binary":
            return content
        case "base64":
            return decode_audio(content.decode("latin-1"), name)
        case "quoted-printable":
            return quopri.decodestring(content)
        case other:
            raise InvalidRequest(
                f"{short_repr(name)}: the transfer encoding {short_repr(other)} is unknown; send the bytes as is"
            )
