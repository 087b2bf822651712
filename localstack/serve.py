"""``make serve``: the service with its page on this machine, until Ctrl-C.

    python -m localstack.serve [--port 8765] [--data .build/serve]

Recordings, results, models, records and the key are kept in a folder between runs. The stack is deployed anew at every
start. A file has the variables that clients need while it runs: the address and the key of the API for
``anemonefish remote`` and ``make smoke``, the models bucket for ``anemonefish models``.

The service trusts every user of this machine (docs/security.md).
"""

from __future__ import annotations

import argparse
import shlex
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localstack.demo import BUILD, MINISTACK, REPOSITORY
from localstack.page import PageServer
from localstack.recovery import end_interrupted
from localstack.server import HOST, LocalAws
from localstack.stack import Stack

__all__ = ["PAGE", "VARIABLES", "Service", "start_service", "variables", "write_variables"]

VARIABLES = BUILD / "serve.env"
"""A file for ``source``; it exists while the service runs."""

PAGE = BUILD / "web"
"""What ``make web`` builds."""

DATA = BUILD / "serve"
"""Where the data is kept; ``make clean`` leaves it alone."""

PORT = 8765

_SIGN_IN_HINT = """
Open {page}
and sign in with the key {key}
It is a key of this service only; nothing leaves this machine. Other users of this machine can use the service, too,
and read what it keeps: start it only on a machine whose users you trust.
"""

_HINTS = """
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

_CONTAINER_HINTS = """
To stop: docker compose down. Recordings, results, models and the key are kept in the volume.

The API answers at {url}
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
    page: Path = PAGE,
    port: int = PORT,
    build: Path = BUILD,
    data: Path | None = None,
    api_port: int | None = None,
    address: str = HOST,
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
    api_port : int, optional
        Port of the API and the buckets on 127.0.0.1; a free one if it is not given.
    address : str
        Address to listen on. A container listens on all of its addresses, and its ports are published on 127.0.0.1.

    Raises
    ------
    RuntimeError
        The page is not built, or the local AWS did not start.
    """
    if not (page / "index.html").is_file():
        raise RuntimeError(f"there is no {page / 'index.html'}; build the page first (make web)")
    with PageServer.bind(page, port, address) as server:
        own = {"LOCAL_ORIGIN": server.origin}
        with LocalAws.start(build, MINISTACK, environment=own, port=api_port, data=data, address=address) as aws:
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
    parser.add_argument("--api-port", type=int, help="port of the API and the buckets (default: a free one)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that keeps the data (default: .build/serve)")
    parser.add_argument("--container", action="store_true", help="listen for the ports that a container publishes")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a service in the background has it ignored
    print("starting a local AWS and deploying template.yaml into it ...", flush=True)
    try:
        if arguments.container:
            _serve_in_container(arguments)
        else:
            _serve(arguments)
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        print("\nthe service has stopped", flush=True)


def _serve(arguments: argparse.Namespace) -> None:
    data = arguments.data.expanduser().resolve()
    with start_service(port=arguments.port, data=data, api_port=arguments.api_port) as service:
        if arguments.port not in {0, service.page.server_port}:
            print(f"port {arguments.port} is taken, so the page has another one", flush=True)
        write_variables(VARIABLES, variables(service.stack))
        try:
            file = VARIABLES.relative_to(REPOSITORY)
            hints = _HINTS.format(
                url=service.stack.api_url,
                folder=shlex.quote(str(REPOSITORY)),
                data=shlex.quote(str(data)),
                file=file,
            )
            _print_hints(service, hints)
            signal.pause()
        finally:
            VARIABLES.unlink(missing_ok=True)


def _serve_in_container(arguments: argparse.Namespace) -> None:
    """Serve at the ports that are published; the links that the API signs name them, so no other port will do."""
    with (
        tempfile.TemporaryDirectory() as build,
        start_service(
            port=arguments.port,
            build=Path(build),
            data=arguments.data,
            api_port=arguments.api_port or arguments.port + 1,
            address="0.0.0.0",
        ) as service,
    ):
        _print_hints(service, _CONTAINER_HINTS.format(url=service.stack.api_url))
        signal.pause()


def _print_hints(service: Service, hints: str) -> None:
    for status, count in service.interrupted.items():
        print(f"executions that ran when the service stopped, and are {status} now: {count}", flush=True)
    print(_SIGN_IN_HINT.format(page=service.page.origin, key=service.stack.api_key) + hints, flush=True)


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


def write_variables(path: Path, values: Mapping[str, str]) -> None:
    """Write a file for ``source`` that only its user may read, because it has the key."""
    path.unlink(missing_ok=True)  # it may have another mode
    path.touch(mode=0o600)
    exports = (f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    path.write_text("".join(exports), encoding="utf-8")


if __name__ == "__main__":
    main()
