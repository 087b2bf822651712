"""The files of a job lie below its prefix."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemonefish import errors
from anemonefish.jobs.job import Job
from anemonefish.stores.folder import LocalStore


@pytest.mark.parametrize(
    ("tenant", "job"), [("", "j"), ("a/b", "j"), ("lab", ".."), (None, "j"), ("lab", 3), ("lab", "x" * 65)]
)
def test_job_stays_below_the_prefix_of_its_tenant(tmp_path: Path, tenant: object, job: object) -> None:
    with pytest.raises(errors.InvalidRequest, match="cannot name a tenant or job"):
        Job.of_tenant(LocalStore(tmp_path), tenant, job)
