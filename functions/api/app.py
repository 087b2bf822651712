"""Api: everything behind the gateway but clips. The application lies in the package."""

from anemonefish.service.api.app import handler

__all__ = ["handler"]
