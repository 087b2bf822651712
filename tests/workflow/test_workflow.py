"""Run the real template and state machine on a local AWS and compare results and messages with the laptop's."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.cli.main import main
from anemonefish.models import ModelRepository
from anemonefish.publishing.publish import publish
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores.folder import LocalStore
from localstack import Execution, Stack
from localstack.demo import analyse, fetch, upload_models
from localstack.stack import tell
from tests.golden import network_with, request_for

REPOSITORY = Path(__file__).parents[2]
RunJob = Callable[..., tuple[Execution, dict[str, bytes]]]


@pytest.fixture(scope="session")
def reef_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "scene.wav"
    write_scene(scene(40, seed=11, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), path)
    return path


def laptop(out: Path, *recordings: Path, options: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Run ``anemonefish detect`` and return the files that it writes."""
    CliRunner().invoke(main, ["detect", *map(str, recordings), "--out", str(out), *options], catch_exceptions=False)
    files = (path for path in out.rglob("*") if path.is_file() and ".anemonefish" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def test_workflow_equals_the_laptop(stack: Stack, run_job: RunJob, reef_scene: Path, tmp_path: Path) -> None:
    execution, results = run_job(stack, reef_scene)
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.states[:4] == ["Plan", "NeedsTranscoding?", "HasRanges?", "ScoreRanges"]
    assert execution.states[-4:] == ["WriteReports", "Aggregate", "Review?", "Done"]
    assert results == laptop(tmp_path / "laptop", reef_scene)
    events = list(csv.DictReader(io.StringIO(results["scene.wav.events.csv"].decode())))
    assert execution.output["events"] == len(events) > 3


@pytest.mark.parametrize("seconds", [1, 7])
def test_results_do_not_depend_on_the_number_of_ranges(
    stack: Stack, run_job: RunJob, reef_scene: Path, tmp_path: Path, seconds: int
) -> None:
    execution, results = run_job(stack, reef_scene, settings={"max_range_seconds": seconds})
    assert execution.status == "SUCCEEDED"
    assert results == laptop(tmp_path / "laptop", reef_scene)


def test_variant_in_the_workflow_equals_the_laptop(
    stack: Stack, s3: Any, run_job: RunJob, reef_scene: Path, tmp_path: Path
) -> None:
    """ncnn in the functions and on this machine gives the same bytes, for several ranges."""
    folder = tmp_path / "models"
    request = request_for(network_with(None, tmp_path / "lab.keras"), "fast", variants=("winograd",))
    publish(request, ModelRepository(LocalStore(folder)))
    upload_models(s3, stack, folder)
    execution, results = run_job(stack, reef_scene, model="lab@fast+winograd", settings={"max_range_seconds": 7})
    assert execution.status == "SUCCEEDED", execution.cause
    options = ("--model", "lab@fast+winograd", "--models", str(folder))
    assert results == laptop(tmp_path / "laptop", reef_scene, options=options)
    said = json.loads(results["scene.wav.json"])
    assert (said["model"]["engine"], said["metadata"]["variant_agreement"]["tolerance"]) == ("ncnn", 1e-5)


@pytest.mark.parametrize(
    ("model", "resampled"), [("reef@1.1.0", "soxr HQ"), ("reef@2.2.0", "decimated by 4, exact up to 1625 Hz")]
)
def test_real_recording_is_resampled_as_on_the_laptop(
    stack: Stack, run_job: RunJob, reef_recording: Path, tmp_path: Path, model: str, resampled: str
) -> None:
    settings = {"max_range_seconds": 5, "threshold": 0.4}
    execution, results = run_job(stack, reef_recording, model=model, settings=settings)
    assert execution.status == "SUCCEEDED"
    options = ("--model", model, "--threshold", "0.4")
    assert results == laptop(tmp_path / "laptop", reef_recording, options=options)
    assert json.loads(results[f"{reef_recording.name}.json"])["recording"]["resampled"] == resampled


def test_broken_recordings_do_not_fail_the_others(
    stack: Stack, run_job: RunJob, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    good = [make_recording("a.wav"), make_recording("b.flac", frames=100_000, channels=2)]
    cut, poison = make_recording("cut.wav"), tmp_path / "poison.wav"
    cut.write_bytes(cut.read_bytes()[:80_000])
    samples = np.zeros(96_000, np.float32)
    samples[70_000] = np.nan
    soundfile.write(poison, samples, 48_000, subtype="FLOAT")
    execution, results = run_job(stack, *good, cut, poison, settings={"max_range_seconds": 1})
    assert execution.status == "SUCCEEDED", execution.cause
    assert {key: execution.output[key] for key in ("recordings", "failed")} == {"recordings": 4, "failed": 1}
    assert results == laptop(tmp_path / "laptop", *good, cut, poison)
    rows = csv.DictReader(io.StringIO(results["summary.csv"].decode()))
    assert {row["recording"]: (row["status"], row["error"]) for row in rows} == {
        "a.wav": ("done", ""), "b.flac": ("done", ""), "cut.wav": ("partial", ""),
        "poison.wav": ("failed", "InvalidSamples"),
    }  # fmt: skip


def test_reused_job_name_gives_the_results_of_the_new_recording(
    stack: Stack, s3: Any, make_recording: Callable[..., Path], reef_scene: Path, tmp_path: Path
) -> None:
    first = analyse(s3, stack, "again", [make_recording("scene.wav", frames=48_000 * 40)])
    second = analyse(s3, stack, "again", [reef_scene])
    assert (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED")
    fetched = fetch(s3, stack, second.output["job"], tmp_path / "fetched")
    results = {file.relative_to(tmp_path / "fetched").as_posix(): file.read_bytes() for file in fetched}
    assert results == laptop(tmp_path / "laptop", reef_scene)


def written(s3: Any, stack: Stack, prefix: str) -> dict[str, object]:
    """Return when each object below a prefix was written."""
    listed = s3.list_objects_v2(Bucket=stack.outputs["OutputBucketName"], Prefix=prefix)
    return {item["Key"].removeprefix(prefix): item["LastModified"] for item in listed["Contents"]}


def test_repeated_job_computes_no_part_and_no_report_again(stack: Stack, s3: Any, reef_scene: Path) -> None:
    def parts() -> dict[str, object]:
        return written(s3, stack, "jobs/local/twice/parts/")

    def reports() -> dict[str, object]:
        results = written(s3, stack, "jobs/local/twice/results/")
        return {name: time for name, time in results.items() if name not in {"summary.csv", "effort.csv"}}

    settings = {"max_range_seconds": 10}
    assert analyse(s3, stack, "twice", [reef_scene], settings=settings).status == "SUCCEEDED"
    before, reports_before = parts(), reports()
    uri = f"s3://{stack.outputs['InputBucketName']}/uploads/local/twice/0/scene.wav"
    recording = {"uri": uri, "name": "scene.wav", "path": str(reef_scene)}
    document = {"job": {"tenant": "local", "id": "twice"}, "recordings": [recording], "settings": settings}
    execution = stack.run(document)
    assert execution.status == "SUCCEEDED"
    assert len(execution.children) == len(before) == 4
    assert parts() == before
    assert reports() == reports_before
    assert len(reports_before) == 9


def test_recording_shorter_than_a_window_has_no_ranges(
    stack: Stack, run_job: RunJob, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    short = make_recording("short.wav", frames=1_000)
    execution, results = run_job(stack, short)
    assert execution.status == "SUCCEEDED"
    assert "ScoreRanges" not in execution.states
    assert results == laptop(tmp_path / "laptop", short)


# --- invalid input: the execution's cause equals the message of the command line --------------------------------


def bad_recordings(make: Callable[..., Path], folder: Path) -> dict[str, Path]:
    """Return one broken recording of each kind."""

    def cut(path: Path, keep: int) -> Path:
        path.write_bytes(path.read_bytes()[:keep])
        return path

    def patched(path: Path, offset: int, data: bytes) -> Path:
        content = bytearray(path.read_bytes())
        content[offset : offset + len(data)] = data
        path.write_bytes(content)
        return path

    empty, text, poison = folder / "empty.wav", folder / "text.wav", folder / "poison.wav"
    empty.write_bytes(b"")
    text.write_text("calm sea, no wind\n" * 20)
    samples = np.zeros(48_000, np.float32)
    samples[1_234] = np.nan
    soundfile.write(poison, samples, 48_000, subtype="FLOAT")
    return {
        "EmptyRecording": empty,
        "UnreadableRecording: not audio": text,
        "UnreadableRecording: truncated header": cut(make("header.wav"), 30),
        "UnreadableRecording: zero channels": patched(make("mute.wav"), 22, b"\0\0"),
        "TruncatedRecording": cut(make("cut.wav"), 44),
        "InvalidSamples": poison,
        "UnsupportedRecording": make("slow.wav", rate=500),
    }


BAD = [
    "EmptyRecording", "UnreadableRecording: not audio", "UnreadableRecording: truncated header",
    "UnreadableRecording: zero channels", "TruncatedRecording", "InvalidSamples", "UnsupportedRecording",
]  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_broken_recording_has_the_same_message_as_on_the_laptop(
    case: str, stack: Stack, s3: Any, run_job: RunJob, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    path = bad_recordings(make_recording, tmp_path)[case]
    execution, results = run_job(stack, path)
    message = CliRunner().invoke(main, ["detect", str(path), "--out", str(tmp_path / "laptop")]).stderr.strip()
    assert execution.status == "FAILED"
    assert execution.error == case.partition(":")[0]
    assert f"{execution.error}: {execution.cause}" == message
    assert results == {}
    assert execution.states[-2:] == ["RecordFailure", "Failed"]
    assert "Traceback" not in execution.cause
    assert "stackTrace" not in execution.cause


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ({"model": "whale"}, ["--model", "whale"]),
        ({"settings": {"treshold": 1}}, ["--set", "treshold=1"]),
        ({"settings": {"threshold": 1.5}}, ["--threshold", "1.5"]),
        ({"settings": {"target_class": "whale"}}, ["--set", "target_class=whale"]),
        ({"settings": {"window_seconds": 1.0}}, ["--set", "window_seconds=1.0"]),
    ],
)
def test_invalid_request_has_the_same_message_as_on_the_laptop(
    more: dict[str, Any], options: list[str], stack: Stack, run_job: RunJob, make_recording: Callable[..., Path],
    tmp_path: Path, models_uri: str,
) -> None:  # fmt: skip
    path = make_recording()
    execution, results = run_job(stack, path, **more)
    done = CliRunner().invoke(main, ["detect", str(path), "--out", str(tmp_path / "laptop"), *options])
    message = done.stderr.strip()
    assert execution.status == "FAILED"
    workflow_message = f"{execution.error}: {execution.cause}"
    assert workflow_message.replace(f"s3://{stack.outputs['ModelsBucketName']}", models_uri) == message
    assert results == {}


def test_altered_bundle_has_the_same_message_as_on_the_laptop(
    stack: Stack, s3: Any, run_job: RunJob, make_recording: Callable[..., Path], tmp_path: Path, models_uri: str
) -> None:
    """A network that was changed after publishing is refused in the workflow and on the laptop."""
    bundle = tmp_path / "models" / "altered" / "1.0.0"
    shutil.copytree(Path(models_uri, "reef", "1.0.0"), bundle)
    document = json.loads((bundle / "model.json").read_bytes())
    (bundle / "model.json").write_text(json.dumps({**document, "name": "altered"}))
    network = bytearray((bundle / "model.tflite").read_bytes())
    network[-1] ^= 1
    (bundle / "model.tflite").write_bytes(network)
    for file in bundle.iterdir():
        s3.upload_file(str(file), stack.outputs["ModelsBucketName"], f"altered/1.0.0/{file.name}")
    path = make_recording()
    execution, results = run_job(stack, path, model="altered@1.0.0")
    options = ["--model", "altered@1.0.0", "--models", str(tmp_path / "models"), "--out", str(tmp_path / "laptop")]
    message = CliRunner().invoke(main, ["detect", str(path), *options]).stderr.strip()
    assert (execution.status, execution.error) == ("FAILED", "InvalidBundle")
    assert f"{execution.error}: {execution.cause}" == message
    assert "model.tflite is not the file that was published (wrong SHA-256)" in message
    assert results == {}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, "InvalidRequest"),
        ({"job": {"tenant": "../x", "id": "j"}, "recordings": []}, "InvalidRequest"),
        ({"job": {"tenant": "lab", "id": "j"}}, "InvalidRequest"),
        ({"job": {"tenant": "lab", "id": "j"}, "recordings": []}, "InvalidRequest"),
        ({"job": {"tenant": "lab", "id": "j"}, "recordings": [{"uri": "s3://elsewhere/none.wav"}]}, "InvalidRequest"),
        ({"job": {"tenant": "lab", "id": "j"}, "recordings": ["x" * 100_000]}, "InvalidRequest"),
        ({"job": {"tenant": "lab", "id": "j"}, "recordings": [{}] * 10_001}, "InvalidRequest"),
        ({"job": "jobs/victim/j", "ranges": [{}]}, "InvalidRequest"),
    ],
)
def test_invalid_input_fails_with_a_reason(stack: Stack, document: dict[str, Any], error: str) -> None:
    execution = stack.run(document)
    assert (execution.status, execution.error) == ("FAILED", error)
    assert execution.cause


