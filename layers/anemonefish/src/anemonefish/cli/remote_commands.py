"""The commands ``anemonefish remote ...``: a deployed stack from a terminal, over HTTP only.

Owns words, folders and exit codes of these commands: 0 done, 1 a recording (or the execution) failed, 2 mistyped. Files
of results have the names that ``detect`` gives them. The key comes from the environment or is asked for, never from an
option: everybody on a machine sees those. Speaks no HTTP itself; that is :mod:`.client.client`, loaded when it is
used, so that every other command does without httpx.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from anemonefish.cli.terminal import (
    ERR,
    OUT,
    Commands,
    assigned,
    complain,
    progress_bar,
    reason_of,
    set_option,
    show_notes,
    show_quote,
)
from anemonefish.errors import AnemonefishError, Failure, InvalidRequest, WrongState
from anemonefish.execution_states import UNSUCCESSFUL
from anemonefish.jobs.request import DEFAULT_MODEL, RecordingRequest
from anemonefish.notes import Note
from anemonefish.recording_names import unique_names
from anemonefish.settings import FORMATS, Settings
from anemonefish.stores.folder import atomic_file, local_path
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.results_folder import ResultsFolder

if TYPE_CHECKING:
    from anemonefish.client.client import Client, Document

__all__ = ["remote"]

URL_VARIABLE, KEY_VARIABLE = "ANEMONEFISH_API_URL", "ANEMONEFISH_API_KEY"

_MOST_RECORDINGS = 1_000
_LONGEST_FILENAME = 200
_AT_ONCE = 4
_UPLOAD = re.compile(r"u-[a-z2-7]{26}")

_R = TypeVar("_R")

_model_option = click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    envvar="ANEMONEFISH_MODEL",
    help="NAME, NAME@ALIAS or NAME@VERSION.",
)
_threshold_option = click.option("--threshold", type=float, help="Score above which a window belongs to an event.")
_out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder for the reports."
)
_formats_option = click.option("--formats", help=f"Comma-separated; of {', '.join(FORMATS)}.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")


@dataclass(frozen=True, slots=True)
class _Recording:
    """One recording of ours: what its results are called here, and how far it came.

    Attributes
    ----------
    name : str
    upload : str or None
        None if it could not be uploaded.
    windows, events : int or None
        Once it is analysed.
    failure : Failure or None
    notes : tuple of Note
        What a user should know about it.
    """

    name: str
    upload: str | None = None
    windows: int | None = None
    events: int | None = None
    failure: Failure | None = None
    notes: tuple[Note, ...] = ()


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
@_model_option
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
        requests = _requests(paths)
        folder.check_inputs(local_path(each.uri) for each in requests)
        recordings = _upload_all(api, requests)
        execution = _start(api, recordings, model, settings)
        ERR.print(f"execution {execution}", highlight=False)
        sent = [each for each in recordings if each.upload is not None]
        ended = _wait(api, execution)
        _check_succeeded(ended, [each.name for each in sent])
        found = iter(_fetch(api, execution, _outcomes(api, ended, sent), wanted, folder.new))
        _conclude([each if each.upload is None else next(found) for each in recordings], folder, out)


@remote.command()
@_with_api
@click.argument("paths", nargs=-1, required=True)
@_model_option
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
    """Upload recordings and say what an execution would take, in time and money. Start it with the uploads it names."""
    settings = _given(assignments, threshold=threshold)
    _checked(api, model, settings)
    recordings = _upload_all(api, _requests(paths))
    uploads = _uploads(recordings)
    answer = api.quote(uploads, model=model, settings=settings)
    if as_json:
        OUT.print_json(json.dumps(answer | {"uploads": uploads}))
    else:
        show_quote(f"{answer['model']['name']} {answer['model']['version']}", answer["quote"])
        _show_uploads(uploads)
    broken = [_reason(each) for each in answer["recordings"]]
    _complain(broken)
    if any(broken) or len(uploads) < len(recordings):
        sys.exit(1)


@remote.command()
@_with_api
@click.argument("paths", nargs=-1, required=True)
@_model_option
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
    there = [_Recording(path, path) for path in paths if _UPLOAD.fullmatch(path)]
    files = [path for path in paths if not _UPLOAD.fullmatch(path)]
    recordings = [*there, *_upload_all(api, _requests(files, len(there)))]
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
    """Say how far an execution is."""
    found = _wait(api, execution) if wait else api.status(execution)
    if as_json:
        OUT.print_json(json.dumps(found))
    else:
        total = "?" if found["ranges_total"] is None else found["ranges_total"]
        end = f", expected to end {found['expected_end']}" if found["expected_end"] else ""
        words = f"{execution} is {found['status']}, {found['ranges_done']} of {total} ranges done{end}"
        OUT.print(words, highlight=False, soft_wrap=True)
    _complain(_reasons(found))
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
    _check_succeeded(ended)
    with ResultsFolder(out) as folder:
        _conclude(_fetch(api, execution, _outcomes(api, ended, _theirs(ended)), wanted, folder.new), folder, out)


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
    _check_succeeded(ended)
    decision = str(api.decide(execution, settings, recording=_first_sound(ended))["decision"])

    def decided(number: int, recording: _Recording) -> _Recording:
        if recording.failure is not None:
            return recording
        return replace(recording, events=len(api.decide(execution, settings, recording=number)["events"]))

    recordings = _at_once(api, decided, *_numbered(_outcomes(api, ended, _theirs(ended))))
    with ResultsFolder(out) as folder:
        _conclude(_fetch(api, execution, recordings, wanted, folder.new, decision), folder, out)


@remote.command()
@_with_api
@click.argument("execution")
def cancel(api: Client, execution: str) -> None:
    """Stop an execution; what is scored stays for resume."""
    OUT.print(f"{execution} is {api.cancel(execution)['status']}", highlight=False)


@remote.command()
@_with_api
@click.argument("execution")
def resume(api: Client, execution: str) -> None:
    """Start an execution that failed or was stopped again, for what it lacks."""
    found = api.resume(execution)
    OUT.print(f"{execution} is {found['status']}, attempt {found['attempt']}", highlight=False)


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
@_model_option
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


def _requests(paths: Sequence[str], others: int = 0) -> list[RecordingRequest]:
    if there := [path for path in paths if path.startswith("s3://")]:
        raise InvalidRequest(f"{there[0]}: recordings are uploaded from here; name a file or a folder")
    searched = find_recordings(paths)
    for line in searched.lines():
        ERR.print(line, highlight=False, markup=False, soft_wrap=True)
    found = list(searched.recordings)
    if len(found) + others > _MOST_RECORDINGS:
        raise InvalidRequest(
            f"{len(found) + others} recordings are more than the {_MOST_RECORDINGS} of one execution; "
            f"start several, folder by folder"
        )
    return found


# --- up ----------------------------------------------------------------------------------------------------------


def _upload_all(api: Client, requests: Sequence[RecordingRequest]) -> list[_Recording]:
    """Upload recordings, some at once; one that cannot be uploaded is told of, and the others go on."""
    with progress_bar("uploading") as bar:
        task = bar.add_task("uploading", total=sum(_size(request.uri) for request in requests) or None)

        def send(request: RecordingRequest, name: str) -> _Recording:
            try:
                done = api.upload(
                    local_path(request.uri), _filename(name), progress=lambda sent: bar.advance(task, sent)
                )
            except AnemonefishError as error:
                reason = reason_of(error)
                return _Recording(name, failure=Failure(reason.error, _named(name, request.path, reason.message)))
            return _Recording(name, done["id"])

        recordings = _at_once(api, send, requests, unique_names([request.name for request in requests]))
    _complain(each.failure for each in recordings)
    return recordings


def _filename(name: str) -> str:
    """Return a name that an upload may have: not too long, without folders and without a dot at its beginning."""
    file = name.rpartition("/")[2][-_LONGEST_FILENAME:]
    return f"_{file[1:]}" if file.startswith(".") else file


def _size(uri: str) -> int:
    with suppress(OSError):
        return local_path(uri).stat().st_size
    return 0


def _uploads(recordings: Iterable[_Recording]) -> list[str]:
    """Return the uploads there are; end the command where there are none."""
    return [each.upload for each in recordings if each.upload is not None] or sys.exit(1)


def _start(api: Client, recordings: Sequence[_Recording], model: str, settings: dict[str, Any]) -> str:
    uploads = _uploads(recordings)
    try:
        return str(api.start(uploads, model=model, settings=settings)["id"])
    except AnemonefishError:
        _show_uploads(uploads)
        raise


def _show_uploads(uploads: Sequence[str]) -> None:
    words = f"the recordings are there: anemonefish remote start {' '.join(uploads)}"
    ERR.print(words, highlight=False, soft_wrap=True)


def _wait(api: Client, execution: str) -> Document:
    """Wait for the end of an execution; whoever does not, hears how to go on."""
    with progress_bar("scoring") as bar:
        task = bar.add_task("scoring", total=None)

        def show(found: Document) -> None:
            bar.update(task, completed=found["ranges_done"], total=found["ranges_total"])

        try:
            return api.wait(execution, show)
        except (KeyboardInterrupt, AnemonefishError):
            words = (
                f"{execution} goes on by itself: anemonefish remote status {execution} --wait, then anemonefish remote "
                f"results {execution}; or anemonefish remote cancel {execution}"
            )
            ERR.print(words, highlight=False, soft_wrap=True)
            raise


# --- down --------------------------------------------------------------------------------------------------------


def _theirs(ended: Document) -> list[_Recording]:
    """Return the recordings of an execution under the names it has for them, which must be names of files here."""
    return [_Recording(RecordingRequest("", each["name"], "").name) for each in ended["recordings"]]


def _outcomes(api: Client, ended: Document, recordings: Sequence[_Recording]) -> list[_Recording]:
    """Return what became of the recordings of an execution, under our names."""
    found = api.results(ended["id"], recording=_first_sound(ended))["recordings"]
    return [
        replace(
            ours,
            windows=its["windows"],
            events=its["events"],
            failure=_reason(its, ours.name),
            notes=Note.list_from(its.get("notes", ())),  # an older stack tells none
        )
        for ours, its in zip(recordings, found, strict=True)
    ]


def _first_sound(ended: Document) -> int:
    return next((number for number, each in enumerate(ended["recordings"]) if each["error"] is None), 0)


def _fetch(
    api: Client,
    execution: str,
    recordings: Sequence[_Recording],
    formats: Sequence[str],
    out: Path,
    decision: str | None = None,
) -> list[_Recording]:
    """Fetch the reports into a folder; a recording of which one cannot be fetched carries the reason."""
    from anemonefish.results.report_formats import REPORTS

    with progress_bar("fetching") as bar:
        task = bar.add_task("fetching", total=len(recordings))

        def fetch(number: int, recording: _Recording) -> _Recording:
            try:
                for form in formats if recording.failure is None else ():
                    path = out / f"{recording.name}{REPORTS[form].suffix}"
                    api.download(execution, form, path, recording=number, decision=decision)
            except AnemonefishError as error:
                reason = reason_of(error)
                return replace(recording, failure=Failure(reason.error, f"{recording.name}: {reason.message}"))
            bar.advance(task)
            return recording

        fetched = _at_once(api, fetch, *_numbered(recordings))
    if decision is None:
        _fetch_whole(api, execution, formats, out)
    return fetched


def _fetch_whole(api: Client, execution: str, formats: Sequence[str], out: Path) -> None:
    """Fetch what tells of the whole job: the combined tables of the formats asked for, clips and pictures.

    The summary is written here, for it tells also of what was never uploaded.
    """
    from anemonefish.results.summary import COMBINED_EVENTS, COMBINED_SELECTIONS, SUMMARY

    unwanted = {SUMMARY}
    unwanted |= set() if "csv" in formats else {COMBINED_EVENTS}
    unwanted |= set() if "raven" in formats else {COMBINED_SELECTIONS}
    wanted = {name: url for name, url in api.files(execution).items() if name not in unwanted}
    if strange := [name for name in wanted if not (out / name).resolve().is_relative_to(out.resolve())]:
        raise InvalidRequest(f"{execution}: the API names a file {strange[0]!r}, which would lie outside of {out}")
    _at_once(api, lambda name: api.fetch(wanted[name], out / name), wanted)


def _numbered(recordings: Sequence[_Recording]) -> tuple[range, Sequence[_Recording]]:
    return range(len(recordings)), recordings


def _at_once(api: Client, work: Callable[..., _R], *columns: Iterable[Any]) -> list[_R]:
    """Do the same for many, some at once, in their order. Ctrl-C stops what is on its way."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            return list(pool.map(work, *columns))
        except BaseException:
            api.close()
            raise


