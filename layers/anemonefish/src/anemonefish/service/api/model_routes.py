"""The routes ``/models``: list the models and describe one."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path

from anemonefish.jobs.score_calibration import calibrated_sites
from anemonefish.service.api.caller import tenant_of
from anemonefish.service.api.documents import answers
from anemonefish.service.api.schemas.model_schemas import Catalog, CatalogEntry, DecisionOut, ModelCardOut, ModelOut
from anemonefish.service.api.schemas.shared_schemas import MODEL_NAME
from anemonefish.service.api.services import services

__all__ = ["router"]

router = Router()

Name = Annotated[str, Path(pattern=MODEL_NAME)]


@router.get("/models", summary="List models", tags=["models"], responses=answers(200, Catalog))
def catalog() -> Catalog:
    """Names, versions and aliases."""
    tenant_of(router.current_event.raw_event)
    entries = [
        CatalogEntry(name=entry.name, versions=list(entry.versions), aliases=entry.aliases)
        for entry in services().models.catalog()
    ]
    return Catalog(models=entries)


@router.get("/models/<name>/<version>", summary="Get a model", tags=["models"], responses=answers(200, ModelOut, 404))
def model(name: Name, version: Name) -> ModelOut:
    """By a version or an alias."""
    tenant_of(router.current_event.raw_event)
    pinned = services().models.pin(f"{name}@{version}")
    spec = services().models.spec(pinned)
    return ModelOut(
        name=spec.name,
        version=spec.version,
        hash=pinned.hash,
        description=spec.description,
        license=spec.license,
        classes=list(spec.classes),
        target_class=spec.target_class,
        sample_rate=spec.sample_rate,
        window_seconds=spec.profile.window_seconds,
        hop_seconds=spec.profile.hop_seconds,
        decision=DecisionOut.model_validate(spec.decision.to_dict()),
        sites=list(calibrated_sites(services().models, pinned)),
        profile=spec.profile.to_dict(),
        card=ModelCardOut.model_validate({**spec.card.to_dict(), "line": spec.card.line}),
        training=spec.training,
        parity=spec.parity,
        engine=spec.engine,
        multi_label=spec.multi_label,
        variants=spec.variants,
    )
