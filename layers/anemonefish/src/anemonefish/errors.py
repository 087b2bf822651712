"""The one exception tree.

Owns every error that the system raises on purpose. Each class knows the HTTP status an API answers
with and whether a retry can help; its *name* is what the state machine matches, what the command line
prints and what ends up in an execution's error, so the three doors say the same words::

    AnemonefishError
    ├── InvalidSettings            a setting that is unknown, mistyped or out of range
    ├── InvalidRequest             a job or range description that cannot be understood
    ├── RecordingError             anything wrong with one recording; the others of a job go on
    │   ├── RecordingNotFound
    │   ├── EmptyRecording         zero bytes
    │   ├── UnreadableRecording    not audio, a broken header, no channels
    │   ├── TruncatedRecording     fewer samples than its header promises
    │   ├── InvalidSamples         NaN or infinite samples
    │   ├── RecordingChanged       the object is not the version that was planned
    │   └── UnsupportedRecording   audio, but nothing the model can be given
    │       └── InexactRecording   a format that is not sample-accurately seekable; it is transcoded first
    ├── ModelError
    │   ├── ModelNotFound
    │   ├── InvalidBundle          a file is missing, altered or contradicts model.json
    │   ├── IncompatibleModel      the network's shapes do not fit its profile or classes
    │   └── ParityError            scores differ from the ones the training stack gave
    ├── JobError
    │   ├── DamagedPart            stored scores that do not fit their range
    │   ├── MissingParts           an aggregate over ranges nobody has scored
    │   ├── RangeFailed            a range that ended without a typed error: a crash, a timeout
    │   ├── EveryRecordingFailed   a job of which nothing is left
    │   ├── JobTooExpensive        a job that is expected to cost more than one job may
    │   ├── LaunchFailed           an accepted execution that could not be started
    │   └── OutOfTime              a call ended before its work, which the next one takes up
    ├── RequestError               what a client of the API asked for; never raised inside an execution
    │   ├── NotAllowed             nobody the API knows
    │   ├── RouteNotFound          no such path
    │   ├── MethodNotAllowed       a path that has other methods
    │   ├── UnsupportedMediaType   a body of another content type
    │   ├── UploadNotFound
    │   ├── UploadIncomplete       bytes are missing, or are others than announced
    │   ├── UploadExpired          the time to complete or use it is over
    │   ├── ExecutionNotFound
    │   ├── DecisionNotFound
    │   ├── WrongState             an execution that has not ended, or has
    │   ├── QuoteTooLarge          more recordings than can be looked at within one answer
    │   ├── IdempotencyConflict    one key, two bodies
    │   ├── ClipTooLarge           more than one synchronous answer can carry
    │   ├── TooManyJobs            as many executions as one tenant may have at once
    │   ├── StorageLimitReached    more bytes than one tenant may store
    │   └── RemoteError            what an API answered its client instead, under the API's own name for it
    ├── WrongArchitecture          a function whose layers were built for another processor
    └── StorageError               the store did not answer; it and OutOfTime are worth a retry

Every message names the thing (file, setting, model), the place (offset, range) and the mend. This module
never formats a traceback and imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

__all__ = [
    "AnemonefishError",
    "ClipTooLarge",
    "DamagedPart",
    "DecisionNotFound",
    "EmptyRecording",
    "EveryRecordingFailed",
    "ExecutionNotFound",
    "Failure",
    "IdempotencyConflict",
    "IncompatibleModel",
    "InexactRecording",
    "InvalidBundle",
    "InvalidRequest",
    "InvalidSamples",
    "InvalidSettings",
    "JobError",
    "JobTooExpensive",
    "LaunchFailed",
    "MethodNotAllowed",
    "MissingParts",
    "ModelError",
    "ModelNotFound",
    "NotAllowed",
    "OutOfTime",
    "ParityError",
    "QuoteTooLarge",
    "RangeFailed",
    "RecordingChanged",
    "RecordingError",
    "RecordingNotFound",
    "RemoteError",
    "RequestError",
    "RouteNotFound",
    "StorageError",
    "StorageLimitReached",
    "TooManyJobs",
    "TruncatedRecording",
    "UnreadableRecording",
    "UnsupportedMediaType",
    "UnsupportedRecording",
    "UploadExpired",
    "UploadIncomplete",
    "UploadNotFound",
    "WrongArchitecture",
    "WrongState",
    "error_classes",
    "first_line",
    "recording_error",
    "shown",
]


class AnemonefishError(Exception):
    """Base of every error raised on purpose.

    Attributes
    ----------
    status : int
        The HTTP status an API answers with.
    retryable : bool
        Whether the same call may succeed later without anything being mended.
    """

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class InvalidSettings(AnemonefishError):
    """A setting is unknown, mistyped or out of range."""

    status = 400


class InvalidRequest(AnemonefishError):
    """A job or range description cannot be understood."""

    status = 400


class RecordingError(AnemonefishError):
    """One recording cannot be analysed; the other recordings of a job are unaffected."""

    status = 400


class RecordingNotFound(RecordingError):
    """There is no such file or object."""

    status = 404


class EmptyRecording(RecordingError):
    """The file has no bytes."""


class UnreadableRecording(RecordingError):
    """The file is not audio, its header is broken or it has no channels."""


class TruncatedRecording(RecordingError):
    """The file ends before the samples its header promises."""


class InvalidSamples(RecordingError):
    """A sample is NaN or infinite."""


class RecordingChanged(RecordingError):
    """The object is no longer the version the job was planned on."""

    status = 409


class UnsupportedRecording(RecordingError):
    """The recording is sound, but the model cannot be given anything made from it."""


class InexactRecording(UnsupportedRecording):
    """The recording is intact, but its format is not sample-accurately seekable; it is transcoded first."""


class ModelError(AnemonefishError):
    """Something is wrong with a model bundle."""


class ModelNotFound(ModelError):
    """No bundle has this name and version."""

    status = 404


class InvalidBundle(ModelError):
    """A file of the bundle is missing, altered or contradicts ``model.json``."""


class IncompatibleModel(ModelError):
    """The network's shapes do not fit its profile, its sample rate or its classes."""

    status = 400


