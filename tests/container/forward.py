"""Forward connections from containers to the local AWS, which listens only on 127.0.0.1.

The forwarder listens on the host's address on Docker's bridge. Other machines cannot reach that address, so the
local AWS stays private.
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
    """Forward connections to ``address`` to ``port`` of 127.0.0.1; yield the port that listens."""
    try:
        listener = socket.create_server((address, 0), backlog=64)
    except OSError:
        # Docker in a virtual machine (macOS): the bridge is inside it, and host.docker.internal is this 127.0.0.1.
        yield port
        return
    with listener:
        threading.Thread(target=_serve, args=(listener, port), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, port: int) -> None:
    while True:
        try:
            container = listener.accept()[0]
        except OSError:  # the listener was closed
            return
        host = socket.create_connection(("127.0.0.1", port))
        for source, target in ((container, host), (host, container)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)  # the other direction continues
