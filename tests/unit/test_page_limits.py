"""The page checks files before it sends them; its limits are those of the API."""

from __future__ import annotations

import json
from pathlib import Path

from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.recording_names import _SYSTEM_NAMES
from anemonefish.service.api.schemas.execution_schemas import MOST_UPLOADS
from anemonefish.service.upload_names import LONGEST_FILENAME
from anemonefish.service.upload_record import MOST_BYTES

LIMITS = Path(__file__).parents[2] / "web/src/uploads/limits.json"


def test_page_takes_the_files_that_the_api_takes() -> None:
    limits = json.loads(LIMITS.read_text(encoding="utf-8"))
    assert {f".{extension}" for extension in limits["extensions"]} == AUDIO_EXTENSIONS
    assert limits["longestName"] == LONGEST_FILENAME
    assert limits["mostBytes"] == MOST_BYTES
    assert limits["mostRecordings"] == MOST_UPLOADS


def test_page_ignores_the_folders_that_the_command_line_ignores() -> None:
    assert set(json.loads(LIMITS.read_text(encoding="utf-8"))["systemNames"]) == _SYSTEM_NAMES
