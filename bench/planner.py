"""Section ``planner``: the planner's expected time compared with the measured time, and its quote for a day of audio.

First, on the local AWS, two small jobs with few and with many ranges give the seconds per window and per range. With
these the planner quotes a larger job, which is then run. Second, the planner quotes a day of audio at 48 kHz on a
thousand workers, with the seconds per window measured here, for the processors that it assumes to be slower and for
processors like this machine's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from anemonefish import clock
from anemonefish.jobs.calibration import Calibration, Observation, fit, write_calibration
from anemonefish.jobs.quote import Quote
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.bundle import MODEL_JSON
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job
from bench.lab import MODELS, RATE, LabModel, recording
from bench.large import rf64_header
from bench.measure import in_turn
from bench.pipeline import end_to_end
from bench.rows import Row, compared, figure, missing
from bench.stack import Deployed, Run, deployed, lacking

__all__ = ["rows"]

_DAY = 86_400
_FORMAT = bytes.fromhex("0100010080bb000000770100 02001000".replace(" ", ""))
"""The format chunk of a WAV header for 16-bit mono PCM at 48 kHz."""

_LAB_USD_PER_HOUR = 0.016 / 488.8 * 3600
"""Cost of the lab's solution: at least 0.016 USD for a recording of 488.8 s."""

_TARGET_SECONDS, _AIM_SECONDS = 90.0, 80.0
_WANTED_SECONDS = {"v1": _TARGET_SECONDS, "v2": None}
_WANTED_CHEAPER = 4.0
_WITHIN = (0.75, 1.25)

_CAUTION = {"arm64": 6.0, "x86_64": 3.0}
"""Factor by which the planner assumes a vCPU to be slower than the publishing machine, before calibration."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A recording that is split into ranges of ``load`` windows."""

    path: Path
    load: int
    workers: int

    @classmethod
    def into(cls, ranges: int, seconds: int, hop: float, workers: int) -> _Cut:
        """Split a recording into about ``ranges`` equal ranges."""
        return cls(recording(seconds), ceil(seconds / hop / ranges), workers)

    def settings(self, hop: float) -> dict[str, float]:
        """Return settings that make the planner split like this. Half a hop is added, because it rounds down."""
        return {"max_range_seconds": (self.load + 0.5) * hop, "target_seconds": _DAY, "max_concurrency": self.workers}

    def per_wave(self, run: Run) -> float:
        """Return the seconds of one wave of workers, as the planner computes it."""
        return run.map_seconds / ceil(run.workers / self.workers)


def rows(quick: bool) -> Iterator[Row]:
    """Yield expected and measured time of a job, then the quotes for a day."""
    if reason := lacking():
        yield missing("planner", "the local AWS lacks", reason)
    else:
        with deployed() as stack:
            yield _expected_and_measured(stack, MODELS["v2"], *((20, 60, 1) if quick else (120, 480, 4)))
    for title, seconds in (("v1", 10), ("v2", 20)):
        for variant in (None, *MODELS[title].variants):
            yield from _day(MODELS[title], variant, seconds, rounds=1 if quick else 3)


def _expected_and_measured(stack: Deployed, lab: LabModel, small: int, large: int, rounds: int) -> Row:
    hop, workers = lab.ready().spec.profile.hop_seconds, os.cpu_count() or 1
    coarse, fine = (_Cut.into(waves * workers, small, hop, workers) for waves in (3, 12))
    whole = _Cut.into(4 * workers, large, hop, workers)
    stack.run(fine.path, lab.reference, **fine.settings(hop))  # starts the functions
    runs = [[stack.run(cut.path, lab.reference, **cut.settings(hop)) for cut in (coarse, fine, whole)]
            for _ in range(rounds)]  # fmt: skip
    few, many, measured = (min(column, key=lambda run: run.map_seconds) for column in zip(*runs, strict=True))
    observations = [Observation(cut.load, cut.per_wave(run)) for cut, run in ((coarse, few), (fine, many))]
    window, per_range = fit(observations)
    around = min(run.seconds - run.map_seconds for run in (few, many))
    calibration = _calibration(lab, "x86_64", window, per_range, around)
    quote = _quote(lab, whole.path, calibration, {**whole.settings(hop), "architecture": "x86_64"})
    assert quote.ranges == measured.workers, "the job was split otherwise than planned"
    ratio = measured.seconds / quote.expected_seconds
    what = (
        f"v2, {large} s of audio in {quote.ranges} ranges by {workers} workers: expected, against what it took; "
        f"by smaller jobs {1000 * window:.1f} ms a window, {1000 * per_range:.0f} ms a range"
    )
    low, high = _WITHIN
    return Row("planner", what, quote.expected_seconds, "s", measured.seconds, ratio, f"{low} to {high} ×",
               low <= ratio <= high)  # fmt: skip


