"""docs/deploy.md and docs/network.md, read as a script: every command and its options exist, without an account."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from click.testing import CliRunner

from anemonefish.cli.main import main
from localstack.packaging import load_template

REPOSITORY = Path(__file__).parents[2]
PAGE = "\n".join((REPOSITORY / "docs" / name).read_text(encoding="utf-8") for name in ("deploy.md", "network.md"))
TEMPLATE = load_template(REPOSITORY / "template.yaml")
PROGRAMS = ("make", "sam", "aws", "anemonefish", "sha256sum", "gh", "openssl", "echo", "export")
GLOBAL_AWS_OPTIONS = {"--query", "--output", "--profile", "--region"}
DEPLOY_OPTIONS = {"--region", "--stack-name", "--template-file", "--capabilities", "--parameter-overrides"}
"""Options of ``aws cloudformation deploy``, which is a command of the AWS CLI and no operation of the service."""


def _blocks() -> Iterator[str]:
    """Yield the indented blocks of commands, with placeholders such as ``<ApiUrl>`` as plain words."""
    for block in re.findall(r"(?:^    .*\n(?:^\s*\n)?)+", PAGE, re.MULTILINE):
        text = "\n".join(line.removeprefix("    ") for line in block.splitlines())
        if re.match(rf"(?:[A-Z]+=\S*|{'|'.join(PROGRAMS)})\b", text):
            yield re.sub(r"<([\w ]+)>", lambda found: found[1].replace(" ", "-"), text)


SCRIPT = "\n".join(_blocks())


def _commands(program: str) -> list[list[str]]:
    """Return the words of every call of a program, also inside of ``$( )``."""
    joined = re.sub(r"'\{.*?\}'", "'{}'", SCRIPT, flags=re.DOTALL).replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        for call in re.findall(rf"(?:^|\$\(|`|&& |[A-Z]+=\S+ ){program} (.*)", line):
            words = shlex.split(
                re.sub(r"\)(?:\"?$|\s*#.*$)", "", call).replace("$(", "").replace("`", ""), comments=True
            )
            found.append(words)
    return found


def test_page_has_the_commands_that_are_checked() -> None:
    counts = {program: len(_commands(program)) for program in ("make", "sam", "aws", "anemonefish")}
    assert counts["make"] >= 4
    assert counts["aws"] >= 6
    assert counts["anemonefish"] >= 3
    assert counts["sam"] >= 1


def test_commands_are_a_valid_shell_script() -> None:
    done = subprocess.run(["bash", "-n"], input=SCRIPT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_variable_is_set_above_its_use() -> None:
    known: set[str] = set()
    for line in SCRIPT.splitlines():
        used = set(re.findall(r"\$(?:\{)?([A-Z_]+)", line))
        assert used <= known, line
        known |= set(re.findall(r"^(?:export )?([A-Z_]+)=", line))


@pytest.mark.parametrize("words", _commands("make"), ids=" ".join)
def test_make_target_exists(words: list[str]) -> None:
    done = subprocess.run(["make", "--dry-run", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "No rule to make target" not in done.stderr, done.stderr


@pytest.mark.parametrize("words", _commands("anemonefish"), ids=" ".join)
def test_command_of_the_package_takes_its_options(words: list[str]) -> None:
    command = list(takewhile(lambda word: re.fullmatch(r"[a-z]+", word), words))
    done = CliRunner().invoke(main, [*command, "--help"])
    assert done.exit_code == 0, done.output
    assert {word for word in words if word.startswith("-")} <= set(re.findall(r"--[\w-]+", done.output))


@pytest.mark.parametrize("words", _commands("aws"), ids=" ".join)
def test_aws_command_takes_its_options(words: list[str]) -> None:
    service, operation, *rest = words
    if (service, operation) == ("cloudformation", "deploy"):
        _check_deployment(rest)
        return
    model = botocore.session.get_session().get_service_model({"s3api": "s3"}.get(service, service))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations
    shape = model.operation_model(operations[operation]).input_shape
    members = {f"--{xform_name(name, '-')}": member for name, member in shape.members.items()}
    flags = {
        option
        for name, member in members.items()
        if member.type_name == "boolean"
        for option in (name, f"--no-{name[2:]}")
    }
    options = {word for word in rest if word.startswith("--")}
    assert options <= set(members) | flags | GLOBAL_AWS_OPTIONS
    required = {f"--{xform_name(name, '-')}" for name in shape.required_members}
    assert required <= options


def _check_deployment(words: list[str]) -> None:
    """Check a deployment of a template of account/: the file, its parameters, and the permission to make roles."""
    options = {word for word in words if word.startswith("--")}
    assert options <= DEPLOY_OPTIONS
    template = load_template(REPOSITORY / words[words.index("--template-file") + 1])
    given = {word.partition("=")[0] for word in words if re.match(r"[A-Z]\w*=", word)}
    assert given <= set(template.get("Parameters", ()))
    makes_roles = any(resource["Type"] == "AWS::IAM::Role" for resource in template["Resources"].values())
    assert ("CAPABILITY_IAM" in words) == makes_roles


def test_outputs_parameters_and_resources_of_the_page_are_in_the_template() -> None:
    placeholders = set(re.findall(r"<((?:[A-Z][a-z]+)+)>", PAGE))
    queried = set(re.findall(r"OutputKey=='(\w+)'", PAGE))
    assert placeholders | queried <= set(TEMPLATE["Outputs"])
    assert len(placeholders | queried) >= 4
    rows = {
        name
        for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }
    parameters = {name for name in rows if name in TEMPLATE["Parameters"]}
    assert {"MaxConcurrency", "Authorization", "MaxJobUsd"} <= parameters
    assert set(re.findall(r"--logical-resource-id (\w+)", PAGE)) <= set(TEMPLATE["Resources"])
    overridden = set(re.findall(r"\b([A-Z][A-Za-z]+)=", " ".join(map(" ".join, _commands("sam")))))
    assert overridden <= set(TEMPLATE["Parameters"])


def test_stages_of_the_page_are_in_samconfig() -> None:
    named = set(re.findall(r"(?:STAGE=|--config-env )(\w+)", PAGE))
    assert named
    text = (REPOSITORY / "samconfig.toml").read_text(encoding="utf-8")
    assert {stage for stage in named if f"[{stage}.deploy.parameters]" not in text} == set()
