"""Prices of AWS in us-east-1, and the price of a job by its items."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = [
    "MONTHLY_USD_PER_GIGABYTE",
    "PRICES",
    "USD_PER_GB_SECOND",
    "USD_PER_GET",
    "USD_PER_INVOCATION",
    "USD_PER_PUT",
    "USD_PER_TRANSITION",
    "Price",
    "Storage",
]

PRICES = "us-east-1 list prices of 2026, free tier not counted"

USD_PER_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
USD_PER_INVOCATION = 0.20 / 1e6
USD_PER_TRANSITION = 0.025 / 1e3
"""AWS Lambda and Step Functions (Standard)."""

USD_PER_PUT = 0.005 / 1e3
USD_PER_GET = 0.0004 / 1e3
MONTHLY_USD_PER_GIGABYTE = 0.023
"""Amazon S3 Standard; a LIST costs as much as a PUT, and a HEAD as much as a GET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of a job by its items, in USD.

    Attributes
    ----------
    plan_usd, score_usd, report_usd, aggregate_usd : float
        The functions, each at its own memory.
    requests_usd : float
        Requests to S3.
    transitions_usd : float
        Transitions of Step Functions.
    """

    plan_usd: float
    score_usd: float
    report_usd: float = 0.0  # plans of older versions count it in aggregate_usd
    aggregate_usd: float
    requests_usd: float
    transitions_usd: float

    @property
    def total(self) -> float:
        """The price of the whole job."""
        return float(sum(asdict(self).values()))

    def rounded(self) -> Price:
        """Return the price in whole millionths of a USD."""
        return Price(**{name: round(usd, 6) for name, usd in asdict(self).items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a job leaves in S3: its results and its parts.

    Attributes
    ----------
    bytes : int
    usd_per_month : float
        Price in S3 Standard; it is not part of the price of the job.
    """

    bytes: int
    usd_per_month: float
