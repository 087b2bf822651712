"""Measure every recording format: seeking, splitting, bytes read, decoding speed.

``python -m bench.formats`` prints the table of docs/formats.md; ``--write`` writes it into the page. A test generates
the same table and compares all columns except the speed, which depends on the machine.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from anemonefish.audio.pieces import PieceReader
from anemonefish.audio.reader import AudioFile, open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.audio.transcoding.transcoder import transcode
from anemonefish.errors import InexactRecording
from anemonefish.simulation.scene import scene
from anemonefish.stores import open_source, open_store

DOCUMENT = Path(__file__).parents[1] / "docs/formats.md"
COLUMNS = ("format", "read", "exact seek", "range invariance", "fetched / needed", "x real time")
SECONDS = 120
RANGE = (30, 110)  # start and end in seconds of the stretch for which the bytes read are counted


@dataclass(frozen=True)
class Format:
    """How a test file is made: with libsndfile (format, subtype) or with FFmpeg (container, codec, options)."""

    title: str
    name: str
    sndfile: tuple[str, str] | None = None
    ffmpeg: tuple[str, str, dict[str, str]] | None = None
    rate: int = 48_000
    channels: int = 1
    seconds: int = SECONDS


FORMATS = (
    Format("WAV, 8 bit", "u8.wav", ("WAV", "PCM_U8")),
    Format("WAV, 16 bit", "16.wav", ("WAV", "PCM_16")),
    Format("WAV, 24 bit", "24.wav", ("WAV", "PCM_24")),
    Format("WAV, 32 bit", "32.wav", ("WAV", "PCM_32")),
    Format("WAV, float", "float.wav", ("WAV", "FLOAT")),
    Format("WAV, double", "double.wav", ("WAV", "DOUBLE")),
    Format("WAV, µ-law", "ulaw.wav", ("WAV", "ULAW")),
    Format("WAV, A-law", "alaw.wav", ("WAV", "ALAW")),
    Format("WAVE_FORMAT_EXTENSIBLE, 24 bit, 2 channels", "extensible.wav", ("WAVEX", "PCM_24"), channels=2),
    Format("WAV, 16 bit, 16 channels", "16ch.wav", ("WAVEX", "PCM_16"), channels=16),
    Format("WAV, 16 bit, 576 kHz", "576.wav", ("WAV", "PCM_16"), rate=576_000),
    Format("WAV, 16 bit, 8 kHz", "8.wav", ("WAV", "PCM_16"), rate=8_000, seconds=4 * SECONDS),
    Format("RF64, 24 bit", "a.rf64", ("RF64", "PCM_24")),
    Format("W64, 16 bit", "a.w64", ("W64", "PCM_16")),
    Format("AIFF, 24 bit", "a.aiff", ("AIFF", "PCM_24")),
    Format("AIFC, float", "a.aifc", ("AIFF", "FLOAT")),
    Format("FLAC, 16 bit", "16.flac", ("FLAC", "PCM_16"), seconds=4 * SECONDS),
    Format("FLAC, 24 bit, 2 channels", "24.flac", ("FLAC", "PCM_24"), channels=2),
    Format("WAV, MS ADPCM", "adpcm.wav", ("WAV", "MS_ADPCM")),
    Format("WAV, GSM 6.10", "gsm.wav", ("WAV", "GSM610"), rate=8_000),
    Format("Ogg Vorbis", "a.ogg", ("OGG", "VORBIS")),
    Format("Ogg Opus", "a.opus", ("OGG", "OPUS")),
    Format("MP3, constant rate", "cbr.mp3", ffmpeg=("mp3", "libmp3lame", {})),
    Format("MP3, variable rate", "vbr.mp3", ("MP3", "MPEG_LAYER_III")),
    Format(
        "MP3 without Info header", "bare.mp3", ffmpeg=("mp3", "libmp3lame", {"write_xing": "0", "id3v2_version": "0"})
    ),
    Format("M4A (AAC)", "a.m4a", ffmpeg=("mp4", "aac", {})),
    Format("AAC (ADTS)", "a.aac", ffmpeg=("adts", "aac", {})),
    Format("WebM (Opus)", "a.webm", ffmpeg=("webm", "libopus", {})),
)


def sound(form: Format) -> NDArray[np.float32]:
    """Return a reef scene of shape (n, channels). Each channel is delayed by 100 samples."""
    reef = scene(20, seed=4, sample_rate=min(form.rate, 192_000))
    mono = np.concatenate(list(reef.blocks(1 << 18)))
    if form.rate > 192_000:
        mono = np.repeat(mono, form.rate // 192_000)
    mono = np.tile(mono, form.seconds // 20)[: form.seconds * form.rate]
    return np.stack([np.roll(mono, 100 * channel) for channel in range(form.channels)], axis=1).astype(np.float32)


def write(form: Format, folder: Path) -> Path:
    path = folder / form.name
    samples = sound(form)
    if form.sndfile is not None:
        kind, subtype = form.sndfile
        with soundfile.SoundFile(path, "w", form.rate, form.channels, subtype, format=kind) as file:
            for start in range(0, len(samples), 48_000):  # libvorbis overflows its stack on larger blocks
                file.write(samples[start : start + 48_000])
        return path
    assert form.ffmpeg is not None
    container, codec, options = form.ffmpeg
    with av.open(str(path), "w", format=container, options=options) as media:
        stream = media.add_stream(codec, rate=form.rate, layout="mono")
        stream.bit_rate = 128_000
        for start in range(0, len(samples), 4_800):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[start : start + 4_800].T), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = form.rate, start
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return path


@contextmanager
def opened(path: Path, folder: Path) -> Iterator[AudioFile | PieceReader]:
    """Open a recording as a worker does, and transcode it first if necessary."""
    try:
        with open_audio(str(path)) as audio:
            yield audio
    except InexactRecording:
        store = open_store(str(folder / "store"))
        source = open_source(str(path))
        source.close()
        facts = transcode(str(path), source.version, path.name, store, f"audio/{path.name}").facts
        with PieceReader(store, f"audio/{path.name}", facts, path.name, None, "float32") as pieces:
            yield pieces


def measure(form: Format, folder: Path) -> tuple[str, ...]:
    """Return the table row of a format."""
    path = write(form, folder)
    with opened(path, folder) as audio:
        assert audio.facts.sample_rate == form.rate or form.name.endswith(".opus")
        assert audio.facts.channels == form.channels
        transcoded = isinstance(audio, PieceReader)
        begin = time.perf_counter()
        whole = in_one_pass(audio.read, audio.n_samples, audio.sample_rate)
        speed = form.seconds / (time.perf_counter() - begin)
    with opened(path, folder) as audio:
        sought = seeks_exactly(audio.read, whole)
    with opened(path, folder) as audio:
        invariant = is_invariant(audio)
    return (
        form.title,
        "transcoded" if transcoded else "in place",
        "yes" if sought else "no",
        "yes" if invariant else "no",
        "-" if transcoded else f"{fetched(path, form):.2f}",
        f"{speed:,.0f}",
    )


def in_one_pass(read: Callable[[int, int], NDArray[Any]], length: int, step: int) -> NDArray[Any]:
    return np.concatenate([read(start, min(start + step, length)) for start in range(0, length, step)])


def seeks_exactly(read: Callable[[int, int], NDArray[Any]], whole: NDArray[Any]) -> bool:
    """Return whether reads at forty random places give the same samples as one pass."""
    random = np.random.default_rng(1)
    for start in random.integers(0, len(whole) - 5_000, 40):
        stop = int(start) + int(random.integers(1, 5_000))
        if not np.array_equal(read(int(start), stop), whole[start:stop]):
            return False
    return True


def is_invariant(audio: AudioFile | PieceReader) -> bool:
    """Return whether pieces at random cuts equal the whole byte for byte, at the own rate and resampled."""
    random = np.random.default_rng(2)
    for rate in (None, 32_000):
        samples = at_rate(audio, rate)
        length = min(samples.n_samples, 20 * samples.sample_rate)
        whole = samples.read(0, length)
        cuts = [0, *sorted(random.integers(0, length, 6).tolist()), length]
        order = random.permutation(len(cuts) - 1)
        pieces = {number: samples.read(cuts[number], cuts[number + 1]) for number in order}
        if np.concatenate([pieces[number] for number in sorted(pieces)]).tobytes() != whole.tobytes():
            return False
    return True


def fetched(path: Path, form: Format) -> float:
    """Return the number of bytes read for a stretch, divided by its share of the file."""
    count = [0]
    with open_audio(str(path)) as audio:
        read = audio.source.read

        def counting(offset: int, length: int) -> bytes:
            data = read(offset, length)
            count[0] += len(data)
            return data

        audio.source.read = counting  # type: ignore[method-assign]
        first, last = (second * form.rate * form.seconds // SECONDS for second in RANGE)
        audio.expect(last)
        for start in range(first, last, form.rate):
            audio.read(start, min(start + form.rate, last))
    return count[0] / (path.stat().st_size * (RANGE[1] - RANGE[0]) / SECONDS)


def table(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|---|---:|---:|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/formats.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = table([measure(form, Path(folder)) for form in FORMATS])
    print(made)
    if options.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(re.sub(r"\| format \|.*?\n\n", made + "\n", text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
