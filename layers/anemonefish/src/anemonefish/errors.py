"""The exception tree: every error that the package raises on purpose.

Each class has the HTTP status that the API answers with, and says whether a retry can help. The *name* of the class is
the error of an execution, what the state machine matches and what the command line prints, so all of them use the same
words::

    AnemonefishError
    ├── InvalidSettings, InvalidRequest, WrongArchitecture
    ├── RecordingError                one recording; the other recordings of a job continue
    │   ├── RecordingNotFound, EmptyRecording, UnreadableRecording, TruncatedRecording, InvalidSamples, RecordingChanged
    │   └── UnsupportedRecording, and below it InexactRecording
    ├── ModelError
    │   └── ModelNotFound, InvalidBundle, IncompatibleModel, ParityError
    ├── JobError
    │   ├── DamagedPart, MissingParts, RangeFailed, FunctionFailed, EveryRecordingFailed
    │   └── JobTooExpensive, JobTooLong, LaunchFailed, OutOfTime
    ├── RequestError                  a request to the API; no execution raises it
    │   ├── NotAllowed, RouteNotFound, MethodNotAllowed, UnsupportedMediaType, UploadNotFound, UploadIncomplete
    │   ├── UploadExpired, ExecutionNotFound, DecisionNotFound, ScoresDeleted, ResultArchived
    │   ├── WrongState, IdempotencyConflict
    │   ├── QuoteTooLarge, ClipTooLarge, ReviewTooLarge, TooManyJobs, StorageLimitReached
    │   └── RemoteError               raised by the client of an API, under the API's own name of the error
    └── StorageError                  retried, as OutOfTime is

Every message names the thing (file, setting, model), the place (offset, range) and what to do about it.

Longer than 400 lines: the tree is read as a whole, one class for each error.
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
    "FunctionFailed",
    "IdempotencyConflict",
    "IncompatibleModel",
    "InexactRecording",
    "InvalidBundle",
    "InvalidRequest",
    "InvalidSamples",
    "InvalidSettings",
    "JobError",
    "JobTooExpensive",
    "JobTooLong",
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
    "ResultArchived",
    "ReviewTooLarge",
    "RouteNotFound",
    "ScoresDeleted",
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
    "short_repr",
]


class AnemonefishError(Exception):
    """Base of every error raised on purpose.

    Attributes
    ----------
    status : int
        The HTTP status an API answers with.
    retryable : bool
        Whether the same call may succeed later without any change.
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
    """The file has fewer samples than its header says."""


class InvalidSamples(RecordingError):
    """A sample is NaN or infinite."""


class RecordingChanged(RecordingError):
    """The object is no longer the version the job was planned on."""

    status = 409


class UnsupportedRecording(RecordingError):
    """The recording can be read, but the model cannot analyse it."""


class InexactRecording(UnsupportedRecording):
    """The recording can be read, but its format is not sample-accurately seekable: it must be transcoded first."""


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
    """The engine's scores differ from those of the training stack."""


class JobError(AnemonefishError):
    """Something is wrong with a job as a whole."""


class DamagedPart(JobError):
    """A stored part does not fit its range."""


class MissingParts(JobError):
    """Ranges or reports of the plan do not exist, and there is no reason of a failure."""


class RangeFailed(JobError):
    """A range ended without one of these errors: its process crashed, or ran out of memory or time."""


class FunctionFailed(JobError):
    """Plan, report, aggregate or a whole execution ended without one of these errors: it crashed, or had no memory or
    no time.
    """


class EveryRecordingFailed(JobError):
    """No recording of the job could be analysed."""

    status = 400


class JobTooExpensive(JobError):
    """The job is expected to cost more than one job may."""

    status = 413


class JobTooLong(JobError):
    """The job, or one of its functions, is expected to take longer than AWS allows."""

    status = 413


class LaunchFailed(JobError):
    """An accepted execution could not be started; resume it to try again."""


