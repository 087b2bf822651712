"""The routes ``/uploads``: announce, send, complete and delete an upload."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers
from anemonefish.service.api.schemas.shared_schemas import UPLOAD_ID
from anemonefish.service.api.schemas.upload_schemas import (
    CompleteBody,
    Part,
    PartPage,
    UploadBody,
    UploadOut,
    UploadPage,
    UploadSummary,
)
from anemonefish.service.api.services import services
from anemonefish.service.upload_record import Upload

__all__ = ["router"]

router = Router()

UploadId = Annotated[str, Path(pattern=UPLOAD_ID)]


@router.post(
    "/uploads",
    summary="Begin an upload",
    tags=["uploads"],
    status_code=201,
    responses=answers(201, UploadOut, 400, 413, 415, text="Where to send the bytes"),
)
def begin(body: UploadBody) -> UploadOut:
    """A file of up to 64 MiB is sent in one PUT; a larger one is cut into parts that are sent in any order."""
    uploads = services().uploads
    upload = uploads.open(tenant_of(router.current_event.raw_event), body.filename, body.size, body.sha256)
    document = _describe(upload)
    if upload.multipart is None:
        url, headers = uploads.put_link(upload)
        document |= {"put": {"url": url, "headers": headers}}
    else:
        page = _page(upload, 1)
        sizes = {"part_size": upload.part_size, "part_count": upload.part_count}
        document |= {"multipart": {**page.model_dump(), **sizes}}
    return UploadOut.model_validate(document)


@router.get("/uploads", summary="List uploads", tags=["uploads"], responses=answers(200, UploadPage, 400))
def page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[
        str | None, Query(alias="from", pattern=UPLOAD_ID, description="Last upload of the previous page")
    ] = None,
) -> UploadPage:
    """The uploads of this key, newest first, without links."""
    listed = services().uploads.page(tenant_of(router.current_event.raw_event), limit, after)
    return UploadPage(
        uploads=[UploadSummary.model_validate(_describe(upload)) for upload in listed],
        next=f"/uploads?limit={limit}&from={listed[-1].id}" if len(listed) == limit else None,
    )


@router.get("/uploads/<upload>", summary="Get an upload", tags=["uploads"], responses=answers(200, UploadOut, 404, 410))
def look(upload: UploadId) -> UploadOut:
    """Its state, without links; the links are in its parts."""
    return UploadOut.model_validate(_describe(_get(upload)))


@router.get(
    "/uploads/<upload>/parts",
    summary="Get links of the parts",
    tags=["uploads"],
    responses=answers(200, PartPage, 400, 404, 409, 410),
)
def parts(
    upload: UploadId,
    first: Annotated[int, Query(alias="from", ge=1, le=10_000, description="Number of the first part")] = 1,
) -> PartPage:
    """Up to a hundred parts from a number on, with fresh links; a part that has arrived has its tag."""
    return _page(_get(upload), first)


@router.post(
    "/uploads/<upload>/complete",
    summary="Complete an upload",
    tags=["uploads"],
    responses=answers(200, UploadOut, 400, 404, 409, 410, 415, text="A recording"),
)
def complete(upload: UploadId, body: Annotated[CompleteBody | None, Body()] = None) -> UploadOut:
    """Joins the parts and compares the size. An upload that is complete stays as it is."""
    tags = {part.number: part.etag for part in body.parts or ()} if body else None
    complete_upload = services().uploads.complete(tenant_of(router.current_event.raw_event), upload, tags)
    return UploadOut.model_validate(_describe(complete_upload))


@router.delete(
    "/uploads/<upload>",
    summary="Delete an upload and its bytes",
    tags=["uploads"],
    status_code=204,
    responses=answers(204, None, 404, text="Deleted"),
)
def delete(upload: UploadId) -> Response[str]:
    """Open or complete; executions that still read it fail."""
    services().uploads.delete(tenant_of(router.current_event.raw_event), upload)
    return Response(204, content_type="text/plain", body="")


def _get(identifier: str) -> Upload:
    return services().uploads.get(tenant_of(router.current_event.raw_event), identifier)


def _describe(upload: Upload) -> dict[str, object]:
    return {**asdict(upload), "sha256_checked": upload.sha256_checked, "multipart": None}


def _page(upload: Upload, first: int) -> PartPage:
    links, next_part = services().uploads.part_links(upload, first)
    return PartPage(
        parts=[Part(**asdict(link)) for link in links],
        next=None if next_part is None else f"/uploads/{upload.id}/parts?from={next_part}",
    )
