"""The routes ``/executions`` and ``/usage``: start, follow, stop and resume executions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from anemonefish import clock
from anemonefish.cloud.correlation import correlation_of_request
from anemonefish.errors import ExecutionNotFound, Failure, InvalidRequest, short_repr
from anemonefish.execution_states import SUCCEEDED
from anemonefish.jobs.plan import Plan
from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers
from anemonefish.service.api.faults import public_words
from anemonefish.service.api.schemas.execution_schemas import (
    ExecutionBody,
    ExecutionOut,
    ExecutionPage,
    ExecutionSummary,
    JobsUsage,
    QuoteOut,
    StorageUsage,
    UsageOut,
)
from anemonefish.service.api.schemas.shared_schemas import EXECUTION_ID
from anemonefish.service.api.services import services
from anemonefish.service.execution_record import Execution, ExecutionRequest
from anemonefish.service.webhook_address import check_url

__all__ = ["router"]

router = Router()

ExecutionId = Annotated[str, Path(pattern=EXECUTION_ID)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Requests with the same key and body start one execution",
    ),
]
After = Annotated[
    str | None, Query(alias="from", pattern=EXECUTION_ID, description="Last execution of the previous page")
]
_POLL_SECONDS = "2"


@router.post(
    "/executions",
    summary="Start an execution",
    tags=["executions"],
    responses={
        **answers(202, ExecutionOut, 400, 404, 409, 410, 413, 415, text="Accepted; poll status_url"),
        **answers(200, QuoteOut, text="With dry_run: the plan; nothing is started"),
    },
)
def start(
    body: ExecutionBody,
    idempotency_key: IdempotencyKey = None,
    dry_run: Annotated[bool, Query(description="Return the plan only")] = False,
) -> Response[Any]:
    """Analyse complete uploads. ``dry_run`` returns the expected ranges, seconds and USD, and starts nothing."""
    if body.webhook is not None:
        if not services().webhooks:
            raise InvalidRequest("webhook: this stack has no webhooks; deploy it with Webhooks=enabled, or poll")
        check_url(body.webhook)
    tenant, request = tenant_of(router.current_event.raw_event), _request(body)
    executions = services().executions
    if not dry_run and (existing := executions.find_by_key(tenant, request, idempotency_key)) is not None:
        return _accepted(existing)
    uploads = services().uploads.recordings(tenant, request.uploads)
    if dry_run:
        return Response(200, "application/json", _quote(executions.quote(request, uploads)))
    return _accepted(executions.start(tenant, request, uploads, idempotency_key, _correlation_id()))


@router.get("/usage", summary="Get usage and limits", tags=["executions"], responses=answers(200, UsageOut))
def usage() -> UsageOut:
    """Running executions and stored bytes of this key, and the limits of the stack."""
    tenant, limits = tenant_of(router.current_event.raw_event), services().limits
    return UsageOut(
        jobs=JobsUsage(used=services().executions.count_unfinished(tenant), limit=limits.jobs),
        stored_bytes=StorageUsage(used=services().uploads.stored(tenant), limit=limits.stored_bytes),
        job_usd_limit=limits.job_usd,
    )


@router.get("/executions", summary="List executions", tags=["executions"], responses=answers(200, ExecutionPage, 400))
def page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: After = None,
) -> ExecutionPage:
    """The executions of this key, newest first."""
    tenant, executions = tenant_of(router.current_event.raw_event), services().executions
    if after is not None:
        _check_listed(tenant, after)
    listed = executions.page(tenant, limit, after)
    next_page = f"/executions?limit={limit}&from={listed[-1].id}" if len(listed) == limit else None
    return ExecutionPage(executions=[_summary(execution) for execution in listed], next=next_page)


@router.get(
    "/executions/<execution>",
    summary="Follow an execution",
    tags=["executions"],
    responses=answers(200, ExecutionOut, 404),
)
def status(execution: ExecutionId) -> Response[Any]:
    """Poll until status is SUCCEEDED, FAILED or CANCELLED; wait as long as Retry-After says between two polls."""
    return _answer(200, services().executions.get(tenant_of(router.current_event.raw_event), execution))


@router.delete(
    "/executions/<execution>",
    summary="Stop an execution",
    tags=["executions"],
    status_code=202,
    responses=answers(202, ExecutionOut, 404, 409, text="Stopped"),
)
def stop(execution: ExecutionId) -> Response[Any]:
    """Stored scores are kept, so the execution can be resumed."""
    return _answer(202, services().executions.stop(tenant_of(router.current_event.raw_event), execution))


@router.post(
    "/executions/<execution>/resume",
    summary="Resume an execution",
    tags=["executions"],
    status_code=202,
    responses=answers(202, ExecutionOut, 404, 409, text="Started again"),
)
def resume(execution: ExecutionId) -> Response[Any]:
    """Run an execution again that failed or was stopped, or whose recordings failed by the system.

    Only ranges without scores are computed.
    """
    tenant = tenant_of(router.current_event.raw_event)
    return _accepted(services().executions.resume(tenant, execution, _correlation_id()))


@router.post(
    "/executions/<execution>/restore",
    summary="Restore archived results",
    tags=["executions"],
    responses=answers(202, ExecutionOut, 400, 404, 409, text="Asked for; restore says when the files are ready"),
)
def restore(
    execution: ExecutionId,
    tier: Annotated[
        Literal["standard", "bulk"], Query(description="standard takes up to 12 hours; bulk 48, and costs less")
    ] = "standard",
) -> Response[Any]:
    """Ask for the results that were moved to the archive. They can be downloaded some hours later, for a week."""
    tenant = tenant_of(router.current_event.raw_event)
    return _answer(202, services().archive.restore(tenant, execution, tier))


def _correlation_id() -> str | None:
    return correlation_of_request(router.current_event.raw_event)


def _check_listed(tenant: str, identifier: str) -> None:
    """Raise for a page after an unknown execution; otherwise the first page would be returned as the next one."""
    try:
        services().executions.get(tenant, identifier)
    except ExecutionNotFound:
        raise InvalidRequest(
            f"from: your list has no execution {short_repr(identifier)}; begin again with GET /executions"
        ) from None


def _request(body: ExecutionBody) -> ExecutionRequest:
    settings = body.settings.model_dump(exclude_none=True)
    uploads = tuple(dict.fromkeys(body.recordings))  # the same upload twice is one recording
    return ExecutionRequest(uploads=uploads, model=body.model, settings=settings, webhook=body.webhook)


def _accepted(execution: Execution) -> Response[Any]:
    return _answer(202, execution, {"Location": f"/executions/{execution.id}"})


def _answer(status_code: int, execution: Execution, headers: dict[str, str] | None = None) -> Response[Any]:
    executions = services().executions
    progress = executions.progress(execution)
    execution = executions.refresh(execution, progress)
    started = clock.from_text(execution.started_at or execution.created_at)
    end = None if execution.ended else progress.expected_end(started, clock.now())
    document = {
        "id": execution.id,
        "status": execution.status,
        "status_url": f"/executions/{execution.id}",
        "results_url": f"/executions/{execution.id}/results" if execution.status == SUCCEEDED else None,
        "attempt": execution.attempt,
        "created_at": execution.created_at,
        "started_at": execution.started_at,
        "finished_at": execution.finished_at,
        "expected_end": None if end is None else clock.to_text(end),
        "queue": _queue(execution),
        "model": execution.model,
        "settings": execution.settings,
        "ranges_done": progress.done,
        "ranges_total": progress.total if progress.recordings else None,
        "recordings": [
            {
                "recording": number,
                "name": recording.name,
                "ranges_done": recording.ranges_done,
                "ranges_total": recording.ranges_total,
                "error": _reason(recording.failure),
            }
            for number, recording in enumerate(progress.recordings)
        ],
        "review": _review(execution),
        "restore": execution.restore,
        "error": _public(execution.error),
    }
    waiting = {} if execution.ended else {"Retry-After": _POLL_SECONDS}
    answer = ExecutionOut.model_validate(document)
    return Response(status_code, "application/json", answer, {**waiting, **(headers or {})})


def _queue(execution: Execution) -> dict[str, Any] | None:
    position = services().executions.queue_position(execution)
    if position is None:
        return None
    return {"position": position, "message": "waits until workers of other executions are free; it starts by itself"}


def _review(execution: Execution) -> dict[str, Any] | None:
    state = services().executions.review(execution)
    if state is None:
        return None
    counts = {"clips": state.clips, "left_out": state.left_out, "pictures": state.pictures}
    return {"status": state.status, **counts, "error": _reason(state.failure)}


def _summary(execution: Execution) -> ExecutionSummary:
    return ExecutionSummary.model_validate(
        {
            **asdict(execution),
            "status_url": f"/executions/{execution.id}",
            "error": _public(execution.error),
        }
    )


def _quote(plan: Plan) -> QuoteOut:
    recordings = []
    for number, recording in enumerate(plan.recordings):
        analysis = recording.analysis
        recordings.append(
            {
                "name": recording.name,
                "sample_rate": None if analysis is None else analysis.audio.sample_rate,
                "duration_seconds": None
                if analysis is None
                else round(analysis.audio.frames / analysis.audio.sample_rate, 6),
                "windows": None if analysis is None else analysis.grid.n_windows,
                "ranges": sum(1 for _ in plan.tasks_of(number)),
                "error": _reason(recording.failure),
            }
        )
    return QuoteOut.model_validate(
        {"model": plan.model.to_dict(), "quote": asdict(plan.quote), "recordings": recordings}
    )


def _reason(failure: Failure | None) -> dict[str, str] | None:
    return None if failure is None else _public(asdict(failure))


def _public(error: dict[str, str] | None) -> dict[str, str] | None:
    return None if error is None else {**error, "message": public_words(error["message"])}