def test_failure_reason_is_stored_in_the_job_folder(stack: Stack, s3: Any) -> None:
    uri = f"s3://{stack.outputs['InputBucketName']}/none.wav"
    execution = stack.run({"job": {"tenant": "lab", "id": "kept"}, "recordings": [{"uri": uri}]})
    assert execution.error == "RecordingNotFound"
    kept = s3.get_object(Bucket=stack.outputs["OutputBucketName"], Key="jobs/lab/kept/failure.json")
    assert json.loads(kept["Body"].read()) == {"error": execution.error, "message": execution.cause}


# --- workers that fail -------------------------------------------------------------------------------------------


def outcomes(history: list[dict[str, Any]]) -> list[str]:
    """Return the outcome of each task of a history, in order: an error's name, or ``succeeded``."""
    lines = tell(history)
    print(*lines, sep="\n")  # pytest -s shows the history
    return [words.removeprefix("failed ").partition(":")[0] for words in lines]


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("fails-twice.wav", ["StorageError", "StorageError", "succeeded"]),
        ("dies-once.wav", ["Runtime.ExitError", "succeeded"]),
    ],
)
def test_recovered_worker_does_not_change_the_results(
    name: str, history: list[str], trouble_stack: Stack, run_job: RunJob, make_recording: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    path = make_recording(name, frames=96_000)
    execution, results = run_job(trouble_stack, path)
    assert execution.status == "SUCCEEDED", execution.cause
    assert [outcomes(child) for child in execution.children] == [history]
    assert [outcomes(child) for child in execution.reports] == [["succeeded"]]
    assert outcomes(execution.history) == ["succeeded", "succeeded"]  # Plan, Aggregate
    assert results == laptop(tmp_path / "laptop", path)


@pytest.mark.parametrize(
    ("name", "error", "words", "history"),
    [
        # A typed error is not retried, because it would occur again. The second task stores the reason.
        ("always-fails.wav", "InvalidSamples", "sample 5", ["InvalidSamples", "succeeded"]),
        # A defect of the code is not retried either.
        ("has-a-defect.wav", "RangeFailed", "KeyError: 'window'", ["KeyError", "succeeded"]),
        # A process that dies is retried.
        ("always-dies.wav", "RangeFailed", "its process died", ["Runtime.ExitError"] * 4 + ["succeeded"]),
    ],
)
def test_worker_that_always_fails_fails_the_job_with_its_reason(
    name: str, error: str, words: str, history: list[str], trouble_stack: Stack, run_job: RunJob,
    make_recording: Callable[..., Path],
) -> None:  # fmt: skip
    execution, results = run_job(trouble_stack, make_recording(name, frames=96_000))
    assert (execution.status, execution.error) == ("FAILED", error)
    assert words in execution.cause
    assert [outcomes(child) for child in execution.children] == [history]
    assert execution.states[-2:] == ["RecordFailure", "Failed"]
    assert results == {}


def test_worker_that_dies_at_one_recording_does_not_fail_the_others(
    trouble_stack: Stack, run_job: RunJob, make_recording: Callable[..., Path]
) -> None:
    names = ["a.wav", "always-dies.wav", "b.wav", "always-fails.wav", "c.wav"]
    execution, results = run_job(trouble_stack, *(make_recording(name, frames=48_000) for name in names))
    assert execution.status == "SUCCEEDED", execution.cause
    [history] = [outcomes(child) for child in execution.children]
    # First all recordings together, with retries; then each alone, and the reason of the one that dies is stored.
    assert history == [
        *["Runtime.ExitError"] * 4,
        *["succeeded"],
        *["Runtime.ExitError"] * 4,
        *["succeeded", "succeeded"],
        *["InvalidSamples", "succeeded"],
        *["succeeded"],
    ]
    rows = [line.split(",")[:2] for line in results["summary.csv"].decode().splitlines()[1:]]
    assert [status for _, status in rows] == ["done", "failed", "done", "failed", "done"]
    assert b"its process died" in results["summary.csv"]
    assert b"sample 5" in results["summary.csv"]


def test_plan_of_a_broken_recording_is_not_retried(trouble_stack: Stack, run_job: RunJob, tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    execution, _ = run_job(trouble_stack, path)
    assert outcomes(execution.history) == ["EmptyRecording", "succeeded"]  # Plan, RecordFailure
    assert execution.children == []


def test_damage_that_only_a_worker_finds_fails_with_the_same_message(
    stack: Stack, run_job: RunJob, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    """The header is valid. The worker that reads the invalid sample fails once; the other ranges are not affected."""
    poison = tmp_path / "poison.wav"
    samples = np.zeros(96_000, np.float32)
    samples[70_000] = np.nan
    soundfile.write(poison, samples, 48_000, subtype="FLOAT")
    alone, _ = run_job(stack, poison)
    assert [outcomes(child) for child in alone.children] == [["InvalidSamples", "succeeded"]]
    assert (alone.status, alone.error) == ("FAILED", "InvalidSamples")
    together, results = run_job(stack, make_recording("good.wav"), poison)
    assert [outcomes(child) for child in together.children] == [["succeeded"]]  # one worker, which stored the reason
    assert outcomes(together.history) == ["succeeded", "succeeded"]  # Plan, Aggregate: the Map did not fail
    assert "good.wav.json" in results


def test_failing_worker_does_not_fail_other_recordings(
    trouble_stack: Stack, run_job: RunJob, make_recording: Callable[..., Path]
) -> None:
    execution, results = run_job(trouble_stack, make_recording("good.wav"), make_recording("always-fails.wav"))
    assert execution.status == "SUCCEEDED"
    assert execution.output["failed"] == 1
    assert "good.wav.json" in results
    assert "always-fails.wav.json" not in results


# --- reports that fail -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("report-fails-once.wav", ["StorageError", "succeeded"]),
        ("report-killed-once.wav", ["Runtime.ExitError", "succeeded"]),
    ],
)
def test_recovered_report_worker_does_not_change_the_results(
    name: str, history: list[str], trouble_stack: Stack, run_job: RunJob, make_recording: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    paths = [make_recording("a.wav"), make_recording(name), make_recording("z.wav")]
    execution, results = run_job(trouble_stack, *paths)
    assert execution.status == "SUCCEEDED", execution.cause
    assert [outcomes(child) for child in execution.reports] == [history]
    assert results == laptop(tmp_path / "laptop", *paths)


def test_recording_whose_report_fails_is_listed_with_its_reason(
    trouble_stack: Stack, run_job: RunJob, make_recording: Callable[..., Path]
) -> None:
    execution, results = run_job(trouble_stack, make_recording("a.wav"), make_recording("report-breaks.wav"))
    assert execution.status == "SUCCEEDED", execution.cause
    assert {key: execution.output[key] for key in ("recordings", "failed")} == {"recordings": 2, "failed": 1}
    assert [outcomes(child) for child in execution.reports] == [["succeeded"]]
    rows = {row["recording"]: row for row in csv.DictReader(io.StringIO(results["summary.csv"].decode()))}
    assert rows["a.wav"]["status"] == "done"
    assert rows["report-breaks.wav"]["error"] == "FunctionFailed"
    assert "its reports could not be written: KeyError: 'window'" in rows["report-breaks.wav"]["message"]


def test_only_recording_whose_report_worker_dies_fails_the_job_and_resuming_repeats_the_report_alone(
    trouble_stack: Stack, s3: Any, make_recording: Callable[..., Path]
) -> None:
    execution = analyse(s3, trouble_stack, "killed", [make_recording("report-killed-always.wav")])
    assert [outcomes(child) for child in execution.reports] == [["Runtime.ExitError"] * 4 + ["succeeded"]]
    assert execution.states[-4:] == ["Aggregate", "AggregateFailed", "RecordFailure", "Failed"]
    assert execution.error == "FunctionFailed"
    assert execution.cause.startswith(
        "report: Runtime.ExitError: its process died, most likely for want of memory; set"
    )
    again = trouble_stack.run({"job": {"tenant": "local", "id": "killed"}, "resume": True})
    assert again.children == []
    assert len(again.reports) == 1


def test_resumed_job_writes_only_missing_reports(
    trouble_stack: Stack, s3: Any, make_recording: Callable[..., Path]
) -> None:
    paths = [make_recording(name) for name in ("a.wav", "b.wav", "report-fails-once.wav")]
    first = analyse(s3, trouble_stack, "resumed", paths)
    assert first.status == "SUCCEEDED", first.cause
    prefix, bucket = "jobs/local/resumed/", trouble_stack.outputs["OutputBucketName"]
    before = written(s3, trouble_stack, f"{prefix}results/")
    content = {name: s3.get_object(Bucket=bucket, Key=f"{prefix}results/{name}")["Body"].read() for name in before}
    lost = next(name for name in written(s3, trouble_stack, f"{prefix}outcomes/") if name.endswith(".json"))
    s3.delete_object(Bucket=bucket, Key=f"{prefix}outcomes/{lost}")
    again = trouble_stack.run({"job": {"tenant": "local", "id": "resumed"}, "resume": True})
    assert (again.status, again.children) == ("SUCCEEDED", [])
    after = written(s3, trouble_stack, f"{prefix}results/")
    changed = {name for name in after if after[name] != before[name]}
    [recording] = {name.partition(".wav")[0] for name in changed if ".wav" in name}
    assert {name for name in changed if ".wav" in name} == {
        name for name in before if name.startswith(f"{recording}.wav")
    }
    assert content == {
        name: s3.get_object(Bucket=bucket, Key=f"{prefix}results/{name}")["Body"].read() for name in after
    }


# --- recordings that must be transcoded --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lossy(tmp_path_factory: pytest.TempPathFactory, reef_scene: Path) -> list[Path]:
    """Write the scene in four formats that are not sample-accurately seekable, and a file that only begins like MP3."""
    folder = tmp_path_factory.mktemp("lossy")
    samples, rate = soundfile.read(reef_scene, dtype="float32")
    paths = []
    for name, container, subtype in (
        ("a.mp3", "MP3", "MPEG_LAYER_III"),
        ("b.ogg", "OGG", "VORBIS"),
        ("c.opus", "OGG", "OPUS"),
        ("d.wav", "WAV", "MS_ADPCM"),
    ):
        with soundfile.SoundFile(folder / name, "w", rate, 1, subtype, format=container) as file:
            for start in range(0, len(samples), rate):
                file.write(samples[start : start + rate])
        paths.append(folder / name)
    (folder / "noise.mp3").write_bytes(b"\xff\xfb\x90\x64" + np.random.default_rng(1).bytes(20_000))
    return [*paths, folder / "noise.mp3"]


def test_lossy_recordings_are_transcoded_once_and_equal_the_laptop(
    stack: Stack, s3: Any, run_job: RunJob, lossy: list[Path], reef_scene: Path, tmp_path: Path
) -> None:
    execution, results = run_job(stack, *lossy, reef_scene, settings={"max_range_seconds": 10})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.states[:5] == ["Plan", "NeedsTranscoding?", "TranscodeRecordings", "PlanAgain", "HasRanges?"]
    assert {key: execution.output[key] for key in ("recordings", "failed")} == {"recordings": 6, "failed": 1}
    assert results == laptop(tmp_path / "laptop", *lossy, reef_scene)
    found = {name: len(results[f"{name}.events.csv"].splitlines()) for name in ("a.mp3", "b.ogg", "scene.wav")}
    assert min(found.values()) > 2
    bucket, prefix = stack.outputs["OutputBucketName"], f"{execution.output['job']}/audio/"
    pieces = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    assert sorted({key.rpartition("/")[2] for key in pieces}) == ["000000.flac", "failure.json", "index.json"]


def test_single_lossy_recording_that_cannot_be_decoded_fails(
    stack: Stack, run_job: RunJob, lossy: list[Path], tmp_path: Path
) -> None:
    execution, _ = run_job(stack, lossy[-1])
    assert execution.status == "FAILED"
    message = CliRunner().invoke(main, ["detect", str(lossy[-1]), "--out", str(tmp_path / "laptop")]).stderr.strip()
    assert f"{execution.error}: {execution.cause}" == message


def test_prefix_selects_all_recordings_below_it(
    stack: Stack, s3: Any, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    bucket = stack.outputs["InputBucketName"]
    for name in ("day1/a.wav", "day1/b.flac", "day2/a.wav"):
        path = make_recording(name.replace("/", "-"), frames=48_000)
        s3.upload_file(str(path), bucket, f"deployment/{name}")
    s3.put_object(Bucket=bucket, Key="deployment/notes.txt", Body=b"calm sea")
    execution = stack.run(
        {"job": {"tenant": "lab", "id": "prefix"}, "recordings": {"prefix": f"s3://{bucket}/deployment/"}}
    )
    assert execution.status == "SUCCEEDED", execution.cause
    files = {path.relative_to(tmp_path).as_posix() for path in fetch(s3, stack, execution.output["job"], tmp_path)}
    assert {name for name in files if name.endswith(".json")} == {
        "day1/a.wav.json",
        "day1/b.flac.json",
        "day2/a.wav.json",
    }
    assert len(execution.children) == 1  # short recordings share a worker
    empty = stack.run({"job": {"tenant": "lab", "id": "none"}, "recordings": {"prefix": f"s3://{bucket}/nothing/"}})
    assert (empty.status, empty.error) == ("FAILED", "RecordingNotFound")


def test_unusual_keys_below_a_prefix_are_analysed(
    stack: Stack, s3: Any, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    bucket, path = stack.outputs["InputBucketName"], make_recording("odd.wav", frames=48_000)
    for key in ("a.wav", "d//b.wav", "t\tb.wav", "x\\y.wav", "50 %+ü.wav"):
        s3.upload_file(str(path), bucket, f"odd/{key}")
    s3.put_object(Bucket=bucket, Key="odd/empty.wav", Body=b"")
    execution = stack.run({"job": {"tenant": "lab", "id": "odd"}, "recordings": {"prefix": f"s3://{bucket}/odd/"}})
    assert execution.status == "SUCCEEDED", execution.cause
    files = {path.relative_to(tmp_path).as_posix() for path in fetch(s3, stack, execution.output["job"], tmp_path)}
    rows = list(csv.DictReader(io.StringIO((tmp_path / "summary.csv").read_text())))
    assert len(rows) == 6
    done = [row for row in rows if not row["error"]]
    assert len(done) == 5  # all are analysed, and only the empty file has failed
    assert {"a.wav.json", "t_b.wav.json"} <= files
    assert len([name for name in files if name.endswith(".json")]) == 5


def test_deployment_puts_the_reference_model_into_the_models_bucket(stack: Stack, s3: Any) -> None:
    """Nothing but the deployment writes it there; the other tests of this folder use it."""
    bucket = stack.outputs["ModelsBucketName"]
    shipped = sorted(path for path in (REPOSITORY / "models" / "reef").rglob("*") if path.is_file())
    for path in shipped:
        key = path.relative_to(REPOSITORY / "models").as_posix()
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == path.read_bytes(), key
