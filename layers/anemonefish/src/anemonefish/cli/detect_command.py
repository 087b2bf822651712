"""The commands ``anemonefish detect`` and ``anemonefish plan``: find events in recordings, or say what that would take.

Exit codes: 0 done, 1 a recording failed (the others are finished), 2 mistyped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anemonefish.cli.terminal import (
    ERR,
    OUT,
    assigned,
    complain,
    model_option,
    models_option,
    progress_bar,
    require,
    set_option,
    show_notes,
    show_quote,
)
from anemonefish.front.display import count_of
from anemonefish.interrupts import Stopped, command_line
from anemonefish.settings import FORMATS, MOST_CLIPS, Settings
from anemonefish.stores import open_store
from anemonefish.workflow.find_recordings import Found, find_recordings

if TYPE_CHECKING:
    from anemonefish.front.detections import Detections
    from anemonefish.front.recording_detections import DetectedEvent
    from anemonefish.jobs.plan import PlannedRecording
    from anemonefish.jobs.score_calibration import ScoreCalibration
    from anemonefish.models.repository import PinnedModel

__all__ = ["detect", "plan"]

_SHOWN_EVENTS = 20
_LEAST_OVERLAP_HOURS = 0.01
"""Overlap that is mentioned: files of one recorder may overlap by the drift of its clock."""


@click.command()
@click.argument("paths", nargs=-1, required=True)
@model_option
@models_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder for the reports."
)
@click.option("--formats", help=f"Comma-separated; of {', '.join(FORMATS)}.")
@click.option("--threshold", type=float, help="Score above which a window belongs to an event.")
@click.option("--start", help="When the only recording begins: ISO 8601 with a zone.  [default: name or header]")
@click.option("--clips", is_flag=True, help="Cut each event out as FLAC, into review/clips.")
@click.option("--pictures", is_flag=True, help="Draw timelines, activity and each clip, into review; needs matplotlib.")
@click.option("--padding", type=click.FloatRange(0, 60), default=1.0, show_default=True, help="Seconds around a clip.")
@click.option(
    "--most-clips", type=click.IntRange(1), default=MOST_CLIPS, show_default=True, help="The best ones first."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes at once.  [default: one per core]")
@set_option
def detect(
    paths: tuple[str, ...],
    model: str,
    models_uri: str,
    out: Path,
    formats: str | None,
    threshold: float | None,
    start: str | None,
    clips: bool,
    pictures: bool,
    padding: float,
    most_clips: int,
    jobs: int | None,
    assignments: Sequence[str],
) -> None:
    """Find events in recordings: files, folders (searched below) or s3:// objects."""
    import anemonefish as af
    from anemonefish.front.recording_detections import events_with_calls

    given = _given(assignments, formats=_words(formats), threshold=threshold, start=start)
    settings = Settings.load(given)
    if pictures:
        require("matplotlib", "pictures", "--pictures")
    if "parquet" in settings.formats:
        require("arro3.io", "cli", "the format parquet")
    found = _found(paths)
    with progress_bar("scoring") as bar, _resumable():
        task = bar.add_task("scoring", total=None)
        results = af.detect(
            found,
            model,
            models=models_uri,
            folder=out,
            clips=clips,
            pictures=pictures,
            padding_seconds=padding,
            most_clips=most_clips,
            processes=jobs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            failures="ignore",
            **given,
        )
    _show_recordings(results.planned, results.model)
    show_notes(results.notes.items())
    _show_events(results.events)
    OUT.print(
        f"{count_of(len(results), 'recording')}, {events_with_calls(results.events)}; reports in {out}",
        highlight=False,
        soft_wrap=True,
    )
    OUT.print(_effort_line(results), highlight=False, soft_wrap=True)
    _show_calibration(results.calibration, results.model, models_uri, settings)
    OUT.print(f"{results.model.reference}: {results.model_card}", highlight=False, markup=False, soft_wrap=True)
    _show_lone_calls(results.model, models_uri, settings)
    failed = _show_failures(results.planned)
    if (review := results.review) is not None:
        more = review.left_out
        left_out = (
            f" ({count_of(more, 'event')} above --most-clips {'has' if more == 1 else 'have'} none)" if more else ""
        )
        drawn = count_of(review.pictures, "picture")
        OUT.print(f"{count_of(review.clips, 'clip')}{left_out} and {drawn} in {out / 'review'}", highlight=False)
    if failed:
        sys.exit(1)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@model_option
