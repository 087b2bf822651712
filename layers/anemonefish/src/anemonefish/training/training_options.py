"""What a user can choose in a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anemonefish.errors import InvalidSettings

__all__ = ["PROFILES", "SPLITS", "STRETCHES", "UNLABELLED", "TrainingOptions"]

UNLABELLED = ("ignore", "negative")
"""A recording without a label file: left out, or known to hold nothing."""

STRETCHES = ("negative", "ignore")
"""What nobody labelled in a labelled recording: it holds no class, or nobody listened there."""

PROFILES = ("band-db", "stft-db")
"""What a network sees: levels above the background in the band of the calls, or the lab's decibels (docs/models.md)."""

SPLITS = ("auto", "site", "day", "recording")
"""What stays together when recordings are divided into folds and test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How a model is trained.

    Attributes
    ----------
    classes : tuple of str
        The model's classes; every name of the labels unless given.
    target : str or None
        The class whose events are looked for; ``anemonefish``, or else the class with the most labels, unless given.
    more_targets : tuple of str
        Other classes whose events ``detect`` looks for too.
    mapping : mapping of str to str
        The class that a name of a label means; ``*`` stands for every other name.
    unlabelled : {"ignore", "negative"}
        See :data:`UNLABELLED`.
    stretches : {"negative", "ignore"}
        See :data:`STRETCHES`.
    label_column, times_per_file, pattern
        How label files are read; see :class:`anemonefish.evaluation.evaluation_options.EvaluationOptions`.
    profile : {"band-db", "stft-db"}
        See :data:`PROFILES`.
    window_seconds, hop_seconds : float
        Length of a window and distance between the starts of two.
    overlap : float
        A window holds a call if it contains this share of it, or 0.1 s of it.
    band : (float, float) or None
        Frequencies that the network sees, in Hz; see :func:`anemonefish.training.network_input.choose_input`.
    split_by : {"auto", "site", "day", "recording"}
        See :data:`SPLITS`.
    precision : float
        Wanted precision of the events; see :mod:`.choose_decision`.
    few : int or None
        Train only a linear layer behind the reference network, with at most so many labels of each class.
    epochs, patience : int
        Most epochs; epochs without improvement after which the training stops.
    batch : int
        Windows of a step.
    epoch_windows : (int, int)
        Least and most windows of an epoch.
    seed : int
        The same seed, data and machine give the same weights.
    threads : int
        Processors that Keras may use.
    channel : int or None
        Channel of the recordings, counted from 1; the mean of all unless given.
    time_zone : str or None
        Zone of the local times in names of recordings, to tell days apart.

    Raises
    ------
    InvalidSettings
        A value is out of range.
    """

    classes: tuple[str, ...] = ()
    target: str | None = None
    more_targets: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    unlabelled: str = "ignore"
    stretches: str = "negative"
    label_column: str | None = None
    times_per_file: bool = False
    pattern: str = "*"
    profile: str = "band-db"
    window_seconds: float = 0.4
    hop_seconds: float = 0.1
    overlap: float = 0.5
    band: tuple[float, float] | None = None
    split_by: str = "auto"
    precision: float = 0.9
    few: int | None = None
    epochs: int = 16
    patience: int = 5
    batch: int = 64
    epoch_windows: tuple[int, int] = (4_000, 8_000)
    seed: int = 1
    threads: int = 2
    channel: int | None = None
    time_zone: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("unlabelled", UNLABELLED),
            ("stretches", STRETCHES),
            ("profile", PROFILES),
            ("split_by", SPLITS),
        ):
            if (value := getattr(self, name)) not in choices:
                raise InvalidSettings(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}")
        for name, low, high in (
            ("window_seconds", 0.02, 60),
            ("hop_seconds", 0.01, 60),
            ("overlap", 0.01, 1),
            ("precision", 0.01, 1),
            ("epochs", 1, 10_000),
            ("patience", 1, 10_000),
            ("batch", 1, 100_000),
            ("seed", 0, 2**31 - 1),
            ("threads", 1, 1024),
        ):
            if not low <= (value := getattr(self, name)) <= high:
                raise InvalidSettings(f"{name} must be from {low:g} to {high:g}, not {value!r}")
        if self.hop_seconds > self.window_seconds:
            raise InvalidSettings(
                f"hop_seconds {self.hop_seconds:g} must not be above window_seconds {self.window_seconds:g}: sound "
                f"between two windows would never be heard"
            )
        if self.few is not None and self.few < 1:
            raise InvalidSettings(f"few must be at least 1, not {self.few!r}")
        if self.band is not None and not 0 <= self.band[0] < self.band[1]:
            raise InvalidSettings(f"band must be two rising frequencies in Hz, not {self.band[0]:g}-{self.band[1]:g}")
        if not 1 <= self.epoch_windows[0] <= self.epoch_windows[1]:
            raise InvalidSettings(f"epoch_windows must be two rising counts from 1, not {self.epoch_windows}")
