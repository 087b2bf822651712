"""The shapes of requests: what the API's document promises, its checks take, and the domain takes as well."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from anemonefish.errors import InvalidSettings, ModelNotFound
from anemonefish.models.repository import ModelRepository
from anemonefish.service.api import app
from anemonefish.service.api.documents import openapi_document
from anemonefish.service.api.schemas import shared_schemas
from anemonefish.service.api.schemas.clip_schemas import ClipConfig
from anemonefish.service.api.schemas.execution_schemas import ExecutionBody
from anemonefish.service.api.schemas.settings_schemas import DecisionBody, SettingsBody
from anemonefish.service.api.schemas.upload_schemas import CompleteBody, SentPart, UploadBody
from anemonefish.service.execution_record import execution_id
from anemonefish.service.upload_names import FILENAME, LONGEST_FILENAME
from anemonefish.service.upload_record import MOST_BYTES, new_id
from anemonefish.service.webhook_address import check_url
from anemonefish.settings import FORMATS, REVIEWS, Settings, Use, names_for
from anemonefish.start_time.name_patterns import parse_pattern
from anemonefish.start_time.time_zones import parse_time_zone
from anemonefish.stores import open_store

OF_THE_STACK = {"memory_mb", "architecture"}
"""Settings that no request may change."""

UPLOAD = "u-" + "a" * 26
BODIES: dict[type[BaseModel], dict[str, Any]] = {
    UploadBody: {"filename": "a.wav", "size": 1},
    ExecutionBody: {"recordings": [UPLOAD]},
    DecisionBody: {},
    SettingsBody: {},
    CompleteBody: {},
    SentPart: {"number": 1, "etag": "a"},
    ClipConfig: {},
}


def takes(model: type[BaseModel], /, **values: Any) -> bool:
    """Say whether a body is taken."""
    try:
        model.model_validate(BODIES[model] | values)
    except ValidationError:
        return False
    return True


def loads(name: str, value: Any) -> bool:
    """Say whether the domain takes a setting."""
    try:
        Settings.load({name: value}, {})
    except InvalidSettings:
        return False
    return True


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Say whether a value is valid under the part of JSON Schema that the documents use."""
    unknown = set(schema) - {
        "anyOf", "type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
        "pattern", "items", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
        "additionalProperties", "propertyNames", "default", "description", "title", "examples",
    }  # fmt: skip
    assert not unknown
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if "anyOf" in schema and not any(fits(each, value) for each in schema["anyOf"]):
        return False
    if (
        "type" in schema
        and not {
            "null": value is None,
            "boolean": isinstance(value, bool),
            "string": isinstance(value, str),
            "array": isinstance(value, list),
            "object": isinstance(value, dict),
            "number": number,
            "integer": number and math.isfinite(value) and value == int(value),
        }[schema["type"]]
    ):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if number:
        return (
            schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
            and ("exclusiveMinimum" not in schema or schema["exclusiveMinimum"] < value)
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        )
    if isinstance(value, str):
        right = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
        return right and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)
    if isinstance(value, list):
        right = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
        right = right and (not schema.get("uniqueItems") or len(set(value)) == len(value))
        return right and all(fits(schema.get("items", {}), each) for each in value)
    if isinstance(value, dict):
        right = schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", math.inf)
        names, values = schema.get("propertyNames", {}), schema.get("additionalProperties", {})
        return right and all(fits(names, name) and fits(values, each) for name, each in value.items())
    return True


def documented(model: type[BaseModel], name: str) -> dict[str, Any]:
    found: dict[str, Any] = model.model_json_schema()["properties"][name]
    return found


# --- settings ----------------------------------------------------------------------------------------------------

