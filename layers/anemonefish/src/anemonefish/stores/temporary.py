"""Temporary folders. A full disk is a :class:`~anemonefish.errors.StorageError`, after which a retry may succeed."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anemonefish.errors import StorageError

__all__ = ["temporary_folder"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that is deleted with its content when the block ends.

    Raises
    ------
    StorageError
        The folder cannot be made, or the disk became full in the block.
    """
    try:
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    except OSError as error:  # the first file of a process on a full disk fails with "no usable temporary directory"
        raise _storage_error(tempfile.tempdir or "the temporary folder", error) from error
    with folder as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise _storage_error(name, error) from error


def _storage_error(place: str, error: OSError) -> StorageError:
    return StorageError(
        f"{place}: temporary files cannot be written ({error.strerror}); try again, make room, or give the function "
        f"more EphemeralStorage"
    )
