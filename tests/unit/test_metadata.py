"""What headers say about themselves: every container, chunks before and behind the samples, and broken ones."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.metadata import BroadcastExtension, Metadata, read_metadata

GUANO = b"GUANO|Version: 1.0\nMake: Wildlife Acoustics, Inc.\nTimestamp: 2020-02-14T19:17:30+02:00\nNote: a: b\n"
COMMENT = (
    b"Recorded at 19:17:30 14/02/2020 (UTC+2) by AudioMoth 24F3190361CB5B21 at medium gain while battery was 4.2V."
)
FMT = struct.pack("<HHIIHH", 1, 1, 48_000, 96_000, 2, 16)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)


def wav(*chunks: bytes, form: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body)) + body


def info(**texts: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text) for name, text in texts.items()))


def bext(date: bytes = b"2020-02-14", time: bytes = b"19:17:30", reference: int = 0) -> bytes:
    return chunk(b"bext", b"\0" * 320 + date.ljust(10, b"\0") + time.ljust(8, b"\0") + struct.pack("<Q", reference))


def read(content: bytes) -> Metadata:
    return read_metadata(io.BytesIO(content), len(content))


FMT_CHUNK, DATA = chunk(b"fmt ", FMT), chunk(b"data", bytes(1000))


def test_a_plain_recording_says_nothing_but_its_rate() -> None:
    assert read(wav(FMT_CHUNK, DATA)) == Metadata(sample_rate=48_000)


@pytest.mark.parametrize("form", [b"RIFF", b"RF64", b"BW64"])
def test_chunks_before_and_behind_the_samples(form: bytes) -> None:
    found = read(wav(FMT_CHUNK, info(ICMT=COMMENT + b"\0"), bext(reference=12), DATA, chunk(b"guan", GUANO), form=form))
    assert found.info == {"ICMT": COMMENT.decode()}
    assert found.broadcast == BroadcastExtension("2020-02-14", "19:17:30", 12)
    assert found.guano["Timestamp"] == "2020-02-14T19:17:30+02:00"
    assert found.guano["GUANO|Version"] == "1.0"
    assert found.guano["Note"] == "a: b"


def test_the_real_length_of_the_samples_is_that_of_ds64() -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, 1001, 0, 0))
    data = b"data" + struct.pack("<I", 0xFFFFFFFF) + bytes(1001) + b"\0"
    assert read(wav(ds64, FMT_CHUNK, data, chunk(b"guan", GUANO), form=b"RF64")).guano["Note"] == "a: b"


class Sparse(io.RawIOBase):
    """A file of 5 GiB of samples between two pieces: counts what is read of it."""

    def __init__(self, head: bytes, hole: int, tail: bytes) -> None:
        self.head, self.tail, self.start, self.size = head, tail, len(head) + hole, len(head) + hole + len(tail)
        self.at = self.bytes_read = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        self.at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "nobody reads to the end"
        piece = self.head[self.at :] if self.at < self.start else self.tail[self.at - self.start :]
        piece = piece[:size].ljust(min(size, max(0, self.size - self.at)) if self.at < self.start else 0, b"\0")
        self.at += len(piece)
        self.bytes_read += len(piece)
        return piece


@pytest.mark.parametrize("declared", [5 * 2**30, (5 * 2**30) % 2**32])
def test_samples_above_4_gib_are_jumped_over(declared: int) -> None:
    size, tail = 5 * 2**30, chunk(b"guan", GUANO)
    if declared == size:
        ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))
        head = b"RF64\xff\xff\xff\xffWAVE" + ds64 + FMT_CHUNK + b"data\xff\xff\xff\xff"
    else:  # a plain WAV whose length wrapped
        head = b"RIFF" + struct.pack("<I", 0) + b"WAVE" + FMT_CHUNK + b"data" + struct.pack("<I", declared)
    file = Sparse(head, size, tail)
    assert read_metadata(file, file.size).guano["Note"] == "a: b"  # type: ignore[arg-type]  # as much of a file as is used
    assert file.bytes_read < 2000


def test_no_more_than_64_kib_of_a_chunk_are_read() -> None:
    padded = GUANO + b" " * 10_000_000
    file = io.BytesIO(wav(FMT_CHUNK, DATA, chunk(b"guan", padded), info(ICMT=COMMENT)))
    taken: list[int] = []
    real = file.read

    def counting(size: int | None = -1) -> bytes:
        piece = real(size)
        taken.append(len(piece))
        return piece

    file.read = counting  # type: ignore[method-assign]
    found = read_metadata(file, len(file.getvalue()))
    assert found.guano["Note"] == "a: b"
    assert found.info["ICMT"] == COMMENT.decode()
    assert sum(taken) < 70_000


def test_a_stream_that_never_learned_its_length_has_nothing_behind_its_samples() -> None:
    stream = FMT_CHUNK + info(ICMT=COMMENT) + b"data" + struct.pack("<I", 0) + chunk(b"guan", GUANO)
    found = read(wav(stream))
    assert found.info
    assert not found.guano


def test_ixml_stands_in_for_a_missing_bext() -> None:
    xml = (
        b"<?xml version='1.0'?><BWFXML><SPEED><MASTER_SPEED>1</MASTER_SPEED></SPEED><BEXT>"
        b"<BWF_ORIGINATION_DATE>2021-05-06</BWF_ORIGINATION_DATE><BWF_ORIGINATION_TIME>07:08:09</BWF_ORIGINATION_TIME>"
        b"<BWF_TIME_REFERENCE_LOW>7</BWF_TIME_REFERENCE_LOW><BWF_TIME_REFERENCE_HIGH>1</BWF_TIME_REFERENCE_HIGH>"
        b"</BEXT></BWFXML>"
    )
    ixml = chunk(b"iXML", xml)
    assert read(wav(FMT_CHUNK, ixml, DATA)).broadcast == BroadcastExtension("2021-05-06", "07:08:09", 2**32 + 7, "iXML")
    assert read(wav(FMT_CHUNK, bext(), ixml, DATA)).broadcast == BroadcastExtension("2020-02-14", "19:17:30")
    assert read(wav(FMT_CHUNK, chunk(b"iXML", b"<BWFXML/>"), DATA)).broadcast is None


def test_wave64() -> None:
    acf3, cf11 = bytes.fromhex("f3acd3118cd100c04f8edb8a"), bytes.fromhex("2e91cf11a5d628db04c10000")

    def part(guid: bytes, content: bytes) -> bytes:
        return guid + struct.pack("<Q", 24 + len(content)) + content + bytes(-len(content) % 8)

    body = b"wave" + acf3
    body += part(b"fmt " + acf3, FMT) + part(b"bext" + acf3, bext(reference=5)[8:]) + part(b"data" + acf3, bytes(99))
    body += part(b"list" + cf11, info(ICMT=COMMENT)[8:])
    found = read(b"riff" + cf11 + struct.pack("<Q", 24 + len(body)) + body)
    assert found.sample_rate == 48_000
    assert found.broadcast == BroadcastExtension("2020-02-14", "19:17:30", 5)
    assert found.info == {"ICMT": COMMENT.decode()}


def test_aiff_texts() -> None:
    def part(name: bytes, content: bytes) -> bytes:
        return name + struct.pack(">I", len(content)) + content + b"\0" * (len(content) & 1)

    body = b"AIFF" + part(b"SSND", bytes(8 + 101)) + part(b"ANNO", COMMENT) + part(b"ANNO", b"second")
    assert read(b"FORM" + struct.pack(">I", len(body)) + body).info == {"ANNO": COMMENT.decode()}


def flac_block(kind: int, content: bytes, *, last: bool = False) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + len(content).to_bytes(3, "big") + content


def comments(*texts: bytes) -> bytes:
    return (
        b"".join(struct.pack("<I", len(text)) + text for text in (b"vendor",))
        + struct.pack("<I", len(texts))
        + (b"".join(struct.pack("<I", len(text)) + text for text in texts))
    )


def test_flac_comments_and_kept_wav_chunks() -> None:
    found = read(
        b"fLaC"
        + flac_block(0, bytes(34))
        + flac_block(4, comments(b"date=2019-09-20T00:42:48Z", b"DATE=second", b"Comment=" + COMMENT, b"broken"))
        + flac_block(2, b"riff" + wav()[:12])
        + flac_block(2, b"riff" + chunk(b"guan", GUANO))
        + flac_block(2, b"abcdsomething else")
        + flac_block(1, bytes(10), last=True)
        + flac_block(4, comments(b"ARTIST=samples, taken for a block"))
    )
    assert found.tags == {"DATE": "2019-09-20T00:42:48Z", "COMMENT": COMMENT.decode()}
    assert found.guano["Note"] == "a: b"


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_16"), ("aiff", "PCM_16")])
def test_what_libsndfile_writes_can_be_read(suffix: str, subtype: str) -> None:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 48_000, 1, subtype, format=suffix.upper()) as sound:
        sound.comment = COMMENT.decode()
        sound.write(np.zeros(1000))
    found = read(file.getvalue())
    assert COMMENT.decode() in {*found.info.values(), *found.tags.values()}


def test_texts_that_are_not_utf_8() -> None:
    assert read(wav(FMT_CHUNK, info(ICMT=b"10 \xb0C"), DATA)).info == {"ICMT": "10 °C"}


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"fLaC", b"FORM\0\0\0\0AIFF", b"ID3", b"OggS" + bytes(100), b"no audio"]
)
def test_what_has_no_header_says_nothing(content: bytes) -> None:
    assert read(content) == Metadata()


WHOLE: dict[str, Callable[[], bytes]] = {
    "wav": lambda: wav(
        FMT_CHUNK, bext(), info(ICMT=COMMENT, ICRD=b"2020"), chunk(b"iXML", b"<a>"), DATA, chunk(b"guan", GUANO)
    ),
    "rf64": lambda: wav(chunk(b"ds64", bytes(28)), FMT_CHUNK, bext(), DATA, chunk(b"guan", GUANO), form=b"RF64"),
    "flac": lambda: b"fLaC" + flac_block(4, comments(b"DATE=1")) + flac_block(2, b"riff" + bext(), last=True),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_header_cut_anywhere_is_never_an_error(kind: str) -> None:
    whole = WHOLE[kind]()
    for length in range(len(whole)):
        read(whole[:length])


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 10_000), st.binary(min_size=1, max_size=9))
def test_a_header_broken_anywhere_is_never_an_error(kind: str, at: int, damage: bytes) -> None:
    whole = WHOLE[kind]()
    at %= len(whole)
    read(whole[:at] + damage + whole[at + len(damage) :])


def test_chunks_without_end_are_given_up() -> None:
    endless = wav(FMT_CHUNK, *(chunk(b"junk", b"") for _ in range(100_000)), chunk(b"guan", GUANO))
    assert not read(endless).guano
