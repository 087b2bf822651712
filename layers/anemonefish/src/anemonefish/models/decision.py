"""The settings that turn scores into events, as a model recommends them and as a result was decided.

A bundle may carry its own, because what suits a network depends on its training; where it says nothing, and where a
user says nothing, the lab's settings decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from anemonefish.errors import InvalidSettings
from anemonefish.settings import Settings

__all__ = ["LAB_DECISION", "Decision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How scores become events. The defaults are the lab's.

    Attributes
    ----------
    threshold : float
        A window belongs to an event when its smoothed score is above this.
    median_windows : int
        Length of the median filter: an odd number of windows.
    min_duration_seconds : float
        Shorter events are dropped.
    min_gap_seconds : float
        Events closer than this are merged.

    Raises
    ------
    InvalidSettings
        A value has the wrong type or lies out of range.

    Examples
    --------
    >>> model = Decision(threshold=0.7, median_windows=3)
    >>> model.changed_by(Settings(threshold=0.9))
    Decision(threshold=0.9, median_windows=3, min_duration_seconds=0.2, min_gap_seconds=0.1)
    """

    threshold: float = 0.5
    median_windows: int = 5
    min_duration_seconds: float = 0.2
    min_gap_seconds: float = 0.1

    def __post_init__(self) -> None:
        Settings(**asdict(self))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read :meth:`to_dict`.

        Raises
        ------
        InvalidSettings
            A name is unknown or missing, or a value invalid.
        """
        names = {each.name for each in fields(cls)}
        if document.keys() != names:
            raise InvalidSettings(f"decision must have {', '.join(sorted(names))}, not {', '.join(sorted(document))}")
        if missing := sorted(name for name in names if document[name] is None):
            raise InvalidSettings(f"{', '.join(missing)} must not be null in a decision")
        return cls(**document)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the decision of settings that name every value, as those of a result do.

        Raises
        ------
        InvalidSettings
            A value is None.
        """
        return cls.from_dict({each.name: getattr(settings, each.name) for each in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Return the names and values, JSON-ready."""
        return asdict(self)

    def changed_by(self, settings: Settings) -> Self:
        """Return the decision with the values that the settings name; None in them changes nothing."""
        given = {each.name: getattr(settings, each.name) for each in fields(self)}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def complete(self, settings: Settings) -> Settings:
        """Return the settings with this decision where they name none."""
        return replace(settings, **self.changed_by(settings).to_dict())


LAB_DECISION = Decision()
"""The lab's settings, with which its users know its models."""
