"""Bodies as strangers send them: JSON that is taken and JSON that is not, base64, multipart forms."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import InvalidRequest
from anemonefish.service.api.bodies import MOST_BODY_BYTES, MOST_DEPTH, MOST_NUMBER, read_json
from anemonefish.service.api.encoded import decode_audio, is_encoded_audio
from anemonefish.service.api.forms import MOST_PARTS, Part, read_form
from tests.fakes.api_requests import answer_to

# --- JSON --------------------------------------------------------------------------------------------------------

HOSTILE: dict[str, tuple[bytes, str]] = {
    "100,000 lists": (b"[" * 100_000, "levels"),
    "100,000 objects": (b'{"a":' * 100_000, "levels"),
    "lists in a value": (b'{"numbers":' + b"[" * 50 + b"]" * 50 + b"}", "levels"),
    "an integer of 5,000 digits": (b'{"numbers":[' + b"9" * 5_000 + b"]}", "5000 characters"),
    "a negative integer of 5,000 digits": (b'{"numbers":[-' + b"9" * 5_000 + b"]}", "5001 characters"),
    "a fraction of 5,000 digits": (b'{"numbers":[0.' + b"1" * 5_000 + b"]}", "5002 characters"),
    "a huge exponent": (b'{"numbers":[1e999]}', "larger than a double"),
    "a huge negative number": (b'{"numbers":[-1e400]}', "larger than a double"),
    "NaN": (b'{"numbers":[NaN]}', "NaN"),
    "Infinity": (b'{"numbers":[Infinity]}', "Infinity"),
    "-Infinity": (b'{"numbers":[-Infinity]}', "-Infinity"),
    "a name twice": (b'{"numbers":[1],"numbers":[2]}', "'numbers' twice"),
    "a name twice, deeper": (b'{"numbers":[{"a":1,"a":1}]}', "'a' twice"),
    "a name twice, once escaped": (b'{"numbers":[1],"n\\u0075mbers":[2]}', "'numbers' twice"),
    "half a pair": (b'{"numbers":["\\ud800"]}', "surrogate"),
    "half a pair in a name": (b'{"numbers":[],"\\udc00":1}', "surrogate"),
    "two halves in the wrong order": (b'{"numbers":["\\udc00\\ud800"]}', "surrogate"),
    "half a pair in UTF-8": (b'{"numbers":["\xed\xa0\x80"]}', "byte 13 (0xed) is not UTF-8"),
    "Latin-1": ('{"numbers":["ä"]}'.encode("latin-1"), "byte 13 (0xe4) is not UTF-8"),
    "UTF-16": ('{"numbers":[1]}'.encode("utf-16"), "byte 0 (0xff) is not UTF-8"),
    "a raw line break in a text": (b'{"numbers":["a\nb"]}', "control character"),
    "two documents": (b'{"numbers":[]}{}', "Extra data at character 14"),
    "half of one": (b'{"numbers":[', "character 12"),
    "a comment": (b'{"numbers":[]} // all', "Extra data"),
    "single quotes": (b"{'numbers':[]}", "character 1"),
    "a comma too many": (b'{"numbers":[1,]}', "JSON"),
    "nothing but a zero byte": (b"\0", "JSON"),
    "a list": (b"[1,2]", "not a list"),
    "a number": (b"17", "not a number"),
    "a text": (b'"numbers"', "not a text"),
    "true": (b"true", "not true or false"),
    "too many bytes": (b'{"numbers":[' + b"1," * (MOST_BODY_BYTES // 2) + b"1]}", f"{MOST_BODY_BYTES} bytes"),
}
"""Bodies of the route ``/numbers`` that no parser should stumble over, and a word of the answer."""


def as_text(content: bytes) -> str | None:
    """Return the body as the gateway hands it over in text; None for bytes that no text has."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


ARRIVALS = [(name, False) for name, (content, _) in HOSTILE.items() if as_text(content) is not None]
ARRIVALS += [(name, True) for name in HOSTILE]


