"""Strata of a review: units are grouped by score, some of each group are drawn, and a person judges them."""

from __future__ import annotations

from dataclasses import dataclass

from anemonefish.errors import InvalidRequest

__all__ = ["Stratum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """The units of one stratum, and what was counted in those that were judged.

    Attributes
    ----------
    name : str
    size : int
        Units of the stratum, judged or not.
    counts : tuple of int
        Calls in each judged unit; 0 for a unit without. Where calls were not counted, 1 stands for at least one.
    left_out : int
        Drawn units without a usable verdict (unsure). They are taken to be like the judged ones of the stratum.
    """

    name: str
    size: int
    counts: tuple[int, ...]
    left_out: int = 0

    def __post_init__(self) -> None:
        if len(self.counts) + self.left_out > self.size:
            raise InvalidRequest(
                f"stratum {self.name}: {len(self.counts) + self.left_out} units were judged, but it has {self.size}"
            )
        if min(self.counts, default=0) < 0:
            raise InvalidRequest(f"stratum {self.name}: a unit cannot hold fewer than 0 calls")

    @property
    def judged(self) -> int:
        """Units with a usable verdict."""
        return len(self.counts)

    @property
    def weight(self) -> float:
        """Units that each judged one stands for."""
        return self.size / self.judged

    @property
    def mean(self) -> float:
        """Mean calls of a judged unit."""
        return sum(self.counts) / self.judged
