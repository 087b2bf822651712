"""The emulator's process: one ministack on 127.0.0.1 and a free port, gone when its parent is gone.

Owns the process, its environment and the clients that talk to it. Never passes on the caller's environment:
functions inherit ministack's, so a profile, a proxy or real credentials of the user would reach them.
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

REGION = "us-east-1"
_ROOT_KEY = "test"  # ministack's root user; never a key of a real account
_START_SECONDS = 300.0
_ANSWER_SECONDS = 600
"""An answer may wait for a function that starts beside much other work."""

_MAIN = Path(__file__).with_name("ministack_main.py")


class LocalAws:
    """A running local AWS; made by :meth:`start`."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        # Explicitly no profile: a caller's AWS_PROFILE would be looked up, and may not exist.
        session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        self._session = boto3.Session(_ROOT_KEY, _ROOT_KEY, region_name=REGION, botocore_session=session)

    @classmethod
    @contextmanager
    def start(cls, build_dir: Path, ministack_python: Path) -> Iterator[Self]:
        """Start ministack; stop it, and everything it started, on leaving.

        Parameters
        ----------
        build_dir : Path
            Folder for the temporary state and for ``ministack.log``, which stays.
        ministack_python : Path
            Interpreter of the environment ministack is installed in (it pins botocore, so it has its own).

        Raises
        ------
        RuntimeError
            ministack did not start; the message ends with its log.
        """
        build_dir.mkdir(parents=True, exist_ok=True)
        log = build_dir / "ministack.log"
        with _sigterm_as_exit(), tempfile.TemporaryDirectory(dir=build_dir.resolve(), prefix="aws-") as state:
            port = _free_port()
            endpoint_url = f"http://127.0.0.1:{port}"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [ministack_python, "-P", _MAIN],  # -P: our modules are not its modules
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=_environment(endpoint_url, port, state),
                    start_new_session=True,
                )
            try:
                _await_port(port, process, log)
                yield cls(endpoint_url)
            finally:
                # Functions are in ministack's process group. Nothing of the state is wanted: no farewell.
                with suppress(ProcessLookupError):  # it may have died before it was of any use
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
            Folder with one folder per layer of the template, named by its logical id, and ``Runtime``; each
            holds ``python/``. ``make layers`` builds it.
        parameters : mapping, optional
            Parameters of the template by name; ``MaxConcurrency`` is this machine's number of cores unless given.
        name : str
            Name of the stack.

        Raises
        ------
        RuntimeError
            CloudFormation refused; the message says which resource and why.
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
    """Return ministack's whole environment, which its functions inherit."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": state,  # no ~/.aws
        "TMPDIR": state,
        "STATE_DIR": state,
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "CLOUDTRAIL_RECORDING": "1",  # who called what, for tests that count calls
        "CLOUDTRAIL_MAX_EVENTS": "100000",
        "AUTH": "true",  # functions act as their roles, so a policy that is too narrow fails here
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": _ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": _ROOT_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"ministack did not start; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that the state's folder goes too; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _exit(number: int, _: object) -> None:
    raise SystemExit(128 + number)  # as a shell reports a death by this signal