# --- what is said ------------------------------------------------------------------------------------------------


def _conclude(recordings: Sequence[_Recording], folder: ResultsFolder, out: Path) -> None:
    """Write the summary that ``detect`` writes, put the results in place, say what became of all, and exit."""
    from anemonefish.results.summary import SUMMARY, SummaryRow, write_summary

    with atomic_file(folder.new / SUMMARY) as temporary:
        write_summary(
            temporary,
            [SummaryRow(each.name, each.windows, each.events, each.failure, each.notes) for each in recordings],
        )
    folder.publish({})
    show_notes((each.name, each.notes) for each in recordings)
    done = [each for each in recordings if each.failure is None]
    events = sum(each.events or 0 for each in done)
    OUT.print(f"{len(done)} recordings, {events} events; reports in {out}", highlight=False, soft_wrap=True)
    if len(done) < len(recordings):
        ERR.print(f"{len(recordings) - len(done)} of {len(recordings)} recordings failed:", highlight=False)
        _complain(each.failure for each in recordings)
        sys.exit(1)


def _check_succeeded(found: Document, names: Sequence[str] | None = None) -> None:
    """End the command where an execution has no results."""
    if found["status"] in UNSUCCESSFUL:
        _complain(_reasons(found, names))
        sys.exit(1)
    if found["status"] != "SUCCEEDED":
        raise WrongState(f"{found['id']} is {found['status']}; it has results once it is SUCCEEDED")


def _reasons(found: Document, names: Sequence[str] | None = None) -> list[Failure | None]:
    """Return why an execution and its recordings failed; one recording's reason is that of the execution."""
    recordings = found["recordings"]
    names = names or [each["name"] for each in recordings]
    each_reason = [_reason(each, name) for each, name in zip(recordings, names, strict=True)]
    if found["status"] not in UNSUCCESSFUL:
        return each_reason
    error = found["error"] or {
        "error": found["status"].capitalize(),
        "message": f"{found['id']} is {found['status']}",
    }
    return [Failure(**error), *(each_reason if len(recordings) > 1 else ())]


def _reason(recording: Document, name: str | None = None) -> Failure | None:
    """Return why a recording of an execution failed, under our name for it."""
    error = recording["error"]
    if error is None:
        return None
    return Failure(error["error"], _named(name or recording["name"], recording["name"], error["message"]))


def _named(ours: str, theirs: str, message: str) -> str:
    return f"{ours}: {message.removeprefix(f'{theirs}: ')}"


def _complain(failures: Iterable[Failure | None]) -> None:
    for failure in failures:
        if failure is not None:
            complain(failure)
