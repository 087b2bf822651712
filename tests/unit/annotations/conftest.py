"""A fixture that reads labels from text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anemonefish.annotations.label_files import read_labels
from anemonefish.annotations.labels import LabelFile


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., LabelFile]:
    """Return a function that writes a text into a label file and reads it."""

    def write_and_read(text: str | bytes, name: str = "reef.wav.txt", **options: Any) -> LabelFile:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_labels(path, **options)

    return write_and_read
