"""The client of a deployed stack: upload recordings, start an execution, wait, download results, decide again, predict.

Retries, parts and polling follow the same rules as the JavaScript client. Answers are returned as the API sends them;
``GET /docs`` of the API describes them. Nothing is printed or prompted for, and the key is not read from the
environment.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from anemonefish.client.transport import Document, Transport, backoff, retry_unsafe
from anemonefish.client.upload_parts import Progress, Uploader, open_recording
from anemonefish.execution_states import ENDED
from anemonefish.recording_names import printable
from anemonefish.stores.folder import atomic_file

__all__ = ["Client", "Document"]

_PAGE = 100


class Client:
    """One API, called with one key; several threads may share it.

    Parameters
    ----------
    url : str
        The stack's output ``ApiUrl``.
    key : str
        An API key.
    sleep : callable, optional
        Waits for a number of seconds; for tests.

    Raises
    ------
    InvalidRequest
        The url or the key is malformed.
    """

    def __init__(self, url: str, key: str, *, sleep: Callable[[float], object] | None = None) -> None:
        self._transport = Transport(url, key, sleep=sleep)
        self._uploader = Uploader(self._transport)

    def close(self) -> None:
        """Close the connections; requests of other threads end with an error."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def upload(
        self,
        path: Path,
        filename: str | None = None,
        *,
        resume: str | None = None,
        progress: Progress = lambda _: None,
        started: Callable[[Document], object] = lambda _: None,
    ) -> Document:
        """Upload a recording; a large one in parts, several at once.

        Parameters
        ----------
        path : Path
        filename : str, optional
            Name of the recording; the file's own name unless given.
        resume : str, optional
            Id of an earlier upload of this file: parts that have arrived are not sent again.
        progress : callable
            Called with the number of bytes that were sent, from several threads; negative if they must be sent again.
        started : callable
            Called with the upload before the first byte is sent; its ``id`` is what ``resume`` takes.

        Returns
        -------
        dict
            The upload, complete.

        Raises
        ------
        RecordingNotFound, EmptyRecording, RecordingChanged
            The file cannot be read, is empty, or was written to during the upload.
        InvalidRequest
            The upload to resume belongs to another file.
        RemoteError
        """
        return self._uploader.upload(path, filename, resume, progress, started)

    def start(
        self,
        uploads: Sequence[str],
        *,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Document:
        """Start an execution of complete uploads.

        Parameters
        ----------
        uploads : sequence of str
            Ids.
        model : str, optional
            ``name``, ``name@alias`` or ``name@version``.
        settings : mapping, optional
            By name.
        webhook : str, optional
            URL that is called at the end, if the stack has webhooks.
        idempotency_key : str, optional
            The same key and request start one execution only. A random key is sent unless given, so a retry starts no
            second execution.
        """
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        body = _execution_request(uploads, model, settings, webhook)
        return self._transport.ask("POST", "/executions", json=body, headers=headers)

    def quote(
        self, uploads: Sequence[str], *, model: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> Document:
        """Return the expected ranges, seconds and USD for complete uploads, without starting anything."""
        body = _execution_request(uploads, model, settings, None)
        return self._transport.ask("POST", "/executions?dry_run=true", json=body)

    def status(self, execution: str) -> Document:
        """Return an execution as it is now."""
        return self._transport.ask("GET", _path_of(execution))

    def wait(self, execution: str, progress: Callable[[Document], object] = lambda _: None) -> Document:
        """Poll an execution until it has ended, and return it, also when it failed or was cancelled.

        ``progress`` is called with every answer.
        """
        polls = 0
        while True:
            document, pause = self._transport.ask_with_pause("GET", _path_of(execution))
            progress(document)
            if document["status"] in ENDED:
                return document
            self._transport.sleep(max(pause, backoff(polls)))
            polls += 1

    def executions(self, limit: int | None = None) -> Iterator[Document]:
        """Yield executions, newest first; all of them unless there is a limit. Pages are fetched as they are needed.

        Each has ``id``, ``status``, ``created_at``, ``finished_at``, ``model``, ``recordings`` (their number) and
        ``error``.
        """
        left = limit
        next_page: str | None = f"/executions?limit={_PAGE if limit is None else min(limit, _PAGE)}"
        while next_page is not None:
            page = self._transport.ask("GET", next_page)
            yield from page["executions"][:left]
            left = None if left is None else left - len(page["executions"])
            next_page = None if left is not None and left <= 0 else page["next"]

    def cancel(self, execution: str) -> Document:
        """Stop an execution; its stored scores are kept."""
        return self._transport.ask("DELETE", _path_of(execution), is_retryable=retry_unsafe)

    def resume(self, execution: str) -> Document:
        """Start an execution again that failed or was stopped; only ranges without scores are computed."""
        return self._transport.ask("POST", f"{_path_of(execution)}/resume", is_retryable=retry_unsafe)

    def restore(self, execution: str, *, tier: str = "standard") -> Document:
        """Ask for the results that are in the archive; ``restore`` of the answer says when they can be downloaded.

        ``tier`` is ``standard`` (up to 12 hours) or ``bulk`` (up to 48 hours, and costs less).
        """
        return self._transport.ask("POST", f"{_path_of(execution)}/restore", params={"tier": tier})

    def results(self, execution: str, *, recording: int = 0, decision: str | None = None) -> Document:
        """Return events, metadata and up to 10,000 predictions of a recording, and the outcome of every recording."""
        params = _result_params(recording, decision)
        return self._transport.ask("GET", f"{_path_of(execution)}/results", params=params)

    def file(self, execution: str, form: str, *, recording: int = 0, decision: str | None = None) -> Document:
        """Return a link to a file of results; it is valid for an hour and needs no key."""
        params = _result_params(recording, decision) | {"format": form, "redirect": "false"}
        return self._transport.ask("GET", f"{_path_of(execution)}/results", params=params)

    def download(
        self, execution: str, form: str, path: Path, *, recording: int = 0, decision: str | None = None
    ) -> None:
        """Download a file of results to ``path``, which is written completely or not at all."""
        self.fetch(self.file(execution, form, recording=recording, decision=decision)["url"], path)

    def files(self, execution: str) -> dict[str, str]:
        """Return the links of the job-level files by their names: summary, combined tables, clips, plots."""
        files = self._transport.ask("GET", f"{_path_of(execution)}/files")["files"]
        return {str(file["name"]): str(file["url"]) for file in files}

    def outcomes(self, execution: str) -> list[Document]:
        """Return the outcome of every recording; it needs no stored scores."""
        answer = self._transport.ask("GET", f"{_path_of(execution)}/files")
        if "recordings" not in answer:  # an older stack
            answer = self.results(execution)
        outcomes: list[Document] = answer["recordings"]
        return outcomes

    def fetch(self, url: str, path: Path) -> None:
        """Download a link of :meth:`files` to ``path``, which is written completely or not at all."""
        with atomic_file(path) as temporary:
            self._transport.download(url, temporary)

    def decide(self, execution: str, settings: Mapping[str, Any], *, recording: int = 0) -> Document:
        """Find events with other settings in the stored scores; pass the answer's ``decision`` to the other methods.

        A decision is named by its settings, so it is the same for every recording of the execution.
        """
        params = _result_params(recording, None)
        return self._transport.ask("POST", f"{_path_of(execution)}/decisions", params=params, json=dict(settings))

    def predict(self, path: Path, config: Mapping[str, Any] | None = None) -> Document:
        """Send one clip of up to 4 MB and return the lab's JSON at once.

        Parameters
        ----------
        path : Path
        config : mapping, optional
            ``model`` and settings by name.
        """
        data = {"config": json.dumps(dict(config))} if config else {}
        with open_recording(path) as clip:  # httpx reads it while it sends, and from its beginning at each retry
            files = {"audio_file": (printable(path.name), clip)}
            return self._transport.ask("POST", "/inference/predict", files=files, data=data)

    def models(self) -> list[Document]:
        """Return the models with their versions and aliases."""
        models: list[Document] = self._transport.ask("GET", "/models")["models"]
        return models

    def model(self, name: str, version: str) -> Document:
        """Return a model by a version or an alias."""
        return self._transport.ask("GET", f"/models/{quote(name, safe='')}/{quote(version, safe='')}")


def _path_of(execution: str) -> str:
    return f"/executions/{quote(execution, safe='')}"


def _result_params(recording: int, decision: str | None) -> Document:
    return {"recording": recording} | ({} if decision is None else {"decision": decision})


def _execution_request(
    uploads: Sequence[str], model: str | None, settings: Mapping[str, Any] | None, webhook: str | None
) -> Document:
    options = {"model": model, "settings": dict(settings or {}) or None, "webhook": webhook}
    return {"recordings": list(uploads), **{name: value for name, value in options.items() if value is not None}}
