"""Divide recordings into training and test, and those of training into folds; no recording is in two of them.

Neighbouring windows share their noise, and often their fish. A network that has heard some of them scores the others
too well. Recordings of one site, or of one day, share much as well, so they stay together where there are enough sites
or days. The folds are for cross-fitting (:mod:`.cross_fitting`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.label_classes import join_names
from anemonefish.training.labelled_recordings import LabelledRecording

__all__ = ["PARTS", "Split", "split_recordings"]

PARTS = ("training", "test")
_TEST_SHARE = 0.2
_MOST_FOLDS = 3
_LEAST_GROUPS = 3
"""Recordings (or sites, or days) with each class: in every fold, of which there are two at least, and in the test."""

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
    folds : tuple of tuple of LabelledRecording
        The recordings of the training, in two or three folds.
    test : tuple of LabelledRecording
        In order of their names, as in each fold.
    """

    by: str
    folds: tuple[tuple[LabelledRecording, ...], ...]
    test: tuple[LabelledRecording, ...]

    @property
    def training(self) -> tuple[LabelledRecording, ...]:
        """The recordings of all folds, in order of their names."""
        return tuple(sorted((each for fold in self.folds for each in fold), key=lambda each: each.name))

    def part(self, name: str) -> tuple[LabelledRecording, ...]:
        """Return the recordings of a part."""
        recordings: tuple[LabelledRecording, ...] = getattr(self, name)
        return recordings


def split_recordings(recordings: Sequence[LabelledRecording], classes: Sequence[str], by: str, seed: int) -> Split:
    """Divide recordings 80 : 20 by their labels, with every class in the test and in every fold of the training.

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
        if len(holding) < _LEAST_GROUPS:
            raise InvalidRequest(_too_few(label, chosen, [str(key) for key in holding]))
    folds = min(_MOST_FOLDS, _fewest(groups, len(classes)) - 1)
    shares = [(1 - _TEST_SHARE) / folds] * folds + [_TEST_SHARE]
    *learned, test = (
        tuple(sorted(part, key=lambda recording: recording.name))
        for part in _assigned(groups, len(classes), shares, seed)
    )
    return Split(chosen, tuple(learned), test)


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
    looser = "" if by == "recording" else ", or let recordings be divided with --split-by recording"
    where = f" ({join_names(holding)})" if holding else ""
    return (
        f"the class {label!r} is in {len(holding)} {by}{'' if len(holding) == 1 else 's'}{where}, and three are "
        f"needed: two to learn from and to choose the threshold with, and one to test on. Windows of one recording are "
        f"too alike to be divided. Label more {by}s{looser}; or leave the class out by naming the others with --class"
    )


def _assigned(groups: _Groups, classes: int, shares: Sequence[float], seed: int) -> list[list[LabelledRecording]]:
    """Give each group to the part that lacks most, the groups with the rarest class first.

    What a part lacks is its share of the labels of each class, and of the seconds, minus what it has.
    """
    keys = sorted(groups, key=str)
    amounts = np.array([_amount(groups[key], classes) for key in keys], float)
    totals = np.maximum(amounts.sum(axis=0), 1e-9)
    of_all = amounts / totals
    chance = np.random.default_rng(seed).permutation(len(keys))
    order = sorted(range(len(keys)), key=lambda index: (-round(float(of_all[index, :classes].max()), 6), chance[index]))
    has = np.zeros((len(shares), classes + 1))
    parts: list[list[LabelledRecording]] = [[] for _ in shares]
    for index in order:
        part = _neediest(np.array(shares)[:, None] - has, has, of_all[index], classes)
        has[part] += of_all[index]
        parts[part] += groups[keys[index]]
    return parts


def _neediest(lacks: np.ndarray, has: np.ndarray, share: np.ndarray, classes: int) -> int:
    """Return the part to give a group to: one without any of its classes first, then the one furthest from its goal."""
    held = share[:classes] > 0
    weights = np.where(share > 0, share, 0)
    scores = [(int((has[part, :classes][held] == 0).sum()), float(lacks[part] @ weights)) for part in range(len(has))]
    return max(range(len(has)), key=lambda part: scores[part])


def _amount(group: Sequence[LabelledRecording], classes: int) -> list[float]:
    counts = [sum(each.count(meaning) for each in group) for meaning in range(classes)]
    return [*map(float, counts), sum(each.seconds for each in group)]
