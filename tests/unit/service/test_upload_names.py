"""Which file names a recording may be uploaded under."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.errors import (
    InvalidRequest,
)
from anemonefish.jobs.request import RecordingRequest
from anemonefish.service.upload_names import FILENAME, LONGEST_FILENAME
from anemonefish.service.uploads import Uploads
from tests.fakes.uploads import put

USABLE = [
    "20230210_000001_LL_B55_M_R.wav",
    "a.wav",
    "A.WAV",
    "a.Flac",
    "a b.wav",
    "a..wav",
    "a.mp3.wav",
    "-rf.wav",
    "~a.wav",
    "a%2F..%2Fb.wav",
    "a?b#c&d=e+f.wav",
    "a\"b'c;d.wav",
    "Größe ☃ 🐠.wav",
    "海葵.wav",
    "a\u0301.wav",
    "x" * (LONGEST_FILENAME - 5) + ".flac",
    "🐠" * (LONGEST_FILENAME - 5) + ".flac",
    *(f"a{extension}" for extension in sorted(AUDIO_EXTENSIONS)),
]


@pytest.mark.parametrize("name", USABLE)
def test_accepted_name_ends_the_key_below_its_tenant(store: Uploads, bucket: str, name: str) -> None:
    upload = store.open("lab-1", name, 4)
    assert re.fullmatch(r"u-[a-z2-7]{26}", upload.id)
    assert upload.key == f"uploads/lab-1/{upload.id}/{name}"
    assert len(upload.key.encode()) <= 1024  # S3's limit, whatever the name
    put(bucket, upload, b"1234")
    done = store.complete("lab-1", upload.id)
    request = done.request(bucket)  # refuses what no job could take
    assert request == RecordingRequest(f"s3://{bucket}/{upload.key}", name, name, version=done.etag)


@pytest.mark.parametrize(
    "name",
    [
        "../a.wav", "..\\a.wav", "/a.wav", "a/b.wav", "a\\b.wav", "C:\\a.wav", "./a.wav", ".a.wav", "..wav",
        "a\n.wav", "a\r.wav", "a\t.wav", "a\0.wav", "a\x1b[31m.wav", "a\x7f.wav", "a\x85.wav", "a\x9f.wav", "\x00.wav",
        "x" * (LONGEST_FILENAME - 4) + ".flac", "x" * 5_000 + ".wav",
    ],
)  # fmt: skip
def test_name_with_folders_or_control_characters_is_refused(store: Uploads, table: RecordTable, name: str) -> None:
    with pytest.raises(InvalidRequest, match="without folders, control characters or a leading dot") as caught:
        store.open("lab", name, 4)
    assert len(str(caught.value)) < 400
    assert all(letter.isprintable() for letter in str(caught.value))


@pytest.mark.parametrize(
    "name",
    ["", "a", "wav", ".wav.txt", "a.exe", "a.wav.exe", "a.wav ", "a.wav\n", "a.wav/", "a.wav\0", "a.wa", "a.wavx",
     "a.\uff57av"],
)  # fmt: skip
def test_name_without_an_audio_extension_is_refused(store: Uploads, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"must end in one of \.aac .*\.webm"):
        store.open("lab", name, 4)


@given(st.text(max_size=20), st.sampled_from(sorted(AUDIO_EXTENSIONS)))
def test_every_name_of_the_pattern_is_accepted_by_a_job(stem: str, extension: str) -> None:
    name = stem + extension
    if re.fullmatch(FILENAME, name):
        assert RecordingRequest("s3://reef/a", name, name).name == name
    else:
        assert not stem or stem.startswith(".") or re.search(r"[/\\\x00-\x1f\x7f-\x9f]", stem)
