"""Start ministack on a free port of 127.0.0.1 and make clients for it; it ends with its parent process.

Functions inherit ministack's environment. It gets none of the caller's variables, so that no profile, proxy or real
credentials reach the functions.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import boto3
import botocore.session
from botocore.config import Config

from localstack.packaging import CAPABILITIES, Package
from localstack.stack import Stack, await_stack

__all__ = ["LocalAws"]

HOST = "127.0.0.1"
REGION = "us-east-1"
_ROOT_KEY = "test"  # ministack's root user
_START_SECONDS = 300.0
_ANSWER_SECONDS = 600
"""Long enough for a function that starts slowly on a busy machine."""

_MAIN = Path(__file__).with_name("ministack_main.py")


class LocalAws:
    """A running local AWS; :meth:`start` makes it."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        # No profile, because botocore fails if the caller's AWS_PROFILE does not exist.
        session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        self._session = boto3.Session(_ROOT_KEY, _ROOT_KEY, region_name=REGION, botocore_session=session)

    @classmethod
    @contextmanager
    def start(
        cls,
        build_dir: Path,
        ministack_python: Path,
        main: Path = _MAIN,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        data: Path | None = None,
        address: str = HOST,
    ) -> Iterator[Self]:
        """Start ministack; stop it and all its processes when the context ends.

        Parameters
        ----------
        build_dir : Path
            Folder of the temporary state and of ``ministack.log``, which is kept.
        ministack_python : Path
            Python of ministack's own environment (it pins botocore).
        main : Path
            The script that starts ministack.
        environment : mapping, optional
            More environment variables of ministack and of the functions.
        port : int, optional
            Port of 127.0.0.1; a free one if it is not given.
        data : Path, optional
            Folder that keeps objects, records and the first key (:mod:`localstack.kept_data`); without it, they end
            with the process.
        address : str
            Address to listen on. Clients use 127.0.0.1.

        Raises
        ------
        RuntimeError
            ministack did not start; the message ends with its log.
        """
        build_dir.mkdir(parents=True, exist_ok=True)
        log = build_dir / "ministack.log"
        with _sigterm_as_exit(), tempfile.TemporaryDirectory(dir=build_dir.resolve(), prefix="aws-") as state:
            port = port or _free_port()
            endpoint_url = f"http://{HOST}:{port}"
            kept = {} if data is None else _kept_in(data.resolve())
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [ministack_python, "-P", main],  # -P: without this folder on its path
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={
                        **_environment(endpoint_url, port, state),
                        "BIND_HOST": address,
                        **kept,
                        **(environment or {}),
                    },
                    start_new_session=True,
                )
            try:
                _await_port(port, process, log)
                yield cls(endpoint_url)
            finally:
                # SIGKILL to the process group, which includes the functions; the state is not needed any more.
                with suppress(ProcessLookupError):  # it may have died before
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS, as its root user."""
        config = Config(
            proxies={}, retries={"total_max_attempts": 3}, max_pool_connections=50, read_timeout=_ANSWER_SECONDS
        )
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)

    def deploy(
        self, template: Path, layers: Path, parameters: Mapping[str, object] | None = None, name: str = "anemonefish"
    ) -> Stack:
        """Deploy a SAM template, as ``sam package`` and ``sam deploy`` would.

        Parameters
        ----------
        template : Path
            ``template.yaml``; paths in it are relative to it.
        layers : Path
            Folder with a folder for each layer, named by its logical id, and ``Runtime``; each contains ``python/``.
            ``make layers`` builds it.
        parameters : mapping, optional
            Parameters of the template by name; ``MaxConcurrency`` defaults to this machine's number of cores.
        name : str
            Name of the stack.

        Raises
        ------
        RuntimeError
            CloudFormation failed; the message names the resource and the reason.
        """
        package = Package.of(template, layers.resolve())
        uploaded = package.upload(self.client("s3"))
        values = {"MaxConcurrency": os.cpu_count() or 1, **(parameters or {})}
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=f"{self.endpoint_url}/{uploaded}",
            Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": str(value)} for key, value in values.items()],
        )
        return Stack(name, await_stack(cloudformation, name), self.endpoint_url, self.client)


def _environment(endpoint_url: str, port: int, state: str) -> dict[str, str]:
    """Return ministack's environment, which its functions inherit."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": state,  # without ~/.aws
        "TMPDIR": state,
        "STATE_DIR": state,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "CLOUDTRAIL_RECORDING": "1",  # for tests that count calls
        "CLOUDTRAIL_MAX_EVENTS": "100000",
        "AUTH": "true",  # enforces the roles of functions
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": _ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": _ROOT_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _kept_in(data: Path) -> dict[str, str]:
    """Return the variables with which ministack keeps its data in a folder."""
    return {"LOCAL_DATA": str(data), "S3_PERSIST": "1", "S3_DATA_DIR": str(data / "objects")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"ministack did not start; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Turn SIGTERM into an exit that deletes the state's folder; only the main thread can handle signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _exit(number: int, _: object) -> None:
    raise SystemExit(128 + number)  # the status with which a shell reports this signal
