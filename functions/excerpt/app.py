"""Excerpt: cut clips out of recordings and draw their spectrograms.

The same application as Api; its role may read recordings.
"""

import anemonefish.service.excerpts  # imports what cuts and draws at the cold start, not in the first request
from anemonefish.service.api.app import handler

__all__ = ["anemonefish", "handler"]
