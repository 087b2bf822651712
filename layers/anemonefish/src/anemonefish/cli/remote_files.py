"""The files of ``anemonefish remote``: upload recordings, download results, write the summary of both.

Files of results have the names that ``anemonefish detect`` gives them. The client is passed in; httpx is not imported
here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anemonefish.cli.terminal import ERR, OUT, complain, progress_bar, reason_of, show_notes
from anemonefish.errors import AnemonefishError, Failure, InvalidRequest
from anemonefish.front.display import count_of
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.card import NOT_STATED
from anemonefish.notes import Note
from anemonefish.recording_names import unique_names
from anemonefish.stores.folder import atomic_file, local_path
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.results_folder import ResultsFolder

if TYPE_CHECKING:
    from anemonefish.client.client import Client, Document

__all__ = [
    "RemoteRecording",
    "complain_of",
    "failure_of",
    "fetch_reports",
    "find_requests",
    "first_analysed",
    "numbered",
    "publish_summary",
    "recordings_of",
    "run_at_once",
    "upload_all",
    "upload_ids",
    "with_outcomes",
]

_MOST_RECORDINGS = 1_000
"""Recordings of one execution."""

_LONGEST_FILENAME = 200
_WORKERS = 4
"""Files that are uploaded or downloaded at once."""

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class RemoteRecording:
    """One recording: its name here, its upload, and what became of it.

    Attributes
    ----------
    name : str
    upload : str or None
        None if it could not be uploaded.
    windows, events, calls : int or None
        Once it is analysed.
    failure : Failure or None
    notes : tuple of Note
        What a user should know about it.
    """

    name: str
    upload: str | None = None
    windows: int | None = None
    events: int | None = None
    calls: int | None = None
    failure: Failure | None = None
    notes: tuple[Note, ...] = ()


def find_requests(paths: Sequence[str], others: int = 0) -> list[RecordingRequest]:
    """Return the recordings below some paths, which one execution takes together with ``others`` more."""
    if there := [path for path in paths if path.startswith("s3://")]:
        raise InvalidRequest(f"{there[0]}: recordings are uploaded from here; name a file or a folder")
    searched = find_recordings(paths)
    for line in searched.lines():
        ERR.print(line, highlight=False, markup=False, soft_wrap=True)
    found = list(searched.recordings)
    if len(found) + others > _MOST_RECORDINGS:
        raise InvalidRequest(
            f"{len(found) + others} recordings are more than the {_MOST_RECORDINGS} of one execution; "
            f"start several, folder by folder"
        )
    return found


def upload_all(api: Client, requests: Sequence[RecordingRequest]) -> list[RemoteRecording]:
    """Upload recordings, some at once; one that cannot be uploaded is reported, and the others are uploaded."""
    with progress_bar("uploading") as bar:
        task = bar.add_task("uploading", total=sum(_size(request.uri) for request in requests) or None)

        def send(request: RecordingRequest, name: str) -> RemoteRecording:
            try:
                done = api.upload(
                    local_path(request.uri), _filename(name), progress=lambda sent: bar.advance(task, sent)
                )
            except AnemonefishError as error:
                reason = reason_of(error)
                return RemoteRecording(name, failure=Failure(reason.error, _named(name, request.path, reason.message)))
            return RemoteRecording(name, done["id"])

        recordings = run_at_once(api, send, requests, unique_names([request.name for request in requests]))
    complain_of(each.failure for each in recordings)
    return recordings


def _filename(name: str) -> str:
    """Return a name that an upload may have: not too long, without folders and without a dot at its beginning."""
    file = name.rpartition("/")[2][-_LONGEST_FILENAME:]
    return f"_{file[1:]}" if file.startswith(".") else file


def _size(uri: str) -> int:
    with suppress(OSError):
        return local_path(uri).stat().st_size
    return 0


def upload_ids(recordings: Iterable[RemoteRecording]) -> list[str]:
    """Return the identifiers of the uploads; exit if there is none."""
    return [each.upload for each in recordings if each.upload is not None] or sys.exit(1)


def recordings_of(ended: Document) -> list[RemoteRecording]:
    """Return the recordings of an execution under the names it has for them, which must be names of files here."""
    return [RemoteRecording(RecordingRequest("", each["name"], "").name) for each in ended["recordings"]]


def with_outcomes(api: Client, ended: Document, recordings: Sequence[RemoteRecording]) -> list[RemoteRecording]:
    """Return what became of the recordings of an execution, under our names."""
    found = api.outcomes(ended["id"])
    return [
        replace(
            ours,
            windows=its["windows"],
            events=its["events"],
            calls=its.get("calls"),  # an older stack counts none
            failure=failure_of(its, ours.name),
            notes=Note.list_from(its.get("notes", ())),  # an older stack tells none
        )
        for ours, its in zip(recordings, found, strict=True)
    ]


def first_analysed(ended: Document) -> int:
    """Return the number of the first recording of an execution that did not fail."""
    return next((number for number, each in enumerate(ended["recordings"]) if each["error"] is None), 0)


def fetch_reports(
    api: Client,
    execution: str,
    recordings: Sequence[RemoteRecording],
    formats: Sequence[str],
    out: Path,
    decision: str | None = None,
) -> list[RemoteRecording]:
    """Fetch the reports into a folder; a recording of which one cannot be fetched carries the reason."""
    from anemonefish.results.report_formats import REPORTS

    with progress_bar("fetching") as bar:
        task = bar.add_task("fetching", total=len(recordings))

        def fetch(number: int, recording: RemoteRecording) -> RemoteRecording:
            try:
                for form in formats if recording.failure is None else ():
                    path = out / f"{recording.name}{REPORTS[form].suffix}"
                    api.download(execution, form, path, recording=number, decision=decision)
            except AnemonefishError as error:
                reason = reason_of(error)
                return replace(recording, failure=Failure(reason.error, f"{recording.name}: {reason.message}"))
            bar.advance(task)
            return recording

        fetched = run_at_once(api, fetch, *numbered(recordings))
    if decision is None:
        _fetch_job_files(api, execution, formats, out)
    return fetched


def _fetch_job_files(api: Client, execution: str, formats: Sequence[str], out: Path) -> None:
    """Fetch the job-level files: the combined tables of the formats asked for, clips and pictures.

    The summary is written here instead, because it includes recordings that were never uploaded.
    """
    from anemonefish.results.summary import COMBINED_EVENTS, COMBINED_SELECTIONS, SUMMARY

    unwanted = {SUMMARY}
    unwanted |= set() if "csv" in formats else {COMBINED_EVENTS}
    unwanted |= set() if "raven" in formats else {COMBINED_SELECTIONS}
    wanted = {name: url for name, url in api.files(execution).items() if name not in unwanted}
    if strange := [name for name in wanted if not (out / name).resolve().is_relative_to(out.resolve())]:
        raise InvalidRequest(f"{execution}: the API names a file {strange[0]!r}, which would lie outside of {out}")
    run_at_once(api, lambda name: api.fetch(wanted[name], out / name), wanted)


def numbered(recordings: Sequence[RemoteRecording]) -> tuple[range, Sequence[RemoteRecording]]:
    """Return the numbers of recordings and the recordings, as :func:`run_at_once` takes them."""
    return range(len(recordings)), recordings


def run_at_once(api: Client, work: Callable[..., _R], *columns: Iterable[Any]) -> list[_R]:
    """Call a function for many recordings, some at once, and return its answers in order; Ctrl-C ends all of it."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            return list(pool.map(work, *columns))
        except BaseException:
            api.close()
            raise


