"""A full disk is a StorageError, which the state machine retries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from anemonefish.stores.temporary import temporary_folder

FULL = """
import resource, sys, tempfile
from pathlib import Path
from anemonefish.errors import AnemonefishError
from anemonefish.stores.temporary import temporary_folder
{before}
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # no file can be written any more
try:
    with temporary_folder() as folder:
        (folder / "report").write_bytes(bytes(100_000))
except AnemonefishError as error:
    print(type(error).__name__, error.retryable, "EphemeralStorage" in str(error))
"""


@pytest.mark.parametrize("before", ["", "tempfile.gettempdir()"], ids=["first file of the process", "later file"])
def test_full_disk_is_an_error_that_is_retried(before: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(before=before)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "StorageError True True\n", done.stderr


def test_folder_is_deleted_and_other_errors_pass() -> None:
    with pytest.raises(FileNotFoundError, match="parts/0"), temporary_folder() as folder:  # noqa: PT012
        (folder / "report").write_bytes(b"x")
        raise FileNotFoundError("parts/0")
    assert not Path(folder).exists()
