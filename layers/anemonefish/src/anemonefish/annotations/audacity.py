r"""Read and write Audacity label tracks: one label a line, ``start<TAB>end<TAB>text``, without a header.

A label with a frequency band has a second line, which begins with a backslash: ``\<TAB>low<TAB>high``. The writer
leaves bands out.

Source: Audacity Manual, "Importing and exporting labels".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TextIO

from anemonefish.annotations.label_numbers import (
    checked_interval,
    looks_like_a_number,
    microseconds_from_text,
    number_from_text,
)
from anemonefish.annotations.labels import Label, LabelFile, LabelSource, Problem, split_lines
from anemonefish.annotations.selections import Selection
from anemonefish.csv_cells import escape, unescape
from anemonefish.sample_times import format_seconds

__all__ = ["is_label_track", "read_audacity", "write_audacity"]


def write_audacity(file: TextIO, selections: Iterable[Selection], *, sample_rate: int) -> None:
    """Write a label track; texts are escaped so that a spreadsheet does not run them as formulas."""
    for selection in selections:
        start, stop = format_seconds(selection.start, sample_rate), format_seconds(selection.stop, sample_rate)
        file.write(f"{start}\t{stop}\t{escape(selection.label)}\n")


def is_label_track(first_line: str) -> bool:
    """Say whether a file is a label track, by its first line that is not blank; an empty file is one."""
    cells = first_line.split("\t")
    return not first_line or cells[0] == "\\" or (len(cells) >= 2 and all(map(looks_like_a_number, cells[:2])))


def read_audacity(source: LabelSource, text: str) -> LabelFile:
    """Read a label track; a line that cannot be read becomes a problem."""
    labels: list[Label] = []
    problems: list[Problem] = []
    # The frequencies that follow a label that cannot be read belong to it; they are not a second problem.
    last_label_failed = False
    for line, row in enumerate(split_lines(text), start=1):
        if not row.strip():
            continue
        cells = row.split("\t")
        try:
            if cells[0] != "\\":
                last_label_failed = True
                labels.append(_read_label(cells, source.recording, line))
                last_label_failed = False
            elif not last_label_failed:
                labels.append(_with_band(labels.pop() if labels else None, cells))
        except ValueError as error:
            problems.append(Problem(line, source.recording, str(error)))
    return LabelFile(
        path=source.path,
        format="audacity",
        recording=source.recording,
        names_recordings=False,
        labels=tuple(_without_quotation_marks(labels)),
        recordings=(source.recording,),
        problems=tuple(problems),
    )


def _without_quotation_marks(labels: Sequence[Label]) -> Sequence[Label]:
    """Remove the quotation marks that R writes around every text, where every label has them."""
    if all(len(label.name) > 1 and label.name[0] == label.name[-1] == '"' for label in labels):
        return [replace(label, name=label.name[1:-1]) for label in labels]
    return labels


def _read_label(cells: Sequence[str], recording: str, line: int) -> Label:
    if len(cells) < 2:
        words = cells[0].split()
        separated_by_blanks = len(words) > 1 and all(map(looks_like_a_number, words[:2]))
        raise ValueError(
            "a label has a start and an end, separated by a tab"
            + ("; they are separated by blanks here: use tabs" if separated_by_blanks else "")
        )
    start, stop = checked_interval(
        microseconds_from_text(cells[0]),
        microseconds_from_text(cells[1]),
        f"{cells[0].strip()} to {cells[1].strip()} s",
    )
    return Label(start, stop, unescape("\t".join(cells[2:]).strip()), None, None, recording, line)


def _with_band(label: Label | None, cells: Sequence[str]) -> Label:
    """Add the frequencies of a spectral selection; -1 stands for an edge that was not set."""
    if label is None:
        raise ValueError("a line of frequencies belongs to the label before it, and there is none")
    if len(cells) != 3:
        raise ValueError("a line of frequencies has a backslash, a low and a high frequency, separated by tabs")
    low, high = (None if value < 0 else value for value in map(number_from_text, cells[1:]))
    return replace(label, low_hz=low, high_hz=high)
