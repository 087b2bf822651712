"""boto3 clients, made once per process, and botocore's errors as ours.

Owns timeouts and retries, the address of S3, and the translation of botocore's errors into
:class:`~anemonefish.errors.StorageError`. Every client honours ``AWS_ENDPOINT_URL``, so the same code runs against a
local AWS. S3 is called with SigV4 at its regional endpoint: presigned links would otherwise name the global endpoint,
whose redirect to the region breaks CORS.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anemonefish.errors import StorageError

__all__ = ["API_CALLS", "OBJECT_BYTES", "ClientLimits", "client", "error_code", "translate_errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Timeouts and retries of a client.

    Attributes
    ----------
    attempts : int
        Calls in all; throttling and 5xx are retried with backoff (botocore's "standard" mode).
    connect_seconds, read_seconds : float
    connections : int
        Largest number of connections at once.
    """

    attempts: int
    connect_seconds: float
    read_seconds: float
    connections: int


API_CALLS = ClientLimits(attempts=4, connect_seconds=3, read_seconds=10, connections=10)
"""For small requests of the API, which must answer within 29 seconds."""

OBJECT_BYTES = ClientLimits(attempts=5, connect_seconds=5, read_seconds=30, connections=32)
"""For reading and writing objects in S3, 16 at a time.

S3 usually sends the first byte within a tenth of a second, so a request without an answer is sent again after 30
seconds.
"""


@cache
def client(service: str, limits: ClientLimits = API_CALLS) -> Any:
    """Return the process's client of a service (boto3 publishes no types for it)."""
    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": limits.attempts},
            connect_timeout=limits.connect_seconds,
            read_timeout=limits.read_seconds,
            max_pool_connections=limits.connections,
            signature_version="s3v4" if service == "s3" else None,
            s3=_s3_addressing() if service == "s3" else None,
        ),
    )


def _s3_addressing() -> dict[str, str]:
    """Return how S3 is addressed: by the bucket's host in its region, or by path at an endpoint of one's own.

    With botocore's default, links are signed for the global endpoint in every region but us-east-1. An endpoint that
    ``AWS_ENDPOINT_URL`` names, such as a local AWS, has no host name for each bucket.
    """
    own_endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {
        "addressing_style": "path" if own_endpoint else "virtual",
        "us_east_1_regional_endpoint": "regional",
    }


def error_code(error: ClientError) -> str:
    """Return the service's code of an error, such as ``NoSuchKey``; empty where it sent none."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translate_errors(what: str, exception_for: Callable[[str], Exception | None] = lambda _: None) -> Iterator[None]:
    """Raise our exceptions for botocore's, in the block of a ``with`` statement.

    Parameters
    ----------
    what : str
        What the call is about; the message begins with it.
    exception_for : callable, optional
        Returns the exception to raise for a code of the service, or None for :class:`StorageError`.

    Raises
    ------
    StorageError
        The service refused the call, or did not answer it.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        failure = exception_for(code) or StorageError(f"{what}: AWS answered {code or error}; try again")
        raise failure from error
    except (BotoCoreError, Boto3Error) as error:  # a failed upload of a file is boto3's error
        raise StorageError(f"{what}: AWS did not answer ({error}); try again") from error