@models_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print the quote as JSON.")
def plan(paths: tuple[str, ...], model: str, models_uri: str, assignments: Sequence[str], as_json: bool) -> None:
    """Print how an account would split the work, and the expected time and cost, before anything runs."""
    import anemonefish as af

    found, given = _found(paths), _given(assignments)
    Settings.load(given)
    made = af.plan(found, model, models=models_uri, **given)
    if as_json:
        OUT.print_json(json.dumps(asdict(made.quote)))
    else:
        _show_recordings(made.recordings, made.model)
        show_notes((recording.name, recording.notes) for recording in made.recordings)
        settings = made.settings
        where = f"{settings.architecture}, {settings.memory_mb} MB a worker"
        show_quote(f"{made.model.name} {made.model.version} on {where}", asdict(made.quote))
    if _show_failures(made.recordings):
        sys.exit(1)


def _found(paths: Sequence[str]) -> Found:
    """Return the recordings, and say what was not looked at beside them."""
    found = find_recordings(paths)
    for line in found.lines():
        ERR.print(line, highlight=False, markup=False, soft_wrap=True)
    return found


@contextmanager
def _resumable() -> Iterator[None]:
    """Say how to go on when a signal ends the block."""
    try:
        yield
    except Stopped:
        words = "the results are as they were before; what is scored is kept, and this goes on there:"
        ERR.print(words, highlight=False, soft_wrap=True)
        ERR.print(command_line(), highlight=False, markup=False, soft_wrap=True)
        raise


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]


def _given(assignments: Sequence[str], **options: Any) -> dict[str, Any]:
    """Return the settings of ``--set`` and of the options that have a name of their own."""
    return Settings.read(assigned(assignments)) | {name: value for name, value in options.items() if value is not None}


def _show_recordings(recordings: Sequence[PlannedRecording], model: PinnedModel) -> None:
    """Say how recordings are read: resampled, or without a time."""
    for recording in recordings:
        if recording.analysis is not None and recording.analysis.resampled:
            OUT.print(
                f"{recording.name}: resampled from {recording.analysis.audio.sample_rate} Hz to "
                f"{recording.analysis.sample_rate} Hz, the rate of {model.name} {model.version}",
                highlight=False,
            )
    unknown = [each for each in recordings if each.begins is not None and each.begins.utc is None]
    if unknown and unknown[0].begins is not None:
        others = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        OUT.print(f"no UTC for {unknown[0].name}{others}: {unknown[0].begins.source}", highlight=False, soft_wrap=True)


def _show_events(events: Sequence[DetectedEvent]) -> None:
    from anemonefish.cli.event_table import event_table

    if events:
        OUT.print(event_table(events[:_SHOWN_EVENTS], OUT.console.width), markup=False)
    if len(events) > _SHOWN_EVENTS:
        OUT.print(f"... and {len(events) - _SHOWN_EVENTS} more in the reports", highlight=False)


def _effort_line(results: Detections) -> str:
    """Say for how long was listened, and that hours are counted twice where several recordings have the same time."""
    from anemonefish.results.effort_table import EFFORT

    effort = results.measure_effort()
    sums, overlap = next(effort.rows()).sums, float(effort.overlap() / 3600)
    analysed, recorded = (float(seconds / 3600) for seconds in (sums.analysed, sums.recorded))
    line = f"{analysed:.3g} of {recorded:.3g} recorded hours were analysed ({EFFORT})"
    if overlap < _LEAST_OVERLAP_HOURS:
        return line
    return f"{line}; {overlap:.3g} hours overlap and are counted for each recording: of several hydrophones?"


def _show_calibration(
    calibration: ScoreCalibration | None, model: PinnedModel, models_uri: str, settings: Settings
) -> None:
    """Say where the probabilities come from, or which sites have a calibration that was not asked for."""
    from anemonefish.jobs.score_calibration import calibrated_sites
    from anemonefish.models.repository import ModelRepository

    if calibration is not None:
        site = "" if calibration.site is None else f" of the site {calibration.site}"
        line = (
            f"probabilities by calibration {calibration.id}{site}: {calibration.verdicts} verdicts, the last on "
            f"{calibration.judged_at[:10]}"
        )
    elif settings.site is None and (sites := calibrated_sites(ModelRepository(open_store(models_uri)), model)):
        line = (
            f"scores of {model.reference} are calibrated for {', '.join(sites)}; for probabilities add --set site=NAME"
        )
    else:
        return
    OUT.print(line, highlight=False, soft_wrap=True)


def _show_lone_calls(model: PinnedModel, models_uri: str, settings: Settings) -> None:
    """Say what the windows and settings cannot find at all."""
    from anemonefish.models.repository import ModelRepository
    from anemonefish.results.lone_calls import lone_call_lines

    for line in lone_call_lines(ModelRepository(open_store(models_uri)).spec(model), settings):
        OUT.print(line, highlight=False, soft_wrap=True)


def _show_failures(recordings: Sequence[PlannedRecording]) -> bool:
    """Print why recordings failed; return whether any did."""
    failures = [each.failure for each in recordings if each.failure is not None]
    if failures:
        ERR.print(f"{len(failures)} of {len(recordings)} recordings failed:", highlight=False)
    for failure in failures:
        complain(failure)
    return bool(failures)
