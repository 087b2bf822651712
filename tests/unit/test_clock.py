"""Times are written as ISO 8601 in UTC, and read back."""

from __future__ import annotations

from datetime import UTC, datetime

from anemonefish import clock

BEGAN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def test_written_time_is_read_back() -> None:
    assert clock.from_text(clock.to_text(BEGAN)) == BEGAN
    assert clock.to_text(BEGAN.astimezone(clock.from_text("2026-01-01T00:00:00+10:00").tzinfo)) == clock.to_text(BEGAN)
