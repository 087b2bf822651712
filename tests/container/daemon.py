"""Provide a Docker daemon for the tests: the running one, or a new one that ends with the tests.

A daemon that is started here stores its images below ``.build`` and listens on its own socket, so it does not affect
the user's Docker.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Docker", "NoDocker", "running_docker"]

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


class NoDocker(Exception):
    """Docker is not available; the message says why."""


@dataclass(frozen=True, slots=True)
class Docker:
    """A running daemon.

    Attributes
    ----------
    host : str or None
        Value of ``DOCKER_HOST``; None if the client uses its default.
    ours : bool
        Whether it was started for the tests.
    """

    host: str | None
    ours: bool

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which a client finds the daemon."""
        return {} if self.host is None else {"DOCKER_HOST": self.host}

    def __call__(self, *words: str) -> str:
        """Run the client and return its output. Raise :class:`RuntimeError` with its error output if it failed."""
        environment = os.environ | self.environment
        done = subprocess.run(
            ["docker", *words], env=environment, check=False, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def answers(self) -> bool:
        """Return whether the daemon answers."""
        try:
            self("version", "--format", "{{.Server.Version}}")
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return True


@contextmanager
def running_docker(build_dir: Path) -> Iterator[Docker]:
    """Use the running daemon, or start one that stores its images below ``build_dir``.

    Raises
    ------
    NoDocker
        No daemon answers, and none can be started.
    """
    if shutil.which("docker") is None:
        raise NoDocker(
            "there is no program called docker; install Docker (on Debian and Ubuntu: apt install docker.io)"
        )
    users = Docker(os.environ.get("DOCKER_HOST"), ours=False)
    if users.answers():
        yield users
        return
    dockerd = shutil.which("dockerd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if dockerd is None:
        raise NoDocker("no Docker daemon answers, and there is no program called dockerd; start Docker")
    if os.geteuid() != 0:
        raise NoDocker("no Docker daemon answers this user, and only root can start one; start Docker")
    with _own_daemon(dockerd, build_dir) as docker:
        yield docker


@contextmanager
def _own_daemon(dockerd: str, build_dir: Path) -> Iterator[Docker]:
    build_dir.mkdir(parents=True, exist_ok=True)
    log = build_dir / "dockerd.log"
    # The path of a socket has at most 108 characters, so the socket is not in the checkout.
    with tempfile.TemporaryDirectory(prefix="anemonefish-docker-") as state, log.open("wb") as output:
        docker = Docker(f"unix://{state}/docker.sock", ours=True)
        folders = {"data-root": build_dir / "docker", "exec-root": f"{state}/exec", "pidfile": f"{state}/docker.pid"}
        command = [dockerd, "--host", str(docker.host), *(f"--{name}={value}" for name, value in folders.items())]
        if shutil.which("setpriv"):  # the daemon then also ends when the tests are killed
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            _await(docker, process, log)
            yield docker
        finally:
            _stop(process)
            for namespace in Path(state, "exec", "netns").glob(
                "*"
            ):  # the daemon leaves the host network's namespace mounted
                subprocess.run(["umount", namespace], check=False, capture_output=True)


def _await(docker: Docker, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not docker.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip().splitlines() or ["no output"]
            raise NoDocker(f"dockerd did not start; the end of {log}: {words[-1]}")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)  # the daemon then stops its containers and its containerd
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