@pytest.mark.parametrize(("name", "encoded"), ARRIVALS)
def test_hostile_json_is_a_fault_of_the_request(name: str, encoded: bool) -> None:
    content, words = HOSTILE[name]
    body = base64.b64encode(content).decode() if encoded else as_text(content)
    status, answer, _ = answer_to(path="/numbers", body=body, isBase64Encoded=encoded)
    assert (status, answer["error"]) == (400, "InvalidRequest"), answer
    assert words in answer["message"]
    assert len(answer["message"]) < 400


NO_OBJECTS = {"a list", "a number", "a text", "true", "too many bytes"}
"""JSON that can be read; whoever wants an object refuses it."""


@pytest.mark.parametrize("name", sorted({*HOSTILE} - NO_OBJECTS))
def test_json_in_a_form_follows_the_same_rules(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^config is"):
        read_json(HOSTILE[name][0], "config")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_every_json_value_is_read_back(value: Any) -> None:
    assert read_json(json.dumps(value).encode(), "it") == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(), "it") == value
    assert read_json(b"\xef\xbb\xbf" + json.dumps(value, indent=2).encode(), "it") == value


def test_values_at_the_limits_are_accepted() -> None:
    assert read_json(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, "it")
    assert read_json(b"9" * MOST_NUMBER, "it") == int("9" * MOST_NUMBER)
    for one_more in (b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1), b"9" * (MOST_NUMBER + 1)):
        with pytest.raises(InvalidRequest):
            read_json(one_more, "it")
    brackets = json.dumps({"a": '[[[["' * 50})
    assert read_json(brackets.encode(), "it") == json.loads(brackets)  # in a text they are no levels


JSON_TYPES = [
    "application/json", "APPLICATION/JSON", "Application/Json", "application/json; charset=utf-8",
    "application/json;charset=UTF-8", " application/json ", "APPLICATION/JSON ; charset=\"utf-8\"",
]  # fmt: skip
OTHER_TYPES = [
    "text/plain", "application/jsonx", "application/json-patch+json", "application/x-www-form-urlencoded",
    "multipart/form-data", "multipart/form-data; boundary=x", "text/json", "json", "*/*",
    "application/json, application/json",
]  # fmt: skip


@pytest.mark.parametrize("content", JSON_TYPES)
def test_content_type_of_json_ignores_case_and_parameters(content: str) -> None:
    status, _, _ = answer_to(path="/numbers", headers={"Content-Type": content}, body='{"numbers": [1]}')
    assert status == 200


@pytest.mark.parametrize("content", OTHER_TYPES)
def test_other_content_type_of_json_is_refused(content: str) -> None:
    status, answer, _ = answer_to(path="/numbers", headers={"Content-Type": content}, body='{"numbers": [1]}')
    assert (status, answer["error"]) == (415, "UnsupportedMediaType")
    assert "content-type: application/json" in answer["message"]


def test_broken_base64_of_the_gateway_is_400() -> None:
    status, answer, _ = answer_to(path="/numbers", body="a", isBase64Encoded=True)
    assert (status, answer["error"]) == (400, "InvalidRequest")


# --- base64 ------------------------------------------------------------------------------------------------------


