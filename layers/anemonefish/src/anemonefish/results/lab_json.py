"""Write the result of a recording as the lab's JSON: predictions, events and metadata.

The lab's front ends and scripts read these names; where they use two spellings of a name, both are written. The file
holds the recording, the model and the settings as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TextIO

import numpy as np

from anemonefish.notes import is_partial
from anemonefish.results.event_levels import total_calls
from anemonefish.results.events import Event
from anemonefish.results.python_numbers import python_numbers
from anemonefish.results.recording_result import RecordingResult
from anemonefish.sample_times import seconds

__all__ = ["lab_document", "write_lab_json"]


def lab_document(
    result: RecordingResult, *, predictions: bool, processing_seconds: float | None = None
) -> dict[str, Any]:
    """Return the lab's JSON as the answer of the API: ``predictions``, ``events`` and ``metadata``.

    Parameters
    ----------
    predictions : bool
        Whether to list every window.
    processing_seconds : float, optional
        How long the API took. It is not part of a result, whose files have the same bytes on every machine.
    """
    return {
        "predictions": list(_predictions(result)) if predictions else [],
        "events": [_event_fields(event, result) for event in result.events],
        "metadata": {
            **_metadata(result),
            "processing_time": processing_seconds,
            "processing_time_seconds": processing_seconds,
        },
    }


def write_lab_json(file: TextIO, result: RecordingResult) -> None:
    """Write the lab's JSON, one line per prediction: a day of audio has half a million of them."""
    document = {
        "events": [_event_fields(event, result) for event in result.events],
        "metadata": _metadata(result),
        **result.origin(),
    }
    head = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    file.write(head.removesuffix("\n}") + ',\n  "predictions": [')
    separator = "\n    "
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # json.dumps would make one for each window
    for prediction in _predictions(result):
        file.write(separator + encode(prediction))
        separator = ",\n    "
    file.write("\n  ]\n}\n" if len(result.scores) else "]\n}\n")


def _predictions(result: RecordingResult) -> Iterator[dict[str, Any]]:
    classes, rate = result.spec.classes, result.sample_rate
    best_classes = result.scores.argmax(axis=1)
    rows = zip(result.windows(), python_numbers(best_classes), python_numbers(result.scores), strict=True)
    for (start, stop), best, scores in rows:
        begin, end = seconds(start, rate), seconds(stop, rate)
        rounded = [round(score, 6) for score in scores]
        yield {
            "timestamp": f"{begin}-{end}s",
            "start_time": begin,
            "end_time": end,
            "class": classes[best],
            "confidence": rounded[best],
            # The lab's name for scores. They are outputs of a softmax, and they are not calibrated.
            "probabilities": dict(zip(classes, rounded, strict=True)),
        }


def _event_fields(event: Event, result: RecordingResult) -> dict[str, Any]:
    sample_rate = result.sample_rate
    return {
        "start_time": seconds(event.start, sample_rate),
        "end_time": seconds(event.stop, sample_rate),
        "duration": seconds(event.stop - event.start, sample_rate),
        "mean_confidence": _rounded(event.mean_score),
        "max_confidence": _rounded(event.max_score),
        "num_windows": event.n_windows,
        "class": event.label,
        "calls": event.calls,
        **{name: getattr(event, name) for name in ("level_db", "snr_db", "peak_hz")},
        "level_db_re_1upa": result.level_re_1upa(event),
        "start_sample": event.start,
        "end_sample": event.stop,
        "start_utc": result.utc(event.start),
        **({} if result.calibration is None else {"probability": result.probability(event)}),
    }


def _metadata(result: RecordingResult) -> dict[str, Any]:
    """Return the lab's metadata; for a variant, also how far its scores agree with those of the trained network."""
    variant = result.model.variant
    audio = result.analysis.audio
    duration = seconds(audio.frames, audio.sample_rate)
    return {
        "audio_duration": duration,
        "audio_duration_seconds": duration,
        "model_version": result.model.reference,
        "model_card": result.spec.card.line,
        "num_predictions": len(result.scores),
        "total_windows": len(result.scores),
        "num_events": len(result.events),
        "total_events": len(result.events),
        "num_calls": total_calls(result.events),
        "level_band_hz": list(result.level_band),
        "target_class": _one_or_all(list(result.targets)),
        "confidence_threshold": _one_or_all({name: result.decision.threshold_of(name) for name in result.targets}),
        "status": "partial" if is_partial(result.recording.notes) else "done",
        "notes": [asdict(note) for note in result.recording.notes],
        **({} if result.calibration is None else {"calibration": result.calibration.summary()}),
        **({} if variant is None else {"variant_agreement": result.spec.variants[variant]}),
    }


def _one_or_all(values: Any) -> Any:
    """Return the only value, as the lab's programs read it; several as a list, or an object by class."""
    if len(values) > 1:
        return values
    return next(iter(values.values() if isinstance(values, dict) else values))


def _rounded(score: float | np.floating[Any]) -> float:
    """Round a score to six decimals, about the precision of float32."""
    return round(float(score), 6)
