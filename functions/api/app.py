"""Api: answer every request of the API except clips (/predict, /inference/predict)."""

from anemonefish.service.api.app import handler

__all__ = ["handler"]