class ParityError(ModelError):
    """The engine's scores differ from the scores the training stack gave."""


class JobError(AnemonefishError):
    """Something is wrong with a job as a whole."""


class DamagedPart(JobError):
    """A stored part does not fit the range it stands for."""


class MissingParts(JobError):
    """Ranges of the plan have neither scores nor a reason."""


class RangeFailed(JobError):
    """A range ended without a typed error: its process died, ran out of memory or of time."""


class EveryRecordingFailed(JobError):
    """No recording of the job could be analysed."""

    status = 400


class JobTooExpensive(JobError):
    """The job is expected to cost more than one job may."""

    status = 413


class LaunchFailed(JobError):
    """An accepted execution could not be started; a resume tries again."""


class OutOfTime(JobError):
    """A call ended before its work; what it did is kept, and the next one goes on there."""

    status = 503
    retryable = True


class RequestError(AnemonefishError):
    """What a client of the API asked for; the API answers, no execution ever raises it."""

    status = 400


class NotAllowed(RequestError):
    """The caller is nobody the API knows."""

    status = 403


class RouteNotFound(RequestError):
    """There is no such path."""

    status = 404


class MethodNotAllowed(RequestError):
    """The path has other methods."""

    status = 405


class UnsupportedMediaType(RequestError):
    """The body has another content type than the route takes."""

    status = 415


class UploadNotFound(RequestError):
    """The tenant has no such upload."""

    status = 404


class UploadIncomplete(RequestError):
    """Bytes are missing, or are others than announced."""

    status = 409


class UploadExpired(RequestError):
    """The time to complete or to use an upload is over."""

    status = 410


class ExecutionNotFound(RequestError):
    """The tenant has no such execution."""

    status = 404


class DecisionNotFound(RequestError):
    """The execution has no such decision."""

    status = 404


class QuoteTooLarge(RequestError):
    """So many recordings cannot be looked at within one answer."""

    status = 413


class WrongState(RequestError):
    """An execution that has not ended, or has ended, cannot do this."""

    status = 409


class IdempotencyConflict(RequestError):
    """The same Idempotency-Key came with another body."""

    status = 409


class ClipTooLarge(RequestError):
    """The clip is more than one synchronous answer can carry."""

    status = 413


class TooManyJobs(RequestError):
    """The tenant has as many executions at once as it may."""

    status = 429


class StorageLimitReached(RequestError):
    """The tenant would store more bytes than it may."""

    status = 413


class RemoteError(RequestError):
    """A deployed API, or the storage it points to, answered something else than was asked for; raised by its client.

    Attributes
    ----------
    name : str
        The API's or the storage's name of it; ``NetworkError`` where nobody answered, ``UnexpectedAnswer`` where
        somebody else did.
    http_status : int
        0 where nobody answered.
    details : tuple of dict
        ``{"field", "message"}`` each.
    request_id : str or None
    retry_after : float
        Seconds to wait before asking again.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str = "RemoteError",
        http_status: int = 0,
        details: tuple[dict[str, str], ...] = (),
        request_id: str | None = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.name = name
        self.http_status = http_status
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after


class WrongArchitecture(AnemonefishError):
    """The layers of a function were built for another processor than it runs on."""


class StorageError(AnemonefishError):
    """The store did not answer as it should; a later call may succeed."""

    status = 503
    retryable = True


def error_classes() -> dict[str, type[AnemonefishError]]:
    """Return every class of the tree by its name, the base included."""
    found: dict[str, type[AnemonefishError]] = {}
    pending: list[type[AnemonefishError]] = [AnemonefishError]
    while pending:
        cls = pending.pop()
        found[cls.__name__] = cls
        pending.extend(cls.__subclasses__())
    return found


def recording_error(name: str) -> bool:
    """Say whether ``name`` is a class of :class:`RecordingError`: the recording is at fault, not the job."""
    cls = error_classes().get(name)
    return cls is not None and issubclass(cls, RecordingError)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the tree as data: the name of its class and its message."""

    error: str
    message: str

    @classmethod
    def of(cls, error: AnemonefishError) -> Self:
        """Describe an error."""
        return cls(type(error).__name__, str(error))

    def to_error(self) -> AnemonefishError:
        """Make the error again; a name outside the tree becomes :class:`RangeFailed`."""
        return error_classes().get(self.error, RangeFailed)(self.message)


def shown(value: object) -> str:
    """Return a value as a message may show it: what a stranger sent can be of any length."""
    return repr(value)[:200]


def first_line(error: BaseException) -> str:
    """Return what a library says of its own trouble, without the pages that may follow."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
