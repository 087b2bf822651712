"""Valid files to start from, made here: no file of a stranger is kept."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

__all__ = ["kept_crashes", "seeds"]

REPOSITORY = Path(__file__).parents[2]
CRASHES = Path(__file__).parent / "crashes"


def seeds(target: str) -> list[bytes]:
    """Return valid inputs of a target."""
    return SEEDS[target]()


def kept_crashes(target: str) -> list[Path]:
    """Return the inputs that once were defects, each a small file."""
    return sorted((CRASHES / target).glob("*"))


@cache
def _sound(frames: int = 400, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(frames).uniform(-0.5, 0.5, (frames, channels))


def _encoded(container: str, subtype: str, rate: int = 8_000, frames: int = 400, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, _sound(frames, channels), rate, format=container, subtype=subtype)
    return buffer.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def _wav_with(*chunks: bytes) -> bytes:
    plain = _encoded("WAV", "PCM_16", frames=40)
    body = b"WAVE" + b"".join(chunks) + plain[12:]
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _exact() -> list[bytes]:
    guano = b"GUANO|Version: 1.0\nTimestamp: 2023-02-10T00:00:01+02:00\nMake: reef\n"
    bext = bytearray(602)
    bext[320:338] = b"2023-02-1000:00:01"
    info = (
        b"INFO"
        + _chunk(b"ICMT", b"Recorded at 00:00:01 10/02/2023 (UTC) by AudioMoth 24F319055FDF2F5B")
        + _chunk(b"ICRD", b"2023-02-10")
    )
    return [
        _encoded("WAV", "PCM_16"),
        _encoded("WAV", "PCM_24", channels=2),
        _encoded("WAV", "FLOAT"),
        _encoded("WAVEX", "PCM_16", channels=2),
        _encoded("RF64", "PCM_16"),
        _encoded("W64", "PCM_16"),
        _encoded("AIFF", "PCM_16"),
        _encoded("FLAC", "PCM_16"),
        _wav_with(_chunk(b"guan", guano), _chunk(b"bext", bytes(bext)), _chunk(b"LIST", info)),
        _wav_with(_chunk(b"wamd", b"\0\0\x02\0\0\0\x01\0"), _chunk(b"harp", bytes(64))),
        _wav_with(
            _chunk(b"iXML", b"<BWFXML><BEXT><BWF_ORIGINATION_DATE>2023-02-10</BWF_ORIGINATION_DATE></BEXT></BWFXML>")
        ),
    ]


def _lossy() -> list[bytes]:
    made = [
        _encoded("MP3", "MPEG_LAYER_III", frames=4_000),
        _encoded("OGG", "VORBIS", frames=2_000),
        _encoded("OGG", "OPUS", frames=2_000),
        _encoded("WAV", "MS_ADPCM", frames=2_000),
        _encoded("WAV", "IMA_ADPCM", frames=2_000),
    ]
    return [*made, *_by_ffmpeg()]


def _by_ffmpeg() -> list[bytes]:
    """Return an M4A, an ADTS and a WebM file."""
    import av

    files = []
    for container, codec, rate in (("ipod", "aac", 8_000), ("adts", "aac", 8_000), ("webm", "libopus", 48_000)):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=container) as output:
            stream = output.add_stream(codec, rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(_sound(rate // 8).T.astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate = rate
            resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
            for resampled in resampler.resample(frame):
                output.mux(stream.encode(resampled))
            output.mux(stream.encode(None))
        files.append(buffer.getvalue())
    return files


def _id3() -> bytes:
    frame = b"TDRC" + (12).to_bytes(4, "big") + b"\0\0" + b"\x03" + b"2023-02-10T"
    return b"ID3\x04\0\0\0\0\0" + bytes([len(frame)]) + frame


def _labels() -> list[bytes]:
    headers = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
               "Begin File", "Annotation")  # fmt: skip
    return [
        ("\t".join(headers) + "\n1\tSpectrogram 1\t1\t1.5\t2.25\t100\t900\treef.wav\tcall\n").encode(),
        b"1.500000\t2.250000\tanemonefish\n\\\t100.0\t900.0\n3\t4\tnoise\n",
        b"start_time,end_time,class,confidence\n0.5,1.5,anemonefish,0.9\n",
        b"filename;onset_s;offset_s;label\nreef.wav;0,5;1,5;call\n",
        '"FOLDER","IN FILE","OFFSET","DURATION","MANUAL ID"\n"a","b.wav","1.0","0.5","x"\n'.encode("utf-16"),
        b"\xef\xbb\xbffile,start,end,boat,fish\na.wav,0,1,0,1\n",
    ]


def _results() -> list[bytes]:
    document = {
        "predictions": [{"probabilities": {"noise": 0.1, "fish": 0.9}, "start_time": 0.0, "end_time": 0.4}],
        "recording": {"name": "a.wav", "sample_rate": 8000, "analysis_sample_rate": 8000, "frames": 4000,
                      "window_samples": 3200, "hop_samples": 1600, "path": "a.wav"},
        "model": {"name": "reef", "version": "1", "classes": ["noise", "fish"], "target_class": "fish"},
        "settings": {"threshold": 0.5},
        "metadata": {},
    }  # fmt: skip
    return [json.dumps(document).encode()]


def _parts() -> list[bytes]:
    from anemonefish.audio.health import Observed
    from anemonefish.jobs.parts import part_to_bytes
    from anemonefish.profiles.band_levels import BandLevels

    scores = np.full((3, 3), 1 / 3, np.float32)
    levels = BandLevels(np.full((3, 10), 90, np.uint8), np.full(3, 800, np.uint16))
    return [part_to_bytes(scores, Observed(), levels), part_to_bytes(scores.astype(np.float64), Observed())]


def _requests() -> list[bytes]:
    events = [
        json.loads((REPOSITORY / "events" / f"{name}.json").read_text()) for name in ("plan", "score", "transcode")
    ]
    documents = [
        *events,
        *(value for event in events for value in event.values()),
        {"threshold": 0.5, "formats": ["csv"], "start": "2023-02-10T00:00:00Z", "max_range_seconds": 1},
        {"Error": "StorageError", "Cause": '{"errorMessage": "x"}'},
    ]
    return [json.dumps(document).encode() for document in documents]


def _forms() -> list[bytes]:
    head = b'--b\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n\r\n'
    config = b'\r\n--b\r\nContent-Disposition: form-data; name="config"\r\n\r\n{"threshold": 0.5}\r\n--b--\r\n'
    encoded = (
        b"--b\r\nContent-Disposition: form-data; name=\"audio\"; filename*=UTF-8''a%20b.wav\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(_exact()[0][:80]) + b"\r\n--b--\r\n"
    )
    return [head + _exact()[0][:80] + config, encoded]


def _bodies() -> list[bytes]:
    audio = base64.b64encode(_exact()[0][:90]).decode()
    documents = [
        {"audio_data": audio, "confidence_threshold": 0.5, "window_duration": 0.4},
        {"audio_data": f"data:audio/wav;base64,{audio}", "config": {"threshold": 0.5}},
        {"filename": "a.wav", "size": 100},
        {
            "recordings": ["u-aaaaaaaaaaaaaaaaaaaaaaaaaa"],
            "settings": {"threshold": 0.5},
            "webhook": "https://a.example/x",
        },
        {"parts": [{"number": 1, "etag": '"a"'}]},
        {"settings": {"threshold": 0.7}},
    ]
    return [json.dumps(document).encode() for document in documents]


def _api() -> list[bytes]:
    heads = (b"\x00\x01\x00", b"\x01\x01\x02", b"\x02\x01\x00", b"\x03\x01\x00", b"\x04\x01\x00", b"\x05\x01\x00")
    bodies = [head + body for head, body in zip(heads, _bodies(), strict=True)]
    return [*bodies, *(b"\x00\x00\x02" + form for form in _forms()), *(b"\x01\x00\x04" + form for form in _forms())]


def _bundles() -> list[bytes]:
    from anemonefish.models.golden import Golden

    folder = REPOSITORY / "models" / "reef"
    golden = Golden(np.zeros((1, 8), np.float32), np.zeros((1, 3), np.float32), 8_000).to_bytes()
    version = max(path for path in folder.iterdir() if path.is_dir())
    return [
        (version / "model.json").read_bytes(),
        (folder / "production.json").read_bytes(),
        golden,
        b"reef@production",
    ]


def _names() -> list[bytes]:
    names = ["20230210_000001_LL_B55_M_R.wav", "AMAR173.4.20190920T004248Z.wav", "5040.230210000001.wav\nUTC-5",
             "sample_220925_223510.wav\nEurope/Paris", "a_%Y%m%d_%H%M%S.wav\n%Y%m%d_%H%M%S",
             "2023-02-10T00:00:01+02:00", "x_20230210_000001_PDT.wav", "Asia/Kolkata", "1675987201.wav"]  # fmt: skip
    return [name.encode() for name in names]


def _webhooks() -> list[bytes]:
    message = {"id": "e-1", "url": "https://hooks.example.org/x", "notice": {"execution": "e"}, "correlation_id": "r-1"}
    return [b"https://hooks.example.org:443/x?y=1#z", b"https://[2001:db8::1]/", json.dumps(message).encode(),
            b'{"keys": ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"]}', b"192.0.2.1"]  # fmt: skip


def _log() -> list[bytes]:
    return [
        b'<?xml version="1.0"?><ST><PROC_EVENT ID="1">'
        b'<WFH SamplingStartTimeUTC="2023-02-10T00:00:01"/></PROC_EVENT></ST>'
    ]


SEEDS: Mapping[str, Callable[[], list[bytes]]] = {
    "audio_header": _exact,
    "audio_metadata": lambda: [*_exact(), *_lossy(), _id3()],
    "soundtrap_log": _log,
    "transcoding": _lossy,
    "labels": _labels,
    "stored_result": _results,
    "part": _parts,
    "request": _requests,
    "api": _api,
    "form": lambda: [b"multipart/form-data; boundary=b\n" + form for form in _forms()],
    "encoded_audio": lambda: [base64.b64encode(_exact()[0]), b"data:audio/wav;base64," + base64.b64encode(_exact()[7])],
    "bundle": _bundles,
    "names_and_times": _names,
    "webhook": _webhooks,
}
