"""boto3 clients, made once per process.

Owns timeouts and retries, how S3 is addressed, and the turning of botocore's errors into
:class:`~anemonefish.errors.StorageError`. Links are signed with SigV4 for the regional endpoint: botocore's default is
neither, and a redirect from the global endpoint breaks CORS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anemonefish.errors import StorageError

__all__ = ["client", "code_of", "s3_options", "service_answers"]


@cache
def client(service: str) -> Any:
    """Return the process's client of a service (boto3 has no published types for it)."""
    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=3,
            read_timeout=10,  # an API call has 29 seconds in all
            signature_version="s3v4" if service == "s3" else None,
            s3=s3_options(),
        ),
    )


def s3_options() -> dict[str, str]:
    """Return how S3 is addressed: by the host of the bucket in its region, or by path at an endpoint of one's own.

    With botocore's default style, links are signed for the global endpoint in every region but us-east-1. An endpoint
    that ``AWS_ENDPOINT_URL`` names, such as a local AWS, has no host name for each bucket.
    """
    own_endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {
        "addressing_style": "path" if own_endpoint else "virtual",
        "us_east_1_regional_endpoint": "regional",
    }


def code_of(error: ClientError) -> str:
    """Return the service's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def service_answers(what: str) -> Iterator[None]:
    """Turn what a service could not do into :class:`StorageError`."""
    try:
        yield
    except ClientError as error:
        raise StorageError(f"{what}: AWS answered {code_of(error) or error}; try again") from error
    except BotoCoreError as error:
        raise StorageError(f"{what}: AWS did not answer ({error}); try again") from error
