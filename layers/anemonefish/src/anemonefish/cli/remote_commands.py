"""The commands ``anemonefish remote ...``: use a deployed stack from a terminal, over HTTP only.

Exit codes: 0 done, 1 a recording or the execution failed, 2 mistyped. The API key comes from the environment or is
asked for; it is no option, because every user of a machine can see the options of a command. :mod:`.client.client` is
imported when a command calls the API, so that the other commands run without httpx.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anemonefish.cli.remote_files import (
    RemoteRecording,
    complain_of,
    failure_of,
    fetch_reports,
    find_requests,
    first_analysed,
    numbered,
    publish_summary,
    recordings_of,
    run_at_once,
    upload_all,
    upload_ids,
    with_outcomes,
)
from anemonefish.cli.remote_messages import check_succeeded, reasons_of, show_restore
from anemonefish.cli.remote_progress import place_in_queue, wait_for_end
from anemonefish.cli.terminal import (
    ERR,
    OUT,
    Commands,
    assigned,
    model_option,
    set_option,
    show_quote,
    typed_options,
)
from anemonefish.errors import AnemonefishError
from anemonefish.execution_states import UNSUCCESSFUL
from anemonefish.settings import FORMATS, Settings
from anemonefish.stores.folder import local_path
from anemonefish.workflow.results_folder import ResultsFolder

if TYPE_CHECKING:
    from anemonefish.client.client import Client

__all__ = ["remote"]

URL_VARIABLE, KEY_VARIABLE = "ANEMONEFISH_API_URL", "ANEMONEFISH_API_KEY"

_UPLOAD = re.compile(r"u-[a-z2-7]{26}")

_threshold_option = click.option("--threshold", type=float, help="Score above which a window belongs to an event.")
_out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder for the reports."
)
_formats_option = click.option("--formats", help=f"Comma-separated; of {', '.join(FORMATS)}.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")


@click.group(cls=Commands)
def remote() -> None:
    """Use a deployed stack over its API. The key is taken from ANEMONEFISH_API_KEY, or asked for."""


def _with_api(command: Callable[..., None]) -> Callable[..., None]:
    """Hand the API to a command, and give it the option ``--url``."""

    @click.option("--url", envvar=URL_VARIABLE, show_envvar=True, required=True, help="The stack's output ApiUrl.")
    @wraps(command)
    def connected(*arguments: Any, url: str, **options: Any) -> None:
        with _connect(url) as api:
            command(api, *arguments, **options)

    return connected


def _connect(url: str) -> Client:
    try:
        from anemonefish.client.client import Client
    except ImportError:
        raise click.ClickException(
            "this needs httpx, which is not installed; pip install 'anemonefish[remote]'"
        ) from None
    key = os.environ.get(KEY_VARIABLE)
    if not key and not sys.stdin.isatty():
        raise click.UsageError(f"there is no API key; set {KEY_VARIABLE}")
    return Client(url, key or click.prompt("API key", hide_input=True, err=True))


# --- the whole way -----------------------------------------------------------------------------------------------


@remote.command()
@_with_api
@click.argument("paths", nargs=-1, required=True)
@model_option
@_out_option
@_formats_option
@_threshold_option
@set_option
def detect(
    api: Client,
    paths: tuple[str, ...],
    model: str,
    out: Path,
    formats: str | None,
    threshold: float | None,
    assignments: Sequence[str],
) -> None:
    """Find events in recordings: upload files or folders, start, wait, fetch every report."""
    settings = _given(assignments, threshold=threshold, formats=_split(formats))
    wanted = _checked(api, model, settings).formats
    with ResultsFolder(out) as folder:
        requests = find_requests(paths)
        folder.check_inputs(local_path(each.uri) for each in requests)
        recordings = upload_all(api, requests)
        execution = _start(api, recordings, model, settings)
        ERR.print(f"execution {execution}", highlight=False)
        sent = [each for each in recordings if each.upload is not None]
        ended = wait_for_end(api, execution)
        check_succeeded(ended, [each.name for each in sent])
        found = iter(fetch_reports(api, execution, with_outcomes(api, ended, sent), wanted, folder.new))
        done = [each if each.upload is None else next(found) for each in recordings]
        publish_summary(api, ended, done, folder, out)


@remote.command()
@_with_api
@click.argument("paths", nargs=-1, required=True)
@model_option
@_threshold_option
@set_option
@_json_option
def quote(
    api: Client,
    paths: tuple[str, ...],
    model: str,
    threshold: float | None,
    assignments: Sequence[str],
    as_json: bool,
) -> None:
    """Upload recordings and print the time and cost that an execution of them would take; it is not started."""
    settings = _given(assignments, threshold=threshold)
    _checked(api, model, settings)
    recordings = upload_all(api, find_requests(paths))
    uploads = upload_ids(recordings)
    answer = api.quote(uploads, model=model, settings=settings)
    if as_json:
        OUT.print_json(json.dumps(answer | {"uploads": uploads}))
    else:
        show_quote(f"{answer['model']['name']} {answer['model']['version']}", answer["quote"])
        _show_uploads(uploads)
    broken = [failure_of(each) for each in answer["recordings"]]
    complain_of(broken)
    if any(broken) or len(uploads) < len(recordings):
        sys.exit(1)


@remote.command()
@_with_api
@click.argument("paths", nargs=-1, required=True)
@model_option
@_formats_option
@_threshold_option
@set_option
def start(
    api: Client,
    paths: tuple[str, ...],
    model: str,
    formats: str | None,
    threshold: float | None,
    assignments: Sequence[str],
) -> None:
    """Upload recordings, start an execution, print its id and do not wait. PATHS may be uploads (u-...) as well."""
    settings = _given(assignments, threshold=threshold, formats=_split(formats))
    _checked(api, model, settings)
    there = [RemoteRecording(path, path) for path in paths if _UPLOAD.fullmatch(path)]
    files = [path for path in paths if not _UPLOAD.fullmatch(path)]
    recordings = [*there, *upload_all(api, find_requests(files, len(there)))]
    click.echo(_start(api, recordings, model, settings))
    if any(each.failure for each in recordings):
        sys.exit(1)


# --- one execution -----------------------------------------------------------------------------------------------


@remote.command()
@_with_api
@click.argument("execution")
@click.option("--wait", is_flag=True, help="Until it has ended.")
@_json_option
def status(api: Client, execution: str, wait: bool, as_json: bool) -> None:
    """Print the state and progress of an execution."""
    found = wait_for_end(api, execution) if wait else api.status(execution)
    if as_json:
        OUT.print_json(json.dumps(found))
    else:
        total = "?" if found["ranges_total"] is None else found["ranges_total"]
        end = f", expected to end {found['expected_end']}" if found["expected_end"] else ""
        state = f"{found['status']}{place_in_queue(found)}"
        words = f"{execution} is {state}, {found['ranges_done']} of {total} ranges done{end}"
        OUT.print(words, highlight=False, soft_wrap=True)
        if found.get("restore"):
            show_restore(execution, found["restore"])
    complain_of(reasons_of(found))
    if found["status"] in UNSUCCESSFUL:
        sys.exit(1)


@remote.command()
@_with_api
@click.argument("execution")
@_out_option
@_formats_option
def results(api: Client, execution: str, out: Path, formats: str | None) -> None:
    """Fetch the reports of an execution that succeeded."""
    wanted = _known_formats(formats)
    ended = api.status(execution)
    check_succeeded(ended)
    with ResultsFolder(out) as folder:
        recordings = with_outcomes(api, ended, recordings_of(ended))
        publish_summary(api, ended, fetch_reports(api, execution, recordings, wanted, folder.new), folder, out)


@remote.command()
@_with_api
@click.argument("execution")
@_threshold_option
@_out_option
@_formats_option
@set_option
def decide(
    api: Client,
    execution: str,
    threshold: float | None,
    out: Path,
    formats: str | None,
    assignments: Sequence[str],
) -> None:
    """Decide again from stored scores, and fetch the reports."""
    wanted = _known_formats(formats)
    settings = _given(assignments, threshold=threshold)
    ended = api.status(execution)
    check_succeeded(ended)
    decision = str(api.decide(execution, settings, recording=first_analysed(ended))["decision"])

    def decided(number: int, recording: RemoteRecording) -> RemoteRecording:
        if recording.failure is not None:
            return recording
        return replace(recording, events=len(api.decide(execution, settings, recording=number)["events"]))

    recordings = run_at_once(api, decided, *numbered(with_outcomes(api, ended, recordings_of(ended))))
    with ResultsFolder(out) as folder:
        fetched = fetch_reports(api, execution, recordings, wanted, folder.new, decision)
        publish_summary(api, ended, fetched, folder, out)


@remote.command()
@_with_api
@click.argument("execution")
def cancel(api: Client, execution: str) -> None:
    """Stop an execution; its scores are kept for resume."""
    OUT.print(f"{execution} is {api.cancel(execution)['status']}", highlight=False)


@remote.command()
@_with_api
@click.argument("execution")
def resume(api: Client, execution: str) -> None:
    """Continue an execution that failed or was stopped."""
    found = api.resume(execution)
    OUT.print(f"{execution} is {found['status']}, attempt {found['attempt']}", highlight=False)


@remote.command()
@_with_api
@click.argument("execution")
@click.option(
    "--tier",
    type=click.Choice(["standard", "bulk"]),
    default="standard",
    show_default=True,
    help="standard takes up to 12 hours; bulk up to 48, and costs less.",
)
def restore(api: Client, execution: str, tier: str) -> None:
    """Ask for the results of an execution that are in the archive."""
    asked = api.restore(execution, tier=tier)["restore"]
    show_restore(execution, asked)
    if asked["files_left"]:
        ERR.print(f"{asked['files_left']} files are not asked for yet; run the command again", highlight=False)
        sys.exit(1)


@remote.command("list")
@_with_api
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@_json_option
def list_(api: Client, limit: int, as_json: bool) -> None:
    """List executions, newest first."""
    found = list(api.executions(limit))
    if as_json:
        OUT.print_json(json.dumps(found))
        return
    for each in found:
        model, error = each["model"], each["error"] or {"error": ""}
        words = f"{model['name']}@{model['version']}  {each['recordings']} recordings  {error['error']}"
        click.echo(f"{each['id']}  {each['status']:9}  {each['created_at']}  {words}".rstrip())


@remote.command()
@_with_api
@click.argument("clip", type=click.Path(path_type=Path))
@model_option
@_threshold_option
@set_option
def predict(api: Client, clip: Path, model: str, threshold: float | None, assignments: Sequence[str]) -> None:
    """Send one clip of up to 4 MB and print what the API answers, as JSON."""
    OUT.print_json(json.dumps(api.predict(clip, _given(assignments, threshold=threshold) | {"model": model})))


# --- what was typed ----------------------------------------------------------------------------------------------


def _given(assignments: Sequence[str], **options: Any) -> dict[str, Any]:
    """Return the settings that were typed; the others are the API's to know."""
    return Settings.read(assigned(assignments)) | {name: value for name, value in options.items() if value is not None}


def _split(formats: str | None) -> list[str] | None:
    return None if formats is None else [word.strip() for word in formats.split(",")]


def _known_formats(formats: str | None) -> tuple[str, ...]:
    return Settings.load(_given((), formats=_split(formats)), environment={}).formats


def _checked(api: Client, model: str, settings: dict[str, Any]) -> Settings:
    """Return the settings; a mistake in them, the model or the key shows before hours of uploading."""
    found = Settings.load(settings, environment={})
    name, _, version = model.partition("@")
    api.model(name, version or "production")
    return found


# --- up ----------------------------------------------------------------------------------------------------------


def _start(api: Client, recordings: Sequence[RemoteRecording], model: str, settings: dict[str, Any]) -> str:
    uploads = upload_ids(recordings)
    try:
        return str(api.start(uploads, model=model, settings=settings)["id"])
    except AnemonefishError:
        _show_uploads(uploads)
        raise


def _show_uploads(uploads: Sequence[str]) -> None:
    words = f"the recordings are uploaded; start: anemonefish remote start {' '.join([*typed_options(), *uploads])}"
    ERR.print(words, highlight=False, soft_wrap=True)
