"""Who is calling: the tenant, from what the gateway has checked and from nothing else."""

from __future__ import annotations

import os
import re
from typing import Any

from anemonefish.errors import NotAllowed

__all__ = ["tenant_of"]

OPEN_TENANT = "ANEMONEFISH_OPEN_TENANT"
"""Names the tenant of calls that no gateway has checked: for ``sam local start-api``, which checks no key."""


def tenant_of(event: dict[str, Any]) -> str:
    """Return the tenant of a request of API Gateway (REST, proxy integration).

    In this order: ``sub`` of the token that a Cognito authoriser accepted, the id of the user or role that signed
    (IAM), the id of the API key.

    Raises
    ------
    NotAllowed
        The gateway has let somebody through whom it did not identify.
    """
    context = event.get("requestContext") or {}
    identity = context.get("identity") or {}
    claims = (context.get("authorizer") or {}).get("claims") or {}
    found = (
        claims.get("sub")
        # A role's id is followed by the name of the session, which its user chooses.
        or str(identity.get("user") or "").partition(":")[0]
        or identity.get("apiKeyId")
        or os.environ.get(OPEN_TENANT)
    )
    if not found:
        raise NotAllowed("the request carries no key; send the header x-api-key")
    return re.sub(r"[^A-Za-z0-9_-]", "-", str(found))[:64]
