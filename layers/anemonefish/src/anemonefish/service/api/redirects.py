"""Send a browser from the API to a file in S3."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

__all__ = ["redirect_to"]


def redirect_to(url: str) -> Response[Any]:
    """Return a redirect to a link."""
    return Response(303, "text/plain", "", {"Location": url})
