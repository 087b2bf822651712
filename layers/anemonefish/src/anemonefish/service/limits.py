"""What one tenant may spend: USD per job, jobs at once, bytes stored.

Reads the limits of a deployed stack and checks a quote against the largest cost of one job. Running jobs are counted by
:mod:`.service.job_slots`, stored bytes by :mod:`.service.uploads`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from anemonefish.errors import InvalidRequest, JobTooExpensive, short_repr
from anemonefish.jobs.quote import Quote

__all__ = ["Limits"]

_GIGABYTE = 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """What one tenant may spend; None is no limit.

    Attributes
    ----------
    job_usd : float or None
        Largest expected cost of one job in USD.
    jobs : int or None
        Largest number of executions that have not ended.
    stored_bytes : int or None
        Largest sum of bytes of all announced and stored uploads.
    workers : int or None
        Workers of one job that run at the same time.
    all_workers : int or None
        Workers of all jobs of all tenants that run at the same time.
    """

    job_usd: float | None = None
    jobs: int | None = None
    stored_bytes: int | None = None
    workers: int | None = None
    all_workers: int | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the limits from environment variables; one that is absent or empty means no limit."""
        usd, jobs, gigabytes, workers, all_workers = (
            environment.get(name) or None
            for name in (
                "ANEMONEFISH_MAX_JOB_USD",
                "ANEMONEFISH_MAX_JOBS",
                "ANEMONEFISH_MAX_STORED_GB",
                "ANEMONEFISH_MAX_CONCURRENCY",
                "ANEMONEFISH_MAX_WORKERS",
            )
        )
        counts = [int(count) for count in (workers, all_workers) if count is not None]
        return cls(
            None if usd is None else float(usd),
            None if jobs is None else int(jobs),
            None if gigabytes is None else int(float(gigabytes) * _GIGABYTE),
            min(counts) if counts else None,
            None if all_workers is None else int(all_workers),
        )

    def workers_of_job(self, wanted: int, given: object = None) -> int:
        """Return the workers that a job may run at the same time.

        Parameters
        ----------
        wanted : int
            The setting ``max_concurrency`` of the job.
        given : object
            What the queue of jobs gave it, from the execution's input. A job that was started without the API has none.

        Raises
        ------
        InvalidRequest
            ``given`` is not a whole number from 1.
        """
        if given is not None and (type(given) is not int or given < 1):
            raise InvalidRequest(f"workers must be a whole number from 1, not {short_repr(given)}")
        return min(count for count in (wanted, self.workers, given) if isinstance(count, int))

    def check_quote(self, quote: Quote) -> None:
        """Raise :class:`JobTooExpensive` if the expected cost of a job is above the limit."""
        if self.job_usd is not None and quote.expected_usd > self.job_usd:
            raise JobTooExpensive(
                f"the job is expected to cost {quote.expected_usd:.2f} USD ({quote.recordings} recordings, "
                f"{quote.audio_seconds / 3600:.1f} hours, {quote.windows} windows), and one job may cost "
                f"{self.job_usd:.2f} USD here; start several smaller jobs, take a longer hop, or ask the operator "
                f"of this service to raise its parameter MaxJobUsd"
            )