def _day(lab: LabModel, variant: str | None, seconds: int, rounds: int) -> Iterator[Row]:
    """Yield time and price of a day of audio."""
    path, model = recording(seconds), lab.ready(variant)
    title = lab.title if variant is None else f"{lab.title}+{variant}"
    (ours,) = in_turn(lambda: end_to_end(path, model), rounds=rounds)
    window = ours.seconds / len(ours.answer)
    per_range = float(model.spec.compute["seconds_per_range"])
    with tempfile.TemporaryDirectory() as folder:
        day = _silent_day(Path(folder, "day.rf64"))
        here = _calibration(lab, "x86_64", window, per_range, None)
        slower = {name: _calibration(lab, name, window * factor, per_range, None) for name, factor in _CAUTION.items()}
        for calibration, processors in (
            (slower["arm64"], f"arm64, taken to be {_CAUTION['arm64']:g} times slower than here"),
            (slower["x86_64"], f"x86_64, taken to be {_CAUTION['x86_64']:g} times slower than here"),
            (here, "processors like this one"),
        ):
            architecture = calibration.architecture
            settings = {"architecture": architecture, "max_concurrency": 1000, "target_seconds": _AIM_SECONDS}
            quote = _quote(lab, day, calibration, settings)
            what = f"{title}, 24 h at 1,000 workers, {processors}, {quote.ranges} ranges"
            yield figure("planner", what, quote.expected_seconds, "s", most=_WANTED_SECONDS[lab.title])
            price = quote.expected_usd / (_DAY / 3600)
            yield compared("planner", f"{what}: {quote.expected_usd:.2f} USD in all", price, _LAB_USD_PER_HOUR,
                           "USD / h of audio", _WANTED_CHEAPER)  # fmt: skip


def _calibration(
    lab: LabModel, architecture: str, window: float, per_range: float, per_job: float | None
) -> Calibration:
    pinned = lab.repository().pin(lab.reference)
    return Calibration(
        model=pinned.reference,
        hash=pinned.hash,
        engine=pinned.engine,
        architecture=architecture,
        memory_mb=1769,
        seconds_per_window=window,
        seconds_per_range=max(per_range, 1e-3),
        calls=1,
        windows=1,
        where="make bench",
        measured_at=clock.to_text(clock.now()),
        seconds_per_job=per_job,
    )


def _quote(lab: LabModel, path: Path, calibration: Calibration, settings: dict[str, object]) -> Quote:
    """Return the planner's quote of a recording, for a copy of the model with the given calibration."""
    name, _, version = lab.reference.partition("@")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name, version).mkdir(parents=True)
        shutil.copy(Path(lab.store, name, version, MODEL_JSON), Path(folder, name, version))
        models = ModelRepository(open_store(folder))
        write_calibration(models, models.pin(lab.reference), calibration)
        request = RecordingRequest(str(path), path.name, path.name)
        return plan_job([request], lab.reference, Settings.load(settings, {}), models).quote


def _silent_day(path: Path) -> Path:
    """Write a sparse file whose header states a day of audio; a plan reads only the header."""
    size = _DAY * RATE * 2
    with path.open("wb") as file:
        head = rf64_header(size, _FORMAT)
        file.write(head)
        file.truncate(len(head) + size)
    return path
