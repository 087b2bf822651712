"""A minimal client of Lambda's runtime API, for systems without awslambdaric (macOS).

The name of an exception's class becomes the error's name, which the state machine matches. Extensions, SnapStart and
log formats are not supported.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

_API = "http://{AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation"


def serve(handler_name: str) -> None:
    """Handle invocations until the process is killed."""
    api = _API.format(**os.environ)
    module, _, function = handler_name.rpartition(".")
    handler = getattr(importlib.import_module(module), function)
    while True:
        with urlopen(f"{api}/next") as invocation:
            request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(invocation)
        try:
            _post(f"{api}/{request_id}/response", handler(event, SimpleNamespace(aws_request_id=request_id)))
        except Exception as error:
            traceback.print_exc()
            name = type(error).__name__
            _post(f"{api}/{request_id}/error", {"errorType": name, "errorMessage": str(error), "stackTrace": []}, name)


def _post(url: str, document: Any, error_type: str | None = None) -> None:
    headers = {"Lambda-Runtime-Function-Error-Type": error_type} if error_type else {}
    urlopen(Request(url, json.dumps(document).encode(), headers)).close()


if __name__ == "__main__":
    serve(sys.argv[1])