class OutOfTime(JobError):
    """A call stopped before its work was finished; the next call continues from there."""

    status = 503
    retryable = True


class RequestError(AnemonefishError):
    """A request to the API is wrong; no execution raises this error."""

    status = 400


class NotAllowed(RequestError):
    """The credentials are missing or unknown."""

    status = 403


class RouteNotFound(RequestError):
    """There is no such path."""

    status = 404


class MethodNotAllowed(RequestError):
    """The path does not have this method."""

    status = 405


class UnsupportedMediaType(RequestError):
    """The route does not take a body of this content type."""

    status = 415


class UploadNotFound(RequestError):
    """The tenant has no such upload."""

    status = 404


class UploadIncomplete(RequestError):
    """Bytes are missing, or differ from those announced."""

    status = 409


class UploadExpired(RequestError):
    """The time to complete or to use the upload is over."""

    status = 410


class ExecutionNotFound(RequestError):
    """The tenant has no such execution."""

    status = 404


class DecisionNotFound(RequestError):
    """The execution has no such decision."""

    status = 404


class ScoresDeleted(RequestError):
    """The stored scores, which the request needs, have been deleted after their time."""

    status = 410


class ResultArchived(RequestError):
    """The file is in the archive and must be restored before it can be downloaded."""

    status = 409


class QuoteTooLarge(RequestError):
    """There are more recordings than one answer has time to read."""

    status = 413


class ReviewTooLarge(RequestError):
    """There are more scores than one answer has time to draw a review from."""

    status = 413


class WrongState(RequestError):
    """Only an execution that has ended, or only one that has not, can do what was asked."""

    status = 409


class IdempotencyConflict(RequestError):
    """The same Idempotency-Key was sent with another body."""

    status = 409


class ClipTooLarge(RequestError):
    """The clip is too large for one synchronous answer."""

    status = 413


class TooManyJobs(RequestError):
    """The tenant has reached its limit of simultaneous executions."""

    status = 429


class StorageLimitReached(RequestError):
    """The tenant would exceed its limit of stored bytes."""

    status = 413


class RemoteError(RequestError):
    """A deployed API, or the storage it links to, answered with an error; raised by the client.

    Attributes
    ----------
    name : str
        The API's or the storage's name of the error; ``NetworkError`` without an answer, ``UnexpectedAnswer`` for an
        answer that is not the API's.
    http_status : int
        0 without an answer.
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
    """The layers of a function were built for another processor than the one it runs on."""


class StorageError(AnemonefishError):
    """The store did not answer, or answered with an error; a later call may succeed."""

    status = 503
    retryable = True


def error_classes(base: type[AnemonefishError] = AnemonefishError) -> dict[str, type[AnemonefishError]]:
    """Return every class of the tree by its name, the base included."""
    classes = {base.__name__: base}
    for subclass in base.__subclasses__():
        classes |= error_classes(subclass)
    return classes


def recording_error(name: str) -> bool:
    """Say whether ``name`` is a class of :class:`RecordingError`, so that the fault is the recording's and not the
    job's.
    """
    cls = error_classes().get(name)
    return cls is not None and issubclass(cls, RecordingError)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as data: the name of its class and its message."""

    error: str
    message: str

    @classmethod
    def of(cls, error: AnemonefishError) -> Self:
        """Describe an error."""
        return cls(type(error).__name__, str(error))

    @property
    def by_system(self) -> bool:
        """Whether the system failed and not the input, so that another attempt may succeed."""
        return self.to_error().status >= 500

    def to_error(self) -> AnemonefishError:
        """Return the error; a name outside the tree becomes :class:`RangeFailed`."""
        return error_classes().get(self.error, RangeFailed)(self.message)


def short_repr(value: object) -> str:
    """Return the ``repr`` of a value for a message, cut to 200 characters."""
    return repr(value)[:200]


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message, or the name of its class."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
