"""Headers and rows of Raven tables, and what the tests look at in the labels that were read."""

from __future__ import annotations

from anemonefish.annotations.labels import LabelFile

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
ROW = "1\tSpectrogram 1\t1\t6.9\t7.4\t400\t900"


def times(table: LabelFile) -> list[tuple[int, int, str]]:
    """Return start, stop and name of each label."""
    return [(label.start, label.stop, label.name) for label in table.labels]


def label_names(table: LabelFile) -> tuple[str | None, list[str]]:
    """Return the label column and the names in it."""
    return table.label_column, [label.name for label in table.labels]
