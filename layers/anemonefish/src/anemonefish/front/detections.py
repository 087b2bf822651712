"""Results as a notebook uses them: the events of recordings, their scores, notes, failures, tables and plots."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from anemonefish.errors import AnemonefishError, InvalidRequest, InvalidSettings
from anemonefish.front.display import Picture, count_of, html_table
from anemonefish.front.effort_frame import effort_frame
from anemonefish.front.recording_detections import (
    EVENT_HEADINGS,
    DetectedEvent,
    RecordingDetections,
    decided_words,
    event_rows,
    events_frame,
    events_with_calls,
)
from anemonefish.front.scores import Scores
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.card import NOT_STATED
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.notes import Note
from anemonefish.results.effort import Effort
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import MOST_CLIPS, Settings
from anemonefish.workflow.effort_plot import draw_effort
from anemonefish.workflow.review import Review, review_results
from anemonefish.workflow.save_results import save_results

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Detections"]

_SHOWN_RECORDINGS = 10


@dataclass(frozen=True, eq=False, repr=False)
class Detections:
    """What was found in one or several recordings; made by :func:`anemonefish.detect` and others.

    ``len(results)`` is the number of recordings that were analysed, ``for recording in results`` goes through them, and
    ``results["reef.wav"]`` or ``results[0]`` is one of them. The name of a recording that failed raises its error.

    Parameters
    ----------
    model : PinnedModel
        What scored the recordings.
    settings : Settings
        Those that decided the events.
    planned : sequence of PlannedRecording
        Every recording, those that failed included.
    recordings : tuple of RecordingDetections
        Those that were analysed, in their order.
    not_looked_at : tuple of str
        Files in the folders that are no recordings by their ending.
    review : Review or None
        How many clips and pictures were made with the results.
    model_card : str
        The line of the model's card: whether it is fit for science, and why.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=6, seed=6)
    >>> results = af.detect("reef.wav", processes=1)
    >>> len(results), results["reef.wav"].duration
    (1, 6.0)
    >>> results.decide(threshold=0.99).settings.threshold
    0.99
    """

    model: PinnedModel
    settings: Settings
    planned: Sequence[PlannedRecording]
    recordings: tuple[RecordingDetections, ...]
    not_looked_at: tuple[str, ...] = ()
    review: Review | None = None
    model_card: str = NOT_STATED.line

    @property
    def events(self) -> tuple[DetectedEvent, ...]:
        """The events of all recordings, in their order."""
        return tuple(event for recording in self.recordings for event in recording.events)

    @property
    def scores(self) -> Scores:
        """The scores of all windows of all recordings before smoothing; they are read anew each time."""
        classes = self.recordings[0].classes if self.recordings else ()
        return Scores.joined([recording.scores for recording in self.recordings], classes, self.failures)

    @property
    def calibration(self) -> ScoreCalibration | None:
        """What gives the events a probability (docs/probability.md); None where their scores are not calibrated."""
        return self.recordings[0].calibration if self.recordings else None

    @property
    def notes(self) -> dict[str, tuple[Note, ...]]:
        """What a user should know about recordings, by their names; one without notes is not in it."""
        of_failed = {each.name: each.notes for each in self.planned if each.failure is not None}
        noted = of_failed | {recording.name: recording.notes for recording in self.recordings}
        return {each.name: noted[each.name] for each in self.planned if noted.get(each.name)}

    @property
    def failures(self) -> dict[str, AnemonefishError]:
        """The error of each recording that could not be analysed, by its name."""
        return {each.name: each.failure.to_error() for each in self.planned if each.failure is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the recordings that were analysed."""
        return tuple(recording.name for recording in self.recordings)

    def __len__(self) -> int:
        return len(self.recordings)

    def __iter__(self) -> Iterator[RecordingDetections]:
        return iter(self.recordings)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, which: str | int) -> RecordingDetections:
        """Return one recording by its name, or by its position.

        Raises
        ------
        AnemonefishError
            The recording failed; the error is its own.
        KeyError, IndexError
            There is no such recording.
        """
        if isinstance(which, int):
            return self.recordings[which]
        for recording in self.recordings:
            if recording.name == which:
                return recording
        if which in self.failures:
            raise self.failures[which]
        names = ", ".join(self.names[:_SHOWN_RECORDINGS])
        raise KeyError(f"there is no recording {which!r}; there are {names}")

    def decide(self, **settings: Any) -> Self:
        """Return the results by other settings; nothing is scored again.

        Parameters
        ----------
        **settings
            Those that turn scores into events: ``threshold``, ``target_class``, ``median_windows``,
            ``min_duration_seconds``, ``min_gap_seconds``; and ``full_scale_db``.

        Raises
        ------
        InvalidSettings
            A setting is unknown or out of range, or it changes scores.
        """
        wanted = Settings.load({**self.settings.to_dict(), **settings}, environment={})
        wanted = Decision.of(self.settings).complete(wanted)  # of thresholds by class, those not named are as before
        for name in settings:
            if name not in self.settings.decision():
                raise InvalidSettings(f"{name} does not decide events; call detect again with it")
        return replace(self, settings=wanted, recordings=tuple(each.decide(wanted) for each in self.recordings))

    def to_dataframe(self) -> DataFrame:
        """Return the events as a data frame of pandas, with the columns of ``combined.events.csv``.

        ``results.scores.to_dataframe()`` is the table of scores.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        return events_frame(self.events, {recording.name: recording.model.reference for recording in self.recordings})

    def effort(self, *, time_zone: str | None = None) -> DataFrame:
        """Return for how long was listened, and the events per hour, as a data frame of pandas.

        The columns are those of ``effort.csv`` (docs/results.md). Rows by hour, day, hour of the day and recording have
        ``hour``, ``day``, ``hour_of_day`` and ``recording`` in the column ``by``.

        Parameters
        ----------
        time_zone : str, optional
            Whose hours and days are counted; by default that of the settings ``local_time_zone`` or ``time_zone``, or
            UTC.

        Raises
        ------
        ImportError
            pandas is not installed.
        InvalidSettings
            There is no such time zone.

        Examples
        --------
        >>> import anemonefish as af
        >>> scene = af.simulate("reef_20240301T053000Z.wav", seconds=6, seed=6)
        >>> effort = af.detect("reef_20240301T053000Z.wav", processes=1).effort(time_zone="+10:00")
        >>> effort.query("by == 'hour'")[["date", "hour", "recorded_hours"]].values.tolist()
        [['2024-03-01', 15, 0.001667]]
        >>> int(effort.query("by == 'hour'")["events"].sum()) > 0
        True
        """
        return effort_frame(self.measure_effort(time_zone))

    def measure_effort(self, time_zone: str | None = None) -> Effort:
        """Return the effort that :meth:`effort` makes a table of."""
        measured = Effort.in_zone_of(self.settings) if time_zone is None else Effort(time_zone)
        analysed = {each.name: each for each in self.recordings}
        for planned in self.planned:
            recording = analysed.get(planned.name)
            if recording is None:
                measured.add(planned, ())
            else:
                measured.add(recording.planned, ((event.start_sample, event.calls) for event in recording.events))
        return measured

    def plot(self) -> Picture:
        """Draw the scores and events of the only recording; of several, their :meth:`plot_effort`.

        Raises
        ------
        InvalidRequest
            matplotlib is not installed, or there is no recording.
        """
        if not self.recordings:
            raise InvalidRequest("there is no recording to draw")
        if len(self.recordings) == 1:
            return self.recordings[0].plot()
        return self.plot_effort()

    def plot_effort(self, *, time_zone: str | None = None) -> Picture:
        """Draw events per hour of effort: by day, by day and hour, and by hour of the day with an interval of 90 %.

        Time without effort is hatched.

        Parameters
        ----------
        time_zone : str, optional
            As in :meth:`effort`.

        Raises
        ------
        InvalidRequest
            matplotlib is not installed.
        """
        return Picture(draw_effort(self.measure_effort(time_zone)))

    def save(
        self,
        folder: str | os.PathLike[str],
        formats: str | Iterable[str] | None = None,
        *,
        clips: bool = False,
        pictures: bool = False,
        padding_seconds: float = 1.0,
        most_clips: int = MOST_CLIPS,
    ) -> Path:
        """Write the files that ``anemonefish detect`` writes, in the place of those of an earlier run.

        Parameters
        ----------
        folder : path
        formats : str or iterable of str, optional
            Formats by name (docs/results.md); those of the settings unless given.
        clips, pictures : bool
            Cut each event out as FLAC, draw timelines, activity and each clip, below ``review``.
        padding_seconds : float
            Sound before and after an event in its clip.
        most_clips : int
            The events with the highest mean scores are cut.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InvalidSettings
            There is no such format.
        StorageError
            Another run writes to the folder, or a file of yours would be overwritten.
        """
        given = (formats,) if isinstance(formats, str) else formats
        changes = {} if given is None else {"formats": list(given)}
        settings = Settings.load({**self.settings.to_dict(), **changes}, environment={})

        def decide() -> Iterator[RecordingResult]:
            for recording in self.recordings:
                yield recording.source.result(recording.settings)

        review = partial(
            _review,
            self.recordings,
            clips=clips,
            pictures=pictures,
            padding_seconds=padding_seconds,
            most_clips=most_clips,
        )
        save_results(
            self.planned,
            decide,
            settings,
            Path(folder),
            review if clips or pictures else None,
            model_card=self.model_card,
        )
        return Path(folder)

    def _lines(self) -> list[str]:
        """Return the recordings, a line each, those that failed with their reasons, and the line of the card."""
        lines = [
            f"{each.name}: {each.duration:.1f} s, {events_with_calls(each.events)}"
            + (f", {count_of(len(each.notes), 'note')}" if each.notes else "")
            for each in self.recordings[:_SHOWN_RECORDINGS]
        ]
        if len(self.recordings) > _SHOWN_RECORDINGS:
            lines.append(f"... and {len(self.recordings) - _SHOWN_RECORDINGS} more recordings")
        failures = list(self.failures.items())
        lines += [f"{name} failed: {type(error).__name__}: {error}" for name, error in failures[:_SHOWN_RECORDINGS]]
        if len(failures) > _SHOWN_RECORDINGS:
            lines.append(f"... and {len(failures) - _SHOWN_RECORDINGS} more failures")
        return [*lines, self.model_card]

    def _title(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return (
            f"Detections: {count_of(len(self), 'recording')}{failed}, {events_with_calls(self.events)} of "
            f"{decided_words(self.settings, self.model)}"
        )

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {line}" for line in self._lines())])

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<p>{escape(self._title())}</p><ul>{lines}</ul>{html_table(EVENT_HEADINGS, event_rows(self.events))}"


def _review(
    recordings: Sequence[RecordingDetections],
    results: Iterable[RecordingResult],
    folder: Path,
    **options: Any,
) -> None:
    if recordings:
        review_results(results, recordings[0].source.store, folder, **options)
