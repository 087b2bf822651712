"""What the name of a label means in a training: a class, its absence, doubt, or another sound.

A name that is a class means this class. ``noise``, ``no``, ``absent`` and the like say that no class is there, and
``?``, ``unsure`` and the like that nobody knows; neither becomes a class by itself. Any other name is another sound.
The network learns that it is no class, and hears it as often as the classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.label_classes import join_names
from anemonefish.training.training_options import TrainingOptions

__all__ = ["NEGATIVE", "UNSURE", "Meanings", "choose_meanings"]

NEGATIVE, UNSURE = -1, -2
"""Meanings beside the index of a class."""

_NEGATIVE_NAMES = frozenset(
    {"0", "0.0", "false", "no", "absent", "none", "noise", "nothing", "negative", "background", "other"}
)
_UNSURE_NAMES = frozenset({"?", "unsure", "uncertain", "maybe", "unknown", "unidentified"})
_EVERY_OTHER_NAME = "*"
_REFERENCE_CLASS = "anemonefish"


class Meanings:
    """The classes of a model, and what each name of a label means.

    Attributes
    ----------
    classes : tuple of str
    target : str
    of : dict of str to int
        Index of the class by name; :data:`NEGATIVE` or :data:`UNSURE` for names that mean none.
    """

    def __init__(self, classes: tuple[str, ...], target: str, of: dict[str, int]) -> None:
        self.classes, self.target, self.of = classes, target, of

    def names(self, meaning: int) -> list[str]:
        """Return the names with a meaning, sorted."""
        return sorted(name for name, own in self.of.items() if own == meaning)


def choose_meanings(names: Mapping[str, int], options: TrainingOptions) -> Meanings:
    """Choose the classes, and find what each name means.

    Parameters
    ----------
    names : mapping of str to int
        How many labels have each name; empty for labels without a name.
    options : TrainingOptions
        ``classes``, ``target`` and ``mapping`` are used.

    Raises
    ------
    InvalidRequest
        No name means a class, a class has no label, or the target is no class.

    Examples
    --------
    >>> found = choose_meanings({"grunt": 9, "pop": 20, "?": 1}, TrainingOptions())
    >>> found.classes, found.target, found.of["?"] == UNSURE
    (('grunt', 'pop'), 'pop', True)
    """
    mapped = {name: _mapped(name, options.mapping) for name in names}
    counts: Counter[str] = Counter()
    for name, label in mapped.items():
        counts[label] += names[name]
    classes = options.classes or tuple(sorted(label for label in counts if _may_be_class(label)))
    if not classes:
        raise InvalidRequest(_no_class(names))
    if len(set(classes)) != len(classes) or not all(classes):
        raise InvalidRequest(f"the classes must be distinct names, not {', '.join(map(repr, classes))}")
    if empty := [label for label in classes if not counts[label]]:
        raise InvalidRequest(
            f"no label means the class {empty[0]!r}; the labels are called {_listed(names)}. Say which name means it, "
            f"for example --map 'NAME={empty[0]}', or leave the class out"
        )
    target = options.target or (
        _REFERENCE_CLASS if _REFERENCE_CLASS in classes else max(classes, key=lambda label: (counts[label], label))
    )
    for each in (target, *options.more_targets):
        if each not in classes:
            raise InvalidRequest(f"the target {each!r} is no class; the classes are {', '.join(classes)}")
    return Meanings(tuple(classes), target, {name: _meaning(label, classes) for name, label in mapped.items()})


def _mapped(name: str, mapping: Mapping[str, str]) -> str:
    if name in mapping:
        return mapping[name]
    known = name.lower() in _NEGATIVE_NAMES | _UNSURE_NAMES
    return name if known else mapping.get(_EVERY_OTHER_NAME, name)


def _may_be_class(label: str) -> bool:
    return bool(label) and label.lower() not in _NEGATIVE_NAMES | _UNSURE_NAMES


def _meaning(label: str, classes: Sequence[str]) -> int:
    if label in classes:
        return classes.index(label)
    return UNSURE if label.lower() in _UNSURE_NAMES else NEGATIVE


def _listed(names: Mapping[str, int]) -> str:
    return join_names(repr(name) if name else "(no name)" for name in names)


def _no_class(names: Mapping[str, int]) -> str:
    if not names:
        return (
            "there is no label in the label files, so there is nothing to learn; label some calls in Raven or Audacity "
            "and save the table"
        )
    if list(names) == [""]:
        return (
            "the labels have no names; say what they are with --map '*=NAME', or --label-column if a column names them"
        )
    return f"no name of a label can be a class: {_listed(names)}; say what they mean, for example --map '*=NAME'"
