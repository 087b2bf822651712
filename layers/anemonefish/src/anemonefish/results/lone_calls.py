"""What the windows and the decision settings can find at all: how long a call without a neighbour must be.

A short call lies in few windows. A median filter drops a run of fewer windows than half its length, and the least
duration of an event drops short runs too. How long a lone call must be follows from that alone, for a network that
makes no mistake: one whose score is above the threshold exactly in the windows that contain half of the call, or 0.1 s
of it. That is the rule by which the reference model was trained; real networks find less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from anemonefish.models.bundle import ModelSpec
from anemonefish.models.decision import Decision
from anemonefish.settings import Settings

__all__ = ["LONGEST_PART", "LoneCalls", "lone_call_lines"]

LONGEST_PART = Fraction(1, 10)
"""A window with this many seconds of a call contains it, however long the call is (training/train.py)."""


@dataclass(frozen=True, slots=True)
class LoneCalls:
    """How long a lone call must be to become an event.

    Attributes
    ----------
    window, hop : Fraction
        In seconds.
    windows_needed : int
        Windows in a row that must be above the threshold.

    Examples
    --------
    The lab's settings lose lone calls of up to 0.2 s, find half of those of 0.3 s, and all from 0.4 s:

    >>> calls = LoneCalls.of(0.4, 0.2, Decision())
    >>> float(calls.never), float(calls.chance(0.3)), float(calls.always)
    (0.2, 0.5, 0.4)
    """

    window: Fraction
    hop: Fraction
    windows_needed: int

    @classmethod
    def of(cls, window_seconds: float, hop_seconds: float, decision: Decision) -> LoneCalls:
        """Return what these windows and settings can find.

        Parameters
        ----------
        window_seconds, hop_seconds : float
        decision : Decision
        """
        window, hop, shortest = (
            Fraction(str(value)) for value in (window_seconds, hop_seconds, decision.min_duration_seconds)
        )
        for_duration = 1 + max(0, ceil((shortest - window) / hop))
        return cls(window, hop, max(decision.median_windows // 2 + 1, for_duration))

    @property
    def never(self) -> Fraction:
        """Seconds up to which no lone call becomes an event; 0 if every length has a chance."""
        return self._length_for(self.windows_needed - 1, strictly=False)

    @property
    def always(self) -> Fraction:
        """Seconds from which every lone call becomes an event; 0 if every length does."""
        return self._length_for(self.windows_needed, strictly=True)

    def chance(self, seconds: float) -> Fraction:
        """Return the share of all positions between the windows at which a lone call of this length becomes an event.

        Parameters
        ----------
        seconds : float
        """
        length = Fraction(str(seconds))
        starts = self.window + length - 2 * min(length / 2, LONGEST_PART)  # windows that start in here contain it
        return min(Fraction(1), max(Fraction(0), starts / self.hop - (self.windows_needed - 1)))

    def _length_for(self, windows: int, *, strictly: bool) -> Fraction:
        """Return the length of a call that so many windows contain wherever it lies."""
        beyond = windows * self.hop - self.window
        return Fraction(0) if beyond < 0 or (strictly and beyond == 0) else beyond + 2 * LONGEST_PART


def lone_call_lines(spec: ModelSpec, settings: Settings) -> Iterator[str]:
    """Yield what the windows and settings cannot find, and a setting that can; nothing if every length is found.

    Parameters
    ----------
    spec : ModelSpec
    settings : Settings
        Values that are None are the model's.
    """
    profile, decision = spec.profile_for(settings), spec.decision.changed_by(settings)
    calls = LoneCalls.of(profile.window_seconds, profile.hop_seconds, decision)
    if not calls.always:
        return
    lost = f"lone calls of up to {_milliseconds(calls.never)} ms are lost, and " if calls.never else ""
    yield (
        f"window {profile.window_seconds:g} s, hop {profile.hop_seconds:g} s, median {decision.median_windows}: {lost}"
        f"some lone calls of up to {_milliseconds(calls.always)} ms are lost, also where the network recognises them "
        f"(docs/settings.md)"
    )
    for median in range(decision.median_windows - 2, 0, -2):
        shorter = replace(decision, median_windows=median)
        if not LoneCalls.of(profile.window_seconds, profile.hop_seconds, shorter).always:
            yield f"--set median_windows={median} loses none of these; it lets more false events through"
            return


def _milliseconds(seconds: Fraction) -> str:
    return f"{float(seconds * 1000):g}"
