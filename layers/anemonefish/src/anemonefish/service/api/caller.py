"""The tenant of a request, taken only from what the gateway has authenticated."""

from __future__ import annotations

import os
import re
from typing import Any

from anemonefish.errors import NotAllowed

__all__ = ["tenant_of"]

OPEN_TENANT = "ANEMONEFISH_OPEN_TENANT"
"""Environment variable with the tenant of unauthenticated calls: for ``sam local start-api``, which checks no key."""


def tenant_of(event: dict[str, Any]) -> str:
    """Return the tenant of a request of API Gateway (REST, proxy integration).

    It is the first of these: ``sub`` of the token that a Cognito authoriser accepted, the id of the IAM user or role
    that signed the request, the id of the API key.

    Raises
    ------
    NotAllowed
        The gateway has not identified the caller.
    """
    context = event.get("requestContext") or {}
    identity = context.get("identity") or {}
    claims = (context.get("authorizer") or {}).get("claims") or {}
    tenant = (
        claims.get("sub")
        # The id of a role is followed by the name of the session, which the caller chooses.
        or str(identity.get("user") or "").partition(":")[0]
        or identity.get("apiKeyId")
        or os.environ.get(OPEN_TENANT)
    )
    if not tenant:
        raise NotAllowed("the request carries no key; send the header x-api-key")
    return re.sub(r"[^A-Za-z0-9_-]", "-", str(tenant))[:64]
