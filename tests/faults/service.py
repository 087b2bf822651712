"""The service under fire: the stack on the local AWS behind the proxy, and what a client and EventBridge do with it.

The rule that hands ends of executions to the status function is disabled. The tests deliver the events instead: once,
twice, late, in another order, or never.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from localstack import LocalAws, Stack
from tests.faults.proxy import TASK_PATH, Proxy

__all__ = ["Ended", "Refused", "Service"]

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent
MINISTACK = REPOSITORY / ".venv-ministack" / "bin" / "python"

PATIENCE = 240.0
"""Seconds within which every execution must have ended."""

_PAST = "2020-01-01T00:00:00Z"
_CLIENT_ATTEMPTS = 40
PARAMETERS = {"RequestRate": 10_000, "RequestBurst": 10_000, "MaxJobs": 2, "MaxWorkers": 2, "MaxConcurrency": 2}
"""A tenant may have two jobs, and each of them takes all workers."""


class Refused(Exception):
    """The API refused a request with one of its own errors."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(f"{status} {error}")
        self.status, self.error = status, error


@dataclass(frozen=True, slots=True)
class Ended:
    """How the record of an execution says that it ended."""

    id: str
    status: str
    error: str | None
    message: str | None
    attempt: int


class Service:
    """A deployed stack whose calls to AWS pass a proxy."""

    def __init__(self, aws: LocalAws, stack: Stack, proxy: Proxy) -> None:
        self.proxy, self.stack = proxy, stack
        self.s3, self.states, self.functions = aws.client("s3"), aws.client("stepfunctions"), aws.client("lambda")
        self.table_client = aws.client("dynamodb")
        summaries = aws.client("cloudformation").list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
        self.names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}
        self.machine = stack.outputs["StateMachineArn"]
        self.bucket = stack.outputs["OutputBucketName"]
        self.http = httpx.Client(base_url=stack.api_url, headers={"x-api-key": stack.api_key}, timeout=PATIENCE)
        self._reported: set[str] = set()
        events = aws.client("events")
        for rule in events.list_rules()["Rules"]:
            if "Step Functions Execution Status Change" in rule.get("EventPattern", ""):
                events.disable_rule(Name=rule["Name"])

    @classmethod
    @contextmanager
    def start(cls, folder: Path, parameters: dict[str, object] | None = None) -> Iterator[Service]:
        """Deploy the stack into a new local AWS, with its temporary state in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        with Proxy.start() as proxy:
            environment = {
                "AWS_ENDPOINT_URL": proxy.url,
                "FAULTS_TASK_URL": proxy.url + TASK_PATH,
                "SFN_WAIT_SCALE": "0.02",
            }
            with LocalAws.start(folder, MINISTACK, HERE / "emulator.py", environment) as aws:
                proxy.upstream = int(aws.endpoint_url.rpartition(":")[2])
                template = _with_quick_backoff(folder / "stack")
                stack = aws.deploy(template, REPOSITORY / ".build" / "layers", {**PARAMETERS, **(parameters or {})})
                yield cls(aws, stack, proxy)

    # --- what a client does --------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Send a request; repeat it while the service fails; raise :class:`Refused` for an answer of 4xx."""
        for attempt in range(_CLIENT_ATTEMPTS):
            answer = self.http.request(method, path, **more)
            if answer.status_code < 400:
                return dict(answer.json())
            if answer.status_code < 500:
                raise Refused(answer.status_code, str(answer.json().get("error")))
            time.sleep(min(2.0, 0.1 * 2**attempt))
        raise TimeoutError(f"{method} {path} failed {_CLIENT_ATTEMPTS} times, at last with {answer.status_code}")

    def upload(self, path: Path) -> str:
        """Upload a recording; return the id of the upload."""
        data = path.read_bytes()
        upload = self.request("POST", "/uploads", json={"filename": path.name, "size": len(data)})
        httpx.put(upload["put"]["url"], content=data, headers=upload["put"]["headers"]).raise_for_status()
        self.request("POST", f"/uploads/{upload['id']}/complete")
        return str(upload["id"])

    def begin(self, key: str, uploads: Sequence[str], settings: dict[str, Any]) -> str:
        """Start an execution; return its id."""
        body = {"recordings": list(uploads), "settings": settings}
        return str(self.request("POST", "/executions", json=body, headers={"Idempotency-Key": key})["id"])

    def stop(self, execution: str) -> None:
        """Stop an execution; one that has ended meanwhile stays as it is."""
        try:
            self.request("DELETE", f"/executions/{execution}")
        except Refused as refused:
            if refused.error != "WrongState":
                raise

    def resume(self, execution: str) -> None:
        """Resume an execution; an answer that was lost does not matter."""
        attempt = self.look(execution).attempt
        try:
            self.request("POST", f"/executions/{execution}/resume")
        except Refused:
            if self.look(execution).attempt == attempt:
                raise

    def look(self, execution: str) -> Ended:
        """Return the record of an execution as the API shows it."""
        found = self.request("GET", f"/executions/{execution}")
        error = found["error"] or {}
        return Ended(execution, found["status"], error.get("error"), error.get("message"), found["attempt"])

    # --- what EventBridge does -----------------------------------------------------------------------------------

    def event(self, execution: str, attempt: int) -> dict[str, Any] | None:
        """Return the event of the end of an attempt; None while it runs or before it was started."""
        arn = f"{self.machine.replace(':stateMachine:', ':execution:')}:{execution}-{attempt}"
        try:
            found = self.states.describe_execution(executionArn=arn)
        except self.states.exceptions.ExecutionDoesNotExist:
            return None
        if found["status"] == "RUNNING":
            return None
        detail = {
            key: found.get(key) for key in ("executionArn", "stateMachineArn", "name", "status", "error", "cause")
        }
        return {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}

    def deliver(self, event: dict[str, Any]) -> bool:
        """Hand an event to the status function, three times at most; return False if it went to the dead letters."""
        for _ in range(3):
            answer = self.functions.invoke(
                FunctionName=self.names["StatusFunction"], Payload=json.dumps(event).encode()
            )
            if "FunctionError" not in answer:
                return True
        return False

    def heal(self, execution: str) -> None:
        """Let time pass for the record of an execution, and run the schedule; nothing is due of one that has ended."""
        with suppress(self.table_client.exceptions.ConditionalCheckFailedException):
            self.table_client.update_item(
                TableName=self.names["RecordTable"],
                Key={"id": {"S": execution}},
                UpdateExpression="SET due = :past",
                ConditionExpression="attribute_exists(due)",
                ExpressionAttributeValues={":past": {"S": _PAST}},
            )
        self.functions.invoke(FunctionName=self.names["HealFunction"], Payload=b"{}")

    def free_workers(self) -> None:
        """Let time pass for the workers of jobs that have ended, and run the schedule."""
        table, key = self.names["RecordTable"], {"id": {"S": "queue"}}
        item = self.table_client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return
        document = json.loads(item["document"]["S"])
        for job in document["jobs"].values():
            job[4] = None if job[4] is None else _PAST
        with suppress(self.table_client.exceptions.ConditionalCheckFailedException):
            self.table_client.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET document = :document ADD revision :one",
                ConditionExpression="revision = :seen",
                ExpressionAttributeValues={
                    ":document": {"S": json.dumps(document, sort_keys=True)},
                    ":one": {"N": "1"},
                    ":seen": item["revision"],
                },
            )
        self.functions.invoke(FunctionName=self.names["HealFunction"], Payload=b"{}")

    # --- what is left behind -------------------------------------------------------------------------------------

    def files(self, execution: str) -> dict[str, bytes]:
        """Return the objects of a job by their key below the job; its id is replaced in their content."""
        tenant = self.tenant
        prefix = f"jobs/{tenant}/{execution}/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {
            key.removeprefix(prefix): self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
            .read()
            .replace(execution.encode(), b"*")
            for key in keys
        }

    def failed_recordings(self, execution: str) -> list[str]:
        """Return the errors of the recordings of a job with results that failed."""
        key = f"jobs/{self.tenant}/{execution}/manifest.json"
        manifest = json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return [outcome["failure"]["error"] for outcome in manifest["recordings"] if outcome["failure"]]

    @property
    def tenant(self) -> str:
        """The tenant of the only API key."""
        return str(self.stack.outputs["FirstKeyId"])

    def unfinished(self) -> list[str]:
        """Return what is left of calls that did not end: records without an end, slots, uploads in parts.

        The schedule runs first, because it corrects the queue. What was returned before is not returned again: one lost
        job does not make the next ones look lost.
        """
        self.functions.invoke(FunctionName=self.names["HealFunction"], Payload=b"{}")
        found = []
        pages = self.table_client.get_paginator("scan").paginate(TableName=self.names["RecordTable"])
        for item in (item for page in pages for item in page["Items"]):
            if item["id"]["S"] == "queue":
                jobs = json.loads(item["document"]["S"])["jobs"]
                found += [f"{name} is still in the queue" for name, job in jobs.items() if job[4] is None]
            if item["id"]["S"].startswith("e-"):
                status = json.loads(item["document"]["S"])["status"]
                if status not in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                    found.append(f"record {item['id']['S']} is {status}")
                if "due" in item:
                    found.append(f"record {item['id']['S']} is due at {item['due']['S']}")
        if used := self.request("GET", "/usage")["jobs"]["used"]:
            found.append(f"{used} jobs are counted as running")
        for bucket in (self.bucket, self.stack.outputs["InputBucketName"]):
            uploads = self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
            found += [f"an upload in parts of {bucket}/{upload['Key']}" for upload in uploads]
        new = [each for each in found if each not in self._reported]
        self._reported.update(new)
        return new


def _with_quick_backoff(folder: Path) -> Path:
    """Copy what is deployed, with a handler around each function's own; return the path of the template."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in sorted(REPOSITORY.glob("*.yaml")):
        shutil.copy(path, folder)
    for name in ("functions", "models", "statemachine"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for app in (folder / "functions").glob("*/app.py"):
        app.rename(app.with_name("real_app.py"))
        shutil.copy(HERE / "quick_backoff.py", app)
    return folder / "template.yaml"