NAMES = sorted({field.name for field in fields(Settings)} - OF_THE_STACK)
EDGES = [0, 0.001, 1, 2, 60, 99, 100, 512, 1024, 3600, 10_000, 86_400]
NUMBERS = st.one_of(
    st.sampled_from([step for edge in EDGES for step in (edge, float(edge), edge - 1, edge + 1, -edge)]),
    st.sampled_from([step for edge in EDGES for step in (math.nextafter(edge, -1), math.nextafter(edge, 1e9))]),
    st.integers(-10, 100_000),
    st.floats(-10, 100_000),
    st.floats(0, 2),
)
WORDS = st.one_of(
    st.sampled_from(["", "a", "anemonefish", "csv", "UTC", "+10:00", "date_time", "yes", "0.5"]), st.text()
)
LISTS = st.lists(st.one_of(st.sampled_from([*FORMATS, *REVIEWS]), WORDS, st.integers(0, 2)), max_size=6)
OBJECTS = st.dictionaries(WORDS, st.one_of(NUMBERS, WORDS), max_size=4)
VALUES = st.one_of(NUMBERS, st.booleans(), WORDS, LISTS, OBJECTS)


def test_request_can_set_every_setting() -> None:
    assert set(SettingsBody.model_fields) == set(NAMES)
    assert set(DecisionBody.model_fields) == set(names_for(Use.EVENTS))
    assert set(ClipConfig.model_fields) <= {"model", *NAMES}


@pytest.mark.parametrize("name", NAMES)
@given(value=VALUES)
def test_documented_values_are_accepted_by_api_and_settings(name: str, value: Any) -> None:
    if fits(documented(SettingsBody, name), value):
        body = SettingsBody.model_validate({name: value})
        assert body.changes() == {name: value}
        assert Settings.load(body.changes(), {}).to_dict()[name] == value


@pytest.mark.parametrize("name", NAMES)
@given(value=VALUES)
def test_values_accepted_by_the_api_are_accepted_by_settings(name: str, value: Any) -> None:
    if takes(SettingsBody, **{name: value}):
        changes = SettingsBody.model_validate({name: value}).changes()
        even = name == "median_windows" and changes[name] % 2 == 0  # said by the domain, with the reason
        assert loads(name, changes[name]) is not even


@pytest.mark.parametrize("name", sorted({*NAMES} - {"review"}))
@given(value=VALUES)
@example(value=math.nan)
@example(value=math.inf)
@example(value=-math.inf)
def test_values_accepted_by_settings_are_accepted_by_the_api(name: str, value: Any) -> None:
    if loads(name, value) and not (isinstance(value, str) and len(value) > 64):
        assert takes(SettingsBody, **{name: value})


@pytest.mark.parametrize("value", [["clips"], ["pictures", "clips"], []])
def test_every_review_of_the_settings_is_accepted_by_the_api(value: list[str]) -> None:
    assert loads("review", value)
    assert takes(SettingsBody, review=value)
    assert fits(documented(SettingsBody, "review"), value)


@pytest.mark.parametrize(
    ("name", "least", "most", "step"),
    [
        ("window_seconds", 0.001, 60, 1e-6),
        ("hop_seconds", 0.001, 60, 1e-6),
        ("channel", 1, 1024, 1),
        ("threshold", 0, math.nextafter(1, 0), 1e-16),
        ("full_scale_db", 0, 300, 1e-6),
        ("median_windows", 1, 99, 2),
        ("min_duration_seconds", 0, 3600, 1e-6),
        ("min_gap_seconds", 0, 3600, 1e-6),
        ("target_seconds", 5e-324, 86_400, 1e-6),
        ("max_concurrency", 1, 10_000, 1),
        ("max_range_seconds", 1, 86_400, 1e-6),
    ],
)
def test_document_api_and_settings_have_the_same_limits(name: str, least: float, most: float, step: float) -> None:
    schema = documented(SettingsBody, name)
    for value, right in [(least, True), (most, True), (least - step, False), (most + step, False)]:
        assert (fits(schema, value), takes(SettingsBody, **{name: value}), loads(name, value)) == (right,) * 3, value


