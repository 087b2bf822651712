"""One settings object: defaults from ``defaults.yaml``, overridden by the environment and by the request.

Owns the names, types and limits of everything a user can set. Promises that a :class:`Settings` that exists
is valid and that a message about an invalid one says which setting, what it was and what must hold. Unknown
names are an error, never dropped. Text from a terminal or the environment is read by the type of its field; a value
that has a type already, as in the JSON of a request, must be of that type. Never reads a file other than the package's
own defaults.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from typing import Any, Self

import yaml

from anemonefish.errors import InvalidSettings, shown
from anemonefish.typed_text import read_fields

__all__ = ["ENVIRONMENT_PREFIX", "FORMATS", "MOST_CLIPS", "REVIEWS", "Settings"]

ENVIRONMENT_PREFIX = "ANEMONEFISH_"

FORMATS = ("json", "csv", "scores", "raven", "audacity", "classes", "kaleidoscope", "longterm", "parquet")
"""Names of the report formats, in the order they are written."""

REVIEWS = ("clips", "pictures")
"""What an account can make for review besides the results."""

MOST_CLIPS = 500
"""Clips of one job unless somebody asks for more: an afternoon of listening."""

_SCORING = ("window_seconds", "hop_seconds", "channel", "resample", "damaged")
_DECISION = ("target_class", "threshold", "median_windows", "min_duration_seconds", "min_gap_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a user can set; see ``defaults.yaml`` for the meaning of each field.

    Raises
    ------
    InvalidSettings
        A value has the wrong type or lies out of range.
    """

    window_seconds: float | None
    hop_seconds: float | None
    channel: int | None
    resample: bool
    damaged: str
    target_class: str | None
    threshold: float
    median_windows: int
    min_duration_seconds: float
    min_gap_seconds: float
    time_zone: str | None
    name_pattern: str | None
    start: str | None
    formats: tuple[str, ...]
    review: tuple[str, ...]
    target_seconds: float
    max_concurrency: int
    max_range_seconds: float
    memory_mb: int
    architecture: str

    def __post_init__(self) -> None:
        for name in ("window_seconds", "hop_seconds"):
            if getattr(self, name) is not None:
                _number(self, name, least=0.001, most=60)  # one sample at 1 kHz
        if self.channel is not None:
            _whole(self, "channel", least=1, most=1024)
        _flag(self, "resample")
        if self.damaged not in ("keep", "refuse"):
            _refuse("damaged", self.damaged, "keep or refuse")
        if self.target_class is not None:
            _text(self, "target_class")
        _number(self, "threshold", least=0, below=1)
        _whole(self, "median_windows", least=1, most=99)
        if self.median_windows % 2 == 0:
            _refuse("median_windows", self.median_windows, "an odd number, so that a window lies in the middle")
        _number(self, "min_duration_seconds", least=0, most=3600)
        _number(self, "min_gap_seconds", least=0, most=3600)
        for name in ("time_zone", "name_pattern", "start"):
            if getattr(self, name) is not None:
                _text(self, name)
        _choices(self, "formats", FORMATS)
        if self.review != ():
            _choices(self, "review", REVIEWS)
        _number(self, "target_seconds", above=0, most=86_400)
        _whole(self, "max_concurrency", least=1, most=10_000)
        _number(self, "max_range_seconds", least=1, most=86_400)
        _whole(self, "memory_mb", least=512, most=10_240)
        if self.architecture not in {"arm64", "x86_64"}:
            _refuse("architecture", self.architecture, "arm64 or x86_64")

    @classmethod
    def load(cls, overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Self:
        """Combine the defaults, the environment and the overrides of a request.

        Parameters
        ----------
        overrides : mapping, optional
            Settings by name; a name that does not exist is an error.
        environment : mapping, optional
            Environment variables; ``os.environ`` unless given.

        Raises
        ------
        InvalidSettings
            A name is unknown or a value invalid; one of the environment is named with its variable.
        """
        values = _defaults()
        if overrides is not None and not isinstance(overrides, Mapping):
            raise InvalidSettings(f"settings must be an object of names and values, not {shown(overrides)}")
        for name in overrides or {}:
            if name not in values:
                raise InvalidSettings(f"there is no setting {name!r}; the settings are {', '.join(sorted(values))}")
        values |= cls._from_environment(os.environ if environment is None else environment, overrides or {})
        values |= overrides or {}
        return cls(**_with_tuples(values))

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> dict[str, Any]:
        """Read settings that were typed, each by its own type; what does not fit :meth:`load` refuses."""
        return read_fields(cls, texts)

    @classmethod
    def _from_environment(cls, environment: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Read ``ANEMONEFISH_<NAME>`` of the settings that are not overridden, each by its type."""
        found: dict[str, Any] = {}
        for name in sorted(_defaults().keys() - overrides.keys()):
            variable = ENVIRONMENT_PREFIX + name.upper()
            if variable in environment:
                found |= cls.read({name: environment[variable]})
                try:
                    cls(**_with_tuples(_defaults() | {name: found[name]}))
                except InvalidSettings as error:
                    raise InvalidSettings(f"{error}; change or unset the environment variable {variable}") from None
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready names and values; :meth:`load` reads them back."""
        return {**asdict(self), "formats": list(self.formats), "review": list(self.review)}

    def scoring(self) -> dict[str, Any]:
        """Return the settings that change a score: they, the recording and the model name a part."""
        return {name: getattr(self, name) for name in _SCORING}

    def decision(self) -> dict[str, Any]:
        """Return the settings that turn scores into events; stamped into every result."""
        return {name: getattr(self, name) for name in _DECISION}


def _defaults() -> dict[str, Any]:
    return dict(_read_defaults())


@cache
def _read_defaults() -> Mapping[str, Any]:
    text = resources.files("anemonefish").joinpath("defaults.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    if set(values) != {field.name for field in fields(Settings)}:
        raise InvalidSettings("defaults.yaml and the Settings class do not name the same settings")
    return values


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with lists of JSON and YAML as the tuples that a frozen object holds."""
    lists = {name: tuple(values[name]) for name in ("formats", "review") if isinstance(values[name], list)}
    return {**values, **lists}


def _refuse(name: str, value: object, must: str) -> None:
    raise InvalidSettings(f"{name} must be {must}, not {shown(value)}")


def _number(
    settings: Settings,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    value = getattr(settings, name)
    limits = {"at least": least, "above": above, "below": below, "at most": most}
    must = " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(name, value, f"a number {must}")
    holds = (
        (least is None or value >= least)
        and (above is None or value > above)
        and (below is None or value < below)
        and (most is None or value <= most)
    )
    if not holds:  # NaN compares false with everything and ends here as well
        _refuse(name, value, f"a number {must}")


def _whole(settings: Settings, name: str, *, least: int, most: int) -> None:
    value = getattr(settings, name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        _refuse(name, value, f"a whole number from {least} to {most}")


def _flag(settings: Settings, name: str) -> None:
    if not isinstance(getattr(settings, name), bool):
        _refuse(name, getattr(settings, name), "true or false")


def _text(settings: Settings, name: str) -> None:
    value = getattr(settings, name)
    if not isinstance(value, str) or not value:
        _refuse(name, value, "text of at least one letter")


def _choices(settings: Settings, name: str, known: tuple[str, ...]) -> None:
    value = getattr(settings, name)
    if not isinstance(value, tuple) or not value or any(item not in known for item in value):
        _refuse(name, list(value) if isinstance(value, tuple) else value, f"a list of {', '.join(known)}")
