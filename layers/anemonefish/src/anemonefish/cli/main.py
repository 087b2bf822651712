"""The command line: ``anemonefish detect | plan | evaluate | models | simulate | remote``.

Owns words on a terminal and exit codes: 0 done, 1 a recording (or the job) failed, 2 the command was
mistyped. Every error is one line with the name of its class; nobody sees a traceback. Decides nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anemonefish import __version__
from anemonefish.cli.remote_commands import remote
from anemonefish.cli.terminal import (
    ERR,
    OUT,
    Commands,
    LazyCommand,
    assigned,
    complain,
    model_option,
    models_option,
    progress_bar,
    require,
    set_option,
    show_notes,
    show_quote,
    without_greetings,
    writable_models,
)
from anemonefish.interrupts import Stopped, command_line
from anemonefish.models.model_names import ACTIVATIONS, ALIASES, ENGINES, VARIANTS
from anemonefish.settings import FORMATS, MOST_CLIPS, Settings
from anemonefish.stores import open_store
from anemonefish.typed_text import read_fields
from anemonefish.workflow.find_recordings import Found, find_recordings

if TYPE_CHECKING:
    from anemonefish.jobs.job import Job
    from anemonefish.jobs.plan import Plan
    from anemonefish.models.repository import ModelRepository
    from anemonefish.simulation.scene import Scene
    from anemonefish.workflow.aggregate import Aggregate
    from anemonefish.workflow.review import Review

__all__ = ["main"]

_SHOWN_EVENTS = 20


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="anemonefish")
def main() -> None:
    """Find anemonefish calls in hydrophone recordings."""


main.add_command(
    LazyCommand("anemonefish.cli.calibrate_command", "calibrate", "Measure seconds per window and per range.")
)
main.add_command(LazyCommand("anemonefish.cli.evaluate_command", "evaluate", "Hold results against labels."))
main.add_command(remote)


@main.command()
@click.argument("paths", nargs=-1, required=True)
@model_option
@models_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder for the reports."
)
@click.option("--formats", help=f"Comma-separated; of {', '.join(FORMATS)}.")
@click.option("--threshold", type=float, help="Score above which a window belongs to an event.")
@click.option("--start", help="When the only recording begins: ISO 8601 with a zone.  [default: name or header]")
@click.option("--clips", is_flag=True, help="Cut each event out as FLAC, into review/clips.")
@click.option("--pictures", is_flag=True, help="Draw timelines, activity and each clip, into review; needs matplotlib.")
@click.option("--padding", type=click.FloatRange(0, 60), default=1.0, show_default=True, help="Seconds around a clip.")
@click.option(
    "--most-clips", type=click.IntRange(1), default=MOST_CLIPS, show_default=True, help="The best ones first."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes at once.  [default: one per core]")
@set_option
def detect(
    paths: tuple[str, ...],
    model: str,
    models_uri: str,
    out: Path,
    formats: str | None,
    threshold: float | None,
    start: str | None,
    clips: bool,
    pictures: bool,
    padding: float,
    most_clips: int,
    jobs: int | None,
    assignments: Sequence[str],
) -> None:
    """Find events in recordings: files, folders (searched below) or s3:// objects."""
    from anemonefish.workflow.local import detect as detect_on_laptop

    settings = _settings(assignments, formats=_words(formats), threshold=threshold, start=start)
    if pictures:
        require("matplotlib", "pictures", "--pictures")
    if "parquet" in settings.formats:
        require("arro3.io", "cli", "the format parquet")
    found = _found(paths)
    made: list[Review] = []

    def review(job: Job, folder: Path) -> None:
        from anemonefish.workflow.review import write_review

        models, kinds = _repository(models_uri), {"clips": clips, "pictures": pictures}
        made.append(write_review(job, models, folder, **kinds, padding_seconds=padding, most_clips=most_clips))

    with progress_bar("scoring") as bar, _resumable():
        task = bar.add_task("scoring", total=None)
        plan, aggregate = detect_on_laptop(
            found.recordings,
            model,
            settings,
            models_uri=models_uri,
            out=out,
            processes=jobs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            review=review if clips or pictures else None,
            not_looked_at=found.others,
        )
    _show_notes(plan)
    show_notes((outcome.recording.name, outcome.recording.notes) for outcome in aggregate.outcomes)
    _show_events(aggregate)
    _show_outcome(aggregate, out)
    for each in made:
        left_out = f" ({each.left_out} events above --most-clips have none)" if each.left_out else ""
        OUT.print(f"{each.clips} clips{left_out} and {each.pictures} pictures in {out / 'review'}", highlight=False)
    if aggregate.failed:
        sys.exit(1)


