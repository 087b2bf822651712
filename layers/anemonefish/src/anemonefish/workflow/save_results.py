"""Save: results that are decided already become the files of a folder.

Writes the reports, summaries, clips and pictures that ``anemonefish detect`` writes for the same results, and exchanges
them for those of the run before in the same way (:class:`.ResultsFolder`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.summary import Outcome
from anemonefish.settings import Format, Settings
from anemonefish.stores import open_store
from anemonefish.stores.folder import local_path
from anemonefish.workflow.aggregate import write_summaries
from anemonefish.workflow.local import report_names
from anemonefish.workflow.report import write_reports
from anemonefish.workflow.results_folder import ResultsFolder

__all__ = ["save_results"]

Review = Callable[[Iterable[RecordingResult], Path], object]
"""Called with the results and the folder for clips and pictures."""


def save_results(
    recordings: Sequence[PlannedRecording],
    decide: Callable[[], Iterator[RecordingResult]],
    settings: Settings,
    out: Path,
    review: Review | None = None,
    *,
    model_card: str,
) -> tuple[Outcome, ...]:
    """Write results to a folder, in the place of those of the run before.

    Parameters
    ----------
    recordings : sequence of PlannedRecording
        All recordings of the results, those that failed included.
    decide : callable
        Yields the result of each recording that did not fail, with its scores; one is held at a time.
    settings : Settings
        With the formats of the reports and the time zone of effort.
    out : Path
    review : callable, optional
        Makes clips and pictures in a folder whose files become results with the reports.
    model_card : str
        The line of the model's card.

    Raises
    ------
    StorageError
        Another run writes to the folder, or a file of the user's would be overwritten.
    """
    with ResultsFolder(out) as folder:
        folder.check_inputs(local_path(each.uri) for each in recordings if not each.uri.startswith("s3://"))
        folder.check_free(report_names(recordings, settings.formats))
        job = Job(open_store(str(out)), "", folder.new_prefix)
        results = decide()
        outcomes = [
            Outcome(recording)
            if recording.failure is not None
            else write_reports(job, _in(settings.formats, next(results)))
            for recording in recordings
        ]
        write_summaries(
            job,
            outcomes,
            settings,
            recordings=len(outcomes),
            model_card=model_card,
            calibrated=any(each.result is not None and each.result.calibration is not None for each in outcomes),
        )
        if review is not None:
            review(decide(), folder.new)
        folder.publish({name: sha256 for outcome in outcomes for name, sha256 in outcome.files.items()})
    return tuple(outcomes)


def _in(formats: Sequence[Format], result: RecordingResult) -> RecordingResult:
    return replace(result, settings=replace(result.settings, formats=tuple(formats)))
