"""Runs in ministack's own environment, as a script: ministack, ending with its parent, and with one gap filled.

ministack 1.5.33 ignores ``MaxConcurrencyPath`` and ``ToleratedFailurePercentagePath`` of a Distributed Map.
The state machine needs both, and is not changed for it: the values are looked up here and handed on under the
names ministack reads. It touches a private function, which is why requirements.txt pins the version exactly.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from ministack.app import main  # type: ignore[import-not-found]
from ministack.services import stepfunctions  # type: ignore[import-not-found]

_PATHS = ("MaxConcurrency", "ToleratedFailurePercentage")
_run_distributed_map = stepfunctions._run_distributed_map


def _with_paths(state: dict[str, Any], raw_input: Any, effective: Any, *rest: Any) -> Any:
    found = {
        name: stepfunctions._resolve_path(state[f"{name}Path"], effective) for name in _PATHS if f"{name}Path" in state
    }
    return _run_distributed_map({**state, **found}, raw_input, effective, *rest)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # comes back when the parent has ended, however it ended
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    stepfunctions._run_distributed_map = _with_paths
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()
