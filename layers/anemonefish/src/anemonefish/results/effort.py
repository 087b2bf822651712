"""Effort: for how long a job listened, by hour, day, hour of the day and recording, and the events of each.

A rate is only as good as its denominator. Here it is the sound that the model heard: samples that lie in a scored
window, could be decoded, and do not hold one constant value. An hour without effort has no rate, and an hour with
effort and without events has the rate 0.

Recordings of several hydrophones may overlap. Their hours are then added, and ``covered`` says how much time of the
clock they are together. Recordings in several folders are also counted by folder. All times are exact fractions of a
second, so sums do not depend on the order of the recordings.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from anemonefish.jobs.plan import PlannedRecording
from anemonefish.notes import MISSING
from anemonefish.results.effort_by_time import EffortByTime, Interval
from anemonefish.results.effort_sums import Rate, Sums, measured, rate_of
from anemonefish.results.recording_effort import DOUBTFUL, UNSET_CLOCK, RecordingEffort
from anemonefish.sample_times import MICROSECONDS, microseconds_of
from anemonefish.settings import Settings
from anemonefish.start_time.clock_hours import ClockHour, HourClock
from anemonefish.start_time.time_zones import parse_time_zone

__all__ = ["By", "Effort", "EffortRow"]

By = Literal["all", "hour_of_day", "day", "hour", "recording"]

_NOTED = DOUBTFUL | MISSING | {"silence", "time-gap", "no-samples", "shorter-than-window", UNSET_CLOCK}
"""Codes of notes that say why effort is missing or doubtful."""

_NO_START = "no start time"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortRow:
    """The effort of one recording, hour, day or hour of the day, or of all.

    Attributes
    ----------
    by : str
    folder : str or None
        The folder of the recordings; None for all of them.
    recording : str
        Empty for a row over time.
    date : date or None
    hour : int or None
        Of the clock.
    span : (Fraction, Fraction) or None
        Microseconds since 1970 in UTC; None where times are not known, and for an hour of the day.
    sums : Sums
    length_known : bool
        Whether a recording could be opened; without that, its hours are not known.
    rate : Rate or None
        None without effort.
    gap : Fraction or None
        Seconds without a recording: in this part of the deployment, or before this recording. None where times are not
        known, and before the first recording.
    notes : str
        Why something was not analysed, or is doubtful.
    """

    by: By
    folder: str | None
    recording: str = ""
    date: date | None = None
    hour: int | None = None
    span: Interval | None = None
    sums: Sums
    length_known: bool = True
    rate: Rate | None
    gap: Fraction | None = None
    notes: str = ""


@dataclass(frozen=True, slots=True)
class _Recording:
    """What is kept of a recording; its length is not known where it could not be opened."""

    name: str
    folder: str
    sums: Sums | None
    sounding: tuple[Interval, ...]
    notes: str
    reasons: tuple[str, ...]

    @property
    def counted(self) -> Sums:
        """Its sums; without hours where its length is not known."""
        return self.sums or Sums(recordings=1, failed_recordings=1)


class Effort:
    """The effort of a job, to which recordings are added one by one.

    Parameters
    ----------
    zone_name : str
        The time zone of hours and days, as in the setting ``time_zone``.
    """

    def __init__(self, zone_name: str = "UTC") -> None:
        # An offset without UTC would be a formula in a spreadsheet.
        self.zone_name = zone_name if zone_name[:1].isalpha() else f"UTC{zone_name}"
        self._clock = HourClock(parse_time_zone(zone_name))
        self._recordings: list[_Recording] = []
        self._hours: dict[str, dict[ClockHour, Sums]] = defaultdict(dict)

    @classmethod
    def in_zone_of(cls, settings: Settings) -> Effort:
        """Return an effort without recordings, in the time zone of some settings; in UTC where they have none."""
        return cls(settings.local_time_zone or settings.time_zone or "UTC")

    def add(self, recording: PlannedRecording, events: Iterable[tuple[int, int | None]]) -> None:
        """Add a recording of a finished job.

        Parameters
        ----------
        recording : PlannedRecording
            With its failure or its notes.
        events : iterable of (int, int or None)
            Where its events begin, in samples of the analysis, and how many calls lie in each.
        """
        effort, counts = RecordingEffort.of(recording), [(start, _count(calls)) for start, calls in events]
        folder = recording.name.rpartition("/")[0]
        sums: Sums | None = None
        sounding: tuple[Interval, ...] = ()
        if effort is not None:
            sums = measured(effort, 0, effort.stop)
            sums.add(Sums(recordings=1, failed_recordings=int(effort.failed)))
            for _, count in counts:
                sums.add(count)
            if effort.begins is not None:
                self._add_hours(folder, effort, effort.begins)
                for start, count in counts:
                    moment = effort.begins + microseconds_of(start, effort.analysis_rate)
                    self._at(folder, moment).add(count)
                sounding = effort.sounding()
        reasons = _reasons(recording)
        failure = recording.failure
        notes = "; ".join(reasons) if failure is None else f"{failure.error}: {failure.message}"
        self._recordings.append(_Recording(recording.name, folder, sums, sounding, notes, reasons))

    def _add_hours(self, folder: str, effort: RecordingEffort, begins: int) -> None:
        """Divide a recording at the full hours: a sample belongs to the hour in which it is taken."""
        first = self._at(folder, begins)
        first.add(Sums(recordings=1, failed_recordings=int(effort.failed)))
        start = 0
        for hour in self._clock.hours(begins, int(effort.time_of(effort.stop)) + 1):
            stop = min(effort.stop, effort.sample_at(hour.ends))
            if stop > start:
                self._at(folder, hour.begins).add(measured(effort, start, stop))
            start = stop

    def _at(self, folder: str, moment: int) -> Sums:
        return self._hours[folder].setdefault(self._clock.hour_of(moment), Sums())

    def rows(self) -> Iterator[EffortRow]:
        """Yield the rows over time, those of each folder if there are several, and a row for each recording."""
        folders = sorted({each.folder for each in self._recordings})
        for folder in (None, *(folders if len(folders) > 1 else ())):
            yield from self._rows_over_time(folder)
        yield from self._rows_of_recordings()

    def overlap(self) -> Fraction:
        """Return the seconds of recordings that begin before the ones before them end: of several hydrophones."""
        time = self.by_time()
        recorded = sum((sums.recorded for sums in time.hours.values()), Fraction(0))
        return max(Fraction(0), recorded - time.covered)

    def by_time(self, folder: str | None = None) -> EffortByTime:
        """Return hours and days of one folder, or of all recordings."""
        hours: dict[ClockHour, Sums] = {}
        for name, of_folder in self._hours.items():
            for hour, sums in of_folder.items():
                if folder in {None, name}:
                    hours.setdefault(hour, Sums()).add(sums)
        return EffortByTime(self._clock, hours, (span for each in self._of(folder) for span in each.sounding))

    def _of(self, folder: str | None) -> list[_Recording]:
        return [each for each in self._recordings if folder in {None, each.folder}]

    def _rows_over_time(self, folder: str | None) -> Iterator[EffortRow]:
        recordings, time = self._of(folder), self.by_time(folder)
        total = Sums()
        for each in recordings:
            total.add(each.counted)
        total.covered, total.deployment = time.covered, time.deployment_seconds
        units = [("recordings", [each.counted for each in recordings])]
        if all(each.sounding or not each.counted.analysed for each in recordings):  # days hold all of the effort
            units = [("days", list(time.days.values())), ("hours", list(time.hours.values())), *units]
        yield _over_time("all", folder, total, rate_of(total, units), span=time.deployment, notes=_counts(recordings))
        if not time.hours:
            return
        for number, sums in enumerate(time.hours_of_day):
            rate = rate_of(sums, [("days", time.days_of(number))])
            yield _over_time("hour_of_day", folder, sums, rate, hour=number)
        for day, sums in time.days.items():
            rate, (begin, end) = rate_of(sums, [("hours", time.hours_of(day))]), self._clock.day_of(day)
            yield _over_time("day", folder, sums, rate, date=day, span=(Fraction(begin), Fraction(end)))
        for hour, sums in time.hours.items():
            span = Fraction(hour.begins), Fraction(hour.ends)
            yield _over_time("hour", folder, sums, rate_of(sums), date=hour.date, hour=hour.hour, span=span)

    def _rows_of_recordings(self) -> Iterator[EffortRow]:
        gaps = self._gaps()
        for number, each in enumerate(self._recordings):
            yield EffortRow(
                by="recording",
                folder=each.folder,
                recording=each.name,
                span=(each.sounding[0][0], each.sounding[-1][1]) if each.sounding else None,
                sums=each.counted,
                length_known=each.sums is not None,
                rate=rate_of(each.counted),
                gap=gaps.get(number),
                notes=each.notes,
            )

    def _gaps(self) -> dict[int, Fraction]:
        """Return the seconds without a recording of the same folder before each, by its number."""
        ends: dict[str, Fraction] = {}
        gaps = {}
        dated = [(each.sounding[0][0], number) for number, each in enumerate(self._recordings) if each.sounding]
        for begins, number in sorted(dated):
            each = self._recordings[number]
            last = ends.get(each.folder)
            if last is not None:
                gaps[number] = max(Fraction(0), begins - last) / MICROSECONDS
            ends[each.folder] = max(each.sounding[-1][1], last or Fraction(0))
        return gaps


def _over_time(
    by: By,
    folder: str | None,
    sums: Sums,
    rate: Rate | None,
    *,
    date: date | None = None,
    hour: int | None = None,
    span: Interval | None = None,
    notes: str = "",
) -> EffortRow:
    gap = None if by == "all" and span is None else sums.deployment - sums.covered
    return EffortRow(by=by, folder=folder, date=date, hour=hour, span=span, sums=sums, rate=rate, gap=gap, notes=notes)


def _count(calls: int | None) -> Sums:
    """Return one event with its calls."""
    return Sums(events=1, calls=calls or 0, uncounted_events=int(calls is None))


def _reasons(recording: PlannedRecording) -> tuple[str, ...]:
    """Return why effort is missing or doubtful, as codes."""
    failed = () if recording.failure is None else (recording.failure.error,)
    dated = recording.begins is not None and recording.begins.utc is not None
    noted = dict.fromkeys(note.code for note in recording.notes if note.code in _NOTED)
    return (*failed, *noted, *(() if dated or failed else (_NO_START,)))


def _counts(recordings: Iterable[_Recording]) -> str:
    """Return how many recordings have each reason."""
    counts = Counter(reason for each in recordings for reason in each.reasons)
    return "; ".join(f"{reason}: {count}" for reason, count in sorted(counts.items()))
