"""The command ``anemonefish simulate``: a reef scene as a WAV file, with its labels beside it."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from anemonefish.cli.terminal import OUT

__all__ = ["simulate"]


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 86_400), default=60.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--sample-rate", type=click.IntRange(4_000, 192_000), default=48_000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The WAV file; its labels go beside it.")
def simulate(seconds: float, seed: int, sample_rate: int, out: Path) -> None:
    """Simulate a reef: calls, similar sounds, noise, and the labels of what is in it."""
    import anemonefish as af

    made = af.simulate(out, seconds=seconds, seed=seed, sample_rate=sample_rate)
    wav, labels, results = (shlex.quote(str(path)) for path in (made.path, made.raven_path, out.with_name("results")))
    for line in (
        str(made),
        f"labels: {labels} (Raven), {shlex.quote(str(made.audacity_path))} (Audacity)",
        "next:",
        f"  anemonefish detect {wav} --out {results}",
        f"  anemonefish evaluate {results} {labels}",
    ):
        OUT.print(line, highlight=False, markup=False, soft_wrap=True)
