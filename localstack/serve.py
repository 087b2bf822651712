"""``make serve``: the service with its page on this machine, until Ctrl-C.

    python -m localstack.serve [--port 8765] [--data .build/serve]

Recordings, results, models, records and the key are kept in a folder between runs. The stack is deployed anew at every
start. A file has the variables that clients need while it runs: the address and the key of the API for
``anemonefish remote`` and ``make smoke``, the models bucket for ``anemonefish models``.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localstack.demo import BUILD, MINISTACK, REPOSITORY
from localstack.page import PageServer
from localstack.recovery import end_interrupted
from localstack.server import LocalAws
from localstack.stack import Stack

__all__ = ["PAGE", "VARIABLES", "Service", "start_service", "variables"]

VARIABLES = BUILD / "serve.env"
"""A file for ``source``; it exists while the service runs."""

PAGE = BUILD / "web"
"""What ``make web`` builds."""

DATA = BUILD / "serve"
"""Where the data is kept; ``make clean`` leaves it alone."""

PORT = 8765

_HINTS = """
Open {page}
and sign in with the key {key}
It is a key of this service only; nothing leaves this machine.

To stop: press Ctrl-C here. Recordings, results, models and the key are kept in
{data}
and are there again at the next make serve. To start afresh, stop, and: rm -rf {data}

From another terminal:

    cd {folder}
    source {file}
    .venv/bin/anemonefish simulate --out demo/reef.wav
    .venv/bin/anemonefish remote detect demo/reef.wav --out results
    .venv/bin/anemonefish models list

The API answers at {url}
{file} sets AWS_ENDPOINT_URL, so every AWS command of that terminal goes to this service and not to an account.
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service with its page.

    Attributes
    ----------
    aws : LocalAws
    stack : Stack
    page : PageServer
    interrupted : dict of str to int
        How many executions had not ended when the service stopped last, by what became of them.
    """

    aws: LocalAws
    stack: Stack
    page: PageServer
    interrupted: dict[str, int]


@contextmanager
def start_service(
    page: Path = PAGE, port: int = PORT, build: Path = BUILD, data: Path | None = None
) -> Iterator[Service]:
    """Run the local AWS with the stack and the page until the context ends.

    Parameters
    ----------
    page : Path
        The built page.
    port : int
        Port of the page on 127.0.0.1. If it is taken, a free one is chosen; 0 always chooses a free one.
    build : Path
        Folder of the temporary state and of the emulator's log.
    data : Path, optional
        Folder that keeps the data between runs; without it, it is deleted at the end.

    Raises
    ------
    RuntimeError
        The page is not built, or the local AWS did not start.
    """
    if not (page / "index.html").is_file():
        raise RuntimeError(f"there is no {page / 'index.html'}; build the page first (make web)")
    with (
        PageServer.bind(page, port) as server,
        LocalAws.start(build, MINISTACK, environment={"LOCAL_ORIGIN": server.origin}, data=data) as aws,
    ):
        stack = aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers", {"AllowedOrigins": server.origin})
        ended = {} if data is None else end_interrupted(aws, stack)
        config = {"apiUrl": stack.api_url, "signIn": "api-key", "cognito": None}
        server.configure(config, [aws.endpoint_url])  # the API and the buckets have one origin here
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Service(aws, stack, server, ended)
        finally:
            server.shutdown()


def main() -> None:
    """Serve until the process is interrupted or terminated."""
    parser = argparse.ArgumentParser(prog="make serve", description="The service with its page on this machine.")
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the page on 127.0.0.1 (default: {PORT})")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that keeps the data (default: .build/serve)")
    arguments = parser.parse_args()
    port, data = arguments.port, arguments.data.expanduser().resolve()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a service in the background has it ignored
    VARIABLES.unlink(missing_ok=True)  # of a service that was killed
    print("starting a local AWS and deploying template.yaml into it ...", flush=True)
    try:
        with start_service(port=port, data=data) as service:
            stack = service.stack
            if port not in {0, service.page.server_port}:
                print(f"port {port} is taken, so the page has another one", flush=True)
            for status, count in service.interrupted.items():
                print(f"executions that ran when the service stopped, and are {status} now: {count}", flush=True)
            exports = (f"export {name}={shlex.quote(value)}\n" for name, value in variables(stack).items())
            VARIABLES.write_text("".join(exports), encoding="utf-8")
            hints = {
                "page": service.page.origin,
                "key": stack.api_key,
                "url": stack.api_url,
                "folder": shlex.quote(str(REPOSITORY)),
                "data": shlex.quote(str(data)),
                "file": VARIABLES.relative_to(REPOSITORY),
            }
            print(_HINTS.format(**hints), flush=True)
            signal.pause()
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
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
