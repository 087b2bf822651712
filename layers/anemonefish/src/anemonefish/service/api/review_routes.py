"""The routes ``/executions/{id}/review`` and ``/verdicts``: a sample of the results to judge, and the verdicts."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from anemonefish.sample_times import seconds
from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers
from anemonefish.service.api.redirects import redirect_to
from anemonefish.service.api.schemas.review_schemas import (
    ReviewOut,
    StoredOut,
    VerdictBody,
    VerdictFileOut,
    VerdictPage,
)
from anemonefish.service.api.schemas.shared_schemas import EXECUTION_ID
from anemonefish.service.api.services import find_results, link_expiry, services
from anemonefish.service.downloads import JobResults
from anemonefish.service.job_verdicts import VerdictFile, VerdictFormat, checked_verdicts, needs_draw, verdict_file
from anemonefish.service.review_draw import ReviewDraw, draw_review
from anemonefish.service.verdict_records import StretchVerdict, checked_name

__all__ = ["MOST_UNITS", "router"]

router = Router()

_PLACE = r"^\d{1,4}\.\d{1,13}\.\d{1,13}\.[0-9a-f]{16}$"
MOST_UNITS = 1_000
"""Largest sample; an answer with it has 400 kB."""

ExecutionId = Annotated[str, Path(pattern=EXECUTION_ID)]
Clips = Annotated[int, Query(ge=1, le=MOST_UNITS, description="Size of the sample")]
Seed = Annotated[int, Query(ge=0, le=2**31 - 1, description="Another one draws another sample")]

Class = Annotated[
    str | None,
    Query(alias="class", max_length=64, description="Which target class of the results; the first unless given"),
]


@router.get(
    "/executions/<execution>/review",
    summary="Draw a sample to judge",
    tags=["review"],
    responses=answers(200, ReviewOut, 400, 404, 409, 410, 413, text="The stretches to judge"),
)
def review(execution: ExecutionId, clips: Clips = 100, seed: Seed = 0, label: Class = None) -> Response[Any]:
    """Events and stretches between them from every range of scores: the sample of anemonefish review."""
    _, job = find_results(_tenant(), execution)
    draw = draw_review(job, clips, seed, label)
    numbers = {recording.name: number for number, recording in enumerate(job.plan.recordings)}
    units = [
        {
            "clip": row.clip,
            "recording": numbers[row.recording],
            "name": row.recording,
            **_stretch(row.start_sample, row.stop_sample, row.sample_rate),
            "kind": row.kind,
            "score": row.score,
            "stratum": row.stratum,
            "stratum_size": row.stratum_size,
            "drawn": row.drawn,
        }
        for row in draw.rows
    ]
    first = draw.rows[0]
    document = {"review": first.review, "model": first.model, "target_class": first.label, "seed": seed}
    return Response(200, "application/json", {**document, "stretches": draw.n_units, "units": units})


@router.put(
    "/executions/<execution>/verdicts",
    summary="Store verdicts",
    tags=["review"],
    responses=answers(200, StoredOut, 400, 404, 409, 415, text="Stored"),
)
def put(execution: ExecutionId, body: VerdictBody) -> StoredOut:
    """One verdict for each reviewer and stretch: a later one replaces it, and null deletes it."""
    record, job = find_results(_tenant(), execution)
    reviewer = checked_name(body.reviewer, "reviewer")
    verdicts = checked_verdicts(
        job,
        [
            StretchVerdict(
                recording=each.recording,
                start=each.start_sample,
                stop=each.stop_sample,
                label=each.class_,
                verdict=each.verdict,
                calls=each.calls,
                mark_start=each.mark_start_sample,
                mark_stop=each.mark_stop_sample,
                kind=each.kind,
            )
            for each in body.verdicts
        ],
    )
    total = services().verdicts.put(record, reviewer, verdicts)
    return StoredOut(stored=len(verdicts), total=total)


@router.get(
    "/executions/<execution>/verdicts",
    summary="List verdicts",
    tags=["review"],
    responses={
        **answers(303, None, text="With format: the file"),
        **answers(
            200, VerdictPage | VerdictFileOut, 400, 404, 409, 410, 413, text="Verdicts; with format a link to a file"
        ),
    },
)
def verdicts(
    execution: ExecutionId,
    format: Annotated[VerdictFormat | None, Query(description="verdicts.csv or review-labels.csv instead")] = None,
    clips: Clips = 100,
    seed: Seed = 0,
    label: Class = None,
    redirect: Annotated[bool, Query(description="false: answer with the link, not with a redirect")] = True,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
    after: Annotated[
        str | None,
        Query(alias="from", pattern=_PLACE, description="From the path in next"),
    ] = None,
) -> Response[Any]:
    """The verdicts of all reviewers, or a table for calibrate-scores, or labels for train.

    clips, seed and class name the sample whose strata the table of verdicts has.
    """
    record, job = find_results(_tenant(), execution)
    stored = services().verdicts.read(record)
    if format is not None:
        draw = draw_review(job, clips, seed, label) if needs_draw(format, stored) else ReviewDraw((), 0)
        made = verdict_file(job, record.owner, draw, stored, format)
        return _link(made, redirect=redirect)
    if after is not None:
        recording, start, stop, mark = after.split(".")
        stored = [each for each in stored if each.sort_key > (int(recording), int(start), int(stop), mark)]
    page, path = stored[:limit], None
    if len(stored) > limit:
        path = f"/executions/{record.id}/verdicts?limit={limit}&from={'.'.join(map(str, page[-1].sort_key))}"
    return Response(
        200, "application/json", {"verdicts": [_verdict_document(job, each) for each in page], "next": path}
    )


def _tenant() -> str:
    return tenant_of(router.current_event.raw_event)


def _link(made: VerdictFile, *, redirect: bool) -> Response[Any]:
    url = services().downloads.get_link(made.key, made.name, "text/csv")
    if redirect:
        return redirect_to(url)
    counts = {"verdict_count": made.n_verdicts, "left_out": made.left_out}
    return Response(200, "application/json", {"name": made.name, "url": url, "expires_at": link_expiry(), **counts})


def _verdict_document(job: JobResults, verdict: StretchVerdict) -> dict[str, Any]:
    recording = job.plan.recordings[verdict.recording]
    assert recording.analysis is not None
    return {
        "recording": verdict.recording,
        "name": recording.name,
        **_stretch(verdict.start, verdict.stop, recording.analysis.sample_rate),
        "class": verdict.label,
        "verdict": verdict.verdict,
        "calls": verdict.calls,
        "mark_start_sample": verdict.mark_start,
        "mark_stop_sample": verdict.mark_stop,
        "kind": verdict.kind,
        "reviewer": verdict.reviewer,
        "judged_at": verdict.judged_at,
    }


def _stretch(start: int, stop: int, rate: int) -> dict[str, Any]:
    return {
        "start_sample": start,
        "stop_sample": stop,
        "start_time": seconds(start, rate),
        "end_time": seconds(stop, rate),
        "sample_rate": rate,
    }
