"""What the command line imports before it does anything: help and version load no library of samples, plots or HTTP."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from anemonefish.cli.main import main
from anemonefish.cli.terminal import LazyCommand

HEAVY = (
    "numpy", "soundfile", "soxr", "rich", "ai_edge_litert", "ncnn", "tensorflow", "keras", "librosa", "matplotlib",
    "av", "arro3", "boto3", "botocore", "httpx", "pydantic", "multiprocessing", "asyncio",
)  # fmt: skip

PROGRAM = f"""
import sys
from anemonefish.cli.main import main
try:
    main(sys.argv[1:], prog_name="anemonefish")
except SystemExit as end:
    assert end.code == 0, end.code
print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "detect --help",
        "plan --help",
        "simulate -h",
        "models --help",
        "remote --help",
        "remote detect -h",
    ],
)
def test_help_and_version_load_no_heavy_module(arguments: str) -> None:
    command = [sys.executable, "-c", PROGRAM, *arguments.split()]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout
    assert ended.stderr.split() == []


@pytest.mark.parametrize("name", [name for name, command in main.commands.items() if isinstance(command, LazyCommand)])
def test_lazy_command_loads_the_command_of_its_name(name: str) -> None:
    context = click.Context(main)
    _, command, rest = main.resolve_command(context, [name, "--help"])
    assert command is not None
    assert not isinstance(command, LazyCommand)
    assert (command.name, rest) == (name, ["--help"])
    assert command.params or isinstance(command, click.Group)
