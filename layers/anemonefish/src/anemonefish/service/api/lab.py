"""Support for the lab's front ends: their names of settings, and the answer that the newest of them reads.

That front end sends a clip as base64 and reads ``json``, ``audacity`` and ``raw``. Its label track is made of the raw
scores: consecutive windows with the same highest class are one label, except noise. A label ends with its last window;
the lab's own exporter ends it one hop after the start of that window.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from anemonefish.annotations.audacity import write_audacity
from anemonefish.errors import InvalidSettings, short_repr
from anemonefish.results.decide import NOISE
from anemonefish.results.events import find_class_runs
from anemonefish.results.recording_result import RecordingResult

__all__ = ["SETTINGS", "lab_answer", "our_settings", "their_words"]

SETTINGS = {
    "confidence_threshold": "threshold",
    "smoothing_window": "median_windows",
    "min_event_duration": "min_duration_seconds",
    "min_gap_duration": "min_gap_seconds",
    "window_duration": "window_seconds",
    "stride_duration": "hop_seconds",
}
"""Our name of each setting that the lab names otherwise."""


def our_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate settings to our names.

    Raises
    ------
    InvalidSettings
        A setting is given under both names with different values.
    """
    ours = {name: value for name, value in settings.items() if name not in SETTINGS}
    for theirs, name in SETTINGS.items():
        if theirs not in settings:
            continue
        if name in settings and settings[name] != settings[theirs]:
            raise InvalidSettings(
                f"{name} and {theirs} are one setting, given as {short_repr(settings[name])} and as "
                f"{short_repr(settings[theirs])}; send one of them"
            )
        ours[name] = settings[theirs]
    return ours


def their_words(error: InvalidSettings, settings: Mapping[str, Any]) -> InvalidSettings:
    """Return the error with the name under which the setting was sent."""
    message = str(error)
    for theirs, name in SETTINGS.items():
        if theirs in settings and message.startswith(f"{name} "):
            return InvalidSettings(f"{theirs} (that is, {name}) {message.removeprefix(f'{name} ')}")
    return error


def lab_answer(result: RecordingResult, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer that the lab's newest front end reads, in addition to the fields of the lab's JSON.

    Parameters
    ----------
    result : RecordingResult
    document : mapping
        The lab's JSON: ``predictions``, ``events``, ``metadata``.
    """
    runs = find_class_runs(result.scores, result.analysis.grid, result.spec.classes, NOISE, result.decision)
    labels = io.StringIO()
    write_audacity(labels, result.selections(runs), sample_rate=result.sample_rate)
    return {**document, "json": dict(document), "audacity": labels.getvalue(), "raw": document["predictions"]}
