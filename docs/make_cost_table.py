"""Write the tables of docs/cost.md: what ``anemonefish plan`` says of five jobs with a version of the reference model.

.venv/bin/python docs/make_cost_table.py

The recordings are sparse files with a header, which is all that a plan reads. A test compares the page with the tables
that this makes.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner, Result

from anemonefish.cli.main import main

DOCUMENT = Path(__file__).with_name("cost.md")
MODELS = Path(__file__).parents[1] / "models"
MODEL = "reef@1.1.0"
"""The version that the page names. A version and no alias, so that the tables stay when another becomes the default."""

_RATE = 48_000
_PLACE = re.compile(r"(?<=<!-- {} -->\n).*?(?=<!-- /{} -->)".replace("{}", "plans"), re.S)
_ROW = "| {} | {} | {} | {} | {} | {} | {} |"


@dataclass(frozen=True, slots=True)
class Job:
    """One of the jobs of the page: recordings of equal length, and settings."""

    title: str
    recordings: int
    frames: int
    settings: tuple[str, ...] = ()

    def plan(self) -> Result:
        """Run ``anemonefish plan`` on the job."""
        with TemporaryDirectory() as folder:
            for number in range(self.recordings):
                write_silence(Path(folder, f"{number:05d}.wav"), self.frames)
            options = [word for setting in self.settings for word in ("--set", setting)]
            line = ["plan", folder, "--model", MODEL, "--models", str(MODELS), "--json", *options]
            return CliRunner().invoke(main, line)


JOBS = (
    Job("30 recordings of 24 h", 30, 86_400 * _RATE),
    Job("720 recordings of 1 h", 720, 3_600 * _RATE),
    Job("10,000 recordings of 60 s, JSON and CSV only", 10_000, 60 * _RATE, ("formats=json,csv",)),
    Job("10,000 recordings of 60 s, every format", 10_000, 60 * _RATE),
    Job("one file of 5 GiB (15.5 h)", 1, 5 * 2**30 // 2),
)


def write_silence(path: Path, frames: int) -> None:
    """Write a sparse WAV or RF64 file of 16-bit mono samples."""
    size = 2 * frames
    layout = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, _RATE, 2 * _RATE, 2, 16)
    if size < 2**32 - 100:
        head = b"RIFF" + struct.pack("<I", size + 36) + b"WAVE" + layout + b"data" + struct.pack("<I", size)
    else:
        sizes = b"ds64" + struct.pack("<IQQQI", 28, size + 72, size, frames, 0)
        head = b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + layout + b"data" + b"\xff" * 4
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)


def tables() -> str:
    """Return the table of the plans, and a table of their prices."""
    answers = [(job, job.plan()) for job in JOBS]
    return "\n".join((*_plans(answers), "", *_prices(answers))) + "\n"


def _plans(answers: list[tuple[Job, Result]]) -> Iterator[str]:
    yield _ROW.format("job", "workers", "report workers", "time", "USD", "longest function", "storage per month")
    yield _ROW.format("---", *6 * ["---:"])
    for job, answer in answers:
        if answer.exit_code:
            yield _ROW.format(job.title, *5 * ["-"], "refused: " + _reason(answer))
            continue
        quote = json.loads(answer.stdout)
        longest, storage = quote["longest_function"], quote["storage"]
        yield _ROW.format(
            job.title,
            f"{quote['workers']:,}",
            f"{quote['report_workers']:,}",
            f"{quote['expected_seconds']:.0f} s",
            f"{quote['expected_usd']:.2f}",
            f"{longest['function']}, {longest['seconds']:.0f} s",
            f"{storage['bytes'] / 1e9:.2f} GB, {storage['usd_per_month']:.3f} USD",
        )


def _prices(answers: list[tuple[Job, Result]]) -> Iterator[str]:
    yield _ROW.format("job", "score", "reports", "plan", "aggregate", "requests", "transitions")
    yield _ROW.format("---", *6 * ["---:"])
    for job, answer in answers:
        if not answer.exit_code:
            price: dict[str, Any] = json.loads(answer.stdout)["price"]
            names = ("score_usd", "report_usd", "plan_usd", "aggregate_usd", "requests_usd", "transitions_usd")
            yield _ROW.format(job.title, *(f"{price[name]:.3f}" for name in names))


def _reason(answer: Result) -> str:
    return " ".join(answer.stderr.split()).partition("JobTooLong: ")[2] or answer.stderr


def page_with_tables(page: str) -> str:
    """Return the page with the tables in their place."""
    made = tables()
    return _PLACE.sub(lambda _: made, page)


if __name__ == "__main__":
    DOCUMENT.write_text(page_with_tables(DOCUMENT.read_text()))
