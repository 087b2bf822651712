"""A request names its recordings; malformed ones are refused, and repeated ones count once."""

from __future__ import annotations

import pytest

from anemonefish import errors
from anemonefish.jobs.request import RecordingRequest, distinct, unique_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.wav", "b.wav"], ["a.wav", "b.wav"]),
        (["a.wav", "a.wav", "a.wav"], ["a.wav", "a-2.wav", "a-3.wav"]),
        (["a.wav", "a-2.wav", "a.wav"], ["a.wav", "a-2.wav", "a-3.wav"]),
        (["x.d/a", "x.d/a"], ["x.d/a", "x.d/a-2"]),
    ],
)
def test_repeated_names_get_a_number(names: list[str], expected: list[str]) -> None:
    assert unique_names(names) == expected


@pytest.mark.parametrize(
    "document",
    [
        "s3://b/k",
        {},
        {"uri": 3},
        {"uri": "s3://b/k", "secret": 1},
        {"uri": "s3://b/k", "name": 3},
        {"uri": "s3://b/k", "name": "../x"},
        {"uri": "s3://b/k", "name": "/x"},
        {"uri": "s3://b/k", "name": "a\nb"},
    ],
)
def test_malformed_recording_is_refused(document: object) -> None:
    with pytest.raises(errors.InvalidRequest):
        RecordingRequest.from_dict(document)


def test_repeated_object_in_a_request_is_one_recording() -> None:
    first = RecordingRequest("s3://reef/a.wav", "a.wav", "a.wav", version='"1"')
    again = RecordingRequest("s3://reef/a.wav", "other.wav", "a.wav", version='"1"')
    later = RecordingRequest("s3://reef/a.wav", "a.wav", "a.wav", version='"2"')
    assert distinct([first, again, later, first]) == (first, later)
