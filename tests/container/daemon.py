"""A Docker daemon for the tests: the one that answers already, or one of our own that ends with the tests.

Owns nothing of the user's: a daemon that is started here keeps its images below ``.build`` and talks on a socket of
its own, so that neither is seen by whatever Docker the user starts later.
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
    """There is no Docker here, and the words say why."""


@dataclass(frozen=True, slots=True)
class Docker:
    """A daemon that answers.

    Attributes
    ----------
    host : str or None
        For ``DOCKER_HOST``; None where the client finds it by itself.
    ours : bool
        Whether it was started for the tests.
    """

    host: str | None
    ours: bool

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find it."""
        return {} if self.host is None else {"DOCKER_HOST": self.host}

    def __call__(self, *words: str) -> str:
        """Run the client and return what it printed; raise :class:`RuntimeError` with its words if it failed."""
        environment = os.environ | self.environment
        done = subprocess.run(
            ["docker", *words], env=environment, check=False, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def answers(self) -> bool:
        """Say whether the daemon can be talked to."""
        try:
            self("version", "--format", "{{.Server.Version}}")
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return True


@contextmanager
def running_docker(build_dir: Path) -> Iterator[Docker]:
    """Find a daemon, or run one; images of one that is run here are kept below ``build_dir``.

    Raises
    ------
    NoDocker
        Neither is possible.
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
    # The path of a socket has 108 characters at most, so it does not lie in the checkout.
    with tempfile.TemporaryDirectory(prefix="anemonefish-docker-") as state, log.open("wb") as output:
        docker = Docker(f"unix://{state}/docker.sock", ours=True)
        folders = {"data-root": build_dir / "docker", "exec-root": f"{state}/exec", "pidfile": f"{state}/docker.pid"}
        command = [dockerd, "--host", str(docker.host), *(f"--{name}={value}" for name, value in folders.items())]
        if shutil.which("setpriv"):  # then it also ends when we are killed
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            _await(docker, process, log)
            yield docker
        finally:
            _stop(process)
            for namespace in Path(state, "exec", "netns").glob("*"):  # it leaves that of the host's network mounted
                subprocess.run(["umount", namespace], check=False, capture_output=True)


def _await(docker: Docker, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not docker.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise NoDocker(f"dockerd did not start; the end of {log}: {words[-1]}")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)  # it stops its containers and its containerd
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
