"""The commands ``anemonefish models ...``: publish, verify, promote, roll back, list and show models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anemonefish.cli.terminal import ERR, OUT, assigned, models_option, without_greetings
from anemonefish.front.model_location import writable_models
from anemonefish.models.model_names import ACTIVATIONS, ALIASES, ENGINES, VARIANTS
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.typed_text import read_fields

if TYPE_CHECKING:
    from anemonefish.models.repository import ModelRepository

__all__ = ["models"]


@click.group()
def models() -> None:
    """Publish, verify and show model bundles."""


@models.command()
@click.argument("keras_file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the model: lower-case letters, digits, '.', '_', '-'.")
@click.option("--version", required=True, help="Version; never to be used again.")
@click.option(
    "--profile",
    required=True,
    type=click.Choice(["stft-db", "image", "band-db"]),
    help="Preprocessing of the training.",
)
@click.option("--profile-set", multiple=True, metavar="NAME=VALUE", help="A constant of the profile; repeatable.")
@click.option("--classes", default="", help="Comma-separated, in the order of the outputs.  [default: from --metadata]")
@click.option("--target", default="anemonefish", show_default=True, help="The class whose events are looked for.")
@click.option("--sample-rate", type=int, help="Rate the model was trained at, in Hz.")
@click.option("--metadata", type=click.Path(path_type=Path), help="The training's model_config.yaml.")
@click.option("--audio", help="A recording to compare the engines on, besides simulated scenes.")
@click.option(
    "--activation",
    type=click.Choice(ACTIVATIONS),
    help="What makes scores of outputs that are logits; sigmoid: each class by itself; none: they are scores.",
)
@click.option("--layers", type=click.Path(path_type=Path), help="Python file that defines the network's own layers.")
@click.option(
    "--engine",
    type=click.Choice(["auto", *ENGINES]),
    default="auto",
    show_default=True,
    help="What serves it; auto: ncnn where that is faster, else LiteRT, and Keras where LiteRT cannot.",
)
@click.option(
    "--variant",
    "variants",
    multiple=True,
    type=click.Choice(list(VARIANTS)),
    help="Other arithmetic to make too, served by name; repeatable.",
)
@click.option(
    "--decide",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting that turns its scores into events, as threshold=0.7; repeatable.  [default: the lab's]",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    help="YAML or JSON file: what it has heard, what was measured, fit for science or not.  [default: not stated]",
)
@click.option("--description", default="", help="What the model was trained on.")
@click.option("--license", "licence", default="", help="SPDX name of the weights' licence.")
@click.option("--alias", type=click.Choice(ALIASES), help="Point this alias to the new version.")
@models_option
def publish(
    keras_file: Path,
    name: str,
    version: str,
    profile: str,
    profile_set: Sequence[str],
    classes: str,
    target: str,
    sample_rate: int | None,
    metadata: Path | None,
    audio: str | None,
    activation: str | None,
    layers: Path | None,
    engine: str,
    variants: Sequence[str],
    decide: Sequence[str],
    card: Path | None,
    description: str,
    licence: str,
    alias: str | None,
    models_uri: str,
) -> None:
    """Publish a .keras or .h5 file as a bundle; it must give the scores of the training."""
    import anemonefish as af
    from anemonefish.models.description import description_lines
    from anemonefish.profiles import PROFILES

    folder = writable_models(models_uri)
    if ERR.is_terminal:  # TensorFlow and the comparison take half a minute
        ERR.print("converting the network and comparing its scores with those of Keras ...", highlight=False)
    with without_greetings():
        spec = af.publish(
            keras_file,
            name=name,
            version=version,
            profile=profile,
            profile_constants=read_fields(PROFILES[profile], assigned(profile_set)),
            classes=[word.strip() for word in classes.split(",") if word.strip()],
            target_class=target,
            sample_rate=sample_rate,
            metadata=metadata,
            audio=audio,
            activation=activation,
            layers=layers,
            engine=engine,
            variants=variants,
            decision=Settings.read(assigned(decide)),
            card=card,
            description=description,
            license=licence,
            alias=alias,
            models=folder,
        )
    for line in (*description_lines(spec, open_store(folder).uri), *spec.card.lines()):
        OUT.print(line, highlight=False, markup=False, soft_wrap=True)


@models.command()
@click.argument("reference")
@models_option
def verify(reference: str, models_uri: str) -> None:
    """Check the hash of every file and the golden scores on this machine."""
    with without_greetings():
        spec, difference = _repository(models_uri).verify(reference)
    OUT.print(
        f"{spec.title}: {len(spec.files)} files as published, golden scores within {difference:.1e}", highlight=False
    )


@models.command()
@click.argument("name")
@click.argument("version")
@click.option("--alias", type=click.Choice(ALIASES), default=ALIASES[0], show_default=True)
@models_option
def promote(name: str, version: str, alias: str, models_uri: str) -> None:
    """Point an alias to a version, after verifying it on this machine."""
    with without_greetings():
        difference = _repository(models_uri).promote(name, version, alias)
    OUT.print(f"{name}@{alias} is {version}, golden scores within {difference:.1e}", highlight=False)


@models.command()
@click.argument("name")
@click.option("--alias", type=click.Choice(ALIASES), default=ALIASES[0], show_default=True)
@models_option
def rollback(name: str, alias: str, models_uri: str) -> None:
    """Point an alias to the version that it pointed to before."""
    with without_greetings():
        version = _repository(models_uri).rollback(name, alias)
    OUT.print(f"{name}@{alias} is {version} again", highlight=False)


@models.command("list")
@models_option
def list_(models_uri: str) -> None:
    """List models with their versions and aliases."""
    from rich.table import Table

    table = Table()
    for column in ("model", "versions", *ALIASES):
        table.add_column(column)
    for entry in _repository(models_uri).catalog():
        table.add_row(entry.name, ", ".join(entry.versions), *(entry.aliases.get(alias, "") for alias in ALIASES))
    OUT.print(table)


@models.command()
@click.argument("reference")
@models_option
def show(reference: str, models_uri: str) -> None:
    """Print model.json, its card, and what its settings cannot find."""
    from anemonefish.results.lone_calls import lone_call_lines

    repository = _repository(models_uri)
    spec = repository.spec(repository.pin(reference))
    click.echo(spec.to_json().decode(), nl=False)
    for line in (*spec.card.lines(), *lone_call_lines(spec, Settings())):
        ERR.print(line, highlight=False, markup=False, soft_wrap=True)


def _repository(models_uri: str) -> ModelRepository:
    """Return the models at a folder or bucket."""
    from anemonefish.models.repository import ModelRepository

    return ModelRepository(open_store(models_uri))
