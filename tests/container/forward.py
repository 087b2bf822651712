"""A door for containers to the local AWS, which listens on 127.0.0.1 only.

Listens on the address that the host has on Docker's bridge and passes bytes on. Nothing outside this machine reaches
that address, so the local AWS stays as closed as it is.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["forwarded"]

_PIECE = 65_536


@contextmanager
def forwarded(address: str, port: int) -> Iterator[int]:
    """Pass connections to ``address`` on to ``port`` of 127.0.0.1; give the port they come to."""
    try:
        door = socket.create_server((address, 0), backlog=64)
    except OSError:
        # Docker in a virtual machine (macOS): the bridge lies in there, and host.docker.internal is our 127.0.0.1.
        yield port
        return
    with door:
        threading.Thread(target=_serve, args=(door, port), daemon=True).start()
        yield door.getsockname()[1]


def _serve(door: socket.socket, port: int) -> None:
    while True:
        try:
            guest = door.accept()[0]
        except OSError:  # the door was closed
            return
        host = socket.create_connection(("127.0.0.1", port))
        for source, target in ((guest, host), (host, guest)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)  # what the other side still says is passed on
