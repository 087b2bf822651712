"""The commands ``anemonefish remote ...``: the workflow of an account from a terminal, over HTTP only.

Owns words, folders and exit codes of these commands: 0 done, 1 a recording (or the execution) failed, 2 mistyped. The
key comes from the environment or is asked for, never from an option: options are seen by everybody on a machine.
Results have the names that ``detect`` gives them.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from anemonefish.errors import AnemonefishError, InvalidRequest
from anemonefish.jobs import RecordingRequest, unique_names
from anemonefish.laptop import find_recordings
from anemonefish.remote import Document, Remote, RemoteError
from anemonefish.report import REPORTS
from anemonefish.stores.local import atomic_file
from anemonefish.terminal import ERR, OUT, Commands, assigned, complain, progress_bar, set_option

__all__ = ["remote"]

URL_VARIABLE, KEY_VARIABLE = "ANEMONEFISH_API_URL", "ANEMONEFISH_API_KEY"

_MOST_RECORDINGS = 1_000
_FILES_AT_ONCE = 4

_model_option = click.option("--model", envvar="ANEMONEFISH_MODEL", help="NAME, NAME@ALIAS or NAME@VERSION.")
_threshold_option = click.option("--threshold", type=float, help="Score above which a window belongs to an event.")
_out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder for the reports."
)
_formats_option = click.option("--formats", help=f"Comma-separated; of {', '.join(REPORTS)}.  [default: all]")


@click.group(cls=Commands)
@click.option("--url", envvar=URL_VARIABLE, show_envvar=True, help="The stack's output ApiUrl.")
@click.pass_context
def remote(context: click.Context, url: str | None) -> None:
    """Use a deployed stack over its API. The key is taken from ANEMONEFISH_API_KEY, or asked for."""
    context.obj = url


def _pass_api(command: Callable[..., None]) -> Callable[..., None]:
    """Hand the API to a command when it runs: its help needs neither URL nor key."""

    @click.pass_context
    def connected(context: click.Context, *arguments: Any, **options: Any) -> None:
        if not context.obj:
            raise InvalidRequest(
                f"which API? set {URL_VARIABLE}, or write anemonefish remote --url https://... COMMAND"
            )
        key = os.environ.get(KEY_VARIABLE) or click.prompt("API key", hide_input=True, err=True)
        context.invoke(command, context.with_resource(Remote(context.obj, key)), *arguments, **options)

    return update_wrapper(connected, command)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A recording on its way: what it is called here, and its upload or the reason why there is none."""

    name: str
    upload: str | None
    error: AnemonefishError | None = None


@remote.command()
@click.argument("paths", nargs=-1, required=True)
@_model_option
@_out_option
@_formats_option
@_threshold_option
@set_option
@_pass_api
def detect(
    api: Remote,
    paths: tuple[str, ...],
    model: str | None,
    out: Path,
    formats: str | None,
    threshold: float | None,
    assignments: Sequence[str],
) -> None:
    """Find events in recordings: upload files or folders, start, wait, fetch every report."""
    settings = _given(assignments, threshold=threshold)
    wanted = _formats(formats)
    sent = _upload_all(api, _requests(paths))
    uploads = [each.upload for each in sent if each.upload is not None]
    if not uploads:
        _show_unsent(sent)
        sys.exit(1)
    execution = api.start(uploads, model=model, settings=settings)["id"]
    ERR.print(f"execution {execution}", highlight=False)
    ended = _wait(api, execution)
    names = [each.name for each in sent if each.upload is not None]
    failed = _fetch(api, ended, names, wanted, out, None) if ended["status"] == "SUCCEEDED" else _failure(ended)
    _show_unsent(sent)
    if failed or len(uploads) < len(sent):
        sys.exit(1)


@remote.command()
@click.argument("paths", nargs=-1, required=True)
@_model_option
@set_option
@_pass_api
def quote(api: Remote, paths: tuple[str, ...], model: str | None, assignments: Sequence[str]) -> None:
    """Upload recordings and say what an execution would take, in time and money; start nothing."""
    sent = _upload_all(api, _requests(paths))
    uploads = [each.upload for each in sent if each.upload is not None]
    if uploads:
        OUT.print_json(json.dumps(api.quote(uploads, model=model, settings=_given(assignments))))
    _show_unsent(sent)
    if len(uploads) < len(sent):
        sys.exit(1)