@pytest.mark.parametrize("name", sorted({*ClipConfig.model_fields} - {"model"}))
def test_clip_has_the_limits_of_a_recording(name: str) -> None:
    def limits(model: type[BaseModel]) -> Any:
        return {key: value for key, value in documented(model, name).items() if key != "description"}

    assert limits(ClipConfig) == limits(SettingsBody)


@pytest.mark.parametrize("name", ["channel", "max_concurrency", "median_windows"])
def test_whole_number_with_a_decimal_point_is_accepted(name: str) -> None:
    changes = SettingsBody.model_validate(json.loads(f'{{"{name}": 5.0}}')).changes()
    assert changes == {name: 5}
    assert type(changes[name]) is int
    assert not takes(SettingsBody, **{name: 5.5})


def test_unset_settings_are_no_changes() -> None:
    assert SettingsBody.model_validate({"threshold": None, "formats": None, "hop_seconds": 0.1}).changes() == {
        "hop_seconds": 0.1
    }


@given(st.from_regex(documented(SettingsBody, "time_zone")["pattern"], fullmatch=True))
def test_documented_time_zones_are_valid(zone: str) -> None:
    assert takes(SettingsBody, time_zone=zone)
    parse_time_zone(zone)


@given(st.from_regex(documented(SettingsBody, "name_pattern")["pattern"], fullmatch=True))
def test_documented_name_patterns_are_valid(pattern: str) -> None:
    assert takes(SettingsBody, name_pattern=pattern)
    parse_pattern(pattern)


# --- bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", BODIES)
@pytest.mark.parametrize("name", ["tenant", "owner", "id", "key", "status", "Filename", "thresh0ld", "", "memory_mb"])
def test_unknown_field_is_refused(model: type[BaseModel], name: str) -> None:
    assert takes(model)
    assert not takes(model, **{name: "other"})
    assert model.model_json_schema()["additionalProperties"] is False


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (UploadBody, {"size": "1"}),
        (UploadBody, {"size": 1.5}),
        (UploadBody, {"size": True}),
        (UploadBody, {"size": None}),
        (UploadBody, {"filename": 1}),
        (UploadBody, {"filename": None}),
        (UploadBody, {"filename": "a\ud800.wav"}),
        (UploadBody, {"sha256": "a" * 63}),
        (UploadBody, {"sha256": "a" * 65}),
        (UploadBody, {"sha256": "g" * 64}),
        (UploadBody, {"sha256": "a" * 64 + "\n"}),
        (ExecutionBody, {"recordings": UPLOAD}),
        (ExecutionBody, {"recordings": None}),
        (ExecutionBody, {"recordings": [None]}),
        (ExecutionBody, {"recordings": [UPLOAD + "\n"]}),
        (ExecutionBody, {"recordings": ["e-" + "a" * 26]}),
        (ExecutionBody, {"recordings": ["s3://bucket/key"]}),
        (ExecutionBody, {"settings": None}),
        (ExecutionBody, {"settings": []}),
        (ExecutionBody, {"settings": {"architecture": "x86_64"}}),
        (ExecutionBody, {"model": None}),
        (ExecutionBody, {"model": "../reef"}),
        (ExecutionBody, {"model": "reef@production\n"}),
        (ExecutionBody, {"webhook": 1}),
        (ExecutionBody, {"webhook": "https://a.org/" + "x" * 2_048}),
        (CompleteBody, {"parts": {}}),
        (CompleteBody, {"parts": [{"number": 1}]}),
        (SentPart, {"number": 0}),
        (SentPart, {"number": 10_001}),
        (SentPart, {"etag": ""}),
        (SentPart, {"etag": "x" * 101}),
    ],
)
def test_value_out_of_range_is_refused(model: type[BaseModel], values: dict[str, Any]) -> None:
    assert not takes(model, **values)


@pytest.mark.parametrize("size", [1, MOST_BYTES, float(MOST_BYTES)])
def test_sizes_up_to_the_largest_are_accepted(size: float) -> None:
    assert UploadBody.model_validate(BODIES[UploadBody] | {"size": size}).size == size
    assert not takes(UploadBody, size=MOST_BYTES + 1)
    assert not takes(UploadBody, size=0)
    schema = documented(UploadBody, "size")
    assert (schema["minimum"], schema["maximum"]) == (1, MOST_BYTES)


