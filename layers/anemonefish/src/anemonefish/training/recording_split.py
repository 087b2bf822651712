"""Divide recordings into training, validation and test; windows of one recording are never in two of them.

Neighbouring windows share their noise, and often their fish. A network that has heard some of them scores the others
too well. Recordings of one site, or of one day, share much as well, so they stay together where there are enough sites
or days.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.label_classes import join_names
from anemonefish.training.labelled_recordings import LabelledRecording

__all__ = ["PARTS", "Split", "split_recordings"]

PARTS = ("training", "validation", "test")
_SHARES = (0.6, 0.2, 0.2)
_ENOUGH_GROUPS = 6
"""Sites or days with labels of each class from which they stay together without being asked to."""

_KEYS: dict[str, Callable[[LabelledRecording], Hashable]] = {
    "site": lambda recording: recording.site,
    "day": lambda recording: recording.day or recording.name,
    "recording": lambda recording: recording.name,
}

_Groups = Mapping[Hashable, Sequence[LabelledRecording]]


@dataclass(frozen=True, slots=True)
class Split:
    """Which recordings belong to which part.

    Attributes
    ----------
    by : {"site", "day", "recording"}
        What stayed together.
    training, validation, test : tuple of LabelledRecording
        In order of their names.
    """

    by: str
    training: tuple[LabelledRecording, ...]
    validation: tuple[LabelledRecording, ...]
    test: tuple[LabelledRecording, ...]

    def part(self, name: str) -> tuple[LabelledRecording, ...]:
        """Return the recordings of a part."""
        recordings: tuple[LabelledRecording, ...] = getattr(self, name)
        return recordings


def split_recordings(recordings: Sequence[LabelledRecording], classes: Sequence[str], by: str, seed: int) -> Split:
    """Divide recordings 60 : 20 : 20 by their labels, with every class in every part.

    Parameters
    ----------
    recordings : sequence of LabelledRecording
    classes : sequence of str
    by : {"auto", "site", "day", "recording"}
    seed : int

    Raises
    ------
    InvalidRequest
        A class is in fewer than three recordings (or sites, or days).
    """
    chosen = by
    if by == "auto":
        chosen = next((key for key in ("site", "day") if _keeps_together(recordings, key, len(classes))), "recording")
    if by == "day" and all(recording.day is None for recording in recordings):
        raise InvalidRequest(
            "no name of a recording says when it was made, so they cannot be divided by day; use --split-by recording"
        )
    groups = _grouped(recordings, chosen)
    for meaning, label in enumerate(classes):
        holding = [key for key, group in groups.items() if any(each.count(meaning) for each in group)]
        if len(holding) < len(PARTS):
            raise InvalidRequest(_too_few(label, chosen, [str(key) for key in holding]))
    parts = _assigned(groups, len(classes), seed)
    return Split(chosen, *(tuple(sorted(part, key=lambda recording: recording.name)) for part in parts))


def _grouped(recordings: Sequence[LabelledRecording], key: str) -> _Groups:
    groups: dict[Hashable, list[LabelledRecording]] = {}
    for recording in recordings:
        groups.setdefault(_KEYS[key](recording), []).append(recording)
    return groups


def _keeps_together(recordings: Sequence[LabelledRecording], key: str, classes: int) -> bool:
    """Say whether there are enough groups, and any of several recordings."""
    groups = _grouped(recordings, key)
    return len(groups) < len(recordings) and _fewest(groups, classes) >= _ENOUGH_GROUPS


def _fewest(groups: _Groups, classes: int) -> int:
    """Return the number of groups with the rarest class."""
    return min(
        sum(any(each.count(meaning) for each in group) for group in groups.values()) for meaning in range(classes)
    )


def _too_few(label: str, by: str, holding: Sequence[str]) -> str:
    what = {"site": "sites", "day": "days", "recording": "recordings"}[by]
    looser = "" if by == "recording" else ", or let recordings be divided with --split-by recording"
    where = f" ({join_names(holding)})" if holding else ""
    return (
        f"the class {label!r} is in {len(holding)} {what}{where}, and three are needed: to learn from, to choose the "
        f"threshold with, and to test on. Windows of one recording are too alike to be divided. Label more "
        f"{what}{looser}; or leave the class out by naming the others with --class"
    )


def _assigned(groups: _Groups, classes: int, seed: int) -> list[list[LabelledRecording]]:
    """Give each group to the part that lacks most, the groups with the rarest class first.

    What a part lacks is its share of the labels of each class, and of the seconds, minus what it has.
    """
    keys = sorted(groups, key=str)
    amounts = np.array([_amount(groups[key], classes) for key in keys], float)
    totals = np.maximum(amounts.sum(axis=0), 1e-9)
    shares = amounts / totals
    chance = np.random.default_rng(seed).permutation(len(keys))
    order = sorted(range(len(keys)), key=lambda index: (-round(float(shares[index, :classes].max()), 6), chance[index]))
    has = np.zeros((len(PARTS), classes + 1))
    parts: list[list[LabelledRecording]] = [[] for _ in PARTS]
    for index in order:
        part = _neediest(has, shares[index], classes)
        has[part] += shares[index]
        parts[part] += groups[keys[index]]
    return parts


def _neediest(has: np.ndarray, share: np.ndarray, classes: int) -> int:
    """Return the part to give a group to: one without any of its classes first, then the one furthest from its goal."""
    held = share[:classes] > 0
    lacks = np.array(_SHARES)[:, None] - has
    weights = np.where(share > 0, share, 0)
    scores = [(int((has[part, :classes][held] == 0).sum()), float(lacks[part] @ weights)) for part in range(len(PARTS))]
    return max(range(len(PARTS)), key=lambda part: scores[part])


def _amount(group: Sequence[LabelledRecording], classes: int) -> list[float]:
    counts = [sum(each.count(meaning) for each in group) for meaning in range(classes)]
    return [*map(float, counts), sum(each.seconds for each in group)]
