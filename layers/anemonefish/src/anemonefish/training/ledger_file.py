"""The ledger as a table: every file with its part and its labels, or the reason why it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from anemonefish.csv_cells import write_rows
from anemonefish.stores.folder import atomic_file
from anemonefish.training.label_meanings import NEGATIVE, UNSURE
from anemonefish.training.recording_split import PARTS
from anemonefish.training.training_record import TrainingRecord

__all__ = ["ledger_rows", "write_ledger"]


def ledger_rows(record: TrainingRecord) -> Iterator[tuple[str, ...]]:
    """Yield the header, the recordings by part and name, and what is left out."""
    yield (
        "file",
        "part",
        "fold",
        "seconds",
        "site",
        "day",
        *(f"labels {label}" for label in record.classes),
        "labels of other sounds",
        "labels of doubt",
        "label file",
        "reason",
    )
    folds = {each.name: number for number, fold in enumerate(record.split.folds, 1) for each in fold}
    for part in PARTS:
        for each in record.split.part(part):
            yield (
                each.name,
                part,
                str(folds.get(each.name, "")),
                f"{each.seconds:.3f}",
                "" if each.site == "." else each.site,
                "" if each.day is None else each.day.isoformat(),
                *(str(each.count(column)) for column in range(len(record.classes))),
                str(each.count(NEGATIVE)),
                str(each.count(UNSURE)),
                each.label_file,
                "" if each.label_file else "it has no label file and was declared to hold no class",
            )
    for left in record.material.left_out:
        empty = [""] * (len(record.classes) + 7)
        yield (left.name, "left out", *empty, left.reason)


def write_ledger(path: Path, record: TrainingRecord) -> None:
    """Write the ledger as CSV."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, ledger_rows(record))
