"""Predict: answer clips at once. The same application as Api, with more memory and without permission to write."""

import anemonefish.workflow.predict  # loads the engine before the first call
from anemonefish.service.api.app import handler

__all__ = ["anemonefish", "handler"]