@remote.command()
@click.argument("paths", nargs=-1, required=True)
@_model_option
@_threshold_option
@set_option
@_pass_api
def start(
    api: Remote, paths: tuple[str, ...], model: str | None, threshold: float | None, assignments: Sequence[str]
) -> None:
    """Upload recordings and start an execution; print its id and do not wait."""
    settings = _given(assignments, threshold=threshold)
    sent = _upload_all(api, _requests(paths))
    uploads = [each.upload for each in sent if each.upload is not None]
    if uploads:
        click.echo(api.start(uploads, model=model, settings=settings)["id"])
    _show_unsent(sent)
    if len(uploads) < len(sent):
        sys.exit(1)


@remote.command()
@click.argument("execution")
@click.option("--wait", is_flag=True, help="Until it has ended.")
@_pass_api
def status(api: Remote, execution: str, wait: bool) -> None:
    """Print how far an execution is, as JSON."""
    found = _wait(api, execution) if wait else api.status(execution)
    OUT.print_json(json.dumps(found))
    if found["status"] in {"FAILED", "CANCELLED"}:
        sys.exit(1)


@remote.command()
@click.argument("execution")
@_out_option
@_formats_option
@click.option("--decision", help="Of an earlier decide.")
@_pass_api
def results(api: Remote, execution: str, out: Path, formats: str | None, decision: str | None) -> None:
    """Fetch the reports of an execution that succeeded."""
    ended = api.status(execution)
    if ended["status"] != "SUCCEEDED":
        raise RemoteError("WrongState", f"{execution} is {ended['status']}; there are results once it is SUCCEEDED")
    names = [each["name"] for each in ended["recordings"]]
    if _fetch(api, ended, names, _formats(formats), out, decision):
        sys.exit(1)


@remote.command()
@click.argument("execution")
@_pass_api
def cancel(api: Remote, execution: str) -> None:
    """Stop an execution; what is scored stays for resume."""
    OUT.print(f"{execution} is {api.cancel(execution)['status']}", highlight=False)


@remote.command()
@click.argument("execution")
@_pass_api
def resume(api: Remote, execution: str) -> None:
    """Start an ended execution again, for what it lacks."""
    found = api.resume(execution)
    OUT.print(f"{execution} is {found['status']}, attempt {found['attempt']}", highlight=False)


@remote.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@_pass_api
def list_(api: Remote, limit: int) -> None:
    """List executions, newest first."""
    table = Table()
    for name in ("execution", "status", "created", "model", "recordings", "error"):
        table.add_column(name, no_wrap=name == "execution")
    for _, each in zip(range(limit), api.executions(), strict=False):
        model, error = each["model"], each["error"]
        reason = error["error"] if error else ""
        row = (each["id"], each["status"], each["created_at"], f"{model['name']}@{model['version']}")
        table.add_row(*row, str(each["recordings"]), reason)
    OUT.print(table)


@remote.command()
@click.argument("execution")
@_threshold_option
@_out_option
@_formats_option
@set_option
@_pass_api
def decide(
    api: Remote,
    execution: str,
    threshold: float | None,
    out: Path,
    formats: str | None,
    assignments: Sequence[str],
) -> None:
    """Decide again from stored scores, and fetch the reports."""
    settings = _given(assignments, threshold=threshold)
    ended = api.status(execution)
    sound = [number for number, each in enumerate(ended["recordings"]) if each["error"] is None]
    # A decision is named by its settings, so it is the same for every recording.
    decision = api.decide(execution, settings, recording=sound[0] if sound else 0)["decision"]
    ERR.print(f"decision {decision}", highlight=False)
    names = [each["name"] for each in ended["recordings"]]
    if _fetch(api, ended, names, _formats(formats), out, decision):
        sys.exit(1)


@remote.command()
@click.argument("clip", type=click.Path(path_type=Path))
@_model_option
@_threshold_option
@set_option
@_pass_api
def predict(api: Remote, clip: Path, model: str | None, threshold: float | None, assignments: Sequence[str]) -> None:
    """Send one clip of up to 4 MB and print the answer, as JSON."""
    config = _given(assignments, threshold=threshold) | ({} if model is None else {"model": model})
    OUT.print_json(json.dumps(api.predict(clip, config)))


def _given(assignments: Sequence[str], **options: Any) -> dict[str, Any]:
    """Return the settings that were typed; the API knows the others, and checks all of them."""
    return assigned(assignments) | {name: value for name, value in options.items() if value is not None}


