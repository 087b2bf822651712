"""The routes ``/executions/{id}/results``, ``/decisions`` and ``/files``: read results and decide again."""

from __future__ import annotations

import mimetypes
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from anemonefish.errors import Failure, InvalidRequest, ResultArchived
from anemonefish.results.lab_json import lab_document
from anemonefish.results.recording_result import RecordingResult
from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers
from anemonefish.service.api.faults import public_words
from anemonefish.service.api.redirects import redirect_to
from anemonefish.service.api.schemas.result_schemas import (
    AllFilesOut,
    FileOut,
    FilesOut,
    RecordingOutcome,
    ResultsOut,
    StoredFileOut,
)
from anemonefish.service.api.schemas.settings_schemas import DecisionBody
from anemonefish.service.api.schemas.shared_schemas import DECISION_ID, EXECUTION_ID, FileLink
from anemonefish.service.api.services import find_results, link_expiry, services
from anemonefish.service.downloads import JobResults
from anemonefish.service.execution_record import Execution
from anemonefish.settings import Format

__all__ = ["router"]

router = Router()

MOST_INLINE = 10_000
"""Largest number of predictions in an answer; they have 2 MB, and an answer may have 6."""

MOST_FILES = 200
"""Files on a page. A link has some kilobytes: a role's session token, and the name, up to three times as long in a URL;
Lambda answers with at most six megabytes."""

ExecutionId = Annotated[str, Path(pattern=EXECUTION_ID)]
Recording = Annotated[int, Query(ge=0, le=999, description="Number of the recording in the execution")]
_CONTENT_TYPES = {"json": "application/json", "csv": "text/csv", "scores": "text/csv", "longterm": "text/csv"} | {
    "parquet": "application/vnd.apache.parquet"
}


@router.get(
    "/executions/<execution>/results",
    summary="Results of a recording",
    tags=["results"],
    responses={
        **answers(303, None, text="With format: the file"),
        **answers(200, ResultsOut | FileOut, 400, 404, 409, 410, text="The lab's JSON; with redirect=false a link"),
    },
)
def results(
    execution: ExecutionId,
    recording: Recording = 0,
    decision: Annotated[str | None, Query(pattern=DECISION_ID)] = None,
    format: Annotated[Format | None, Query(description="A file instead")] = None,
    redirect: Annotated[bool, Query(description="false: answer with the link, not with a redirect")] = True,
    predictions: Annotated[bool, Query(description="false: leave the predictions out")] = True,
) -> Response[Any]:
    """Events, metadata and up to 10,000 predictions; the file has all of them."""
    record, job = _find(execution)
    if format is not None:
        link = _file(record, job, recording, format, decision)
        return redirect_to(link.url) if redirect else Response(200, "application/json", link)
    settings = job.settings_of(decision)
    return _answer(record, job, recording, decision, lambda: job.result(recording, settings), predictions=predictions)


@router.post(
    "/executions/<execution>/decisions",
    summary="Decide again",
    tags=["results"],
    responses=answers(
        200, ResultsOut, 400, 404, 409, 410, 415, text="Events under the new settings, and the decision's id"
    ),
)
def decide(execution: ExecutionId, body: DecisionBody, recording: Recording = 0) -> Response[Any]:
    """Finds events in the stored scores, without inference; a new execution with these settings has the same bytes."""
    record, job = _find(execution)
    decision, result = job.decide(recording, body.changes())
    return _answer(record, job, recording, decision, lambda: result, predictions=False)


