"""What a user can choose in an evaluation: the matching rule, thresholds, classes, and how label files are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from anemonefish.errors import InvalidSettings
from anemonefish.evaluation.matching import MatchingRule

__all__ = ["DEFAULT_THRESHOLDS", "UNLABELLED", "EvaluationOptions"]

UNLABELLED = ("ignore", "negative")
"""What to do with a recording without a label file: leave it out, or count it as a recording without calls."""

DEFAULT_THRESHOLDS = (0.01, 0.02, *(step / 20 for step in range(1, 20)), 0.98, 0.99)
"""Steps of 0.05, and smaller ones at both ends, because a network with a softmax puts most of its scores there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """How results are compared with labels.

    Attributes
    ----------
    rule : MatchingRule
    thresholds : sequence of float
        At least 0 and below 1. The threshold of the results is added.
    classes : sequence of str
        Classes of the model to evaluate. Without any: the classes of the labels and the target class.
    mapping : mapping of str to str
        The class that each name of a label means. The name ``*`` stands for every other name that is no class.
    unlabelled : {"ignore", "negative"}
        See :data:`UNLABELLED`.
    label_column : str, optional
        Header of the column that names the labels.
    times_per_file : bool
        Whether Begin Time of a Raven table counts from the file that each row names; see
        :func:`anemonefish.annotations.label_files.read_labels`.
    pattern : str
        Which files of a folder of labels are read, as in ``*.selections.txt``.
    bout_seconds : Fraction, optional
        Labels of a class that overlap or lie less than this apart are counted as one label, a bout. Detection merges
        neighbouring events too, so that calls in quick succession could otherwise not be matched one to one.

    Raises
    ------
    InvalidSettings
        A value is out of range.
    """

    rule: MatchingRule = field(default_factory=MatchingRule)
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS
    classes: Sequence[str] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    unlabelled: str = "ignore"
    label_column: str | None = None
    times_per_file: bool = False
    pattern: str = "*"
    bout_seconds: Fraction | None = None

    def __post_init__(self) -> None:
        for threshold in self.thresholds:
            if not 0 <= threshold < 1:
                raise InvalidSettings(f"a threshold must be at least 0 and below 1, not {threshold!r}")
        if self.unlabelled not in UNLABELLED:
            raise InvalidSettings(f"unlabelled must be {' or '.join(UNLABELLED)}, not {self.unlabelled!r}")
        if self.bout_seconds is not None and self.bout_seconds < 0:
            raise InvalidSettings(f"the gap within a bout must be at least 0 s, not {float(self.bout_seconds):g}")