def a_wav(frames: int = 200) -> bytes:
    file = BytesIO()
    soundfile.write(file, np.zeros(frames), 48_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


@given(st.binary(max_size=200))
def test_base64_is_read_in_every_form_of_browsers(content: bytes) -> None:
    plain = base64.b64encode(content).decode()
    urlsafe = base64.urlsafe_b64encode(content).decode()
    broken = "\r\n".join(plain[at : at + 76] for at in range(0, len(plain), 76))
    prefixes = (
        "",
        "data:audio/wav;base64,",
        "data:;base64,",
        "DATA:audio/webm;codecs=opus;BASE64,",
        "  data:a;base64,",
    )
    for text in (plain, urlsafe, broken, plain.rstrip("="), urlsafe.rstrip("="), f" {plain}\n", "\t".join(plain)):
        for prefix in prefixes:
            assert decode_audio(prefix + text, "audio_data") == content


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UklG!kZG", "'!' at offset 4"),
        ("data:audio/wav;base64,UklG!kZG", "'!' at offset 26"),
        ("UklG\nUk(G", "'(' at offset 7"),
        ("Ukl\u00e4", "offset 3"),
        ("Ukl\ud800", "offset 3"),
        ("UklGR", "ends at offset 5"),
        ("UklG UklGR\n", "ends at offset 11"),
        ("Uk==UklG", "follows its padding at offset 3"),
        ("U=klG", "follows its padding at offset 1"),
        ("data:audio/wav,UklG", "without ;base64"),
        ("data:audio/wav;base64;UklG", "':' at offset 4"),
    ],
)
def test_invalid_base64_is_refused_with_its_offset(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match="audio_data is") as caught:
        decode_audio(text, "audio_data")
    assert words in str(caught.value)


def test_base64_of_a_recording_differs_from_a_recording() -> None:
    wav = a_wav()
    for text in (base64.b64encode(wav), base64.urlsafe_b64encode(wav), base64.encodebytes(wav), b"data:a;base64,!"):
        assert is_encoded_audio(text)
    begins = [b"ID3\x04\0\0\0\0\x7f\x7f", b"\xff\xfb\x90\x64", b"fLaC\0\0\0\x22", b"OggS\0\x02", b"\x1aE\xdf\xa3\x01"]
    for begin in [*begins, b"\0\0\0\x20ftypM4A "]:
        assert is_encoded_audio(base64.b64encode(begin + bytes(500)))
        assert not is_encoded_audio(begin + bytes(500))
    for content in (wav, b"", b"RIFF", b"0" * 5_000, b"UklG", base64.b64encode(bytes(500)), b"\xff\xfb" * 500):
        assert not is_encoded_audio(content)


# --- forms -------------------------------------------------------------------------------------------------------


def a_form(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--x\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts) + end


def names_of(disposition: str | bytes) -> tuple[str, str | None]:
    raw = disposition if isinstance(disposition, bytes) else disposition.encode()
    form = b"--x\r\nContent-Disposition: form-data; " + raw + b"\r\n\r\n1\r\n--x--\r\n"
    (part,) = read_form("multipart/form-data; boundary=x", form)
    return part.name, part.filename


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="a"; filename="x.wav"', "x.wav"),
        ("name=a; filename=x.wav", "x.wav"),
        ('NAME="a"; FileName="x.wav"', "x.wav"),
        ('name="a"; filename="x;y.wav"', "x;y.wav"),
        ('name="a"; filename="x; filename=z.wav"', "x; filename=z.wav"),
        (r'name="a"; filename="x\"y.wav"', 'x"y.wav'),
        (r'name="a"; filename="x\\"', ""),
        ('name="a"; filename="Größe 🐠.wav"', "Größe 🐠.wav"),
        ('name="a"; filename="Größe.wav"'.encode("latin-1"), "Größe.wav"),
        ("name=a; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%F0%9F%90%A0.wav", "Größe 🐠.wav"),
        ("name=a; filename*=utf-8'de'Gr%C3%B6%C3%9Fe.wav", "Größe.wav"),
        ("name=a; filename*=ISO-8859-1'en'Gr%F6%DFe.wav", "Größe.wav"),
        ("name=a; filename=ascii.wav; filename*=UTF-8''Gr%C3%B6%C3%9Fe.wav", "Größe.wav"),
        ("name=a; filename*=UTF-8''Gr%C3%B6%C3%9Fe.wav; filename=ascii.wav", "Größe.wav"),
        ("name=a; filename*=UTF-8''a%3Bb%22c.wav", 'a;b"c.wav'),
        ("name=a; filename*=UTF-8''..%2F..%2Fetc%2Fx.wav", "x.wav"),
        (r'name="a"; filename="C:\Users\lab\x.wav"', "x.wav"),
        ('name="a"; filename="../../x.wav"', "x.wav"),
        ('name="a"; filename="/etc/passwd"', "passwd"),
        ("name=a; filename*=UTF-8''a%0D%0Ab%00.wav", "a__b_.wav"),
        ('name="a"; filename=""', ""),
        ('name="a"', None),
    ],
)
def test_form_file_has_the_name_of_its_sender(disposition: str | bytes, filename: str | None) -> None:
    assert names_of(disposition) == ("a", filename)