@router.get(
    "/executions/<execution>/files",
    summary="List job-level files",
    tags=["results"],
    responses=answers(
        200, FilesOut | AllFilesOut, 400, 404, 409, text="Summary, combined tables, clips, plots; outcomes"
    ),
)
def files(
    execution: ExecutionId,
    everything: Annotated[
        bool, Query(alias="all", description="Also the results of each recording in every written format, in pages")
    ] = False,
    after: Annotated[
        str, Query(alias="from", max_length=1024, description="With all: last file of the previous page")
    ] = "",
) -> FilesOut | AllFilesOut:
    """Summary and combined tables; clips and plots, if the setting review requests them, follow after the results.

    With all it is every file that the execution has written, in pages, for an archive of them.
    """
    _, job = _find(execution)
    if everything:
        return _all_files(execution, job, after)
    if after:
        raise InvalidRequest("from: only the list of all files has pages; send all=true")
    links = [
        FileLink(name=name, url=services().downloads.get_link(key, name.rpartition("/")[2], _type_of(name)))
        for key, name in job.files()
    ]
    outcomes = [RecordingOutcome.model_validate(outcome) for outcome in _outcomes(job)]
    return FilesOut(files=links, expires_at=link_expiry(), recordings=outcomes)


def _all_files(execution: str, job: JobResults, after: str) -> AllFilesOut:
    """Return a page of all files. A file in the archive has no link until it is restored."""
    prefix = job.key_of("")
    page = services().archive.page(prefix.rstrip("/"), after, MOST_FILES)
    links = [
        StoredFileOut(
            name=(name := stored.key.removeprefix(prefix)),
            url=services().downloads.get_link(stored.key, name.rpartition("/")[2], _type_of(name))
            if stored.readable
            else None,
            size=stored.size,
        )
        for stored in page
    ]
    following = f"/executions/{execution}/files?all=true&from={quote(links[-1].name)}" if links else None
    return AllFilesOut(files=links, next=following if len(links) == MOST_FILES else None, expires_at=link_expiry())


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _find(identifier: str) -> tuple[Execution, JobResults]:
    return find_results(tenant_of(router.current_event.raw_event), identifier)


def _answer(
    execution: Execution,
    job: JobResults,
    recording: int,
    decision: str | None,
    result_of: Any,
    *,
    predictions: bool,
) -> Response[Any]:
    result: RecordingResult = result_of()
    inline = predictions and len(result.scores) <= MOST_INLINE
    document = lab_document(result, predictions=inline, processing_seconds=execution.seconds)
    _add_review(document["events"], job, recording)
    url, reason = None, None
    if predictions and not inline:
        try:
            url = _file(execution, job, recording, "json", decision).url
        except ResultArchived as error:
            reason = asdict(Failure.of(error))
    document |= {
        "execution": execution.id,
        "decision": decision,
        "recording": recording,
        "settings": result.settings.decision(),
        "predictions_url": url,
        "predictions_error": reason,
        "recordings": _outcomes(job),
    }
    return Response(200, "application/json", document)


def _outcomes(job: JobResults) -> list[dict[str, Any]]:
    return [
        {
            "recording": number,
            "name": summary.name,
            "windows": summary.windows,
            "events": summary.events,
            "calls": summary.calls,
            "error": None
            if summary.failure is None
            else {"error": summary.failure.error, "message": public_words(summary.failure.message)},
            "status": summary.status,
            "notes": [asdict(note) for note in summary.notes],
        }
        for number, summary in enumerate(job.recordings())
    ]


def _add_review(events: list[dict[str, Any]], job: JobResults, recording: int) -> None:
    """Add the links of clip and plot to the events that have them."""
    reviewed = job.reviewed(recording)
    for event in events:
        clip = reviewed.get((event["start_sample"], event["end_sample"], event["class"]))
        if clip is not None:
            event["clip"] = _review_link(job, clip.clip)
            event["picture"] = None if clip.picture is None else _review_link(job, clip.picture)


def _review_link(job: JobResults, name: str) -> dict[str, str]:
    url = services().downloads.get_link(job.key_of(name), name.rpartition("/")[2], _type_of(name))
    return {"name": name, "url": url}


def _file(execution: Execution, job: JobResults, recording: int, form: Any, decision: str | None) -> FileOut:
    key, filename = job.file(recording, form, decision)
    services().archive.check_readable(execution, key, filename)
    url = services().downloads.get_link(key, filename, _CONTENT_TYPES.get(form, "text/plain; charset=utf-8"))
    return FileOut(format=form, filename=filename, url=url, expires_at=link_expiry())
