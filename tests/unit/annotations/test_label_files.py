"""Label files of any encoding are found and read, and problems name file, line and correction."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.annotations.label_files import find_label_files, read_labels, scan_labels
from anemonefish.annotations.labels import Label
from anemonefish.errors import InvalidRequest
from tests.unit.annotations.label_tables import RAVEN, times


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends_change_nothing(read, encoding: str, line_end: str) -> None:
    for text in (
        "start,end,label\n1,2,Männchen\n",
        "1\t2\tMännchen\n",
        f"{RAVEN}\tLabel\n1\tS\t1\t1\t2\t0\t9\tMännchen\n",
    ):
        table = read(text.replace("\n", line_end).encode(encoding))
        assert times(table) == [(1_000_000, 2_000_000, "Männchen")]


def test_mixed_line_ends_are_read(read) -> None:
    table = read("start,end,label\r\n1,2,a\n\r\n3,4,b\r5,6,c\r\n")
    assert [label.name for label in table.labels] == ["a", "b", "c"]
    assert [label.name for label in read("1\t2\ta\r\n3\t4\tb\r5\t6\tc\n").labels] == ["a", "b", "c"]


@given(st.text(alphabet='0123456789.,;\t\n\r"\\ -eabSeln()', max_size=80))
def test_any_text_gives_labels_or_an_error_with_the_path(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    for head in ("", f"{RAVEN}\tAnnotation\n", "start,end,label\n"):
        path.write_text(head + text, encoding="utf-8", newline="")
        try:
            labels = read_labels(path).labels
        except InvalidRequest as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert all(0 <= label.start <= label.stop for label in labels)


def test_error_names_the_first_unreadable_lines_and_counts_the_others(read) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read("start,end\n1,x\n1,2\n3,2\n-1,0\n" + "9,8\n" * 10)
    message = str(raised.value)
    assert [word for word in ("line 2", "line 4", "line 5", "and 8 more") if word not in message] == []


def test_unreadable_row_is_a_problem_of_its_recording_alone(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("file,start,end,label\na.wav,1,2,x\nb.wav,1,oops,x\nc.wav,3,4,y\n")
    table = scan_labels(tmp_path / "all.csv")
    assert [label.recording for label in table.labels] == ["a.wav", "c.wav"]
    assert [(problem.line, problem.recording) for problem in table.problems] == [(3, "b.wav")]
    assert table.recordings == ("a.wav", "b.wav", "c.wav")


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav.txt").mkdir()
    with pytest.raises(InvalidRequest, match=r"a\.wav\.txt: cannot be read"):
        read_labels(tmp_path / "a.wav.txt")


@pytest.mark.parametrize(
    ("file", "recording"),
    [("reef.wav.selections.txt", "reef.wav"), ("reef.Table.1.selections.txt", "reef"), ("reef.wav.txt", "reef.wav"),
     ("reef.BirdNET.selection.table.txt", "reef"), ("reef.BirdNET.results.csv", "reef"), ("a.b.events.csv", "a.b"),
     ("labels.txt", "labels"), ("20190920T004248Z.audacity.txt", "20190920T004248Z")],
)  # fmt: skip
def test_file_name_suggests_the_recording(read, file: str, recording: str) -> None:
    assert read("", file).recording == recording


def test_label_files_below_a_folder_are_found(tmp_path: Path) -> None:
    for name in ("b.txt", "sub/a.CSV", ".hidden/c.txt", "x.wav", ".d.txt", "evaluation.csv", "sub/summary.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    expected = [path.relative_to(tmp_path).as_posix() for path in find_label_files(tmp_path)]
    assert expected == ["b.txt", "sub/a.CSV"]
    assert find_label_files(tmp_path / "x.wav") == (tmp_path / "x.wav",)
    assert [path.name for path in find_label_files(tmp_path, "*.txt")] == ["b.txt"]
    with pytest.raises(InvalidRequest, match="no label file"):
        find_label_files(tmp_path, "*.tsv")
    with pytest.raises(InvalidRequest, match="no such file or folder"):
        find_label_files(tmp_path / "absent")


def test_label_without_length_is_a_point() -> None:
    assert Label(0, 0, "", None, None, "a.wav", 1).is_point
