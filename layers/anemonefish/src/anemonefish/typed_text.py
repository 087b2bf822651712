"""Read values that are given as text: ``--set NAME=VALUE``, environment variables, ``--profile-set``.

A text is read by the type that a dataclass declares for the field, and not by what it looks like: ``+10:00`` is text
where the field is text, and ``null`` in quotation marks is a class of that name. A text that is not of the type is
returned unchanged; the dataclass then refuses it (:mod:`.field_checks`).

==================  =================================================================================================
type of the field   what is read
==================  =================================================================================================
text                the text itself; quotation marks around the whole of it are left out
number              digits with a decimal point and an exponent, as in ``0.5`` or ``1e-5``; ASCII, finite
whole number        digits with a sign, always decimal
true or false       ``true``, ``yes``, ``on``, ``1``; ``false``, ``no``, ``off``, ``0``; in any case of letters
list                ``csv,raven`` or ``[csv, "raven"]``
text or list        text with a comma or in brackets is a list
number or by class  ``0.5``, or numbers by class: ``anemonefish:0.7,biological:0.5``
optional            ``null`` or nothing for none
==================  =================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

__all__ = ["read_fields"]

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_QUOTES = ("'", '"')


def read_fields(cls: type, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read texts by the types of a dataclass's fields.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are ``str``, ``int``, ``float``, ``bool``, a ``Literal`` of texts, a tuple of texts,
        ``str | tuple[str, ...]`` or ``float | tuple[tuple[str, float], ...]``, each also ``| None``.
    texts : mapping of str to str
        Text by the name of the field.

    Returns
    -------
    dict
        Values by name. Text that is not of its field's type, and text of an unknown name, stays text; the dataclass
        or the caller refuses it.

    Raises
    ------
    TypeError
        A field of the dataclass has another type than these.

    Examples
    --------
    >>> from anemonefish.settings import Settings
    >>> read_fields(Settings, {"time_zone": "+10:00", "channel": "2", "threshold": "high"})
    {'time_zone': '+10:00', 'channel': 2, 'threshold': 'high'}
    """
    kinds = get_type_hints(cls)
    return {name: _read(kinds[name], text) if name in kinds else text for name, text in texts.items()}


def _read(kind: Any, text: str) -> Any:
    options = get_args(kind)
    if NoneType in options:
        if text.strip() in {"", "null"}:
            return None
        options = tuple(option for option in options if option is not NoneType)
        kind = options[0]
    if len(options) == 2 and get_origin(options[1]) is tuple:
        return _several(kind, text)
    if get_origin(kind) is Literal:
        kind = str
    if get_origin(kind) is tuple:
        return _list(text)
    if kind not in _READERS:
        raise TypeError(f"text cannot be read as {kind}")
    return _READERS[kind](text.strip())


def _several(kind: type, text: str) -> Any:
    """Read a text or several, or a number or several by class."""
    stripped = text.strip()
    if kind is str:
        is_list = "," in stripped or (stripped.startswith("[") and stripped.endswith("]"))
        return _list(stripped) if is_list else _text(stripped)
    if ":" not in stripped:
        return _number(stripped)
    pairs = [item.rpartition(":") for item in _list(stripped)]
    return {_text(name.strip()): _number(number.strip()) for name, _, number in pairs}


def _text(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        return text[1:-1]
    return text


def _whole(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _number(text: str) -> float | str:
    """Read a number; a whole number stays an int, so that it is printed as it was written."""
    if isinstance(whole := _whole(text), int):
        return whole
    return float(text) if _NUMBER.fullmatch(text) else text


def _flag(text: str) -> bool | str:
    return _FLAGS.get(text.lower(), text)


def _list(text: str) -> tuple[str, ...]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    return tuple(_text(item.strip()) for item in text.split(",")) if text else ()


_READERS = {str: _text, int: _whole, float: _number, bool: _flag}
