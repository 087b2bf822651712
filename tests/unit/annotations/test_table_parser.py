"""A table is split into headers and rows, and an error says how to correct the file."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidRequest
from tests.unit.annotations.label_tables import RAVEN, ROW, times


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("start;end;label\n1,5;2,5;x\n", "separated by semicolons"),
        ("start,end,label\n1,5,2,5,x\n", "line 2: 5 values under 3 headers; is there a decimal comma"),
        ('start,end,label\n"1,5",2,x\n', "line 2: start: '1,5' has a decimal comma"),
        ("start,end,label\n1,2,x\n3,,x\n", "line 3: end: the value is missing"),
        ("a,b\n1,2\n", "no column says where a label begins; its columns are a, b"),
        ("start,label\n1,x\n", "no column says where a label ends"),
        ("start,end,label,Label\n1,2,x,y\n", "line 1: there are several columns 'label'"),
        ("start,end,label,class\n1,2,x,y\n", "'label' or 'class'; say which"),
        ('start,end,label\n1,2,"x\n', "not a table"),
        (b"start,end,label\n1,2,M\xe4nnchen\n", "line 2: byte 0xe4 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_error_in_a_table_says_how_to_correct_it(read, text: str | bytes, what: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(text)
    assert what in str(raised.value)
    assert "reef.wav.txt: " in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("6.9 7.4 anemonefish\n", ["'6.9 7.4 anemonefish'", "use tabs"]),
        ("6.9   7.4\n", ["use tabs"]),
        ("6,9 7,4 x\n", ["separated by blanks", "use tabs"]),
        ("1\t2\tx\n6.9 7.4 y\n", ["line 2", "use tabs"]),
        (f"{RAVEN}\n{ROW}\n".replace("\t", "   "), ["no tab or comma", "use tabs"]),
        ("start|end|label\n1|2|x\n", ["'|'", "commas or tabs"]),
        (f"{RAVEN}\tAnnotation\n{ROW}\tx\t1\n{ROW}\tx\t2\n",
         ["line 2: 9 values under 8 headers: '1' has none", "1 more line", "Selection, View", "give every column"]),
        ("start,end,label\n1,2,a, b\n", ["line 2: 4 values under 3 headers", "'b' has no header", "quotation marks"]),
        ("6.9,7.4,x\n", ["values stand where headers are expected (6.9, 7.4, x)", "start_time,end_time,label"]),
        ("1\tSpectrogram 1\t1\t6.9\t7.4\n", ["values stand where headers are expected"]),
        ("start,end\n5.0,4.0\n", ["line 2: the end lies before the start (5.0 to 4.0 s)"]),
        ("start,end\n-1.5,4.0\n", ["line 2: a label cannot begin before its recording (-1.5 to 4.0 s)"]),
        ("start,duration\n1,-2\n", ["line 2: the end lies before the start"]),
        ("start,end\nNaN,2\n", ["line 2: start: the value is missing (NaN)", "delete the line"]),
        ("start,end\n1,NA\n", ["line 2: end: the value is missing (NA)"]),
        ("start,end\n1,\n", ["line 2: end: the value is missing"]),
        ("start,end\n00:01:05,00:01:06.5\n", ["'00:01:05' is not a number of seconds", "write 65"]),
        ("start,end\n1:05.25,1:06\n", ["write 65.25"]),
        ("start,end\n6.9 s,7.4 s\n", ["'6.9 s' is not a number of seconds", "without unit"]),
        ("start_ms,end_ms,label\n6900,7400,x\n", ["'start_ms' is in milliseconds", "end_time (seconds)"]),
        ("Start Time (ms),End Time (ms)\n1,2\n", ["is in milliseconds"]),
        ("startMs,endMs\n1,2\n", ["is in milliseconds"]),
        ("start_sample,end_sample\n1,2\n", ["'start_sample' is in samples"]),
        ("BeginFrame,EndFrame\n1,2\n", ["is in frames"]),
        ("Begin Clock Time,End Clock Time\n1:00,1:01\n", ["is in clock time"]),
        ("start,end_ms\n1,2\n", ["where a label ends", "'end_ms' is in milliseconds"]),
        ("start,end\n1,2\0\n", ["line 2: there is a byte 0"]),
        (b"PK\x03\x04\x14\0", ["a workbook", "CSV"]),
        ("start,end\n1,2\n".encode("utf-16-le"), ["byte 0", "UTF-8"]),
        (b"\xff\xfes\0t\0a", ["UTF-16", "save the file as UTF-8"]),
    ],
)  # fmt: skip
def test_error_names_the_value_and_how_to_correct_it(read, text: str | bytes, words: list[str]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(text)
    assert [word for word in words if word not in str(raised.value)] == []


def quoted_by_r(text: str) -> str:
    """Write a table as R's write.table does: quotation marks around headers and texts, not around numbers."""
    return "\n".join(
        "\t".join(cell if cell.replace(".", "").isdigit() else f'"{cell}"' for cell in line.split("\t"))
        for line in text.split("\n")
    )


def test_raven_table_with_quoted_headers_is_read(read) -> None:
    text = quoted_by_r(f'{RAVEN}\tSpecies\n{ROW}\tone \\"call\\"\n{ROW}\tanemonefish')
    table = read(text)
    assert (table.format, table.label_column) == ("raven", "Species")
    assert [label.name for label in table.labels] == ['one "call"', "anemonefish"]


def test_row_names_that_r_writes_without_a_header_are_ignored(read) -> None:
    table = read(quoted_by_r(f"{RAVEN}\tSpecies") + f'\n"1"\t{ROW}\t"a"\n"7"\t{ROW}\t"b"\n')
    assert times(table) == [(6_900_000, 7_400_000, "a"), (6_900_000, 7_400_000, "b")]
    commas = read('"start","end","label"\n"1",6.9,7.4,"a"\n')
    assert times(commas) == [(6_900_000, 7_400_000, "a")]
