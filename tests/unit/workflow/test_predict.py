"""One clip over the API's own handler: every shape in which front ends send it, what each is answered, its bounds."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from anemonefish.errors import ClipTooLarge
from anemonefish.service.api import app
from anemonefish.service.api import predict_routes as routes
from anemonefish.service.api.forms import MOST_PARTS
from anemonefish.service.api.lab import SETTINGS
from anemonefish.service.api.schemas.clip_schemas import LabConfig
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.workflow import predict
from anemonefish.workflow.predict import MOST_BYTES, MOST_SAMPLES, predict_clip
from tests.reference_models import LAB_MODEL, n_windows, spec_of

PATHS = ("/predict", "/inference/predict")
CONTEXT = SimpleNamespace(
    function_name="predict", memory_limit_in_mb=1769, invoked_function_arn="arn:aws:lambda:eu-1:1:f", aws_request_id="r"
)
Answer = tuple[int, dict[str, Any]]
Ask = Callable[..., Answer]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, models_uri: str) -> Ask:
    """Return a function that sends a request through the handler of the function, as API Gateway hands it over."""
    monkeypatch.setattr(routes, "services", lambda: SimpleNamespace(models_uri=models_uri))

    def send(body: bytes, content_type: str | None, path: str = "/predict", **headers: str) -> Answer:
        form = content_type is not None and content_type.lower().startswith("multipart")
        sent = {**({} if content_type is None else {"Content-Type": content_type}), **headers}
        event = {
            "httpMethod": "POST",
            "path": path,
            "resource": path,
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": None,
            "requestContext": {"requestId": "r-1", "identity": {"apiKeyId": "lab", "apiKey": "secret"}},
            "body": base64.b64encode(body).decode() if form else body.decode("utf-8", "surrogatepass"),
            "isBase64Encoded": form,
        }
        answer = app.handler(event, CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return send


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Sixteen seconds of a busy reef."""
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    write_scene(scene(16, seed=11, settings=SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1))), path)
    return path.read_bytes()


def a_form(*parts: tuple[str, str | None, bytes], head: str = "") -> tuple[bytes, str]:
    """Return a form of (name, file name, content), and its content type."""
    body = b""
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{head}\r\n'.encode() + content + b"\r\n"
    return body + b"--x--\r\n", "multipart/form-data; boundary=x"


def as_json(**fields: Any) -> tuple[bytes, str]:
    return json.dumps(fields).encode(), "application/json"


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def ours(document: dict[str, Any]) -> dict[str, Any]:
    """Return predictions, events and metadata but for how long it took."""
    times = ("processing_time", "processing_time_seconds")
    metadata = {name: value for name, value in document["metadata"].items() if name not in times}
    return {"predictions": document["predictions"], "events": document["events"], "metadata": metadata}


# --- the shapes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_encoding_of_a_clip_has_the_same_answer(ask: Ask, clip: bytes, path: str) -> None:
    status, expected = ask(*a_form(("audio_file", "clip.wav", clip)), path=path)
    assert (status, set(expected)) == (200, {"predictions", "events", "metadata"})
    assert len(expected["events"]) > 1
    text = base64_of(clip)
    shapes = {
        "audio": a_form(("audio", "clip.wav", clip)),
        "no file name": a_form(("audio_file", None, clip)),
        "audio_data": as_json(audio_data=text),
        "audio_base64": as_json(audio_base64=text),
        "audio_file in JSON": as_json(audio_file=text),
        "a data: URL": as_json(audio_data=f"data:audio/wav;base64,{text}"),
        "lines": as_json(audio_data=base64.encodebytes(clip).decode()),
        "the other alphabet": as_json(audio_data=base64.urlsafe_b64encode(clip).decode().rstrip("=")),
        "base64 in a form": a_form(("audio_file", "clip.wav", text.encode())),
        "base64 in a field": a_form(("audio_file", None, text.encode())),
        "a data: URL in a form": a_form(("audio", "blob", b"data:audio/wav;base64," + text.encode())),
        "JSON without a content type": (as_json(audio_data=text)[0], None),
        "JSON in capitals": (as_json(audio_data=text)[0], "APPLICATION/JSON; Charset=UTF-8"),
    }
    for name, (body, content_type) in shapes.items():
        status, answer = ask(body, content_type, path=path)
        assert status == 200, (name, answer)
        assert ours(answer) == ours(expected), name
        encoded = "base64" in name or "JSON" in name or name in {"audio_data", "lines", "the other alphabet"}
        assert ("audacity" in answer) is (encoded or "data:" in name), name


