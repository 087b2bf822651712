"""Predict: clips, answered at once. The same application as the API's, with memory to score and no right to write."""

import anemonefish.workflow.predict  # loads the engine before the first call
from anemonefish.service.api.app import handler

__all__ = ["anemonefish", "handler"]