def _formats(text: str | None) -> list[str]:
    wanted = [word.strip() for word in text.split(",")] if text else list(REPORTS)
    if unknown := [word for word in wanted if word not in REPORTS]:
        raise InvalidRequest(f"there is no format {', '.join(unknown)}; the formats are {', '.join(REPORTS)}")
    return wanted


def _requests(paths: Sequence[str]) -> list[RecordingRequest]:
    if there := [path for path in paths if path.startswith("s3://")]:
        raise InvalidRequest(f"{there[0]}: files are uploaded from here; name a file or a folder")
    found = find_recordings(paths)
    if len(found) > _MOST_RECORDINGS:
        raise InvalidRequest(
            f"{len(found)} recordings are more than the {_MOST_RECORDINGS} of one execution; start several, by folder"
        )
    return found


def _upload_all(api: Remote, requests: Sequence[RecordingRequest]) -> list[_Sent]:
    """Upload recordings, some at once; one that cannot be uploaded is told of and the others go on."""
    names = unique_names([request.name for request in requests])
    with progress_bar("uploading") as bar, ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        task = bar.add_task("uploading", total=sum(_size(request.uri) for request in requests) or None)

        def send(request: RecordingRequest, name: str) -> _Sent:
            try:
                upload = api.upload(Path(request.uri), progress=lambda sent: bar.advance(task, sent))
            except AnemonefishError as error:
                return _Sent(name, None, error)
            return _Sent(name, upload["id"])

        return list(pool.map(send, requests, names))


def _size(path: str) -> int:
    with suppress(OSError):
        return Path(path).stat().st_size
    return 0


def _wait(api: Remote, execution: str) -> Document:
    with progress_bar("scoring") as bar:
        task = bar.add_task("scoring", total=None)
        try:
            return api.wait(
                execution,
                lambda found: bar.update(task, completed=found["ranges_done"], total=found["ranges_total"]),
            )
        except KeyboardInterrupt:
            ERR.print(
                f"{execution} goes on without us: anemonefish remote status --wait {execution}, then "
                f"remote results {execution}; or remote cancel {execution}",
                highlight=False,
                soft_wrap=True,
            )
            raise


def _fetch(
    api: Remote, ended: Document, names: Sequence[str], formats: Sequence[str], out: Path, decision: str | None
) -> int:
    """Fetch all reports into a folder, write its summary and tell what failed; return how many recordings did."""
    outcomes = api.results(ended["id"], recording=_first_sound(ended))["recordings"]
    wanted = [
        (number, form, out / f"{name}{REPORTS[form].suffix}")
        for number, name in enumerate(names)
        if outcomes[number]["error"] is None
        for form in formats
    ]
    with progress_bar("fetching") as bar, ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        task = bar.add_task("fetching", total=len(wanted))

        def fetch(each: tuple[int, str, Path]) -> None:
            number, form, path = each
            api.download(ended["id"], form, path, recording=number, decision=decision)
            bar.advance(task)

        list(pool.map(fetch, wanted))
    if decision is None:
        _write_summary(out / "summary.csv", names, outcomes)
    failed = [(name, each["error"]) for name, each in zip(names, outcomes, strict=True) if each["error"]]
    OUT.print(f"{len(names) - len(failed)} recordings; reports in {out}", highlight=False, soft_wrap=True)
    for name, error in failed:
        complain(error["error"], f"{name}: {error['message']}")
    return len(failed)


def _first_sound(ended: Document) -> int:
    return next((number for number, each in enumerate(ended["recordings"]) if each["error"] is None), 0)


def _write_summary(path: Path, names: Sequence[str], outcomes: Sequence[Document]) -> None:
    """Write what became of each recording, as ``detect`` does."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("recording", "status", "windows", "events", "error", "message"))
        for name, each in zip(names, outcomes, strict=True):
            error = each["error"] or {"error": "", "message": ""}
            status = "failed" if each["error"] else "done"
            rows.writerow((name, status, each["windows"], each["events"], error["error"], error["message"]))


def _failure(ended: Document) -> int:
    error = ended["error"] or {"error": ended["status"], "message": f"{ended['id']} is {ended['status']}"}
    complain(error["error"], error["message"])
    return 1


def _show_unsent(sent: Sequence[_Sent]) -> None:
    for each in sent:
        if each.error is not None:
            complain(getattr(each.error, "name", type(each.error).__name__), f"{each.name}: {each.error}")