def test_answer_has_the_fields_of_the_labs_newest_front_end(ask: Ask, clip: bytes) -> None:
    status, answer = ask(*as_json(audio_data=base64_of(clip)))
    assert status == 200
    assert answer["json"] == {name: answer[name] for name in ("predictions", "events", "metadata")}
    assert answer["raw"] == answer["predictions"] != []
    assert answer["audacity"] == labels_of(answer["predictions"])
    assert "error" not in answer


def labels_of(predictions: list[dict[str, Any]]) -> str:
    """Make the label track as the lab's exporter does, from the classes of the windows; ended at a window's end."""
    lines, run = [], []
    for prediction in [*predictions, {"class": None}]:
        if run and prediction["class"] != run[0]["class"]:
            if run[0]["class"] != "noise":
                lines.append(f"{run[0]['start_time']:.6f}\t{run[-1]['end_time']:.6f}\t{run[0]['class']}\n")
            run = []
        run.append(prediction)
    return "".join(lines)


def test_label_track_of_the_lab_is_not_smoothed(ask: Ask, clip: bytes) -> None:
    tracks = {
        ask(*as_json(audio_data=base64_of(clip), smoothing_window=kernel, confidence_threshold=threshold))[1][
            "audacity"
        ]
        for kernel in (1, 9)
        for threshold in (0.1, 0.9)
    }
    assert len(tracks) == 1
    assert len(tracks.pop().splitlines()) > 2


def test_token_besides_the_key_is_ignored(ask: Ask, clip: bytes) -> None:
    headers = {"Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvdGhlciJ9.x", "x-api-key": "secret"}
    status, answer = ask(*as_json(audio_data=base64_of(clip)), **headers)
    assert status == 200, answer


def test_file_name_of_a_clip_sets_its_start_time(ask: Ask, clip: bytes) -> None:
    name = "20230210_000001_LL_B55_M_R.wav"
    _, expected = ask(*a_form(("audio_file", name, clip), ("config", None, b'{"time_zone": "UTC"}')))
    assert expected["events"][0]["start_utc"].startswith("2023-02-10T00:00:0")
    _, answer = ask(*as_json(audio_data=base64_of(clip), filename=f"C:\\lab\\{name}", time_zone="UTC"))
    assert answer["events"] == expected["events"]


# --- settings ----------------------------------------------------------------------------------------------------

OURS = {"threshold": 0.9, "median_windows": 3, "min_duration_seconds": 0.5, "min_gap_seconds": 0.3,
        "window_seconds": 0.4, "hop_seconds": 0.1}  # fmt: skip
THEIRS = {theirs: OURS[name] for theirs, name in SETTINGS.items()}