@main.command()
@click.argument("paths", nargs=-1, required=True)
@model_option
@models_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print the quote as JSON.")
def plan(paths: tuple[str, ...], model: str, models_uri: str, assignments: Sequence[str], as_json: bool) -> None:
    """Say how an account would cut the work, and the time and cost to expect, before anything runs."""
    from anemonefish.workflow.planner import plan_job

    made = plan_job(_found(paths).recordings, model, _settings(assignments), _repository(models_uri))
    if as_json:
        OUT.print_json(json.dumps(asdict(made.quote)))
    else:
        _show_notes(made)
        show_notes((recording.name, recording.notes) for recording in made.recordings)
        settings = made.settings
        where = f"{settings.architecture}, {settings.memory_mb} MB a worker"
        show_quote(f"{made.model.name} {made.model.version} on {where}", asdict(made.quote))
    if any(recording.failure is not None for recording in made.recordings):
        _show_failures([(each.name, each.failure) for each in made.recordings])
        sys.exit(1)


@main.command()
@click.option("--seconds", type=click.FloatRange(1, 86_400), default=60.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--sample-rate", type=click.IntRange(4_000, 192_000), default=48_000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The WAV file; its labels go beside it.")
def simulate(seconds: float, seed: int, sample_rate: int, out: Path) -> None:
    """Make a reef scene: calls, sounds to confuse them with, noise - and the labels of what is in it."""
    from anemonefish.simulation.scene import scene, write_scene
    from anemonefish.stores.folder import atomic_file

    made = scene(seconds, seed, sample_rate)
    with atomic_file(out) as temporary:
        write_scene(made, temporary)
    _write_labels(made, out)
    calls = sum(label.label == "anemonefish" for label in made.labels)
    OUT.print(
        f"{out}: {seconds:g} s, {calls} anemonefish calls, {len(made.labels) - calls} other sounds", highlight=False
    )


@main.group()
def models() -> None:
    """Publish, verify and show model bundles."""


@models.command()
@click.argument("keras_file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the model: lower-case letters, digits, '.', '_', '-'.")
@click.option("--version", required=True, help="Version; never to be used again.")
@click.option(
    "--profile", required=True, type=click.Choice(["stft-db", "image"]), help="Preprocessing of the training."
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
@click.option("--description", default="", help="What the model was trained on.")
@click.option("--license", "licence", default="", help="SPDX name of the weights' licence.")
@click.option("--alias", type=click.Choice(ALIASES), help="Let this alias mean the new version.")
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
    description: str,
    licence: str,
    alias: str | None,
    models_uri: str,
) -> None:
    """Turn a .keras or .h5 file into a bundle, refused unless it gives the training's scores."""
    from anemonefish.models.description import description_lines
    from anemonefish.profiles import PROFILES, profile_named
    from anemonefish.publishing.publish import publish as publish_model
    from anemonefish.publishing.publish_request import PublishRequest

    repository = _repository(writable_models(models_uri))
    request = PublishRequest(
        keras=keras_file,
        name=name,
        version=version,
        profile=profile_named(profile, **read_fields(PROFILES[profile], assigned(profile_set))),
        classes=tuple(word.strip() for word in classes.split(",") if word.strip()),
        target_class=target,
        sample_rate=sample_rate,
        metadata=metadata,
        audio=audio,
        activation=activation,
        layers=layers,
        engine=engine,
        variants=tuple(dict.fromkeys(variants)),
        description=description,
        license=licence,
    )
    with without_greetings():
        spec = publish_model(request, repository)
    if alias is not None:
        repository.set_alias(name, alias, version)
    for line in description_lines(spec, repository.store.uri):
        OUT.print(line, highlight=False, soft_wrap=True)


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
    """Let an alias mean a version, unless that fails to verify here."""
    with without_greetings():
        difference = _repository(models_uri).promote(name, version, alias)
    OUT.print(f"{name}@{alias} is {version}, golden scores within {difference:.1e}", highlight=False)


@models.command()
@click.argument("name")
@click.option("--alias", type=click.Choice(ALIASES), default=ALIASES[0], show_default=True)
@models_option
def rollback(name: str, alias: str, models_uri: str) -> None:
    """Let an alias mean again what it meant before."""
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
    """Print model.json."""
    repository = _repository(models_uri)
    click.echo(repository.spec(repository.pin(reference)).to_json().decode(), nl=False)


