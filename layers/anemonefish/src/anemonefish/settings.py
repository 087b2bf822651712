"""Everything a user can set: names, types, limits, defaults and meanings, each declared once in :class:`Settings`.

A setting is one field of the class. From it come the checks and their messages (:mod:`.field_checks`), the reading of
text (:mod:`.typed_text`), the API's schema (:mod:`.service.api.schemas.settings_schemas`) and the table of
docs/settings.md (docs/make_settings_table.py). A :class:`Settings` that exists is valid.

Environment variables ``ANEMONEFISH_<NAME>`` override defaults, and a request or the command line overrides both. An
unknown name is an error. Text from a terminal or the environment is read by the type of its field; a value that has a
type already, as in the JSON of a request, must be of that type.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Annotated, Any, Literal, Self, get_args

from annotated_types import Interval, MinLen

from anemonefish.errors import InvalidSettings, short_repr
from anemonefish.field_checks import Odd, OrByClass, OrSeveral, check_fields
from anemonefish.typed_text import read_fields

__all__ = [
    "ARCHITECTURES",
    "ENVIRONMENT_PREFIX",
    "FORMATS",
    "MOST_CLIPS",
    "REVIEWS",
    "Architecture",
    "Format",
    "Review",
    "Settings",
    "Use",
    "meaning_of",
    "names_for",
]

ENVIRONMENT_PREFIX = "ANEMONEFISH_"

Format = Literal["json", "csv", "scores", "raven", "audacity", "classes", "kaleidoscope", "longterm", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""Names of the report formats, in the order they are written."""

Review = Literal["clips", "pictures"]
REVIEWS: tuple[Review, ...] = get_args(Review)
"""What an account can make for review besides the results."""

