"""The settings that a request may change, made from the declarations of :class:`~anemonefish.settings.Settings`.

Names, types, limits and descriptions are read from there. Added here is only what a client of the API needs besides:
every field may be left out, 5.0 counts as 5, and the OpenAPI document names texts and lists no longer than a request
may carry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, create_model

from anemonefish.field_checks import Odd, OrByClass, OrSeveral, field_types
from anemonefish.service.api.schemas.shared_schemas import RequestBody, take_whole
from anemonefish.settings import Settings, Use, meaning_of, names_for

__all__ = ["AnalysisBody", "DecisionBody", "SettingsBody", "with_settings"]

_MOST_CLASSES = 100
_ClassName = Annotated[str, MinLen(1), MaxLen(64)]


def _different(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("a class is named twice")
    return names


_ClassNames = Annotated[
    list[_ClassName],
    MinLen(1),
    MaxLen(_MOST_CLASSES),
    AfterValidator(_different),
    Field(json_schema_extra={"uniqueItems": True}),
]

_Model = TypeVar("_Model", bound=BaseModel)

_OF_THE_STACK = ("memory_mb", "architecture")
"""Settings that are decided when a stack is deployed."""

_IN_THE_DOCUMENT: dict[str, dict[str, Any]] = {
    # The patterns are narrower than what is taken, so that every text that matches is taken.
    "time_zone": {
        "max_length": 64,
        "json_schema_extra": {"pattern": r"^(UTC|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"},
    },
    "local_time_zone": {
        "max_length": 64,
        "json_schema_extra": {"pattern": r"^(UTC|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"},
    },
    "name_pattern": {
        "max_length": 100,
        "json_schema_extra": {"pattern": r"^(iso|date_time|separated|soundtrap|short_date|compact)$"},
    },
    "start": {
        "max_length": 64,
        "json_schema_extra": {
            "pattern": r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z$"
        },
    },
    "site": {"max_length": 64, "json_schema_extra": {"pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*$"}},
    "formats": {"max_length": 20},
    "review": {"max_length": 2},
}


def with_settings(names: Mapping[str, str], descriptions: str = "") -> Callable[[type[_Model]], type[_Model]]:
    """Decorate a pydantic model: add a field for each of these settings.

    Parameters
    ----------
    names : mapping of str to str
        Names of the settings, by the names of the fields.
    descriptions : str
        What to write about a field; ``{name}`` is the setting. The meaning of the setting unless given.
    """

    def add(model: type[_Model]) -> type[_Model]:
        more: dict[str, Any] = {
            field: (
                _type(name) | None,
                Field(
                    None,
                    description=descriptions.format(name=name) or meaning_of(name),
                    **_IN_THE_DOCUMENT.get(name, {}),
                ),
            )
            for field, name in names.items()
        }
        return create_model(model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **more)

    return add


def _type(name: str) -> Any:
    """Return the type of a setting with its limits, as pydantic reads them."""
    annotation = get_type_hints(Settings, include_extras=True)[name]
    if NoneType in get_args(annotation):
        (annotation,) = (option for option in get_args(annotation) if option is not NoneType)
    kind, *limits = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    if OrSeveral() in limits:
        return _ClassName | _ClassNames
    if OrByClass() in limits:
        number = Annotated[(float, *(limit for limit in limits if limit != OrByClass()))]
        return number | Annotated[dict[_ClassName, number], MinLen(1), MaxLen(_MOST_CLASSES)]
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]  # JSON has lists
    if any(isinstance(limit, Odd) for limit in limits):
        limits.append(Field(json_schema_extra={"enum": _odd_numbers(name)}))
    if kind is int:  # after the limits, or pydantic writes them into the document under names of its own
        limits.append(BeforeValidator(take_whole))
    return Annotated[(kind, *limits)] if limits else kind


def _odd_numbers(name: str) -> Any:
    limits: dict[type, Any] = {type(limit): limit for limit in field_types(Settings)[name].limits}
    return [*range(limits[Ge].ge | 1, limits[Le].le + 1, 2)]


def _same(*uses: Use) -> dict[str, str]:
    return {name: name for name in names_for(*uses) if name not in _OF_THE_STACK}


@with_settings(_same(Use.EVENTS))
class DecisionBody(RequestBody):
    """Settings that turn scores into events."""

    def changes(self) -> dict[str, Any]:
        """Return what the client has set."""
        return self.model_dump(exclude_none=True)


@with_settings(_same(Use.SCORES, Use.TIMES, Use.PROBABILITIES))
class AnalysisBody(DecisionBody):
    """Settings of one recording."""


@with_settings(_same(Use.FILES, Use.COST))
class SettingsBody(AnalysisBody):
    """Everything a client can set; docs/settings.md explains each."""
