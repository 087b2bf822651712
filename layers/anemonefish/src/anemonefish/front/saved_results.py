"""Read the results of an earlier run back from its folder, as the objects that ``detect`` returns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.resample import resampled_length
from anemonefish.audio.samples import AudioFacts
from anemonefish.csv_cells import read_rows
from anemonefish.errors import Failure, InvalidRequest
from anemonefish.front.detections import Detections
from anemonefish.front.model_location import models_or_default
from anemonefish.front.recording_detections import RecordingDetections
from anemonefish.jobs.plan import Analysis, PlannedRecording, StartTime
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.card import NOT_STATED
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.notes import Note
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.results.decide import decide
from anemonefish.results.event_levels import with_levels
from anemonefish.results.events import smooth
from anemonefish.results.read import ScoredRecording, find_results, read_result
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.summary import SUMMARY
from anemonefish.settings import Settings
from anemonefish.stores import Store, open_store
from anemonefish.windows import WindowGrid

__all__ = ["read_results"]

_PARQUET = ".scores.parquet"


def read_results(folder: str | os.PathLike[str], *, models: str | os.PathLike[str] | None = None) -> Detections:
    """Read the results that ``anemonefish detect`` or :meth:`.Detections.save` wrote.

    Parameters
    ----------
    folder : path
        It must have the format parquet, whose scores are exact, or json, whose scores have six decimals.
    models : path, optional
        Folder or ``s3://bucket`` of the models. :meth:`.Detections.save` needs the model; events, scores, plots and
        :meth:`.Detections.decide` do not.

    Returns
    -------
    Detections

    Raises
    ------
    InvalidRequest
        There are no results, a file is damaged, or two recordings have results of different models or settings.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=6, seed=6)
    >>> saved = af.detect("reef.wav", processes=1).save("results")
    >>> results = af.read_results("results")
    >>> results.names, results.decide(threshold=0.99).settings.threshold
    (('reef.wav',), 0.99)
    """
    root = Path(folder)
    store = open_store(models_or_default(models))
    failed = _failed(root / SUMMARY)
    files = find_results(root)
    read, cards = zip(*(_recording(path, store) for path in files.values()), strict=True)
    first = read[0]
    for each in read:
        if (each.model, each.settings.decision()) != (first.model, first.settings.decision()):
            raise InvalidRequest(
                f"{root}: {each.name} was made by {each.model.reference} with other settings or another model than "
                f"{first.name} ({first.model.reference}); read them from folders of their own"
            )
    recordings = {each.name: each for each in read}
    planned = {name: failed.get(name) or recordings[name].planned for name in _in_order(failed, recordings)}
    analysed = tuple(recordings[name] for name in planned if name in recordings)
    return Detections(first.model, first.settings, tuple(planned.values()), analysed, model_card=cards[0])


@dataclass(frozen=True, slots=True)
class _SavedScores:
    """The scores of one recording in a file of results.

    Attributes
    ----------
    path : Path
    planned : PlannedRecording
    model : PinnedModel
    models : Store
        Where the model lies, which reports need and scores do not.
    calibration : ScoreCalibration or None
        The one of the results.
    """

    path: Path
    planned: PlannedRecording
    model: PinnedModel
    models: Store
    calibration: ScoreCalibration | None

    @property
    def store(self) -> Store:
        """Where the results lie."""
        return open_store(str(self.path.parent))

    def read_scores(self) -> NDArray[np.float32]:
        """Return the raw scores, shape (n_windows, n_classes)."""
        return read_result(self.path).scores

    def read_levels(self) -> BandLevels | None:
        """Return the band levels of the windows, which are in Parquet files only."""
        return read_result(self.path).levels

    def result(self, settings: Settings) -> RecordingResult:
        """Decide the recording with other settings; the model must be there."""
        spec = ModelRepository(self.models).spec(self.model)
        scored = read_result(self.path)
        return decide(
            self.planned, spec, self.model, settings, scored.scores, levels=scored.levels, calibration=self.calibration
        )


def _recording(path: Path, models: Store) -> tuple[RecordingDetections, str]:
    """Read one recording and the line of the model's card; the scores are let go once the events are decided."""
    scored = read_result(path)
    try:
        model = PinnedModel.from_dict(scored.origin["model"])
        planned = _planned(scored, _notes(path))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"{path}: not a result of this program, or damaged ({error}); decide it again") from None
    document = scored.origin.get("calibration")
    calibration = None if document is None else ScoreCalibration.from_dict(document, f"{path}: its calibration")
    source = _SavedScores(path, planned, model, models, calibration)
    smoothed = smooth(scored.scores, scored.decision.median_windows)
    events = with_levels(scored.own_events(smoothed), scored.levels, scored.grid, scored.sample_rate)
    card = str(scored.origin["model"].get("card", NOT_STATED.line))  # older results have none
    return (
        RecordingDetections.build(planned, scored.classes, model, scored.settings, events, source, calibration),
        card,
    )


def _planned(scored: ScoredRecording, notes: tuple[Note, ...]) -> PlannedRecording:
    """Return how a recording was analysed, as its result says."""
    fields = scored.origin["recording"]
    facts = AudioFacts(*(fields[name] for name in ("sample_rate", "channels", "frames", "container", "codec")))
    length = resampled_length(facts.frames, facts.sample_rate, scored.sample_rate)
    grid = WindowGrid(length, scored.grid.window, scored.grid.hop)
    return PlannedRecording(
        name=scored.name,
        path=fields["path"],
        uri=fields["path"],
        begins=None if fields["start_source"] is None else StartTime(fields["start_utc"], fields["start_source"]),
        analysis=Analysis(version="", audio=facts, sample_rate=scored.sample_rate, grid=grid),
        notes=notes,
    )


def _notes(path: Path) -> tuple[Note, ...]:
    """Return the notes of a recording, which stand at the beginning of its JSON; none where there is no JSON."""
    document = path.with_name(path.name.removesuffix(_PARQUET) + ".json") if path.name.endswith(_PARQUET) else path
    lines = []
    try:
        with document.open(encoding="utf-8") as file:
            for line in file:
                if line.startswith('  "predictions"'):
                    break
                lines.append(line)
        head = json.loads("".join(lines).rstrip().removesuffix(",") + "}")
        return Note.list_from(head["metadata"].get("notes", ()))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _failed(summary: Path) -> dict[str, PlannedRecording | None]:
    """Return the recordings of a summary in their order: with the reason of each that failed, None for the others."""
    try:
        with summary.open(encoding="utf-8", newline="") as file:
            rows = list(read_rows(file))
    except OSError:
        return {}
    return {
        row["recording"]: PlannedRecording(
            name=row["recording"],
            path=row["recording"],
            uri=row["recording"],
            failure=Failure(row["error"], row["message"]),
        )
        if row["status"] == "failed"
        else None
        for row in rows
    }


def _in_order(failed: Mapping[str, object], recordings: Mapping[str, object]) -> list[str]:
    """Return the names of all recordings in the order of the summary; those that it does not name come last."""
    named = [name for name, failure in failed.items() if failure is not None or name in recordings]
    return [*named, *(name for name in recordings if name not in failed)]
