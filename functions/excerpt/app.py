"""Excerpt: cut stretches out of recordings and draw them. The same application as Api, with permission to hear."""

import anemonefish.service.excerpts  # loads what cuts and draws before the first call
from anemonefish.service.api.app import handler

__all__ = ["anemonefish", "handler"]
