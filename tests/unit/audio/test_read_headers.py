"""Descriptive texts of headers: every container, chunks before and after the samples, and broken headers."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.audio.headers import BroadcastExtension, Metadata, read_metadata, soundtrap_start
from anemonefish.start_time.start import find_start

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


def test_a_plain_recording_has_only_its_sample_rate() -> None:
    assert read(wav(FMT_CHUNK, DATA)) == Metadata(sample_rate=48_000)


@pytest.mark.parametrize("form", [b"RIFF", b"RF64", b"BW64"])
def test_chunks_before_and_after_the_samples_are_read(form: bytes) -> None:
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
def test_samples_above_4_gib_are_skipped(declared: int) -> None:
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


def test_nothing_is_read_after_the_samples_of_a_stream_without_a_length() -> None:
    stream = FMT_CHUNK + info(ICMT=COMMENT) + b"data" + struct.pack("<I", 0) + chunk(b"guan", GUANO)
    found = read(wav(stream))
    assert found.info
    assert not found.guano


def test_ixml_replaces_a_missing_bext() -> None:
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


def test_the_start_that_a_frontier_labs_recorder_writes() -> None:
    found = read(b"fLaC" + flac_block(4, comments(b"RecordingStart=2019-05-08T02:00:00+10:00"), last=True))
    assert found.tags == {"RECORDINGSTART": "2019-05-08T02:00:00+10:00"}


def wamd(start: bytes = b"2020-02-14 19:17:30.125+10:00") -> bytes:
    fields = ((0, struct.pack("<H", 1)), (1, b"SM4"), (5, start + b"\0"), (0xFFFF, bytes(5)))
    return chunk(b"wamd", b"".join(struct.pack("<HI", name, len(value)) + value for name, value in fields))


def test_the_start_that_a_song_meter_writes() -> None:
    found = read(wav(FMT_CHUNK, DATA, wamd()))
    assert found.starts == {"wamd": "2020-02-14 19:17:30.125+10:00"}
    assert not read(wav(FMT_CHUNK, DATA, wamd(b""))).starts


def harp(*pieces: tuple[int, int]) -> bytes:
    """Make the header of an x.wav: pieces that begin so many seconds after 2018-10-04 23:59:03.250."""
    head = b"\1V2.6      " + b"DL12SITEEXPERIM1" + b"\1DISK0001"
    head += struct.pack("<HiihQ", len(pieces), -11_716_000, 3_286_700, 890, 0)
    assert len(head) == 56
    moments = [datetime(2018, 10, 4, 23, 59, 3, 250_000) + timedelta(seconds=after) for after, _ in pieces]
    return chunk(
        b"harp",
        head
        + b"".join(
            struct.pack(
                "<6BHIIIIB7x", each.year - 2000, each.month, each.day, each.hour, each.minute, each.second,
                each.microsecond // 1000, 0, length, 0, 48_000, 1,
            )
            for each, (_, length) in zip(moments, pieces, strict=True)
        ),
    )  # fmt: skip


def test_the_start_and_the_pauses_of_an_x_wav() -> None:
    gapless = read(wav(FMT_CHUNK, harp((0, 96_000 * 75), (75, 96_000 * 75), (150, 96_000)), DATA))
    assert (gapless.starts, gapless.pauses) == ({"harp": "2018-10-04T23:59:03.250000Z"}, 0)
    paused = read(wav(FMT_CHUNK, harp((0, 96_000 * 75), (75, 96_000 * 75), (900, 96_000), (1800, 96_000)), DATA))
    assert (paused.starts, paused.pauses) == ({"harp": "2018-10-04T23:59:03.250000Z"}, 2)
    assert read(wav(FMT_CHUNK, harp(), DATA)).starts == {}
    assert read(wav(FMT_CHUNK, chunk(b"harp", b"\2" + bytes(200)), DATA)).starts == {}


def id3(version: int = 4, **texts: str) -> bytes:
    def seven(number: int) -> bytes:
        return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))

    frames = b""
    for name, text in texts.items():
        body = b"\3" + (b"eng\0" if name == "COMM" else b"") + text.encode()
        frames += name.encode() + (seven(len(body)) if version == 4 else struct.pack(">I", len(body))) + bytes(2) + body
    return b"ID3" + bytes([version, 0, 0]) + seven(len(frames)) + frames


def ogg(*packets: bytes) -> bytes:
    pages = b""
    for number, packet in enumerate(packets):
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        head = b"OggS\0" + bytes([2 if number == 0 else 0]) + bytes(8) + b"reef" + struct.pack("<II", number, 0)
        pages += head + bytes([len(lacing)]) + lacing + packet
    return pages


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def mp4(*tags: tuple[bytes, bytes], keys: tuple[bytes, ...] = (), full: bool = True) -> bytes:
    items = b"".join(box(name, box(b"data", struct.pack(">II", 1, 0) + value)) for name, value in tags)
    listed = b"".join(box(b"mdta", name) for name in keys)
    content = box(b"hdlr", bytes(25)) + (box(b"keys", struct.pack(">II", 0, len(keys)) + listed) if keys else b"")
    meta = box(b"meta", (bytes(4) if full else b"") + content + box(b"ilst", items))
    moov = box(b"moov", box(b"mvhd", bytes(100)) + (meta if keys else box(b"udta", meta)))
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"mdat", bytes(700)) + moov


def matroska(*tags: tuple[str, str], live: bool = False) -> bytes:
    def element(name: int, content: bytes) -> bytes:
        return name.to_bytes((name.bit_length() + 7) // 8, "big") + b"\1" + len(content).to_bytes(7, "big") + content

    simple = b"".join(
        element(0x67C8, element(0x45A3, name.encode()) + element(0x4487, value.encode())) for name, value in tags
    )
    body = element(0x1549A966, bytes(9)) + element(0x1254C367, element(0x7373, simple)) + element(0x1F43B675, bytes(99))
    segment = b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + body if live else element(0x18538067, body)
    return element(0x1A45DFA3, bytes(20)) + segment


def test_tags_of_every_other_container() -> None:
    tags = {"DATE": "2020-02-14T19:17:30", "COMMENT": COMMENT.decode()}
    fields = (b"date=2020-02-14T19:17:30", b"comment=" + COMMENT)
    assert read(ogg(b"OpusHead" + bytes(11), b"OpusTags" + comments(*fields))).tags == tags
    assert read(ogg(b"\1vorbis" + bytes(23), b"\3vorbis" + comments(*fields))).tags == tags
    assert read(ogg(b"\x7fFLAC" + bytes(46), b"\x84\0\0\0" + comments(*fields))).tags == tags
    frame = b"\xff\xfb\x90\x00" + bytes(99)
    texts = {"TDRC": tags["DATE"], "COMM": tags["COMMENT"]}
    assert read(id3(4, **texts) + frame).tags == tags
    assert read(id3(3, **texts) + frame).tags == tags
    assert read(mp4((b"\xa9day", b"2020-02-14T19:17:30"), (b"\xa9cmt", COMMENT))).tags == tags
    apple = (b"com.apple.quicktime.make", b"com.apple.quicktime.creationdate")
    numbered = ((b"\0\0\0\2", b"2020-02-14T19:17:30+0200"),)
    for full in (True, False):
        assert read(mp4(*numbered, keys=apple, full=full)).tags == {"CREATIONDATE": "2020-02-14T19:17:30+0200"}
    for live in (True, False):
        assert read(matroska(*tags.items(), live=live)).tags == tags


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "mp3"), ("ogg", "libopus"), ("ipod", "aac"), ("mp4", "aac"), ("webm", "libopus"),
     ("matroska", "libopus"), ("wav", "pcm_s16le"), ("flac", "flac")],
)  # fmt: skip
def test_tags_that_ffmpeg_writes_are_read(container: str, codec: str) -> None:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        made.metadata.update(
            comment=COMMENT.decode(), date="2020-02-14T19:17:30Z", RecordingStart="2020-02-14T19:17:30Z"
        )
        stream = made.add_stream(codec, rate=48_000, layout="mono")
        for _ in range(20):
            kind = {"mp3": "s16p", "aac": "fltp"}.get(codec, "s16")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), "f4" if kind == "fltp" else "i2"), kind, "mono")
            frame.sample_rate = 48_000
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    found = read(file.getvalue())
    assert COMMENT.decode() in {*found.info.values(), *found.tags.values()}
    assert "2020-02-14T19:17:30Z" in {*found.info.values(), *found.tags.values()}
    if container not in {"ipod", "mp4", "wav"}:  # those keep no names of ours
        assert found.tags["RECORDINGSTART"] == "2020-02-14T19:17:30Z"


def test_many_small_boxes_cost_no_more_reads_than_few() -> None:
    nested = box(b"udta", box(b"meta", bytes(4) + box(b"ilst", box(b"junk", b"") * 20)) * 200) * 200
    file = io.BytesIO(box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", nested))
    reads = 0
    real = file.read

    def counting(size: int | None = -1) -> bytes:
        nonlocal reads
        reads += 1
        return real(size)

    file.read = counting  # type: ignore[method-assign]
    read_metadata(file, len(file.getvalue()))
    assert reads < 3_000


LOG = b"""<?xml version="1.0" encoding="utf-8"?>
<ST><CFG ID="4" FTYPE="wav" CODEC="3"><FS>96000</FS><SUFFIX>wav</SUFFIX></CFG>
<PROC_EVENT ID="4"><WavFileHandler OffloaderTimeZone="(UTC+10:00) Brisbane" /></PROC_EVENT>
<PROC_EVENT ID="4"><WavFileHandler SamplingStartTimeLocal="2022-02-10T08:49:05" /></PROC_EVENT>
<PROC_EVENT ID="4"><WavFileHandler SamplingStopTimeUTC="2022-02-09T23:49:05" /></PROC_EVENT>
<PROC_EVENT ID="4"><WavFileHandler SamplingStartTimeUTC="2022-02-09T22:49:05" /></PROC_EVENT>
<PROC_EVENT ID="4"><WavFileHandler SamplingStartTimeSubS="61340 us" /></PROC_EVENT>
</ST>"""


def test_the_start_in_a_soundtraps_log() -> None:
    assert soundtrap_start(LOG) == "2022-02-09T22:49:05.061340Z"
    only_local = LOG.replace(b"SamplingStartTimeUTC", b"Other")
    assert soundtrap_start(only_local) == "2022-02-10T08:49:05.061340"
    clicks = b"""<PROC_EVENT ID="7"><WavFileHandler SamplingStartTimeUTC="2022-02-09T22:57:41" /></PROC_EVENT></ST>"""
    assert soundtrap_start(LOG.replace(b"</ST>", clicks)) == "2022-02-09T22:49:05.061340Z"
    pamguard = b'<PROC_EVENT ID="4"><WavFileHandler SamplingStartTimeUTC="2022-02-10 08:49:05 AEST"/></PROC_EVENT>'
    assert soundtrap_start(pamguard) == "2022-02-10 08:49:05 AEST"
    assert soundtrap_start(b"") is None
    assert soundtrap_start(b"\xff\xfe\0\0") is None
    assert soundtrap_start(LOG[: LOG.index(b"SamplingStartTimeLocal")]) is None


def test_entities_of_a_log_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "2022-02-09T22:49:05">]>'
    assert soundtrap_start(bomb + LOG.replace(b"2022-02-09T22:49:05", b"&b;")) in {None, "&b;Z"}
    assert find_start("x.wav", Metadata(starts={"log": "&b;Z"})).utc is None


@given(st.binary(max_size=300))
def test_a_broken_log_is_never_an_error(content: bytes) -> None:
    soundtrap_start(content)
    soundtrap_start(LOG[: len(content)] + content + LOG[len(content) :])


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_16"), ("aiff", "PCM_16"), ("ogg", "VORBIS")]
)
def test_texts_that_libsndfile_writes_are_read(suffix: str, subtype: str) -> None:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 48_000, 1, subtype, format=suffix.upper()) as sound:
        sound.comment = COMMENT.decode()
        sound.write(np.zeros(1000))
    found = read(file.getvalue())
    assert COMMENT.decode() in {*found.info.values(), *found.tags.values()}


def test_texts_that_are_not_utf_8_are_read_as_latin_1() -> None:
    assert read(wav(FMT_CHUNK, info(ICMT=b"10 \xb0C"), DATA)).info == {"ICMT": "10 °C"}


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"fLaC", b"FORM\0\0\0\0AIFF", b"ID3", b"OggS" + bytes(100), b"no audio"]
)
def test_a_file_without_a_known_header_has_no_metadata(content: bytes) -> None:
    assert read(content) == Metadata()


WHOLE: dict[str, Callable[[], bytes]] = {
    "wav": lambda: wav(
        FMT_CHUNK, bext(), info(ICMT=COMMENT, ICRD=b"2020"), chunk(b"iXML", b"<a>"), DATA, chunk(b"guan", GUANO)
    ),
    "rf64": lambda: wav(chunk(b"ds64", bytes(28)), FMT_CHUNK, bext(), DATA, chunk(b"guan", GUANO), form=b"RF64"),
    "flac": lambda: b"fLaC" + flac_block(4, comments(b"DATE=1")) + flac_block(2, b"riff" + bext(), last=True),
    "recorders": lambda: wav(FMT_CHUNK, wamd(), harp((0, 96_000), (5, 1)), chunk(b"id3 ", id3(TDRC="2020")), DATA),
    "ogg": lambda: ogg(b"OpusHead" + bytes(11), b"OpusTags" + comments(b"DATE=1")),
    "mp3": lambda: id3(TDRC="2020-02-14T19:17:30", COMM=COMMENT.decode()) + b"\xff\xfb\x90\x00" + bytes(99),
    "mp4": lambda: mp4((b"\xa9day", b"2020-02-14T19:17:30Z")),
    "webm": lambda: matroska(("DATE_RECORDED", "2020-02-14")),
}


def test_an_odd_chunk_without_padding_is_skipped() -> None:
    unpadded = b"junk" + struct.pack("<I", 3) + b"abc"
    assert read(wav(FMT_CHUNK, unpadded, DATA, chunk(b"guan", GUANO))).guano["Note"] == "a: b"


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


def test_the_walk_ends_after_a_number_of_chunks() -> None:
    endless = wav(FMT_CHUNK, *(chunk(b"junk", b"") for _ in range(100_000)), chunk(b"guan", GUANO))
    assert not read(endless).guano