def test_labs_names_of_settings_are_translated(ask: Ask, clip: bytes) -> None:
    assert set(SETTINGS.values()) == set(OURS)
    text = base64_of(clip)
    file = ("audio_file", "clip.wav", clip)
    fields = [(name, None, json.dumps(value).encode()) for name, value in THEIRS.items()]
    _, expected = ask(*a_form(file, ("config", None, json.dumps(OURS).encode())))
    assert expected["metadata"]["confidence_threshold"] == 0.9
    for body, content_type in [
        a_form(file, ("config", None, json.dumps(THEIRS).encode())),
        a_form(file, *fields),
        as_json(audio_data=text, **THEIRS),
        as_json(audio_data=text, **OURS),
        as_json(audio_data=text, config=THEIRS),
        as_json(audio_data=text, settings=THEIRS),
        as_json(audio_data=text, config=OURS, settings={}, model=None, **THEIRS),
    ]:
        status, answer = ask(body, content_type)
        assert status == 200, answer
        assert ours(answer) == ours(expected)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (
            {"smoothing_window": 4},
            "InvalidSettings",
            "smoothing_window (that is, median_windows) must be an odd number",
        ),
        ({"confidence_threshold": 1}, "InvalidSettings", "confidence_threshold (that is, threshold) must be a number"),
        ({"confidence_threshold": "0.5"}, "InvalidSettings", "confidence_threshold"),
        ({"stride_duration": 0}, "InvalidSettings", "stride_duration (that is, hop_seconds)"),
        ({"min_event_duration": -1}, "InvalidSettings", "min_event_duration"),
        ({"min_gap_duration": 1e9}, "InvalidSettings", "min_gap_duration"),
        ({"window_duration": 1.0}, "InvalidSettings", "window_seconds must be 0.4"),
        (
            {"confidence_threshold": 0.5, "threshold": 0.6},
            "InvalidSettings",
            "are one setting, given as 0.6 and as 0.5",
        ),
        ({"threshold": 0.5, "config": {"threshold": 0.6}}, "InvalidSettings", "threshold is given twice"),
        ({"treshold": 0.5}, "InvalidSettings", "there is no setting 'treshold' of a clip"),
        ({"config": {"treshold": 0.5}}, "InvalidSettings", "there is no setting 'treshold' of a clip"),
        ({"memory_mb": 10_240}, "InvalidSettings", "memory_mb is a setting of the stack"),
        ({"config": {"architecture": "x86_64"}}, "InvalidSettings", "architecture is a setting of the stack"),
        ({"max_concurrency": 1}, "InvalidSettings", "max_concurrency is a setting of executions"),
        ({"target_seconds": 1}, "InvalidSettings", "target_seconds is a setting of executions"),
        ({"max_range_seconds": 1}, "InvalidSettings", "max_range_seconds is a setting of executions"),
        ({"formats": ["csv"]}, "InvalidSettings", "formats is a setting of executions"),
        ({"review": ["clips"]}, "InvalidSettings", "review is a setting of executions"),
        ({"memory_mb": None}, None, ""),
        ({"model": 1}, "InvalidRequest", "model must be text"),
        ({"config": []}, "InvalidRequest", "config must be an object"),
        ({"settings": "all"}, "InvalidRequest", "settings must be an object"),
        ({"filename": 1}, "InvalidRequest", "filename must be a text"),
        ({"audio_base64": "UklG"}, "InvalidRequest", "audio_data and audio_base64, which are the same field"),
        ({"audio_data": None}, "InvalidRequest", "no audio_data"),
        ({"audio_data": 1}, "InvalidRequest", "audio_data must be a text"),
        ({"audio_data": ["UklG"]}, "InvalidRequest", "not a list"),
        ({"audio_data": "UklG!"}, "InvalidRequest", "'!' at offset 4"),
        ({"audio_data": ""}, "EmptyRecording", "clip"),
        ({"audio_data": "UklG"}, "UnreadableRecording", "clip"),
        ({"audio_data": "", "filename": "../../a\nb.wav"}, "EmptyRecording", "a_b.wav"),
    ],
)
def test_malformed_json_clip_is_refused_with_a_reason(
    ask: Ask, clip: bytes, settings: dict[str, Any], error: str | None, words: str
) -> None:
    status, answer = ask(*as_json(**{"audio_data": base64_of(clip), **settings}))
    assert (status, answer.get("error")) == (200 if error is None else 400, error), answer
    assert error is None or set(answer) <= {"error", "message", "request_id"}
    assert words in answer.get("message", "")


@pytest.mark.parametrize("name", ["memory_mb", "architecture", "max_concurrency", "target_seconds", "formats", "x"])
def test_form_with_other_settings_is_refused(ask: Ask, clip: bytes, name: str) -> None:
    assert name not in LabConfig.model_fields
    for part in [(name, None, b"1"), ("config", None, json.dumps({name: 1}).encode())]:
        status, answer = ask(*a_form(("audio_file", "clip.wav", clip), part))
        assert (status, answer["error"]) == (400, "InvalidSettings")
        assert name in answer["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "must be an object"), (b"null", "must be an object"), (b"1", "must be an object"), (b"", "JSON"),
        (b"{", "JSON"), (b"[" * 90_000, "levels"), (b'{"audio_data":' + b"9" * 5_000 + b"}", "5000 characters"),
        (b'{"audio_data":"\\ud800"}', "surrogate"), (b'{"audio_data":"","audio_data":""}', "twice"),
        (b'{"audio_data":NaN}', "NaN"), (b'{"audio_data":"","config":{"threshold":1e999}}', "double"),
        (b'{"audio_data":"\xed\xa0\x80"}', "not UTF-8"), (b"{}", "no audio_data"),
    ],
)  # fmt: skip
def test_hostile_json_is_a_fault_of_the_request(ask: Ask, body: bytes, words: str) -> None:
    status, answer = ask(body, "application/json")
    assert (status, answer["error"]) == (400, "InvalidRequest"), answer
    assert words in answer["message"]


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (b"{", "InvalidRequest", "config is not JSON"), (b"[]", "InvalidRequest", "config must be an object"),
        (b"[" * 9_000, "InvalidRequest", "config is JSON of more than"),
        (b'{"threshold":' + b"9" * 5_000 + b"}", "InvalidRequest", "5000 characters"),
        (b'{"threshold":0.5,"threshold":0.6}', "InvalidRequest", "twice"),
        (b'{"model":"\\ud800"}', "InvalidRequest", "surrogate"), (b"\xff", "InvalidRequest", "not UTF-8"),
        (b'{"threshold":NaN}', "InvalidRequest", "NaN"), (b'{"channel":1e99}', "InvalidSettings", "channel"),
        (b" " * 20_000, "ClipTooLarge", "16384 are enough"),
    ],
)  # fmt: skip
def test_hostile_json_in_a_form_is_a_fault_of_the_request(
    ask: Ask, clip: bytes, config: bytes, error: str, words: str
) -> None:
    status, answer = ask(*a_form(("audio_file", "clip.wav", clip), ("config", None, config)))
    assert (status, answer["error"]) == (413 if error == "ClipTooLarge" else 400, error), answer
    assert words in answer["message"]


