"""The HTTP client of a deployed stack.

Examples
--------
>>> from anemonefish.client import Client
>>> with Client("https://api.example.org/v1", "a key") as client:  # doctest: +SKIP
...     execution = client.start([client.upload(path)["id"]])
"""

from anemonefish.client.client import Client

__all__ = ["Client"]