Architecture = Literal["arm64", "x86_64"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
"""Processors of AWS Lambda."""

MOST_CLIPS = 500
"""Clips of one job unless a user asks for more: an afternoon of listening."""


class Use(Enum):
    """What a setting changes."""

    SCORES = "scores"
    EVENTS = "events"
    TIMES = "times"
    PROBABILITIES = "probabilities"
    FILES = "files"
    COST = "time and cost"


def _about(use: Use, meaning: str) -> dict[str, Any]:
    return {"use": use, "meaning": meaning}


_Text = Annotated[str, MinLen(1)]
_WindowSeconds = Annotated[float, Interval(ge=0.001, le=60)]  # one sample at 1 kHz
_GapSeconds = Annotated[float, Interval(ge=0, le=3600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a user can set; docs/settings.md lists the settings with their limits and meanings.

    Raises
    ------
    InvalidSettings
        A value has the wrong type or lies out of range.
    """

    window_seconds: _WindowSeconds | None = field(
        default=None,
        metadata=_about(Use.SCORES, "Length of a window; `null`: the model's. Most models accept only one length"),
    )
    hop_seconds: _WindowSeconds | None = field(
        default=None, metadata=_about(Use.SCORES, "Distance between the starts of two windows; `null`: the model's")
    )
    channel: Annotated[int, Interval(ge=1, le=1024)] | None = field(
        default=None, metadata=_about(Use.SCORES, "The channel to analyse, counted from 1; `null`: the mean of all")
    )
    resample: bool = field(
        default=True,
        metadata=_about(
            Use.SCORES, "Resample recordings to the model's rate (soxr HQ); `false` refuses recordings with other rates"
        ),
    )
    damaged: Literal["keep", "refuse"] = field(
        default="keep",
        metadata=_about(
            Use.SCORES,
            "If a recording ends early or is damaged: `keep` analyses the rest, as `partial`; `refuse` fails it",
        ),
    )
    target_class: Annotated[str | tuple[str, ...], MinLen(1), OrSeveral()] | None = field(
        default=None,
        metadata=_about(
            Use.EVENTS,
            "The class for which events are found, or a list of classes (`--set target_class=anemonefish,biological`); "
            "`null`: the model's target class",
        ),
    )
    threshold: Annotated[float | tuple[tuple[str, float], ...], Interval(ge=0, lt=1), OrByClass()] | None = field(
        default=None,
        metadata=_about(
            Use.EVENTS,
            "A window belongs to an event when its smoothed score is **above** this; one for every class, or an object "
            "by class, where `*` is every class that it does not name (`--set threshold=anemonefish:0.7,*:0.5`); "
            "`null`: the model's, or 0.5",
        ),
    )
    median_windows: Annotated[int, Interval(ge=1, le=99), Odd("so that a window lies in the middle")] | None = field(
        default=None,
        metadata=_about(
            Use.EVENTS,
            "Length of the median filter over each class's scores, zero-padded; an odd number of windows; "
            "1 does not smooth; `null`: the model's, or 5",
        ),
    )
    min_duration_seconds: _GapSeconds | None = field(
        default=None,
        metadata=_about(Use.EVENTS, "Shorter events are dropped (before merging); `null`: the model's, or 0.2"),
    )
    min_gap_seconds: _GapSeconds | None = field(
        default=None, metadata=_about(Use.EVENTS, "Events closer than this are merged; `null`: the model's, or 0.1")
    )
    full_scale_db: Annotated[float, Interval(ge=0, le=300)] | None = field(
        default=None,
        metadata=_about(
            Use.EVENTS,
            "Calibration of the recorder: sound pressure of full scale (an amplitude of 1), in dB re 1 uPa, for "
            "`level_db_re_1upa` (docs/results.md); `null`: unknown",
        ),
    )
    time_zone: _Text | None = field(
        default=None,
        metadata=_about(
            Use.TIMES,
            "Time zone of times without one: `UTC`, `+10:00`, `Australia/Brisbane` (docs/time.md); `null`: unknown",
        ),
    )
    local_time_zone: _Text | None = field(
        default=None,
        metadata=_about(
            Use.TIMES,
            "Time zone whose hours and days effort and activity are counted in (docs/results.md); `null`: `time_zone`, "
            "or UTC",
        ),
    )
    name_pattern: _Text | None = field(
        default=None,
        metadata=_about(
            Use.TIMES,
            "How file names contain the time: a pattern of docs/time.md by name, or like `%Y%m%d_%H%M%S`; `null`: any",
        ),
    )
    start: _Text | None = field(
        default=None,
        metadata=_about(
            Use.TIMES,
            "Start time of the only recording of a job, ISO 8601 with an offset: `2019-09-20T10:42:48+10:00`; "
            "`null`: from its name or header",
        ),
    )
    site: _Text | None = field(
        default=None,
        metadata=_about(
            Use.PROBABILITIES,
            "The site whose calibration of scores gives events a probability (docs/probability.md); `null`: the "
            "calibration without a site, if there is one",
        ),
    )
    formats: Annotated[tuple[Format, ...], MinLen(1)] = field(
        default=FORMATS, metadata=_about(Use.FILES, "The files that are written for each recording (docs/results.md)")
    )
    review: tuple[Review, ...] = field(
        default=(),
        metadata=_about(
            Use.FILES,
            "In an account: clips of the events and pictures, which are made after the results (docs/results.md); "
            "on a laptop use `--clips` and `--pictures`",
        ),
    )
    target_seconds: Annotated[float, Interval(gt=0, le=86_400)] = field(
        default=120, metadata=_about(Use.COST, "Finish a job within this time, if the account's concurrency allows it")
    )
    max_concurrency: Annotated[int, Interval(ge=1, le=10_000)] = field(
        default=1000, metadata=_about(Use.COST, "Number of workers at the same time")
    )
    max_range_seconds: Annotated[float, Interval(ge=1, le=86_400)] = field(
        default=7200, metadata=_about(Use.COST, "Longest stretch of audio for one worker")
    )
    memory_mb: Annotated[int, Interval(ge=512, le=10_240)] = field(
        default=1769,
        metadata=_about(Use.COST, "Memory of one worker, for the quote (docs/deploy.md); 1,769 MB is one vCPU"),
    )
    architecture: Architecture = field(
        default="arm64", metadata=_about(Use.COST, "Processor of the workers, for the quote (docs/deploy.md)")
    )

    def __post_init__(self) -> None:
        check_fields(self)

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
        if overrides is not None and not isinstance(overrides, Mapping):
            raise InvalidSettings(f"settings must be an object of names and values, not {short_repr(overrides)}")
        names = names_for(*Use)
        for name in overrides or {}:
            if name not in names:
                raise InvalidSettings(f"there is no setting {name!r}; the settings are {', '.join(sorted(names))}")
        values = cls._from_environment(os.environ if environment is None else environment, overrides or {})
        values |= overrides or {}
        return cls(**_with_tuples(values))

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> dict[str, Any]:
        """Read settings that were typed, each by its own type; a value of another type is refused by :meth:`load`."""
        return read_fields(cls, texts)

    @classmethod
    def _from_environment(cls, environment: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Read ``ANEMONEFISH_<NAME>`` of the settings that are not overridden, each by its type."""
        values: dict[str, Any] = {}
        for name in sorted(set(names_for(*Use)) - overrides.keys()):
            variable = ENVIRONMENT_PREFIX + name.upper()
            if variable in environment:
                values |= cls.read({name: environment[variable]})
                try:
                    cls(**_with_tuples({name: values[name]}))
                except InvalidSettings as error:
                    raise InvalidSettings(f"{error}; change or unset the environment variable {variable}") from None
        return values

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready names and values; :meth:`load` reads them back."""
        return {name: _json_ready(name, getattr(self, name)) for name in names_for(*Use)}

    def scoring(self) -> dict[str, Any]:
        """Return the settings that change a score; with the recording and the model they name its stored scores."""
        return {name: getattr(self, name) for name in names_for(Use.SCORES)}

    def decision(self) -> dict[str, Any]:
        """Return the settings that turn scores into events; stamped into every result."""
        return {name: _json_ready(name, getattr(self, name)) for name in names_for(Use.EVENTS)}

    @property
    def target_classes(self) -> tuple[str, ...]:
        """The classes for which events are found; none where the settings name none."""
        if self.target_class is None:
            return ()
        return (self.target_class,) if isinstance(self.target_class, str) else self.target_class


def names_for(*uses: Use) -> tuple[str, ...]:
    """Return the names of the settings that change these, in the order of their declaration."""
    return tuple(setting.name for setting in fields(Settings) if setting.metadata["use"] in uses)


def meaning_of(name: str) -> str:
    """Return what a setting means, as Markdown."""
    meanings = {setting.name: str(setting.metadata["meaning"]) for setting in fields(Settings)}
    return meanings[name]


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with lists and objects of JSON as the tuples that a frozen object holds."""
    names = ("formats", "review", "target_class")
    lists = {name: tuple(values[name]) for name in names if isinstance(values.get(name), list | tuple)}
    if isinstance(values.get("threshold"), Mapping):
        lists["threshold"] = tuple(sorted(values["threshold"].items(), key=lambda pair: str(pair[0])))
    return {**values, **lists}


def _json_ready(name: str, value: Any) -> Any:
    """Return the value of a setting as JSON holds it."""
    if not isinstance(value, tuple):
        return value
    return dict(value) if name == "threshold" else list(value)