def test_form_with_repeated_or_unknown_fields_is_refused(ask: Ask, clip: bytes) -> None:
    file = ("audio_file", "a.wav", clip)
    for parts, words in [
        ((file, file), "'audio_file' 2 times"),
        ((file, ("audio", "b.wav", clip)), "audio_file and audio, which are the same field"),
        ((file, ("config", None, b"{}"), ("config", None, b"{}")), "'config' 2 times"),
        ((file, *((f"p{number}", None, b"1") for number in range(MOST_PARTS))), f"more than {MOST_PARTS} parts"),
        ((("other", "a.wav", clip),), "no audio_file; it has 'other'"),
        ((), "no audio_file; it has 'nothing'"),
    ]:
        status, answer = ask(*a_form(*parts))
        assert (status, answer["error"]) == (400, "InvalidRequest"), words
        assert words in answer["message"]


def test_form_that_the_gateway_decoded_as_text_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {
        "httpMethod": "POST", "path": "/predict", "headers": {"content-type": "Multipart/Form-Data; boundary=x"},
        "requestContext": {"identity": {"apiKeyId": "lab"}}, "isBase64Encoded": False,
        "body": '--x\r\nContent-Disposition: form-data; name="audio_file"\r\n\r\nRIFF\ufffd\r\n--x--\r\n',
    }  # fmt: skip
    answer = app.handler(event, CONTEXT)
    assert answer["statusCode"] == 400
    assert "decoded as text and has lost bytes" in json.loads(answer["body"])["message"]


@pytest.mark.parametrize("content_type", ["text/plain", "audio/wav", "application/octet-stream", "application/jsonp"])
def test_other_content_type_of_a_clip_is_refused(ask: Ask, clip: bytes, content_type: str) -> None:
    status, answer = ask(b"RIFF", content_type)
    assert (status, answer["error"]) == (415, "UnsupportedMediaType")
    assert "multipart/form-data" in answer["message"]
    assert "application/json" in answer["message"]


# --- bounds ------------------------------------------------------------------------------------------------------


def test_clip_above_the_size_limit_is_refused(ask: Ask) -> None:
    for size, expected in [(MOST_BYTES, 400), (MOST_BYTES + 1, 413)]:  # no recording: what is small enough is looked at
        for body, content_type in [as_json(audio_data=base64_of(bytes(size))), a_form(("audio", "a.wav", bytes(size)))]:
            status, answer = ask(body, content_type)
            assert status == expected, answer
    assert answer["error"] == "ClipTooLarge"
    assert f"{MOST_BYTES / 1e6:g} MB ({MOST_BYTES} bytes)" in answer["message"]
    assert "POST /uploads" in answer["message"]


def predicted(path: Path, models_uri: str, model: str = "reef@production", **settings: Any) -> Any:
    size = path.stat().st_size
    return predict_clip(path, path.name, model, Settings.load(settings), models_uri, size)


def a_flac(path: Path, frames: int, rate: int, channels: int) -> Path:
    """Write silence: a few bytes for every 65,535 samples."""
    with soundfile.SoundFile(path, "w", rate, channels, "PCM_16", format="FLAC") as file:
        block = np.zeros((1 << 20, channels), np.int16)
        for start in range(0, frames, len(block)):
            file.write(block[: frames - start])
    return path


