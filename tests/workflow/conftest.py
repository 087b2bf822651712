"""The local AWS: started once, with the real template and the models that ship."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / ".build"
sys.path.insert(0, str(REPOSITORY))  # localstack is a folder of the repository, not an installed package

from localstack import Execution, LocalAws, Stack  # noqa: E402
from localstack.demo import analyse, fetch, upload_models  # noqa: E402


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws.start(BUILD, REPOSITORY / ".venv-ministack" / "bin" / "python") as running:
        yield running


@pytest.fixture(scope="session")
def s3(aws: LocalAws) -> Any:
    return aws.client("s3")


@pytest.fixture(scope="session")
def stack(aws: LocalAws, s3: Any) -> Stack:
    """The stack as it is deployed."""
    deployed = aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers")
    upload_models(s3, deployed, REPOSITORY / "models")
    return deployed


@pytest.fixture(scope="session")
def trouble_stack(aws: LocalAws, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The same stack with a score function that gets into trouble on demand (tests/workflow/trouble.py)."""
    folder = tmp_path_factory.mktemp("trouble")
    shutil.copy(REPOSITORY / "template.yaml", folder)
    for name in ("functions", "statemachine"):
        shutil.copytree(REPOSITORY / name, folder / name)
    (folder / "functions/score/app.py").rename(folder / "functions/score/real_app.py")
    shutil.copy(REPOSITORY / "tests/workflow/trouble.py", folder / "functions/score/app.py")
    deployed = aws.deploy(folder / "template.yaml", BUILD / "layers", name="trouble")
    upload_models(s3, deployed, REPOSITORY / "models")
    return deployed


RunJob = Callable[..., tuple[Execution, dict[str, bytes]]]


@pytest.fixture
def run_job(s3: Any, tmp_path: Path, request: pytest.FixtureRequest) -> RunJob:
    """Return a function that runs an execution on recordings and fetches what it wrote."""

    def run(stack: Stack, *recordings: Path, **more: Any) -> tuple[Execution, dict[str, bytes]]:
        run.count += 1
        job = f"{abs(hash(request.node.nodeid))}-{run.count}"
        execution = analyse(s3, stack, job, list(recordings), **more)
        folder = tmp_path / f"fetched-{run.count}"
        files = fetch(s3, stack, f"jobs/local/{job}", folder)
        return execution, {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}

    run.count = 0
    return run
