"""What the local AWS keeps between runs: items, parts of uploads, and a folder that one service uses at a time."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localstack import serve
from localstack.kept_data import KeptParts, KeptRecords, lock_folder, map_file

REPOSITORY = Path(__file__).parents[2]


def _part(body: bytes, **more: Any) -> dict[str, Any]:
    return {"body": body, "etag": '"1"', "size": len(body), "checksums": {}, **more}


def test_items_are_there_after_the_process_was_killed(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from localstack.kept_data import KeptRecords
kept = KeptRecords(Path({str(tmp_path / "records.sqlite")!r}))
for number in range(50):
    kept.write("records", str(number % 10), {{"id": {{"S": str(number % 10)}}, "n": {{"N": str(number)}}}})
kept.write("records", "3", None)
kept.write("others", "3", {{"id": {{"S": "3"}}}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False)
    assert done.returncode == -9
    kept = KeptRecords(tmp_path / "records.sqlite")
    assert [(item["id"]["S"], item["n"]["N"]) for item in kept.items("records")] == [
        (str(key), str(key + 40)) for key in range(10) if key != 3
    ]
    assert kept.items("others") == [{"id": {"S": "3"}}]
    assert kept.items("unknown") == []


@pytest.mark.parametrize("before", [None, 0o644])
def test_items_are_read_by_nobody_else(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "records.sqlite"
    if before is not None:
        path.touch(before)
        path.chmod(before)
    kept = KeptRecords(path)
    kept.write("records", "1", {"id": {"S": "1"}})
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes.keys() >= {"records.sqlite", "records.sqlite-wal"}
    assert set(modes.values()) == {0o600}
    assert kept.items("records")


def test_variables_with_the_key_are_read_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "serve.env"
    path.touch(0o644)  # of a service that was killed
    serve.write_variables(path, {"ANEMONEFISH_API_KEY": "a b", "ANEMONEFISH_API_URL": "http://127.0.0.1:1/v1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = subprocess.run(["sh", "-c", f'. {path}; echo "$ANEMONEFISH_API_KEY"'], capture_output=True, check=True)
    assert said.stdout == b"a b\n"


def test_upload_continues_with_the_parts_that_were_sent(tmp_path: Path) -> None:
    kept = KeptParts(tmp_path)
    kept.begin("u1", {"bucket": "b", "key": "a.wav", "parts": {}})
    first = _part(b"first" * 1000, etag='"f"')
    kept.add("u1", 1, first)
    kept.add("u1", 10, _part(b""))
    assert bytes(first["body"]) == b"first" * 1000  # it lies in the file now
    assert not isinstance(first["body"], bytes)

    [(upload, description)] = KeptParts(tmp_path).uploads()
    assert (upload, description["bucket"], description["key"]) == ("u1", "b", "a.wav")
    assert {number: bytes(part["body"]) for number, part in description["parts"].items()} == {
        1: b"first" * 1000,
        10: b"",
    }
    assert description["parts"][1]["etag"] == '"f"'

    kept.end("u1")
    assert list(KeptParts(tmp_path).uploads()) == []
    assert list(tmp_path.iterdir()) == []


def test_part_whose_writing_was_interrupted_is_sent_again(tmp_path: Path) -> None:
    kept = KeptParts(tmp_path)
    kept.begin("u1", {"bucket": "b", "key": "a.wav", "parts": {}})
    kept.add("u1", 1, _part(b"whole"))
    (tmp_path / "u1" / "2").write_bytes(b"written, but not described")
    (tmp_path / "u1" / "3.tmp").write_bytes(b"ha")
    [(_, description)] = kept.uploads()
    assert set(description["parts"]) == {1}


def test_range_of_a_file_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.seek(1 << 40)  # a sparse file of a terabyte, which no memory holds
        file.write(b"end")
    mapped = map_file(path)
    assert len(mapped) == (1 << 40) + 3
    assert mapped[1 << 40 : (1 << 40) + 3] == b"end"


def test_folder_is_private_and_one_service_uses_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    lock = lock_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(BlockingIOError, match="another service that runs; stop it first"):
        lock_folder(folder, patience=0)
    lock.close()
    lock_folder(folder, patience=0).close()