@pytest.mark.parametrize(
    "disposition",
    ["name=a; filename*=klingon''Gr%F6.wav", "name=a; filename*=UTF-8''Gr%F6.wav", "name=a; filename*=x.wav"],
)
def test_file_name_in_a_wrong_charset_is_accepted(disposition: str) -> None:
    name, filename = names_of(disposition)
    assert name == "a"
    assert filename is not None
    assert filename.endswith(".wav")


def test_content_transfer_encodings_are_decoded() -> None:
    head = 'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: '
    content_type = 'Multipart/Form-Data; Boundary="x"'
    for name, sent, content in [
        ("base64", b"QUI=", b"AB"), ("BASE64", b"QU\r\nI=", b"AB"), ("binary", b"\0\xff", b"\0\xff"),
        ("8bit", b"AB", b"AB"), ("quoted-printable", b"A=42", b"AB"),
    ]:  # fmt: skip
        assert read_form(content_type, a_form((head + name, sent))) == [Part("a", None, content)]
    with pytest.raises(InvalidRequest, match="transfer encoding 'gzip' is unknown"):
        read_form(content_type, a_form((head + "gzip", b"AB")))


@pytest.mark.parametrize(
    ("content_type", "form", "words"),
    [
        ("multipart/form-data", a_form(), "no boundary"),
        ("multipart/form-data; boundary=", a_form(), "no boundary"),
        ("multipart/form-data; boundary=\u20ac", a_form(), "no boundary"),
        ("multipart/form-data; boundary=\ud800", a_form(), "no boundary"),
        ("multipart/form-data; boundary=" + "x" * 300, a_form(), "Boundary length 300"),
        ("multipart/form-data; boundary=x", b"", "is incomplete, it ends after 0 complete parts"),
        ("multipart/form-data; boundary=x", b"nothing of the kind", "cannot be read"),
        ("multipart/form-data; boundary=x", a_form(('Content-Disposition: form-data; name="a"', b"1"), end=b""),
         "is incomplete"),
        ("multipart/form-data; boundary=x", a_form(("Content-Disposition: form-data", b"1")), "has no name"),
        ("multipart/form-data; boundary=x", a_form(("Content-Type: text/plain", b"1")), "has no name"),
        ("multipart/form-data; boundary=x", a_form(("X: " + "y" * 5_000, b"1")), "cannot be read"),
        ("multipart/form-data; boundary=x", a_form(("X: y\r\n" * 50 + "Z: z", b"1")), "cannot be read"),
        ("multipart/form-data; boundary=x",
         a_form(*[(f'Content-Disposition: form-data; name="{number}"', b"") for number in range(MOST_PARTS + 1)]),
         f"more than {MOST_PARTS} parts"),
    ],
)  # fmt: skip
def test_malformed_form_is_refused_with_a_reason(content_type: str, form: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_form(content_type, form)


def test_form_with_the_largest_number_of_parts_is_read() -> None:
    form = a_form(*[(f'Content-Disposition: form-data; name="{number}"', b"") for number in range(MOST_PARTS)])
    assert [part.name for part in read_form("multipart/form-data; boundary=x", form)] == [
        str(number) for number in range(MOST_PARTS)
    ]
