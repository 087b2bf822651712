"""The quote of a job: how large it is, how long it is expected to take, and what it is expected to cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from anemonefish.jobs.costs import Assumptions
from anemonefish.jobs.prices import Price, Storage

__all__ = ["LongestFunction", "Quote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestFunction:
    """The function of a job that is expected to run longest.

    Attributes
    ----------
    function : {"plan", "score", "report", "aggregate"}
    seconds : float
    """

    function: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The expected duration and price of a job.

    Attributes
    ----------
    recordings, ranges, windows : int
        Their numbers.
    audio_seconds : float
        Total length of the recordings.
    expected_seconds : float
        Wall time of the job.
    expected_usd : float
        Price in an AWS account, free tier and storage not counted.
    assumptions : Assumptions or None
        The figures that duration and price are calculated from. This and all below are None in plans of older versions.
    workers, report_workers : int or None
        Calls of the function that scores, and of the one that reports.
    longest_function : LongestFunction or None
    price : Price or None
        ``expected_usd`` by its items.
    storage : Storage or None
        What the job leaves in S3.
    """

    recordings: int
    ranges: int
    windows: int
    audio_seconds: float
    expected_seconds: float
    expected_usd: float
    assumptions: Assumptions | None = None
    workers: int | None = None
    report_workers: int | None = None
    longest_function: LongestFunction | None = None
    price: Price | None = None
    storage: Storage | None = None

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read the quote of ``plan.json``."""
        kinds = {"assumptions": Assumptions, "longest_function": LongestFunction, "price": Price, "storage": Storage}
        parts = {name: kind(**document[name]) for name, kind in kinds.items() if document.get(name) is not None}
        return cls(**{**document, **parts})
