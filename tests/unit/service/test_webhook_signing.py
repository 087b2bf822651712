"""Webhooks are signed as Standard Webhooks describes, with every key of the secret."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from pathlib import Path

import pytest
import yaml

from anemonefish.errors import StorageError
from anemonefish.service.webhook_signing import sign, signing_keys
from tests.fakes.webhook_receiver import BODY, ID, KEY, OLD_KEY, SECRET

REPOSITORY = Path(__file__).parents[3]


def test_signature_is_base64_hmac_sha256_of_id_timestamp_and_body() -> None:
    """Computed as RFC 2104 writes it, without the hmac module."""
    key = KEY.ljust(64, b"\0")
    content = ID.encode() + b".1764000000." + BODY
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + content).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    assert sign([KEY], ID, 1_764_000_000, BODY) == "v1," + base64.b64encode(outer).decode()


def test_signature_equals_that_of_openssl() -> None:
    # printf 'msg_1.1764000000.{}' | openssl dgst -sha256 -binary -hmac 012345678901234567890123 | base64
    assert (
        sign([b"012345678901234567890123"], "msg_1", 1_764_000_000, b"{}")
        == "v1,jYBHMt/fZGsBhAYEstPtGZgLmVDn5Esv7OV2cHkQoAA="
    )


def test_signature_equals_that_of_the_reference_libraries() -> None:
    """The vector that the libraries of Standard Webhooks test themselves with."""
    keys = signing_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_key_of_the_secret_signs() -> None:
    both = sign([KEY, OLD_KEY], ID, 1_764_000_000, BODY).split(" ")
    assert both == [sign([key], ID, 1_764_000_000, BODY) for key in (KEY, OLD_KEY)]


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        (SECRET, (KEY,)),
        (SECRET.removeprefix("whsec_"), (KEY,)),
        (f"{SECRET}\n", (KEY,)),
        (f"{SECRET} whsec_{base64.b64encode(OLD_KEY).decode()}", (KEY, OLD_KEY)),
        (f"{SECRET}\r\n{base64.b64encode(OLD_KEY).decode()}\r\n", (KEY, OLD_KEY)),
        ("whsec_" + base64.b64encode(bytes(25)).decode().rstrip("="), (bytes(25),)),
        ("whsec_" + base64.b64encode(bytes(64)).decode(), (bytes(64),)),
        ("A1b2" * 16, (base64.b64decode("A1b2" * 16),)),  # as the template's GenerateSecretString makes it
    ],
)
def test_secret_is_decoded_into_its_keys(secret: str, keys: tuple[bytes, ...]) -> None:
    assert signing_keys(secret) == keys


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("whsec_", "key 1 .* has 0 bytes"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "key 1 .* has 23 bytes"),
        (f"{SECRET} " + base64.b64encode(bytes(65)).decode(), "key 2 .* has 65 bytes"),
        ("whsec_not-url-safe_base64_of_some_length", "key 1 .* is not base64"),
        ("whsec_" + "\u00e9" * 40, "key 1 .* is not base64"),
        (f"{SECRET},{SECRET}", "key 1 .* is not base64"),
        ("whsec_" + "a" * 45, "key 1 .* is not base64"),  # no base64 text has this length
        ("whpk_" + base64.b64encode(bytes(32)).decode(), "key 1 .* is not base64"),
    ],
)
def test_unusable_secret_is_an_error_that_does_not_show_it(secret: str, why: str) -> None:
    with pytest.raises(StorageError, match=why) as caught:
        signing_keys(secret)
    assert "docs/deploy.md" in str(caught.value)
    assert all(text[6:30] not in str(caught.value) for text in secret.split() if len(text) > 30)


def test_secret_that_the_template_generates_is_a_key() -> None:
    """Letters and digits are base64 as they are, when their number is a multiple of four."""
    template = (REPOSITORY / "template.yaml").read_text()
    (block,) = re.findall(r"GenerateSecretString:\n((?: {8}\w.*\n)+)", template)
    generated = yaml.safe_load(block)
    assert generated["ExcludePunctuation"] is True  # Secrets Manager would else insist on a punctuation mark
    letters = set(string.ascii_letters + string.digits + string.punctuation) - set(generated["ExcludeCharacters"])
    assert letters == {*string.ascii_letters, *string.digits}
    (key,) = signing_keys(("".join(sorted(letters)) * 2)[: generated["PasswordLength"]])
    assert len(key) * 4 == generated["PasswordLength"] * 3
