"""What may import what: docs/architecture.md as a check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "layers/anemonefish/src/anemonefish"
MODULES = sorted(PACKAGE.rglob("*.py"))

CLOUD = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("cloud/*.py")}
PLOTS = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("plots/*.py")}
API = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("service/api/**/*.py")}
TERMINAL = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("cli/*.py")}

ONLY_IN = {
    "csv": {"csv_cells.py", "annotations/table_parser.py"},  # what is written is escaped, what is read is escaped back
    "boto3": {"cloud/clients.py"},
    "botocore": CLOUD,
    "aws_lambda_powertools": API,
    "pydantic": API,
    "python_multipart": {"service/api/forms.py"},
    "httpx": {"client/transport.py"},
    "arro3": {"results/parquet_scores.py", "results/read.py"},
    "tensorflow": {"models/keras.py", "publishing/variants.py"},
    "keras": {
        "models/keras.py",
        "models/portable.py",
        "publishing/head.py",
        "publishing/float64.py",
        "publishing/publish.py",
    },
    "h5py": {"models/keras.py"},
    "librosa": {"profiles/reference.py"},
    "soundfile": {
        "audio/decoder_input.py",
        "audio/flac_damage.py",
        "audio/flac_encoder.py",
        "audio/reader.py",
        "results/clips.py",
        "simulation/scene.py",
    },
    "matplotlib": {*PLOTS, "profiles/reference.py"},
    "soxr": {"audio/resample.py"},
    "av": {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("audio/transcoding/*.py")},
    "pandas": {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("front/*.py")},
    "ai_edge_litert": {"models/litert.py"},
    "ncnn": {"models/ncnn.py"},
    "click": TERMINAL,
    "rich": TERMINAL,
}
NOWHERE = {"scipy"}

# Lower floors know nothing of the higher ones.
FLOORS = [
    {
        "errors",
        "execution_states",
        "clock",
        "canonical",
        "sample_times",
        "recording_names",
        "notes",
        "interrupts",
        "typed_text",
        "field_checks",
        "csv_cells",
        "layer_check",
        "audio.leading_tags",
        "audio.mpeg_headers",
        "audio.seekable",
    },
    {
        "windows",
        "cloud",
        "settings",
        "annotations",
        "audio.chunks",
        "audio.flac_damage",
        "audio.flac_encoder",
        "audio.flac_frames",
        "audio.formats",
        "audio.mpeg_stream",
        "audio.sample_data",
        "audio.sample_encoding",
        "audio.samples",
        "evaluation.matching",
        "plots",
        "service.upload_names",
        "service.webhook",
        "service.webhook_address",
        "service.webhook_signing",
    },
    {"audio.health", "audio.headers", "audio.signal_meter"},
    {"start_time"},
    {"profiles", "stores", "audio.blocks", "results.events", "results.read"},
    {
        "audio.decoder_input",
        "audio.reader",
        "simulation",
        "evaluation",
        "jobs.request",
        "workflow.folder_lock",
        "workflow.results_folder",
    },
    {"workflow.find_recordings", "audio.resample", "models", "audio.pieces", "audio.transcoding"},
    {"results.clips", "jobs.calibration", "jobs.costs", "jobs.plan"},
    {"jobs.job", "jobs.parts"},
    {
        "service.limits",
        "workflow.plan_recording",
        "workflow.range_size",
        "workflow.planner",
        "workflow.score",
        "results.csv_tables",
        "results.lab_json",
        "results.parquet_scores",
        "results.recording_result",
        "results.report_formats",
        "results.review_state",
        "workflow.failures",
        "workflow.content_hashes",
        "workflow.transcode",
    },
    {"results.decide", "results.summary"},
    {
        "workflow.aggregate",
        "workflow.speed",
        "workflow.predict",
        "service.downloads",
        "service.upload_record",
        "service.storage_quota",
        "service.uploads",
    },
    {"publishing", "workflow.calibrate", "workflow.local", "service", "workflow.review"},
    {"workflow.save_results"},
    {"front"},
    {"service.api", "client"},
    {"cli"},
]


def imported(path: Path) -> set[str]:
    """Return the full names of the modules a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def room(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def floor_of(name: str) -> int:
    """Return the floor of a module: its own, or that of the package it is in."""
    while name not in FLOOR and "." in name:
        name = name.rpartition(".")[0]
    return FLOOR.get(name, 0)  # the front of a package that has no floor of its own


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_library_is_loaded_only_where_it_belongs(path: Path) -> None:
    here = path.relative_to(PACKAGE).as_posix()
    for name in {name.partition(".")[0] for name in imported(path)}:
        assert name not in NOWHERE, f"{here} must not import {name}"
        assert here in ONLY_IN.get(name, {here}), f"{name} belongs to {ONLY_IN.get(name)}, not to {here}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_lower_floors_know_nothing_of_higher_ones(path: Path) -> None:
    if room(path) in {"__init__", "__main__"}:
        return
    own = {name.removeprefix("anemonefish.") for name in imported(path) if name.startswith("anemonefish.")}
    higher = {name for name in own if floor_of(name) > floor_of(room(path))}
    assert not higher, f"{room(path)} must not import {higher}"


def test_handlers_are_thin() -> None:
    for path in sorted((REPOSITORY / "functions").glob("*/app.py")):
        assert len(path.read_text().splitlines()) <= 60, f"{path}: a handler parses, calls the domain, answers"
        assert {name.partition(".")[0] for name in imported(path)} <= {
            "anemonefish",
            "os",
            "typing",
            "dataclasses",
            "contextlib",
            "json",
        }
