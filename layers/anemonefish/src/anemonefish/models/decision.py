"""The settings that turn scores into events, as a model recommends them and as a result was decided.

A bundle may carry its own, because what suits a network depends on its training; where it says nothing, and where a
user says nothing, the lab's settings decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from anemonefish.errors import InvalidSettings
from anemonefish.settings import Settings

__all__ = ["EVERY_OTHER", "LAB_DECISION", "Decision"]

EVERY_OTHER = "*"
"""The name under which thresholds by class have that of every class that they do not name."""

_NAMES = ("threshold", "median_windows", "min_duration_seconds", "min_gap_seconds")
"""The settings of a decision."""


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
    class_thresholds : tuple of (str, float)
        Thresholds of single classes, in the order of their names; ``threshold`` is that of the others.

    Raises
    ------
    InvalidSettings
        A value has the wrong type or lies out of range.

    Examples
    --------
    >>> model = Decision(threshold=0.7, median_windows=3)
    >>> model.changed_by(Settings(threshold=0.9))
    Decision(threshold=0.9, median_windows=3, min_duration_seconds=0.2, min_gap_seconds=0.1, class_thresholds=())
    >>> both = model.changed_by(Settings.load({"threshold": {"biological": 0.6}}))
    >>> both.threshold_of("anemonefish"), both.threshold_of("biological"), both.to_dict()["threshold"]
    (0.7, 0.6, {'*': 0.7, 'biological': 0.6})
    """

    threshold: float = 0.5
    median_windows: int = 5
    min_duration_seconds: float = 0.2
    min_gap_seconds: float = 0.1
    class_thresholds: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        Settings(**self._settings())

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read :meth:`to_dict`.

        Raises
        ------
        InvalidSettings
            A name is unknown or missing, or a value invalid.
        """
        if document.keys() != set(_NAMES):
            raise InvalidSettings(f"decision must have {', '.join(sorted(_NAMES))}, not {', '.join(sorted(document))}")
        if missing := sorted(name for name in _NAMES if document[name] is None):
            raise InvalidSettings(f"{', '.join(missing)} must not be null in a decision")
        return cls().changed_by(Settings.load(document, {}))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the decision of settings that name every value, as those of a result do.

        Raises
        ------
        InvalidSettings
            A value is None.
        """
        return cls.from_dict({name: value for name, value in settings.decision().items() if name in _NAMES})

    def to_dict(self) -> dict[str, Any]:
        """Return the names and values, JSON-ready; thresholds of several classes are one object."""
        values = self._settings()
        thresholds = values["threshold"]
        return {**values, "threshold": dict(thresholds) if isinstance(thresholds, tuple) else thresholds}

    def threshold_of(self, label: str) -> float:
        """Return the threshold of a class."""
        return dict(self.class_thresholds).get(label, self.threshold)

    def with_threshold(self, threshold: float) -> Self:
        """Return the decision with one threshold for every class."""
        return replace(self, threshold=threshold, class_thresholds=())

    def thresholds(self, labels: Sequence[str]) -> str:
        """Return the thresholds of classes in words.

        Examples
        --------
        >>> Decision(class_thresholds=(("biological", 0.6),)).thresholds(["anemonefish", "biological"])
        'thresholds anemonefish 0.5, biological 0.6'
        """
        values = {label: self.threshold_of(label) for label in labels}
        if len(set(values.values())) == 1:
            return f"threshold {values[labels[0]]:g}"
        return f"thresholds {', '.join(f'{label} {value:g}' for label, value in values.items())}"

    def changed_by(self, settings: Settings) -> Self:
        """Return the decision with the values that the settings name; None in them changes nothing.

        One threshold in the settings replaces those of all classes. Of thresholds by class, those that are named are
        replaced, and with ``*`` all others, too.
        """
        given = {name: getattr(settings, name) for name in _NAMES}
        changes = {name: value for name, value in given.items() if value is not None}
        threshold = changes.pop("threshold", None)
        changed = replace(self, **changes)
        if threshold is None:
            return changed
        if not isinstance(threshold, tuple):
            return changed.with_threshold(threshold)
        named = dict(threshold)
        kept = {} if EVERY_OTHER in named else dict(self.class_thresholds)
        others = named.pop(EVERY_OTHER, self.threshold)
        return replace(changed, threshold=others, class_thresholds=tuple(sorted({**kept, **named}.items())))

    def complete(self, settings: Settings) -> Settings:
        """Return the settings with this decision where they name none."""
        return replace(settings, **self.changed_by(settings)._settings())

    def _settings(self) -> dict[str, Any]:
        """Return the settings that name this decision."""
        values = {name: getattr(self, name) for name in _NAMES}
        if self.class_thresholds:
            values["threshold"] = ((EVERY_OTHER, self.threshold), *self.class_thresholds)
        return values


LAB_DECISION = Decision()
"""The lab's settings, with which its users know its models."""
