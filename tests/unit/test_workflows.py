"""The workflows of .github: pinned actions, least permissions, and commands that run on any machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".github" / "workflows"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*"))}
WORKFLOWS: dict[str, dict[str, Any]] = {name: yaml.load(text, yaml.BaseLoader) for name, text in TEXTS.items()}
JOBS = {f"{name}: {job}": body for name, document in WORKFLOWS.items() for job, body in document["jobs"].items()}

PINNED = re.compile(r"uses: (?P<action>[\w-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40})  # v\d+\.\d+\.\d+")
LOCAL = re.compile(r"uses: \./\.github/workflows/\w+\.yml")
EXTRA_PERMISSIONS = {
    "deploy.yml: staging": {"id-token"},
    "deploy.yml: production": {"id-token"},
    "release.yml: build": {"id-token", "attestations"},
    "release.yml: publish": {"contents"},
    "release.yml: pages": {"id-token", "pages"},
}
"""What a job may write; every other job reads the repository and nothing else."""

LONGEST_MINUTES = 90


def _steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(job.get("steps", []))


def _commands() -> Iterator[tuple[str, str, dict[str, str]]]:
    for name, job in JOBS.items():
        for step in _steps(job):
            if "run" in step:
                yield name, step["run"], step.get("env", {})


def test_workflows_are_all_read() -> None:
    assert set(WORKFLOWS) == {"ci.yml", "deploy.yml", "release.yml"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_commit_with_its_version(name: str) -> None:
    lines = [line.strip().removeprefix("- ") for line in TEXTS[name].splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line) and not LOCAL.fullmatch(line)] == []


def test_an_action_has_one_pin_in_all_workflows() -> None:
    pins: dict[str, set[str]] = {}
    for text in TEXTS.values():
        for found in PINNED.finditer(text):
            pins.setdefault(found["action"], set()).add(found[0])
    assert {action: lines for action, lines in pins.items() if len(lines) > 1} == {}


@pytest.mark.parametrize("job", [name for name, job in JOBS.items() if "uses" not in job])
def test_every_job_has_a_time_limit(job: str) -> None:
    assert 0 < int(JOBS[job]["timeout-minutes"]) <= LONGEST_MINUTES


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_the_repository(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_write_only_what_is_listed(job: str) -> None:
    permissions = JOBS[job].get("permissions", {})
    assert permissions != "write-all"
    written = {name for name, access in permissions.items() if access == "write"}
    assert written == EXTRA_PERMISSIONS.get(job, set())


def test_every_command_is_one_make_target_that_exists() -> None:
    commands = list(_commands())
    assert len(commands) > 10
    for job, command, environment in commands:
        words = re.fullmatch(r"make (?P<target>[\w-]+)( [A-Z]+=[\w.-]+)*", command.strip())
        assert words, (job, command)
        variables = [f"{name}=x" for name in environment]
        done = subprocess.run(
            ["make", "--dry-run", *command.split()[1:], *variables],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "No rule to make target" not in done.stderr, (job, done.stderr)


def test_commands_contain_no_expression() -> None:
    """An expression in a command is replaced before the shell reads it; a branch's name could be a command."""
    assert [command for _, command, _ in _commands() if "${{" in command] == []


def test_no_workflow_runs_strangers_code_with_the_repositorys_permissions() -> None:
    triggers = {name: set(document["on"]) for name, document in WORKFLOWS.items()}
    assert triggers["ci.yml"] == {"push", "pull_request", "workflow_call"}
    assert not any(found & {"pull_request_target", "workflow_run", "issue_comment"} for found in triggers.values())


def test_no_checkout_leaves_credentials_behind() -> None:
    checkouts = [
        step for job in JOBS.values() for step in _steps(job) if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_no_stored_secret_is_used() -> None:
    assert not any("secrets." in text for text in TEXTS.values())


def test_superseded_runs_of_ci_are_cancelled_and_deployments_are_not() -> None:
    assert WORKFLOWS["ci.yml"]["concurrency"]["cancel-in-progress"] == "true"
    assert "github.ref" in WORKFLOWS["ci.yml"]["concurrency"]["group"]
    for name in ("deploy.yml", "release.yml"):
        assert WORKFLOWS[name]["concurrency"]["cancel-in-progress"] == "false"


def test_ci_runs_every_python_on_both_processors() -> None:
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    matrix = jobs["unit"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert {row["processor"]: row["runner"] for row in matrix["include"]} == {
        "x86-64": "ubuntu-24.04",
        "arm64": "ubuntu-24.04-arm",
    }
    commands = {step["run"] for job in jobs.values() for step in _steps(job) if "run" in step}
    assert {"make lint", "make unit", "make workflow", "make test-container", "make docs"} <= commands


def test_main_and_tags_are_tested_before_anything_is_built() -> None:
    for name in ("deploy.yml", "release.yml"):
        jobs = WORKFLOWS[name]["jobs"]
        assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
        assert jobs["build"]["needs"] == "ci"


def test_production_gets_the_package_of_staging_after_staging_was_checked() -> None:
    jobs = WORKFLOWS["deploy.yml"]["jobs"]
    assert (jobs["staging"]["environment"], jobs["production"]["environment"]) == ("staging", "production")
    assert (jobs["staging"]["needs"], jobs["production"]["needs"]) == ("build", "staging")
    commands = {
        stage: [(step["run"], step["env"]["STAGE"]) for step in _steps(jobs[stage]) if "run" in step]
        for stage in ("staging", "production")
    }
    assert commands == {
        "staging": [("make deploy-package", "staging"), ("make smoke-stage", "staging")],
        "production": [("make deploy-package", "prod"), ("make smoke-stage", "prod")],
    }
    assert _downloads(jobs["staging"]) == _downloads(jobs["production"]) != []
    for stage in ("staging", "production"):  # the digest of an image, from the stage's environment
        (deploy,) = [step for step in _steps(jobs[stage]) if step.get("run") == "make deploy-package"]
        assert deploy["env"]["ENGINE_IMAGE"] == "${{ vars.ENGINE_IMAGE }}"


def _downloads(job: dict[str, Any]) -> list[dict[str, str]]:
    return [step["with"] for step in _steps(job) if step.get("uses", "").startswith("actions/download-artifact@")]


def test_caches_are_keyed_by_files_that_exist() -> None:
    for job in JOBS.values():
        for step in _steps(job):
            for pattern in step.get("with", {}).get("cache-dependency-path", "").split():
                assert list(REPOSITORY.glob(pattern)), pattern


def test_dependabot_watches_every_folder_with_pins() -> None:
    document = yaml.safe_load((REPOSITORY / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    watched: dict[str, set[Path]] = {}
    for update in document["updates"]:
        patterns = update.get("directories") or [update["directory"]]
        watched.setdefault(update["package-ecosystem"], set()).update(
            folder for pattern in patterns for folder in _folders(pattern.strip("/"))
        )
    tracked = subprocess.run(
        ["git", "ls-files", "*.txt", "*package-lock.json"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not in a git checkout")
    files = [REPOSITORY / name for name in tracked]
    pins = {
        path.parent for path in files if path.suffix == ".txt" and re.search(r"^[\w.\[\],-]+==", path.read_text(), re.M)
    }
    assert pins <= watched["pip"]
    assert {path.parent for path in files if path.name == "package-lock.json"} <= watched["npm"]
    assert REPOSITORY in watched["github-actions"]


def _folders(pattern: str) -> list[Path]:
    return list(REPOSITORY.glob(pattern)) if pattern else [REPOSITORY]
