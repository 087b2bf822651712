"""Headers as recorders write them, and times and settings that several tests use."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from anemonefish.audio.headers import BroadcastExtension, Metadata

AUDIOMOTH = (
    "Recorded at {} by AudioMoth 24F3190361CB5B21 at medium gain while battery was 4.2V and temperature was 21.4C."
)
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2068, 12, 31))
OFFSETS = st.integers(-48, 56).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def comment(time: str) -> Metadata:
    return Metadata(info={"ICMT": AUDIOMOTH.format(time)})


def guano(time: str) -> Metadata:
    return Metadata(guano={"Timestamp": time})


def bext(time: str, date: str = "2020-02-14", reference: int = 0) -> Metadata:
    return Metadata(broadcast=BroadcastExtension(date, time, reference), sample_rate=48_000)


def settings_in(text: str) -> list[tuple[str, str]]:
    """Return the settings that a message advises, as a shell would pass them on."""
    words = re.findall(r"--set ((?:'[^']*'|\"[^\"]*\"|[^'\"\s])+)", text)
    pairs = [shlex.split(word)[0].rstrip(";,") for word in words]
    return [(key, value) for key, _, value in (pair.partition("=") for pair in pairs)]
