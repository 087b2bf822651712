"""X-Ray's daemon, as far as a function sees it: it receives documents by UDP."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any, Self

__all__ = ["XrayDaemon"]


class XrayDaemon:
    """Collects the documents that functions send.

    Attributes
    ----------
    address : str
        Value of ``AWS_XRAY_DAEMON_ADDRESS``.
    documents : list of dict
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._receive)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.documents: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while not self._stopped.is_set():
            try:
                data = self._socket.recv(65_536)
            except TimeoutError:
                continue
            header, _, document = data.partition(b"\n")
            assert json.loads(header) == {"format": "json", "version": 1}
            self.documents.append(json.loads(document))
