"""Check the fields of a dataclass against the types and limits in their annotations.

``threshold: Annotated[float, Interval(ge=0, lt=1)]`` is the one declaration of a setting's limits: this module checks
values against it and says it in words, the API's schema hands it to pydantic, and docs/settings.md prints it. The
limits are those of the package annotated-types, and :class:`Odd`.

Fields may be ``str``, ``int``, ``float``, ``bool``, a ``Literal`` of texts or a tuple of them, each also ``| None``.
A text marked with :class:`OrSeveral` may also be a tuple of such texts, and a number marked with :class:`OrByClass` a
tuple of pairs of a class and such a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MinLen

from anemonefish.errors import InvalidSettings, short_repr

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["FieldType", "Odd", "OrByClass", "OrSeveral", "check_fields", "field_types", "refuse"]


@dataclass(frozen=True, slots=True)
class Odd:
    """Mark a whole number that must be odd.

    Parameters
    ----------
    reason : str
        Why, to end the message.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class OrSeveral:
    """Mark a text that may also be a tuple of different texts, a list in JSON."""


@dataclass(frozen=True, slots=True)
class OrByClass:
    """Mark a number that may also be a tuple of pairs (class, number), an object in JSON."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of a field and the limits of its value.

    Parameters
    ----------
    base : type
        ``str``, ``int``, ``float``, ``bool`` or ``tuple``.
    optional : bool
        Whether the value may be None.
    choices : tuple of str
        The texts that are allowed, or that a tuple may hold; empty where any text is.
    limits : tuple
        ``Ge``, ``Gt``, ``Lt``, ``Le``, ``MinLen``, ``Odd``, ``OrSeveral`` and ``OrByClass``.
    """

    base: type
    optional: bool
    choices: tuple[str, ...]
    limits: tuple[Any, ...]

    @classmethod
    def of(cls, annotation: Any) -> FieldType:
        """Read an annotation.

        Raises
        ------
        TypeError
            The annotation is none of those that this module knows.
        """
        options = get_args(annotation) if get_origin(annotation) not in (Annotated, Literal, tuple) else ()
        if NoneType in options:
            (annotation,) = (option for option in options if option is not NoneType)
        kind, *metadata = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
        limits = tuple(_flat(metadata))
        if OrSeveral() in limits or OrByClass() in limits:
            kind = get_args(kind)[0]  # of str | tuple[str, ...] or float | tuple[tuple[str, float], ...]
        if get_origin(kind) is tuple:
            return cls(tuple, NoneType in options, get_args(get_args(kind)[0]), limits)
        if get_origin(kind) is Literal:
            return cls(str, NoneType in options, get_args(kind), limits)
        if kind not in (str, int, float, bool):
            raise TypeError(f"the type {annotation} of a field cannot be checked")
        return cls(kind, NoneType in options, (), limits)

    def refusal(self, value: object) -> str | None:
        """Return what must hold and does not, as in ``threshold must be ...``; None for a valid value."""
        if (value is None and self.optional) or self._holds(value) or self._all_hold(value):
            return None
        odd = next((limit for limit in self.limits if isinstance(limit, Odd)), None)
        if odd and isinstance(value, int) and value % 2 == 0 and self._in_limits(value):
            return f"an odd number, {odd.reason}"
        return self.words() if isinstance(value, tuple) else self._words_of_one()

    def words(self) -> str:
        """Return what must hold, in words."""
        if OrSeveral() in self.limits:
            return f"{self._words_of_one()}, or a list of different ones"
        if OrByClass() in self.limits:
            return f"{self._words_of_one()}, or an object of such numbers by class"
        return self._words_of_one()

    def _words_of_one(self) -> str:
        if self.base is tuple:
            return f"a list of {', '.join(self.choices)}"
        if self.choices:
            return " or ".join(self.choices)
        if self.base is bool:
            return "true or false"
        if self.base is str:
            return "text of at least one letter" if MinLen(1) in self.limits else "text"
        if self.base is int:
            least, most = (limit for limit in self.limits if isinstance(limit, Ge | Le))
            return f"a whole number from {_bound(least)} to {_bound(most)}"
        bounds = [f"{_WORDS[type(limit)]} {_bound(limit)}" for limit in self.limits if type(limit) in _WORDS]
        return f"a number {' and '.join(bounds)}"

    def _holds(self, value: object) -> bool:
        if self.base is tuple:
            return (
                isinstance(value, tuple)
                and (MinLen(1) not in self.limits or bool(value))
                and all(item in self.choices for item in value)
            )
        if self.base is str:
            allowed = value in self.choices if self.choices else MinLen(1) not in self.limits or value != ""
            return isinstance(value, str) and allowed
        if self.base is bool:
            return isinstance(value, bool)
        if isinstance(value, bool) or not isinstance(value, int if self.base is int else int | float):
            return False
        return self._in_limits(value) and (value % 2 == 1 or not any(isinstance(limit, Odd) for limit in self.limits))

    def _all_hold(self, value: object) -> bool:
        """Say whether a value is a tuple of different texts or of pairs of a class and a number, where it may be."""
        if not isinstance(value, tuple) or not value:
            return False
        if OrSeveral() in self.limits:
            return all(self._holds(item) for item in value) and len(set(value)) == len(value)
        if OrByClass() not in self.limits or not all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return False
        names = [name for name, _ in value]
        valid = all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)
        return valid and all(self._holds(number) for _, number in value)

    def _in_limits(self, value: float) -> bool:
        """Say whether a number is within its limits; NaN is within none."""
        return all(_WITHIN[type(limit)](value, _bound(limit)) for limit in self.limits if type(limit) in _WITHIN)


_WORDS = {Ge: "at least", Gt: "above", Lt: "below", Le: "at most"}
_WITHIN = {
    Ge: lambda value, bound: value >= bound,
    Gt: lambda value, bound: value > bound,
    Lt: lambda value, bound: value < bound,
    Le: lambda value, bound: value <= bound,
}


def _bound(limit: Any) -> Any:
    """Return the number of a limit: a field of its own name, as in ``Ge(ge=1)``."""
    return getattr(limit, type(limit).__name__.lower())


def _flat(metadata: list[Any]) -> Iterator[Any]:
    """Yield single limits; an ``Interval`` holds several."""
    for limit in metadata:
        if isinstance(limit, GroupedMetadata):
            yield from limit
        else:
            yield limit


@cache
def field_types(cls: type[DataclassInstance]) -> dict[str, FieldType]:
    """Return the types and limits of a dataclass's fields, by name."""
    annotations = get_type_hints(cls, include_extras=True)
    return {field.name: FieldType.of(annotations[field.name]) for field in fields(cls)}


def check_fields(instance: DataclassInstance) -> None:
    """Check every field of a dataclass against its annotation.

    Raises
    ------
    InvalidSettings
        A value has another type or lies outside its limits; the message names the field, what must hold and the value.

    Examples
    --------
    >>> from anemonefish.settings import Settings
    >>> Settings(channel=0)
    Traceback (most recent call last):
        ...
    anemonefish.errors.InvalidSettings: channel must be a whole number from 1 to 1024, not 0
    """
    for name, kind in field_types(type(instance)).items():
        value = getattr(instance, name)
        if (must := kind.refusal(value)) is not None:
            refuse(name, must, value)


def refuse(name: str, must: str, value: object) -> None:
    """Raise InvalidSettings for a field, with what must hold and the value that does not.

    Raises
    ------
    InvalidSettings
        Always.
    """
    raise InvalidSettings(
        f"{name} must be {must}, not {short_repr(list(value) if isinstance(value, tuple) else value)}"
    )
