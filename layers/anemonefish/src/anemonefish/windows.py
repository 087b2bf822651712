"""The window grid: which samples belong to which window, in integers.

Window *i* of a grid is the half-open sample interval ``[i * hop, i * hop + window)``. A window that would end after the
recording does not exist, so a recording shorter than one window has none. A range is a half-open interval of window
indices. Only :func:`samples_from_seconds` knows seconds; everything else is integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["WindowGrid", "WindowRange", "samples_from_seconds"]


def samples_from_seconds(seconds: float, sample_rate: int) -> int:
    """Turn a duration into samples as the training code does: ``int(seconds * sample_rate)``.

    Parameters
    ----------
    seconds : float
        Duration in seconds.
    sample_rate : int
        Samples per second.

    Returns
    -------
    int
        The duration in samples, cut towards zero.
    """
    return int(seconds * sample_rate)


@dataclass(frozen=True, slots=True)
class WindowRange:
    """A half-open interval ``[start, stop)`` of window indices."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"a range must satisfy 0 <= start <= stop, not [{self.start}, {self.stop})")

    def __len__(self) -> int:
        return self.stop - self.start

    def blocks(self, size: int) -> Iterator[WindowRange]:
        """Yield consecutive sub-ranges of at most ``size`` windows."""
        for start in range(self.start, self.stop, size):
            yield WindowRange(start, min(start + size, self.stop))


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Where the windows of one recording lie.

    Parameters
    ----------
    n_samples : int
        Length of the (mono, possibly resampled) recording in samples.
    window, hop : int
        Length of a window and distance between the starts of two, in samples; both at least 1.
    """

    n_samples: int
    window: int
    hop: int

    def __post_init__(self) -> None:
        if self.n_samples < 0 or self.window < 1 or self.hop < 1:
            raise ValueError(
                f"a grid needs n_samples >= 0, window >= 1 and hop >= 1, "
                f"not {self.n_samples}, {self.window}, {self.hop}"
            )

    @property
    def n_windows(self) -> int:
        """Number of windows that lie wholly inside the recording."""
        if self.n_samples < self.window:
            return 0
        return (self.n_samples - self.window) // self.hop + 1

    def samples_of(self, windows: WindowRange) -> tuple[int, int]:
        """Return the half-open sample interval that the windows of a non-empty range cover together."""
        return windows.start * self.hop, (windows.stop - 1) * self.hop + self.window

    def split(self, most: int) -> Iterator[WindowRange]:
        """Cut the grid into the fewest ranges of at most ``most`` windows; all but the last have the same length."""
        count = -(-self.n_windows // most)
        return WindowRange(0, self.n_windows).blocks(-(-self.n_windows // count) if count else 1)
