"""The request of a job: recordings, a model and settings.

A request comes from an execution's input or from ``request.json``. Names are checked here, so that results can be
stored under them. Whether a recording can be analysed is checked later, by the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Self

from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.canonical import dump_json
from anemonefish.errors import InvalidRequest, RecordingNotFound, short_repr
from anemonefish.recording_names import is_hidden, is_own_clip, printable, recording_name, unique_names
from anemonefish.start_time.start import parse_start
from anemonefish.stores import open_store

__all__ = [
    "DEFAULT_MODEL",
    "MOST_CLIP_BYTES",
    "MOST_RECORDINGS",
    "JobRequest",
    "RecordingRequest",
    "distinct",
    "recordings_below",
    "unique_names",
]

MOST_RECORDINGS = 10_000
"""The most recordings of one job. Plan, aggregate and the API hold a few kilobytes for each of them in memory."""

MOST_CLIP_BYTES = 4_000_000
"""The most bytes of a clip that is sent with its request. A synchronous call of Lambda carries 6 MiB, headers and JSON
included, and base64 leaves three quarters of them for the clip."""

DEFAULT_MODEL = "reef@production"


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """One recording of a request.

    Attributes
    ----------
    uri : str
        Where it is read from: a path or ``s3://bucket/key``.
    name : str
        The name of its results; relative, with ``/`` between folders.
    path : str
        Where the owner of the recording keeps it; for selection tables and messages.
    version : str or None
        The version to read; None for the current one.
    start : str or None
        When it begins, as ISO 8601 with an offset; None to find it in the file name or the header.
    """

    uri: str
    name: str
    path: str
    _: KW_ONLY
    version: str | None = None
    start: str | None = None

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read one recording of an execution's input."""
        if not isinstance(document, Mapping) or not isinstance(document.get("uri"), str):
            raise InvalidRequest(f"a recording must be an object with a uri, not {short_repr(document)}")
        unknown = set(document) - {"uri", "name", "path", "version", "start"}
        if unknown:
            raise InvalidRequest(
                f"recording {short_repr(document['uri'])}: there is no field {short_repr(sorted(unknown))}"
            )
        if any(value is not None and not isinstance(value, str) for value in document.values()):
            raise InvalidRequest(f"recording {short_repr(document['uri'])}: name, path, version and start must be text")
        uri = document["uri"]
        name = document.get("name") or recording_name(uri.rpartition("/")[2])
        path = document.get("path") or printable(uri)
        return cls(uri, name, path, version=document.get("version"), start=document.get("start"))

    def __post_init__(self) -> None:
        parts = self.name.split("/")
        if self.name.startswith("/") or any(part in {"", ".", ".."} for part in parts) or "\\" in self.name:
            raise InvalidRequest(f"recording name {short_repr(self.name)} must be a relative path without '..'")
        if any(ord(letter) < 32 or "\ud800" <= letter <= "\udfff" for letter in self.name + self.path):
            raise InvalidRequest(
                f"recording {short_repr(self.name)}: name and path must not have control characters or lone surrogates"
            )
        if self.start is not None:
            parse_start(self.start)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The recordings, model and settings of a job.

    Attributes
    ----------
    recordings : tuple of RecordingRequest
    model : str
        ``name``, ``name@alias`` or ``name@version``.
    settings : dict
        Settings by name, as the user gave them.
    """

    recordings: tuple[RecordingRequest, ...]
    model: str
    settings: dict[str, Any]

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read ``recordings``, ``model`` and ``settings``; raise :class:`InvalidRequest` where they are not valid.

        ``recordings`` is a list, or ``{"prefix": "s3://bucket/deployment/"}`` for all recordings below a prefix.
        """
        listed = document.get("recordings")
        if isinstance(listed, Mapping) and set(listed) == {"prefix"}:
            recordings = recordings_below(listed["prefix"])
            return cls(recordings, str(document.get("model") or DEFAULT_MODEL), document.get("settings") or {})
        if not isinstance(listed, list) or len(listed) > MOST_RECORDINGS:
            raise InvalidRequest(
                f"recordings must be a list of at most {MOST_RECORDINGS} objects with a uri, or a prefix"
            )
        recordings = tuple(RecordingRequest.from_dict(recording) for recording in listed)
        return cls(recordings, str(document.get("model") or DEFAULT_MODEL), document.get("settings") or {})

    def check_within(self, prefix: str) -> None:
        """Raise :class:`InvalidRequest` for a recording whose URI does not begin with ``prefix``."""
        for recording in self.recordings:
            if not recording.uri.startswith(prefix):
                raise InvalidRequest(
                    f"{short_repr(recording.uri)}: recordings are read from {prefix} only; upload it there"
                )

    def to_json(self) -> bytes:
        """Return ``request.json``."""
        return dump_json(asdict(self))


def distinct(recordings: Sequence[RecordingRequest]) -> tuple[RecordingRequest, ...]:
    """Return the recordings in their order, without repeated ones: the same version of the same object."""
    first: dict[tuple[str, str | None], RecordingRequest] = {}
    for recording in recordings:
        first.setdefault((recording.uri, recording.version), recording)
    return tuple(first.values())


def recordings_below(prefix: object) -> tuple[RecordingRequest, ...]:
    """Return the recordings below ``s3://bucket/prefix/``; hidden files and clips of earlier results are left out.

    Raises
    ------
    InvalidRequest
        ``prefix`` is not valid, or there are too many recordings below it.
    RecordingNotFound
        There is no recording below it.
    """
    if not isinstance(prefix, str) or not prefix.startswith("s3://") or not prefix.endswith("/"):
        raise InvalidRequest(f"{short_repr(prefix)} is not a prefix; it must read s3://bucket/folder/")
    bucket, _, folder = prefix.removeprefix("s3://").partition("/")
    keys = [
        key
        for key in islice(open_store(f"s3://{bucket}").keys(folder), 10 * MOST_RECORDINGS)
        if _is_recording(key.removeprefix(folder))
    ]
    if not keys:
        raise RecordingNotFound(f"{prefix}: no recording below it; it looks for {' '.join(sorted(AUDIO_EXTENSIONS))}")
    if len(keys) > MOST_RECORDINGS:
        raise InvalidRequest(f"{prefix}: more than {MOST_RECORDINGS} recordings below it; start several jobs")
    return tuple(
        RecordingRequest(
            f"s3://{bucket}/{key}", recording_name(key.removeprefix(folder)), printable(f"s3://{bucket}/{key}")
        )
        for key in keys
    )


def _is_recording(key: str) -> bool:
    """Say whether an object is a recording, by its key below the prefix; local folders follow the same rule."""
    if key.endswith("/") or is_hidden(key.split("/")) or is_own_clip(key):
        return False
    return PurePosixPath(key).suffix.lower() in AUDIO_EXTENSIONS
