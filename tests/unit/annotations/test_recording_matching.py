"""The recording that a label file names is found."""

from __future__ import annotations

import unicodedata

import pytest

from anemonefish.annotations.recording_matching import RecordingMatcher
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/x.wav", "a/x.wav"), ("C:\\data\\a\\x.wav", "a/x.wav"), ("/data/b/x.wav", "b/x.wav"), ("y.wav", "c/y.wav"),
     ("/elsewhere/y.wav", "c/y.wav"), ("y", "c/y.wav"), ("y.flac", "c/y.wav"), ("b/x", "b/x.wav"), ("q.wav", None),
     ("", None), ("z", "z")],
)  # fmt: skip
def test_recording_is_found_by_path_file_name_or_stem(name: str, expected: str | None) -> None:
    assert RecordingMatcher(["a/x.wav", "b/x.wav", "c/y.wav", "z"], AUDIO_EXTENSIONS).find(name) == expected


@pytest.mark.parametrize("name", ["x.wav", "x", "/elsewhere/x.wav"])
def test_name_that_fits_two_recordings_is_an_error(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"a/x\.wav, b/x\.wav"):
        RecordingMatcher(["a/x.wav", "b/x.wav"], AUDIO_EXTENSIONS).find(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("REEF.WAV", "site/reef.wav"), ("Site/Reef.Wav", "site/reef.wav"), ("reef.WAV", "site/reef.wav"),
     ("reef.wav ", "site/reef.wav"), ("REEF", "site/reef.wav"), ("reef.FLAC", "site/reef.wav"),
     ("C:\\DATA\\SITE\\REEF.wav", "site/reef.wav"), ("Männchen.wav", "Männchen.wav"), ("MÄNNCHEN.wav", "Männchen.wav")],
)  # fmt: skip
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_capitals_and_unicode_forms_are_ignored_where_one_recording_fits(name: str, expected: str, form: str) -> None:
    for other in ("NFC", "NFD"):
        names = RecordingMatcher(
            [unicodedata.normalize(other, name) for name in ("site/reef.wav", "Männchen.wav")], AUDIO_EXTENSIONS
        )  # type: ignore[arg-type]
        assert names.find(unicodedata.normalize(form, name)) == unicodedata.normalize(other, expected)  # type: ignore[arg-type]


def test_names_that_differ_only_in_capitals_or_unicode_form_are_two_recordings() -> None:
    forms = [unicodedata.normalize("NFC", "ä.wav"), unicodedata.normalize("NFD", "ä.wav")]
    names = RecordingMatcher(["a.wav", "A.wav", *forms], AUDIO_EXTENSIONS)
    assert [names.find(name) for name in ("a.wav", "A.wav", *forms)] == ["a.wav", "A.wav", *forms]
    assert names.find("a.flac") == "a.wav"
    with pytest.raises(InvalidRequest, match="may be any of"):
        names.find("ä.flac")
    with pytest.raises(InvalidRequest, match="may be any of"):
        RecordingMatcher(["ab.wav", "AB.wav"], AUDIO_EXTENSIONS).find("Ab.wav")


def test_folders_are_compared_without_capitals() -> None:
    assert RecordingMatcher(["a/x.wav", "b/x.wav"], AUDIO_EXTENSIONS).find("D:\\A\\x.wav") == "a/x.wav"
