"""A handler around a function's own, with short pauses between the attempts of botocore.

It is deployed as ``app.py`` of every function; the function's own module is ``real_app``. Without it a service that
fails for long would keep every function for half a minute.
"""

import random
from typing import Any

from botocore.retries.standard import ExponentialBackoff


def _short_delay(backoff: ExponentialBackoff, context: Any) -> float:
    return random.uniform(0, 0.05)


ExponentialBackoff.delay_amount = _short_delay

from real_app import handler  # noqa: E402

__all__ = ["handler"]