def test_clip_that_decodes_to_hours_is_refused_by_its_header(
    tmp_path: Path, models_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("its samples were read")

    monkeypatch.setattr(predict, "open_range", never)
    path = a_flac(tmp_path / "bomb.flac", MOST_SAMPLES // 8 + 1, 655_350, 8)  # 29 s
    assert path.stat().st_size < MOST_BYTES
    with pytest.raises(ClipTooLarge, match=rf"bomb.flac: it decodes to \d+ samples in 8 channels; .*{MOST_SAMPLES}"):
        predicted(path, models_uri, hop_seconds=60)


def test_header_that_promises_too_much_is_refused_without_decoding(tmp_path: Path, models_uri: str) -> None:
    path = a_flac(tmp_path / "header.flac", 48_000, 48_000, 1)
    content = bytearray(path.read_bytes())
    info = struct.unpack_from(">Q", content, 18)[0]
    struct.pack_into(">Q", content, 18, info & ~((1 << 36) - 1) | (1 << 36) - 1)  # the most that FLAC can promise
    path.write_bytes(content)
    result = predicted(path, models_uri)
    assert len(result.scores) == n_windows(1, spec_of())
    assert "header-length" in [note.code for note in result.recording.notes]


def test_clip_that_is_too_long_after_resampling_is_refused(tmp_path: Path, models_uri: str) -> None:
    path = tmp_path / "slow.wav"
    soundfile.write(path, np.zeros(3_900_000, np.int16), 1_000, subtype="PCM_U8")
    with pytest.raises(ClipTooLarge, match="samples at the model's rate of 48000 Hz"):
        predicted(path, models_uri, LAB_MODEL, hop_seconds=60)


def test_transcoding_stops_at_the_limit(tmp_path: Path, models_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is made smaller here, which takes seconds where the real one takes a minute."""
    monkeypatch.setattr(predict, "MOST_SAMPLES", 3 * predict.PIECE_SAMPLES)
    monkeypatch.setattr(predict, "_TRANSCODE_SECONDS", 600.0)
    path = tmp_path / "long.ogg"
    with soundfile.SoundFile(path, "w", 48_000, 2, "VORBIS", format="OGG") as file:
        for _ in range(140):
            file.write(np.zeros((48_000, 2)))
    assert path.stat().st_size < 100_000
    with pytest.raises(ClipTooLarge, match="decodes to 4194304 samples in 2 channels and more"):
        predicted(path, models_uri)


def test_gap_of_an_hour_between_time_stamps_is_refused(
    tmp_path: Path, models_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live WebM tells no length; the stretch without sound between its time stamps is made of nothing."""
    import av

    monkeypatch.setattr(predict, "_TRANSCODE_SECONDS", 600.0)  # the other bound, which a busy machine reaches first
    path = tmp_path / "live.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as media:
        stream = media.add_stream("libopus", rate=48_000, layout="stereo")
        for second in (0, 1, 3_600, 3_601):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 48_000), np.int16), format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, second * 48_000
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    assert path.stat().st_size < 10_000
    with pytest.raises(ClipTooLarge, match=r"it decodes to \d+ samples in 2 channels and more"):
        predicted(path, models_uri)


def test_container_with_a_length_is_refused_before_decoding(
    tmp_path: Path, models_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    path = tmp_path / "long.mka"
    with av.open(str(path), "w", format="matroska") as media:
        stream = media.add_stream("flac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 48_000), np.int16), format="s16", layout="stereo")
        for second in range(60):
            frame.sample_rate, frame.pts = 48_000, second * 48_000
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    monkeypatch.setattr(predict, "MOST_SAMPLES", 50 * 2 * 48_000)
    monkeypatch.setattr(predict, "transcode_task", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ClipTooLarge, match=r"samples in 2 channels, as its header says,"):
        predicted(path, models_uri)


def test_clip_with_too_many_windows_is_refused(tmp_path: Path, models_uri: str) -> None:
    path = tmp_path / "many.wav"
    soundfile.write(path, np.zeros(21 * 48_000), 48_000)
    with pytest.raises(ClipTooLarge, match="windows are more than the 20000 that one answer holds; upload it"):
        predicted(path, models_uri, hop_seconds=0.001)


def test_clip_with_two_hundred_channels_is_analysed(ask: Ask) -> None:
    file = BytesIO()
    soundfile.write(file, np.zeros((4_000, 255)), 8_000, format="WAV", subtype="PCM_16")
    status, answer = ask(*a_form(("audio_file", "a.wav", file.getvalue())))
    assert status == 200, answer
