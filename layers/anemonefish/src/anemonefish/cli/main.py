"""The command line: ``anemonefish detect | plan | evaluate | review | train | calibrate | models | simulate | remote``.

Each command lies in a module of its own, which is imported when the command runs, and calls the functions of the Python
interface (``import anemonefish``). Exit codes: 0 done, 1 a recording or the job failed, 2 the command was mistyped. An
error is one line with the name of its class, without a traceback.
"""

from __future__ import annotations

import click

from anemonefish import __version__
from anemonefish.cli.terminal import Commands, LazyCommand

__all__ = ["main"]

_COMMANDS = (
    ("calibrate_command", "calibrate", "Measure seconds per window and per range."),
    (
        "calibrate_scores_command",
        "calibrate-scores",
        "Turn scores into probabilities by the verdicts on a review.",
    ),
    ("detect_command", "detect", "Find events in recordings: files, folders (searched below) or s3:// objects."),
    ("evaluate_command", "evaluate", "Compare results with labels."),
    ("models_commands", "models", "Publish, verify and show model bundles."),
    (
        "detect_command",
        "plan",
        "Print how an account would split the work, and the expected time and cost, before anything runs.",
    ),
    (
        "remote_commands",
        "remote",
        "Use a deployed stack over its API. The key is taken from ANEMONEFISH_API_KEY, or asked for.",
    ),
    ("review_command", "review", "Write a page to judge a sample of results, or take its verdicts back."),
    (
        "simulate_command",
        "simulate",
        "Simulate a reef: calls, similar sounds, noise, and the labels of what is in it.",
    ),
    ("train_command", "train", "Train a model on recordings and labels, test it and publish it."),
)
"""Module, name and help of each command."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="anemonefish")
def main() -> None:
    """Find anemonefish calls in hydrophone recordings."""


for _module, _name, _help in _COMMANDS:
    main.add_command(LazyCommand(f"anemonefish.cli.{_module}", _name, _help))