@pytest.mark.parametrize(("number", "right"), [(0, False), (1, True), (1_000, True), (1_001, False)])
def test_execution_has_up_to_a_thousand_recordings(number: int, right: bool) -> None:
    assert takes(ExecutionBody, recordings=[UPLOAD] * number) is right
    assert fits(documented(ExecutionBody, "recordings"), [UPLOAD] * number) is right


@given(st.from_regex(FILENAME, fullmatch=True))
def test_documented_file_names_are_accepted(name: str) -> None:
    assert documented(UploadBody, "filename")["pattern"] == FILENAME
    assert len(name) <= LONGEST_FILENAME
    assert takes(UploadBody, filename=name)


@given(st.from_regex(documented(ExecutionBody, "webhook")["pattern"], fullmatch=True))
def test_documented_webhooks_are_accepted(url: str) -> None:
    assert takes(ExecutionBody, webhook=url)
    check_url(url)


# --- names -------------------------------------------------------------------------------------------------------


def test_new_identifiers_are_accepted() -> None:
    for _ in range(100):
        assert re.search(shared_schemas.UPLOAD_ID, new_id("u"))
        assert re.search(shared_schemas.EXECUTION_ID, new_id("e"))
        assert takes(ExecutionBody, recordings=[new_id("u")])


@given(st.text(), st.text(min_size=1))
def test_identifier_of_every_key_is_accepted(owner: str, key: str) -> None:
    assert re.search(shared_schemas.EXECUTION_ID, execution_id(owner, key))


@given(st.from_regex(shared_schemas.MODEL_REFERENCE, fullmatch=True))
def test_accepted_model_reference_can_be_looked_up(models_uri: str, reference: str) -> None:
    assert takes(ExecutionBody, model=reference)
    with suppress(ModelNotFound):  # and nothing worse
        ModelRepository(open_store(models_uri)).pin(reference)


@pytest.mark.parametrize("reference", ["reef", "reef@production", "reef@1.0.0"])
def test_reference_of_a_published_model_is_accepted(reference: str) -> None:
    assert takes(ExecutionBody, model=reference)
    assert takes(ClipConfig, model=reference)


# --- the document ------------------------------------------------------------------------------------------------


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_QUEUE", "https://queue")
    return openapi_document(app._app, "/v1")


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"].lower(): each["schema"] for each in operation["parameters"]}


def limits(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the limits of a parameter that may be left out."""
    found = next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)
    return {key: value for key, value in found.items() if key.startswith(("min", "max")) or key == "pattern"}


def test_published_document_has_the_limits_of_the_schemas(document: dict[str, Any]) -> None:
    for model in (UploadBody, ExecutionBody, DecisionBody, SettingsBody):
        published = document["components"]["schemas"][model.__name__]["properties"]
        assert set(published) == set(model.model_fields)
        for name in model.model_fields:
            assert limits(published[name]) == limits(documented(model, name)), name


def test_published_document_has_the_limits_of_the_parameters(document: dict[str, Any]) -> None:
    key = parameters(document["paths"]["/executions"]["post"])["idempotency-key"]
    assert limits(key) == {"minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"}
    page = parameters(document["paths"]["/executions"]["get"])
    assert limits(page["limit"]) == {"minimum": 1, "maximum": 100}
    assert limits(page["from"]) == {"pattern": shared_schemas.EXECUTION_ID}


def test_stack_without_webhooks_documents_none(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "webhook" in document["components"]["schemas"]["ExecutionBody"]["properties"]
    monkeypatch.delenv("ANEMONEFISH_WEBHOOK_QUEUE")
    assert "webhook" not in openapi_document(app._app, "/v1")["components"]["schemas"]["ExecutionBody"]["properties"]
