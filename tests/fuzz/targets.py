"""What is fuzzed: every parser that reads bytes of a stranger, as a function of bytes.

A target may return or raise one of our errors. Every other exception, a hang, and memory beyond a bound are defects.
"""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from anemonefish.errors import AnemonefishError, ClipTooLarge, ExecutionNotFound

__all__ = ["TARGETS", "run"]

Target = Callable[[bytes], None]

_ROUTES = (
    "/predict",
    "/inference/predict",
    "/uploads",
    "/executions",
    "/uploads/u-aaaaaaaaaaaaaaaaaaaaaaaaaa/complete",
    "/executions/e-aaaaaaaaaaaaaaaaaaaaaaaaaa/decisions",
    "/executions/e-aaaaaaaaaaaaaaaaaaaaaaaaaa/resume",
)
_TYPES = ("multipart/form-data; boundary=b", "application/json", "audio/wav", "", "text/plain; charset=utf-16")


def run(name: str, data: bytes) -> None:
    """Run a target on bytes; our own errors are answers."""
    with suppress(AnemonefishError):
        TARGETS[name](data)


@cache
def _folder() -> Path:
    """Return a folder for the files of this process; in memory, where the system has such a folder."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))


@contextmanager
def _file(data: bytes, name: str) -> Iterator[Path]:
    path = _folder() / name
    path.write_bytes(data)
    yield path


def audio_header(data: bytes) -> None:
    """Open a recording, read what its header says and its first and last samples."""
    from anemonefish.audio.reader import open_audio

    with _file(data, "recording") as path, open_audio(str(path)) as audio:
        audio.metadata()
        frames = audio.facts.frames
        audio.read(0, min(frames, 2_000))
        audio.read(max(0, frames - 2_000), frames)


def audio_metadata(data: bytes) -> None:
    """Read the tags of any container."""
    from anemonefish.audio.headers import read_metadata
    from anemonefish.start_time.start import find_start

    find_start("20230210_000001.wav", read_metadata(io.BytesIO(data), len(data)), time_zone="UTC")


def soundtrap_log(data: bytes) -> None:
    """Read the log beside a recording."""
    from anemonefish.audio.headers import soundtrap_start

    soundtrap_start(data)


def transcoding(data: bytes) -> None:
    """Transcode a recording; the length that its header promises is bounded as in a synchronous call."""
    from anemonefish.audio.transcoding.transcoder import transcode
    from anemonefish.stores import open_source, open_store

    with _file(data, "lossy") as path, tempfile.TemporaryDirectory(dir=_folder()) as folder:
        source = open_source(str(path))
        source.close()
        transcode(str(path), source.version, "lossy", open_store(folder), "audio/a", lambda: True)


def labels(data: bytes) -> None:
    """Read a table of labels, as a reader that raises and as one that reports problems."""
    from anemonefish.annotations.label_files import read_labels, scan_labels

    for name in ("reef.wav.txt", "reef.csv"):
        with _file(data, name) as path:
            scan_labels(path)
            read_labels(path)


def stored_result(data: bytes) -> None:
    """Read a JSON result, which a user hands to ``evaluate``.

    Parquet is left out: its library ends the process at some damaged files, so nothing in this process can catch that.
    """
    from anemonefish.results.read import read_result

    with _file(data, "reef.wav.json") as path:
        read_result(path)


def part(data: bytes) -> None:
    """Read stored scores."""
    from anemonefish.jobs.parts import part_from_bytes

    part_from_bytes(data, (3, 3), "parts/0")


def request(data: bytes) -> None:
    """Read the input of an execution and of its tasks."""
    from anemonefish.jobs.job import Job
    from anemonefish.jobs.plan import RangeTask, TranscodeTask
    from anemonefish.jobs.request import JobRequest
    from anemonefish.models.repository import PinnedModel
    from anemonefish.service.api.bodies import read_json
    from anemonefish.settings import Settings
    from anemonefish.stores.folder import LocalStore
    from anemonefish.workflow.failures import failure_of_task

    document = read_json(data, "the body")
    store = LocalStore(_folder())
    readers: tuple[Callable[[], object], ...] = (
        lambda: failure_of_task(document),
        lambda: Job.of_input(store, document),
        lambda: Job.at(store, document),
        lambda: RangeTask.list_from(document),
        lambda: TranscodeTask.from_dict(document),
        lambda: PinnedModel.from_dict(document),
        lambda: JobRequest.from_dict(document) if isinstance(document, Mapping) else None,
        lambda: Settings.load(document, {}) if isinstance(document, Mapping) else None,
    )
    for read in readers:
        with suppress(AnemonefishError):
            read()


def api(data: bytes) -> None:
    """Send a body to a route of the API; the service behind it knows nothing and answers 404."""
    if len(data) < 3:
        return
    path, kind = _ROUTES[data[0] % len(_ROUTES)], _TYPES[data[1] % len(_TYPES)]
    encoded, body = data[2] % 3, data[3:]
    text = (
        base64.b64encode(body).decode()
        if encoded == 2
        else body.decode("latin-1" if data[2] & 4 else "utf-8", "replace")
    )
    identity = {"apiKey": "k", "apiKeyId": "a1", "sourceIp": "192.0.2.1"}
    event = {
        "httpMethod": "POST",
        "path": path,
        "resource": path,
        "headers": {"content-type": kind},
        "multiValueHeaders": {"content-type": [kind]},
        "queryStringParameters": None,
        "requestContext": {"requestId": "r-1", "identity": identity},
        "body": text,
        "isBase64Encoded": encoded > 0,
    }
    from anemonefish.service.api import app, execution_routes, predict_routes, result_routes, upload_routes
    from anemonefish.workflow import predict

    with ExitStack() as stack:
        for routes in (execution_routes, predict_routes, result_routes, upload_routes):
            stack.enter_context(patch.object(routes, "services", _Nothing))
        stack.enter_context(patch.object(predict, "predict_clip", side_effect=ClipTooLarge("the clip")))
        log = stack.enter_context(redirect_stdout(io.StringIO()))
        answer = app.handler(event, None)
    assert answer["statusCode"] < 500, f"{answer['statusCode']}: {log.getvalue()}"


class _Nothing:
    """Services, in which everything that is called knows nothing."""

    webhooks = True
    models_uri = "s3://models"

    def __getattr__(self, name: str) -> Any:
        return _Nothing()

    def __call__(self, *_: object, **__: object) -> Any:
        raise ExecutionNotFound("there is nothing")


def form(data: bytes) -> None:
    """Read a multipart form with any boundary."""
    from anemonefish.service.api.forms import read_form

    head, _, body = data.partition(b"\n")
    read_form(head.decode("latin-1"), body)


def encoded_audio(data: bytes) -> None:
    """Decode audio in base64."""
    from anemonefish.service.api.encoded import decode_audio, is_encoded_audio

    is_encoded_audio(data)
    decode_audio(data.decode("utf-8", "replace"), "audio")


def bundle(data: bytes) -> None:
    """Read the documents of a model bundle."""
    from anemonefish.jobs.calibration import Calibration
    from anemonefish.models.bundle import ModelSpec
    from anemonefish.models.golden import Golden
    from anemonefish.models.repository import ModelRepository
    from anemonefish.stores.folder import LocalStore

    models = ModelRepository(LocalStore(_folder()), "litert")
    (_folder() / "reef").mkdir(exist_ok=True)
    (_folder() / "reef" / "production.json").write_bytes(data)
    readers: tuple[Callable[[], object], ...] = (
        lambda: ModelSpec.from_json(data, "reef"),
        lambda: Golden.from_bytes(data, "reef"),
        lambda: Calibration.from_json(data, "reef"),
        lambda: models.pin("reef@production"),
        lambda: models.pin(data.decode("latin-1")),
    )
    for read in readers:
        with suppress(AnemonefishError):
            read()


def names_and_times(data: bytes) -> None:
    """Read the time in a file name, a pattern, a time zone, a start; make a name of results."""
    from anemonefish.recording_names import printable, recording_name, unique_names
    from anemonefish.service.upload_names import check_filename
    from anemonefish.start_time.name_patterns import parse_pattern
    from anemonefish.start_time.start import find_start, parse_start
    from anemonefish.start_time.time_zones import parse_time_zone

    text = data.decode("utf-8", "surrogateescape")
    name, _, other = text.partition("\n")
    unique_names([recording_name(name), recording_name(printable(text))])
    readers: tuple[Callable[[], object], ...] = (
        lambda: check_filename(name),
        lambda: find_start(name),
        lambda: find_start(name, time_zone=other),
        lambda: find_start(name, pattern=other),
        lambda: parse_pattern(name),
        lambda: parse_start(name),
        lambda: parse_time_zone(name),
    )
    for read in readers:
        with suppress(AnemonefishError):
            read()


def webhook(data: bytes) -> None:
    """Check the address of a webhook, and read a message of its queue and its keys."""
    from anemonefish.service.webhook import parse_message
    from anemonefish.service.webhook_address import check_url, is_public, parse_url
    from anemonefish.service.webhook_signing import signing_keys

    text = data.decode("utf-8", "surrogateescape")
    message = json.dumps({"id": "e-1", "url": text, "notice": {}})
    readers: tuple[Callable[[], object], ...] = (
        lambda: check_url(text),
        lambda: parse_url(text),
        lambda: is_public(text),
        lambda: parse_message(text),
        lambda: parse_message(message),
        lambda: signing_keys(text),
    )
    for read in readers:
        with suppress(AnemonefishError):
            read()


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (
        audio_header, audio_metadata, soundtrap_log, transcoding, labels, stored_result, part, request, api, form,
        encoded_audio, bundle, names_and_times, webhook,
    )
}  # fmt: skip
