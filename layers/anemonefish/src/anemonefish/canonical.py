"""Write documents as JSON that always has the same bytes, and hash them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["digest", "dump_json"]


def dump_json(document: Any) -> bytes:
    """Return canonical, readable JSON: the same document always has the same bytes."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def digest(document: Any) -> str:
    """Return 16 hexadecimal digits that differ between different documents."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
