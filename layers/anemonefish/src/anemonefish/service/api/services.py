"""The objects that the routes call, made once per process from the function's environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.s3_archive import Archive
from anemonefish.cloud.s3_links import LINK_SECONDS, Transfers
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import WrongState
from anemonefish.execution_states import SUCCEEDED
from anemonefish.jobs.job import Job
from anemonefish.models.repository import ModelRepository
from anemonefish.service.downloads import JobResults
from anemonefish.service.execution_record import Execution, find_execution
from anemonefish.service.executions import Executions
from anemonefish.service.limits import Limits
from anemonefish.service.result_archive import ResultArchive
from anemonefish.service.uploads import Uploads
from anemonefish.service.verdict_records import VerdictRecords
from anemonefish.stores import open_store

__all__ = ["Services", "find_job", "find_results", "link_expiry", "services"]


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that the routes call.

    Attributes
    ----------
    uploads : Uploads
    executions : Executions
    models : ModelRepository
    models_uri : str
    downloads : Transfers
        Links to the output bucket.
    webhooks : bool
        Whether this stack calls webhooks.
    limits : Limits
        What one tenant may spend.
    archive : ResultArchive
        Results that must be restored before they can be downloaded.
    score_days : int or None
        Days for which the stack keeps scores.
    verdicts : VerdictRecords
        Verdicts of reviewers on results.
    table : RecordTable
        Records of uploads, executions and verdicts.
    """

    uploads: Uploads
    executions: Executions
    models: ModelRepository
    models_uri: str
    downloads: Transfers
    webhooks: bool
    limits: Limits
    archive: ResultArchive
    score_days: int | None
    verdicts: VerdictRecords
    table: RecordTable


@cache
def services() -> Services:
    """Return the services of this function."""
    env = os.environ
    limits = Limits.from_environment(env)
    table = RecordTable(env.get("ANEMONEFISH_RECORD_TABLE", ""))
    models_uri = f"s3://{env['ANEMONEFISH_MODELS_BUCKET']}"
    models = ModelRepository(open_store(models_uri))
    store = open_store(f"s3://{env['ANEMONEFISH_OUTPUT_BUCKET']}")
    keep = timedelta(days=int(env.get("ANEMONEFISH_RECORD_DAYS", "365")))
    executions = Executions(
        table=table,
        workflow=Workflow(env.get("ANEMONEFISH_STATE_MACHINE", "")),
        store=store,
        models=models,
        input_bucket=env["ANEMONEFISH_INPUT_BUCKET"],
        keep=keep,
        limits=limits,
    )
    uploads = Uploads(
        table=table,
        transfers=Transfers(env["ANEMONEFISH_INPUT_BUCKET"]),
        keep=timedelta(days=int(env.get("ANEMONEFISH_INPUT_DAYS", "30"))),
        most_bytes=limits.stored_bytes,
    )
    downloads = Transfers(env["ANEMONEFISH_OUTPUT_BUCKET"])
    webhooks = bool(env.get("ANEMONEFISH_WEBHOOK_QUEUE"))
    archive = ResultArchive(table=table, store=store, archive=Archive(env["ANEMONEFISH_OUTPUT_BUCKET"]))
    score_days = int(env["ANEMONEFISH_SCORE_DAYS"]) if env.get("ANEMONEFISH_SCORE_DAYS") else None
    return Services(
        uploads=uploads,
        executions=executions,
        models=models,
        models_uri=models_uri,
        downloads=downloads,
        webhooks=webhooks,
        limits=limits,
        archive=archive,
        score_days=score_days,
        verdicts=VerdictRecords(table, keep),
        table=table,
    )


def find_results(tenant: str, identifier: str) -> tuple[Execution, JobResults]:
    """Return an execution of a tenant that has succeeded, and its results.

    Raises
    ------
    ExecutionNotFound, WrongState
    """
    executions = services().executions
    execution = executions.get(tenant, identifier)
    _check_succeeded(execution)
    return execution, JobResults(executions.job(execution), services().models, execution.attempt, services().score_days)


def find_job(tenant: str, identifier: str) -> tuple[str, Job]:
    """Return the owner and the job of an execution that has succeeded.

    Unlike :func:`find_results` it does not launch a pending execution: the role of Excerpt may only read records.

    Raises
    ------
    ExecutionNotFound, WrongState
    """
    _, execution = find_execution(services().table, tenant, identifier)
    _check_succeeded(execution)
    return execution.owner, services().executions.job(execution)


def _check_succeeded(execution: Execution) -> None:
    if execution.status != SUCCEEDED:
        reason = f": {execution.error['error']}: {execution.error['message']}" if execution.error else ""
        raise WrongState(f"execution {execution.id} has no results, it is {execution.status}{reason}")


def link_expiry() -> str:
    """Return when a link that is made now expires."""
    return clock.to_text(clock.now() + timedelta(seconds=LINK_SECONDS))
