"""The routes ``/executions/{id}/recordings/{n}/clip`` and ``/spectrogram``: hear and see a stretch of a recording.

The gateway sends them to a function of their own, which reads recordings and draws.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers
from anemonefish.service.api.redirects import redirect_to
from anemonefish.service.api.schemas.excerpt_schemas import ClipOut, SpectrogramOut
from anemonefish.service.api.schemas.shared_schemas import EXECUTION_ID
from anemonefish.service.api.services import find_job, link_expiry, services

__all__ = ["router"]

router = Router()

ExecutionId = Annotated[str, Path(pattern=EXECUTION_ID)]
Recording = Annotated[int, Path(ge=0, le=999)]
Seconds = Annotated[
    float, Query(ge=0, le=10**8, allow_inf_nan=False, description="Seconds from the beginning of the recording")
]
Redirect = Annotated[bool, Query(description="false: answer with the link, not with a redirect")]


def _responses(document: type[ClipOut], file: str) -> dict[int, Any]:
    return {
        **answers(303, None, text=file),
        **answers(200, document, 400, 404, 409, 413, text="With redirect=false: a link to it"),
    }


@router.get(
    "/executions/<execution>/recordings/<recording>/clip",
    summary="Hear a stretch of a recording",
    tags=["excerpts"],
    responses=_responses(ClipOut, "The sound as FLAC"),
)
def clip(
    execution: ExecutionId, recording: Recording, start: Seconds, stop: Seconds, redirect: Redirect = True
) -> Response[Any]:
    """The samples of the recording from start to stop, at its own rate and with all its channels; at most a minute."""
    from anemonefish.service.excerpts import cut_excerpt  # imported here, because Api draws nothing

    owner, job = find_job(tenant_of(router.current_event.raw_event), execution)
    made = cut_excerpt(job, owner, recording, Fraction(repr(start)), Fraction(repr(stop)))
    return _answer(made, "audio/flac", redirect=redirect)


@router.get(
    "/executions/<execution>/recordings/<recording>/spectrogram",
    summary="See a stretch of a recording",
    tags=["excerpts"],
    responses=_responses(SpectrogramOut, "The spectrogram as PNG"),
)
def spectrogram(
    execution: ExecutionId, recording: Recording, start: Seconds, stop: Seconds, redirect: Redirect = True
) -> Response[Any]:
    """The band of the model with a margin, without axes: the answer without redirect has the numbers for them."""
    from anemonefish.service.excerpts import draw_excerpt

    owner, job = find_job(tenant_of(router.current_event.raw_event), execution)
    made = draw_excerpt(job, services().models, owner, recording, Fraction(repr(start)), Fraction(repr(stop)))
    more = {"low_hz": made.low_hz, "high_hz": made.high_hz}
    return _answer(made, "image/png", redirect=redirect, **more)


def _answer(made: Any, content_type: str, *, redirect: bool, **more: float) -> Response[Any]:
    url = services().downloads.get_link(made.key, made.name, content_type)
    if redirect:
        return redirect_to(url)
    document = {
        "name": made.name,
        "url": url,
        "expires_at": link_expiry(),
        "sample_rate": made.sample_rate,
        "channels": made.channels,
        "start_sample": made.start,
        "stop_sample": made.stop,
        **more,
    }
    return Response(200, "application/json", document)
