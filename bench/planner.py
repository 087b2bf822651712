"""Section ``planner``: what the planner expects against what happens, and what it expects of a day of sound.

First on the local AWS: two small jobs, cut coarsely and finely, tell seconds per window and per range; with these the
planner is asked for a larger job, which is then run. Then by its quote alone: a day of sound, 48 kHz, spread over a
thousand workers, with the seconds per window measured here, for each kind of processor in the planner's own words and
for processors like this machine's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from anemonefish.containers import DataChunk, rf64_header
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.plan import CostModel, plan_job
from anemonefish.planned import Quote
from anemonefish.request import RecordingRequest
from anemonefish.settings import Settings
from bench.lab import MODELS, RATE, LabModel, recording
from bench.measure import in_turn
from bench.pipeline import end_to_end
from bench.rows import Row, compared, figure, missing
from bench.stack import Deployed, Run, deployed, lacking

__all__ = ["rows"]

_DAY = 86_400
_FORMAT = bytes.fromhex("0100010080bb000000770100 02001000".replace(" ", ""))
"""What a WAV header says of 16-bit mono PCM at 48 kHz."""

_LAB_USD_PER_HOUR = 0.016 / 488.8 * 3600
"""What the lab pays: at least 0.016 USD for a recording of 488.8 s."""

_TARGET_SECONDS = 90.0
_WANTED_SECONDS = {"v1": _TARGET_SECONDS, "v2": None}
_WANTED_CHEAPER = 4.0
_WITHIN = (0.75, 1.25)


@dataclass(frozen=True, slots=True)
class _Speed:
    """Seconds that a worker takes per window and per range."""

    window: float
    range: float


@dataclass(frozen=True, slots=True)
class _Cut:
    """A recording cut into ranges of so many windows."""

    path: Path
    load: int
    workers: int

    @classmethod
    def into(cls, ranges: int, seconds: int, hop: float, workers: int) -> _Cut:
        """Cut a recording into about so many equal ranges."""
        return cls(recording(seconds), ceil(seconds / hop / ranges), workers)

    def settings(self, hop: float) -> dict[str, float]:
        """Return the settings that make the planner cut so: half a hop more, because seconds are rounded down."""
        return {"max_range_seconds": (self.load + 0.5) * hop, "target_seconds": _DAY, "max_concurrency": self.workers}

    def per_wave(self, run: Run) -> float:
        """Return the seconds of one wave of workers, as the planner reckons."""
        return run.map_seconds / ceil(run.workers / self.workers)


class _Measured(ModelRepository):
    """Models whose specs have measured speeds, so that the planner plans with them."""

    def __init__(self, models: ModelRepository, speed: _Speed, architecture: str | None) -> None:
        super().__init__(models.store)
        self._speed = speed
        self._architecture = architecture

    def spec(self, pinned: PinnedModel) -> ModelSpec:
        """Return the spec; where an architecture is given, its workers take what was measured, not some multiple."""
        spec = super().spec(pinned)
        factor = 1.0
        if self._architecture is not None:
            settings = Settings.load({"architecture": self._architecture}, {})
            factor = CostModel.of(spec, settings).seconds_per_window / float(spec.compute["seconds_per_window"])
        compute = {"seconds_per_window": self._speed.window / factor, "seconds_per_range": self._speed.range}
        return replace(spec, compute=compute)


def rows(quick: bool) -> Iterator[Row]:
    """Yield expectation and experience, then the quotes of a day."""
    if reason := lacking():
        yield missing("planner", "the local AWS lacks", reason)
    else:
        with deployed() as stack:
            yield _expected_and_experienced(stack, MODELS["v2"], *((20, 60, 1) if quick else (120, 480, 4)))
    for title, seconds in (("v1", 10), ("v2", 20)):
        yield from _day(MODELS[title], seconds, rounds=1 if quick else 3)


def _expected_and_experienced(stack: Deployed, lab: LabModel, small: int, large: int, rounds: int) -> Row:
    hop, workers = lab.ready().spec.profile.hop_seconds, os.cpu_count() or 1
    coarse, fine = (_Cut.into(waves * workers, small, hop, workers) for waves in (3, 12))
    whole = _Cut.into(4 * workers, large, hop, workers)
    stack.run(fine.path, lab.reference, **fine.settings(hop))  # warms functions up
    runs = [[stack.run(cut.path, lab.reference, **cut.settings(hop)) for cut in (coarse, fine, whole)]
            for _ in range(rounds)]  # fmt: skip
    few, many, measured = (min(column, key=lambda run: run.map_seconds) for column in zip(*runs, strict=True))
    window = (coarse.per_wave(few) - fine.per_wave(many)) / (coarse.load - fine.load)
    speed = _Speed(window, max(0.0, fine.per_wave(many) - fine.load * window))
    quote = _quote(lab, whole.path, speed, {**whole.settings(hop), "architecture": "x86_64"}, "x86_64")
    assert quote.ranges == measured.workers, "the job was cut otherwise than planned"
    ratio = measured.seconds / quote.expected_seconds
    what = (
        f"v2, {large} s of audio in {quote.ranges} ranges by {workers} workers: expected, against what it took; "
        f"by smaller jobs {1000 * speed.window:.1f} ms a window, {1000 * speed.range:.0f} ms a range"
    )
    low, high = _WITHIN
    return Row("planner", what, quote.expected_seconds, "s", measured.seconds, ratio, f"{low} to {high} ×",
               low <= ratio <= high)  # fmt: skip


def _day(lab: LabModel, seconds: int, rounds: int) -> Iterator[Row]:
    """Yield time and price of a day of sound."""
    path, model = recording(seconds), lab.ready()
    (ours,) = in_turn(lambda: end_to_end(path, model), rounds=rounds)
    speed = _Speed(ours.seconds / len(ours.answer), float(model.spec.compute["seconds_per_range"]))
    with tempfile.TemporaryDirectory() as folder:
        day = _silent_day(Path(folder, "day.rf64"))
        for architecture, as_here in (("arm64", None), ("x86_64", None), ("x86_64", "x86_64")):
            settings = {"architecture": architecture, "max_concurrency": 1000, "target_seconds": _TARGET_SECONDS}
            quote = _quote(lab, day, speed, settings, as_here)
            processors = "processors like this one" if as_here else f"{architecture} by the planner's caution"
            what = f"{lab.title}, 24 h at 1,000 workers, {processors}, {quote.ranges} ranges"
            yield figure("planner", what, quote.expected_seconds, "s", most=_WANTED_SECONDS[lab.title])
            price = quote.expected_usd / (_DAY / 3600)
            yield compared("planner", what, price, _LAB_USD_PER_HOUR, "USD / h of audio", _WANTED_CHEAPER)


def _quote(lab: LabModel, path: Path, speed: _Speed, settings: dict[str, object], as_here: str | None) -> Quote:
    models = _Measured(lab.repository(), speed, as_here)
    request = RecordingRequest(str(path), path.name, path.name)
    return plan_job([request], lab.reference, Settings.load(settings, {}), models).quote


def _silent_day(path: Path) -> Path:
    """Write a header that promises a day, and a hole: a plan reads nothing else."""
    size = _DAY * RATE * 2
    with path.open("wb") as file:
        head = rf64_header(DataChunk(0, size, format=_FORMAT))
        file.write(head)
        file.truncate(len(head) + size)
    return path
