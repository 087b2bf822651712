"""The lifecycle rules of the output bucket: what is deleted and what is archived."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from anemonefish.stores import Kind
from anemonefish.stores.object_kinds import KIND_TAG, tagging
from tests.cloudformation import Stack
from tests.lifecycle_rules import Fate, fate, rules_of

REPOSITORY = Path(__file__).parents[2]
ASL = REPOSITORY / "statemachine" / "analyze.asl.json"
MIB = 1 << 20


@pytest.mark.parametrize(
    ("parameters", "kind", "expected"),
    [
        ({}, Kind.SCORES, Fate(deleted=365)),
        ({"ScoreDays": 90}, Kind.SCORES, Fate(deleted=90)),
        ({}, Kind.AUDIO, Fate(deleted=30)),
        ({"InputExpiryDays": 7}, Kind.AUDIO, Fate(deleted=7)),
    ],
)
def test_temporary_objects_are_deleted_after_their_days(parameters: dict[str, int], kind: Kind, expected: Fate) -> None:
    rules = rules_of(Stack(parameters), "OutputBucket")
    for size in (1, 10 * MIB):
        assert fate(rules, "jobs/lab/e-1/any/key", size, _tags_of(kind, size)) == expected


@pytest.mark.parametrize(
    ("parameters", "moved"),
    [
        ({}, (("GLACIER_IR", 90),)),
        ({"ArchiveDays": 0}, ()),
        ({"DeepArchiveDays": 365}, (("GLACIER_IR", 90), ("DEEP_ARCHIVE", 365))),
        ({"ArchiveDays": 0, "DeepArchiveDays": 730}, (("DEEP_ARCHIVE", 730),)),
    ],
)
def test_large_reports_are_archived_as_the_parameters_say(
    parameters: dict[str, int], moved: tuple[tuple[str, int], ...]
) -> None:
    rules = rules_of(Stack(parameters), "OutputBucket")
    key = "jobs/lab/e-1/results/a.wav.json"
    assert fate(rules, key, MIB, _tags_of(Kind.RESULT, MIB)) == Fate(moved=moved)
    assert fate(rules, key, MIB - 1, _tags_of(Kind.RESULT, MIB - 1)) == Fate()
    for kind in (Kind.SCORES, Kind.AUDIO):
        assert fate(rules, key, MIB, _tags_of(kind, MIB)).moved == ()


def test_every_allowed_pair_of_days_leaves_what_instant_retrieval_charges_for() -> None:
    allowed = {
        name: [days for days in Stack().template["Parameters"][name]["AllowedValues"] if days]
        for name in ("ArchiveDays", "DeepArchiveDays")
    }
    assert min(allowed["DeepArchiveDays"]) - max(allowed["ArchiveDays"]) >= 90


def test_transcoded_audio_is_kept_as_long_as_recordings() -> None:
    stack = Stack({"InputExpiryDays": 12})
    recording = fate([_without_versions(stack)], "uploads/lab/u-1/a.mp3", 1, {})
    audio = fate(rules_of(stack, "OutputBucket"), "jobs/lab/e-1/audio/x/000000.flac", 1, _tags_of(Kind.AUDIO, 1))
    assert recording == audio == Fate(deleted=12)


def _without_versions(stack: Stack) -> dict[str, object]:
    """Return the rule of the input bucket that deletes recordings, as far as it concerns current versions."""
    rules = stack.resources()["InputBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    [rule] = [rule for rule in rules if "ExpirationInDays" in rule]
    return {name: value for name, value in rule.items() if name != "NoncurrentVersionExpiration"}


def test_every_distributed_map_writes_its_results_where_they_are_deleted() -> None:
    definition = json.loads(re.sub(r"\$\{\w+\}", "x", ASL.read_text(encoding="utf-8")))
    writers = {
        name: state["ResultWriter"]["Parameters"]
        for name, state in definition["States"].items()
        if state["Type"] == "Map" and state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    }
    assert len(writers) >= 2
    rules = rules_of(Stack(), "OutputBucket")
    for name, parameters in writers.items():
        found = re.fullmatch(r"States\.Format\('(.*)', \$\.job\)", parameters["Prefix.$"])
        assert found is not None, name
        key = f"{found[1].format('jobs/lab/e-1')}/0f1e2d3c/SUCCEEDED_0.json"
        assert fate(rules, key, 1000, {}) == Fate(deleted=15), name


def test_excerpts_are_deleted_after_some_days() -> None:
    assert fate(rules_of(Stack(), "OutputBucket"), "excerpts/lab/0f1e/0-9600.flac", 1000, {}) == Fate(deleted=3)


@pytest.mark.parametrize("name", ["plan.json", "manifest.json", "results/summary.csv", "failures/a/b.json"])
def test_untagged_files_of_a_job_are_kept(name: str) -> None:
    assert fate(rules_of(Stack(), "OutputBucket"), f"jobs/lab/e-1/{name}", 10 * MIB, {}) == Fate()


def _tags_of(kind: Kind, size: int) -> dict[str, str]:
    tags = tagging(kind, size)
    return {} if tags is None else dict([tags.split("=")])


def test_tag_is_the_one_that_the_rules_select() -> None:
    wanted = {
        tag["Value"]
        for rule in rules_of(Stack(), "OutputBucket")
        for tag in rule.get("TagFilters", ())
        if tag["Key"] == KIND_TAG
    }
    assert wanted <= {kind.value for kind in Kind}
    assert {"scores", "audio"} <= wanted