def publish_summary(
    api: Client, ended: Document, recordings: Sequence[RemoteRecording], folder: ResultsFolder, out: Path
) -> None:
    """Write the summary that ``detect`` writes, publish the results, print the outcome, and exit with 1 on failures."""
    from anemonefish.results.summary import SUMMARY, SummaryRow, write_summary

    model = ended["model"]
    # an older stack has no cards
    card = api.model(model["name"], model["version"]).get("card", {}).get("line", NOT_STATED.line)
    with atomic_file(folder.new / SUMMARY) as temporary:
        write_summary(
            temporary,
            [
                SummaryRow(
                    name=recording.name,
                    windows=recording.windows,
                    events=recording.events,
                    calls=recording.calls,
                    failure=recording.failure,
                    notes=recording.notes,
                )
                for recording in recordings
            ],
            card,
        )
    folder.publish({})
    show_notes((each.name, each.notes) for each in recordings)
    done = [each for each in recordings if each.failure is None]
    events = sum(each.events or 0 for each in done)
    known = [each.calls for each in done if each.calls is not None]
    calls = f" with {count_of(sum(known), 'call')}" if events and len(known) == len(done) else ""
    found = f"{count_of(len(done), 'recording')}, {count_of(events, 'event')}{calls}"
    OUT.print(f"{found}; reports in {out}", highlight=False, soft_wrap=True)
    OUT.print(f"{model['name']}@{model['version']}: {card}", highlight=False, markup=False, soft_wrap=True)
    if len(done) < len(recordings):
        ERR.print(f"{len(recordings) - len(done)} of {len(recordings)} recordings failed:", highlight=False)
        complain_of(each.failure for each in recordings)
        sys.exit(1)


def failure_of(recording: Document, name: str | None = None) -> Failure | None:
    """Return why a recording of an execution failed, under our name for it."""
    error = recording["error"]
    if error is None:
        return None
    return Failure(error["error"], _named(name or recording["name"], recording["name"], error["message"]))


def _named(ours: str, theirs: str, message: str) -> str:
    return f"{ours}: {message.removeprefix(f'{theirs}: ')}"


def complain_of(failures: Iterable[Failure | None]) -> None:
    """Print the failures to standard error."""
    for failure in failures:
        if failure is not None:
            complain(failure)
