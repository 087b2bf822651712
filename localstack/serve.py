"""``make serve``: the service on this machine, until Ctrl-C.

    python -m localstack.serve

It deploys template.yaml into the local AWS and writes a file with the variables that clients need: the address and the
key of the API for ``anemonefish remote`` and ``make smoke``, the models bucket for ``anemonefish models``.
"""

from __future__ import annotations

import shlex
import signal

from localstack.demo import BUILD, MINISTACK, REPOSITORY
from localstack.server import LocalAws
from localstack.stack import Stack

__all__ = ["VARIABLES", "variables"]

VARIABLES = BUILD / "serve.env"
"""A file for ``source``; it exists while the service runs."""

_HINTS = """
The API answers at {url}
It runs until you press Ctrl-C; uploads, results and models are deleted then. Use it from another terminal:

    cd {folder}
    source {file}
    .venv/bin/anemonefish remote detect demo/reef.wav --out results
    .venv/bin/anemonefish models list

{file} sets AWS_ENDPOINT_URL, so every AWS command of that terminal goes to this service and not to an account.
"""


def main() -> None:
    """Serve until the process is interrupted or terminated."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a service in the background has it ignored
    print("starting a local AWS and deploying template.yaml into it ...", flush=True)
    try:
        with LocalAws.start(BUILD, MINISTACK) as aws:
            stack = aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers")
            exports = (f"export {name}={shlex.quote(value)}\n" for name, value in variables(stack).items())
            VARIABLES.write_text("".join(exports), encoding="utf-8")
            file = VARIABLES.relative_to(REPOSITORY)
            print(_HINTS.format(url=stack.api_url, folder=shlex.quote(str(REPOSITORY)), file=file), flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("\nthe service has stopped", flush=True)
    finally:
        VARIABLES.unlink(missing_ok=True)


def variables(stack: Stack) -> dict[str, str]:
    """Return the environment variables with which clients and AWS's tools use a local stack."""
    return {
        "ANEMONEFISH_API_URL": stack.api_url,
        "ANEMONEFISH_API_KEY": stack.api_key,
        "ANEMONEFISH_MODELS": f"s3://{stack.outputs['ModelsBucketName']}",
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


if __name__ == "__main__":
    main()