def _found(paths: Sequence[str]) -> Found:
    """Return the recordings, and say what was not looked at beside them."""
    found = find_recordings(paths)
    for line in found.lines():
        ERR.print(line, highlight=False, markup=False, soft_wrap=True)
    return found


@contextmanager
def _resumable() -> Iterator[None]:
    """Say how to go on when a signal ends the block."""
    try:
        yield
    except Stopped:
        words = "the results are as they were before; what is scored is kept, and this goes on there:"
        ERR.print(words, highlight=False, soft_wrap=True)
        ERR.print(command_line(), highlight=False, markup=False, soft_wrap=True)
        raise


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]


def _repository(models_uri: str) -> ModelRepository:
    """Return the models at a folder or bucket."""
    from anemonefish.models.repository import ModelRepository

    return ModelRepository(open_store(models_uri))


def _settings(assignments: Sequence[str], **options: Any) -> Settings:
    """Combine ``--set`` with the options that have a name of their own."""
    return Settings.load(Settings.read(assigned(assignments)) | {k: v for k, v in options.items() if v is not None})


def _write_labels(made: Scene, wav: Path) -> None:
    from anemonefish.annotations.audacity import write_audacity
    from anemonefish.annotations.raven import write_raven
    from anemonefish.annotations.selections import AudioReference
    from anemonefish.stores.folder import atomic_file

    reference = AudioReference(path=str(wav.resolve()), name=wav.name, sample_rate=made.sample_rate)
    with atomic_file(wav.with_name(f"{wav.name}.selections.txt")) as path, path.open("w", newline="") as file:
        write_raven(file, [(reference, made.labels)])
    with atomic_file(wav.with_name(f"{wav.name}.audacity.txt")) as path, path.open("w", newline="") as file:
        write_audacity(file, made.labels, sample_rate=made.sample_rate)


def _show_notes(made: Plan) -> None:
    """Say how recordings are read: resampled, or without a time."""
    for recording in made.recordings:
        if recording.analysis is not None and recording.analysis.resampled:
            OUT.print(
                f"{recording.name}: resampled from {recording.analysis.audio.sample_rate} Hz to "
                f"{recording.analysis.sample_rate} Hz, the rate of {made.model.name} {made.model.version}",
                highlight=False,
            )
    unknown = [each for each in made.recordings if each.begins is not None and each.begins.utc is None]
    if unknown and unknown[0].begins is not None:
        others = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        OUT.print(f"no UTC for {unknown[0].name}{others}: {unknown[0].begins.source}", highlight=False, soft_wrap=True)


def _show_events(aggregate: Aggregate) -> None:
    from rich.table import Table

    from anemonefish.sample_times import format_seconds

    table = Table(title="events")
    for name in ("recording", "start s", "end s", "class", "mean score", "max score", "windows"):
        table.add_column(name, justify="left" if name in {"recording", "class"} else "right")
    shown = 0
    for outcome in aggregate.outcomes:
        analysis = outcome.recording.analysis
        for event in outcome.events if analysis is not None else ():
            if shown < _SHOWN_EVENTS and analysis is not None:
                rate = analysis.sample_rate
                times = format_seconds(event.start, rate)[:-3], format_seconds(event.stop, rate)[:-3]
                scores = f"{event.mean_score:.3f}", f"{event.max_score:.3f}"
                table.add_row(outcome.recording.name, *times, event.label, *scores, str(event.n_windows))
            shown += 1
    if shown:
        OUT.print(table)
    if shown > _SHOWN_EVENTS:
        OUT.print(f"... and {shown - _SHOWN_EVENTS} more in the reports", highlight=False)


def _show_outcome(aggregate: Aggregate, out: Path) -> None:
    done = len(aggregate.outcomes) - aggregate.failed
    OUT.print(f"{done} recordings, {aggregate.events} events; reports in {out}", highlight=False, soft_wrap=True)
    _show_failures([(outcome.recording.name, outcome.recording.failure) for outcome in aggregate.outcomes])


def _show_failures(recordings: Sequence[tuple[str, Any]]) -> None:
    failed = [(name, failure) for name, failure in recordings if failure is not None]
    if failed:
        ERR.print(f"{len(failed)} of {len(recordings)} recordings failed:", highlight=False)
    for _, failure in failed:
        complain(failure)
