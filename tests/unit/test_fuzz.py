"""Every parser that reads bytes of a stranger answers damaged files with our errors (``make fuzz`` tries more)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.seeds import kept_crashes, seeds
from tests.fuzz.targets import TARGETS, run

CHANGES = {"transcoding": 60, "audio_header": 150, "api": 150}
USUAL_CHANGES = 400
WORDS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80", b"NaN ", b"null", b'""', b"\xed\xa0\x80", b"=")


def changed(data: bytes, draw: random.Random) -> bytes:
    """Return a file with up to four random changes."""
    made = bytearray(data)
    for _ in range(draw.randint(0, 4)):
        at = draw.randrange(len(made) + 1)
        match draw.randrange(4):
            case 0:
                made[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                del made[at : at + draw.randrange(1, 40)]
            case 2:
                made[at:at] = draw.choice(WORDS)
            case 3:
                word = draw.choice(WORDS)
                made[at : at + len(word)] = word
    return bytes(made)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_damaged_file_is_answered_with_our_errors(target: str) -> None:
    draw, files = random.Random(target), seeds(target)
    for data in files:
        run(target, data)
    for _ in range(CHANGES.get(target, USUAL_CHANGES)):
        run(target, changed(draw.choice(files), draw))


@pytest.mark.parametrize(
    ("target", "path"),
    [(target, path) for target in TARGETS for path in kept_crashes(target)],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_input_that_was_a_defect_is_answered_with_our_errors(target: str, path: Path) -> None:
    run(target, path.read_bytes())


@pytest.mark.parametrize("target", ["bundle", "webhook", "request", "part", "stored_result", "api"])
def test_deep_nesting_is_answered_with_our_errors(target: str) -> None:
    deep = b"[" * 100_000
    run(target, deep)
    run(target, b"\x02\x01\x00" + deep)
    run(target, b'{"a":' * 50_000)


def test_defect_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_: bytes) -> None:
        raise KeyError("window")

    monkeypatch.setitem(TARGETS, "part", defect)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="window"):
        run("part", b"")
