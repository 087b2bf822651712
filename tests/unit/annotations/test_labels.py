"""Labels people have: exact times, every format, and refusals that name file, line and mend."""

from __future__ import annotations

import io
import time
import unicodedata
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.annotations.audacity import write_audacity
from anemonefish.annotations.labels import (
    Label,
    LabelFile,
    RecordingNames,
    find_label_files,
    microseconds,
    read_labels,
    scan_labels,
)
from anemonefish.annotations.raven import write_raven
from anemonefish.annotations.selections import AudioReference, Selection
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest
from anemonefish.results.report import EVENT_COLUMNS

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"
RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(text: str | bytes, name: str = "reef.wav.txt", **options: Any) -> LabelFile:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_labels(path, **options)

    return write_and_read


def times(made: LabelFile) -> list[tuple[int, int, str]]:
    return [(label.start, label.stop, label.name) for label in made.labels]


# ------------------------------------------------------------------------------------------- numbers


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=12))
def test_decimal_text_becomes_the_nearest_microsecond(value: Decimal) -> None:
    exact = Fraction(value) * 1_000_000
    assert abs(microseconds(str(value)) - exact) <= Fraction(1, 2)


@given(st.integers(0, 10**15))
def test_what_has_microseconds_is_exact(micro: int) -> None:
    assert microseconds(f"{micro // 10**6}.{micro % 10**6:06d}") == micro


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5.3500000000000005", 5_350_000), ("1e-05", 10), (" 2 ", 2_000_000), (".5", 500_000), ("3.", 3_000_000),
     ("0.0000005", 1), ("0.00000049", 0), ("0.1", 100_000), ("-1", -1_000_000)],
)  # fmt: skip
def test_numbers_as_tools_print_them(text: str, expected: int) -> None:
    assert microseconds(text) == expected


@pytest.mark.parametrize("text", ["", "nan", "inf", "1,5", "1.234,5", "0x10", "1_000", "one", "1e999", "٣", "1 2"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|comma|missing|further"):
        microseconds(text)


# --------------------------------------------------------------------------------------------- Raven


def test_our_own_table_reads_back(read) -> None:
    file = io.StringIO()
    selections = [Selection(4_801, 9_602, "anemonefish", 100.5, 2_000, 0.5), Selection(0, 48_000, "biological", 0, 900)]
    write_raven(file, [(AudioReference(path="/data/site/reef.wav", name="reef.wav", sample_rate=48_000), selections)])
    made = read(file.getvalue(), "reef.wav.selections.txt")
    assert (made.format, made.label_column, made.names_recordings) == ("raven", "Class", True)
    assert times(made) == [(100_021, 200_042, "anemonefish"), (0, 1_000_000, "biological")]
    assert (made.labels[0].low_hz, made.labels[0].high_hz) == (Fraction(201, 2), 2_000)
    assert made.labels[0].recording == "/data/site/reef.wav"
    assert [label.line for label in made.labels] == [2, 3]


def test_a_table_of_another_detector() -> None:
    path = RECORDINGS / "reef" / "FS_plot_AMAR173.4.20190920T004248Z.selections.txt"
    if not path.exists():
        pytest.skip("the real recordings are not beside this checkout")
    made = read_labels(path)
    assert (made.format, made.label_column, len(made.labels)) == ("raven", "Class", 14)
    assert times(made)[:3] == [(1_000_000, 1_200_000, "FS"), (4_750_000, 4_950_000, "FS"), (5_350_000, 5_550_000, "FS")]
    names = RecordingNames(["FS_plot_AMAR173.4.20190920T004248Z.wav"], AUDIO_EXTENSIONS)
    assert {names.find(label.recording) for label in made.labels} == {"FS_plot_AMAR173.4.20190920T004248Z.wav"}


def test_a_row_for_each_view_is_one_selection(read) -> None:
    rows = [
        "1\tWaveform 1\t1\t1.5\t2.0\t100\t900\tcall",
        "1\tSpectrogram 1\t1\t1.5\t2.0\t100\t900\tcall",
        "2\tWaveform 1\t1\t1.5\t2.0\t100\t900\tcall",  # the same time, marked twice: two selections
        "2\tSpectrogram 1\t1\t1.5\t2.0\t100\t900\tcall",
    ]
    made = read("\n".join([f"{RAVEN}\tAnnotation", *rows]))
    assert times(made) == [(1_500_000, 2_000_000, "call")] * 2


def test_numbers_of_selections_that_begin_again_hide_nothing(read) -> None:
    rows = ["1\tSpectrogram 1\t1\t1\t2\t0\t9\ta", "1\tSpectrogram 1\t1\t5\t6\t0\t9\ta"]
    assert len(read("\n".join([f"{RAVEN}\tAnnotation", *rows])).labels) == 2


def test_times_in_a_table_over_several_files_count_from_each_file(read) -> None:
    rows = ["1\tSpectrogram 1\t1\t5\t6.25\t0\t9\t5\ta.wav\tx", "2\tSpectrogram 1\t1\t65.1\t66.6\t0\t9\t5.1\tb.wav\tx"]
    made = read("\n".join([f"{RAVEN}\tFile Offset (s)\tBegin File\tAnnotation", *rows]), "deployment.txt")
    assert times(made) == [(5_000_000, 6_250_000, "x"), (5_100_000, 6_600_000, "x")]
    assert made.recordings == ("a.wav", "b.wav")


@pytest.mark.parametrize(
    ("header", "rows", "mend"),
    [
        (
            "Begin File",
            ["1\tS\t1\t5\t6\t0\t9\ta.wav", "2\tS\t1\t65\t66\t0\t9\tb.wav"],
            "add the measurement File Offset",
        ),
        ("File Offset (s)", ["1\tS\t1\t65\t66\t0\t9\t5"], "add the measurement Begin File"),
    ],
)
def test_a_table_over_several_files_that_cannot_be_told_apart(read, header: str, rows: list[str], mend: str) -> None:
    with pytest.raises(InvalidRequest, match=mend):
        read("\n".join([f"{RAVEN}\t{header}", *rows]))


@pytest.mark.parametrize(
    ("columns", "values", "found"),
    [
        ("Annotation", "a", "Annotation"),
        ("Whatever", "click", "Whatever"),  # the only column that nobody knows
        ("Peak Power (dB)\tWhatever\tN", "3\tclick\t7", "Whatever"),
        ("Common Name\tSpecies Code\tConfidence", "Wren\twren\t0.5", "Common Name"),
        ("Species\tAnnotation", "x\tx", "Annotation"),
        ("Confidence", "0.5", None),
    ],
)
def test_the_label_column_is_found(read, columns: str, values: str, found: str | None) -> None:
    made = read(f"{RAVEN}\t{columns}\n1\tS\t1\t1\t2\t0\t9\t{values}")
    assert made.label_column == found


def test_a_doubtful_label_column_is_asked_for(read) -> None:
    table = f"{RAVEN}\tOne\tOther\n1\tS\t1\t1\t2\t0\t9\tx\ty"
    with pytest.raises(InvalidRequest, match="'One' or 'Other'"):
        read(table)
    assert times(read(table, label_column="other")) == [(1_000_000, 2_000_000, "y")]
    with pytest.raises(InvalidRequest, match="no column 'Third'"):
        read(table, label_column="Third")


def test_quotation_marks_in_a_selection_table_are_letters(read) -> None:
    made = read(f'{RAVEN}\tAnnotation\n1\tS\t1\t1\t2\t0\t9\t"the\n2\tS\t1\t3\t4\t0\t9\tcall"')
    assert [label.name for label in made.labels] == ['"the', 'call"']


@pytest.mark.parametrize("text", [f"{RAVEN}\tAnnotation\n", f"{RAVEN}\tAnnotation"])
def test_a_table_without_selections(read, text: str) -> None:
    made = read(text, "reef.wav.Table.1.selections.txt")
    assert (made.labels, made.recordings) == ((), ("reef.wav",))


# ------------------------------------------------------------------------------------------ Audacity


def test_our_own_labels_read_back(read) -> None:
    file = io.StringIO()
    write_audacity(file, [Selection(4_801, 9_602, "anemonefish", 0, 9)], sample_rate=48_000)
    made = read(file.getvalue(), "reef.wav.audacity.txt")
    assert (made.format, made.recording, made.names_recordings) == ("audacity", "reef.wav", False)
    assert times(made) == [(100_021, 200_042, "anemonefish")]


def test_frequencies_points_and_unnamed_labels(read) -> None:
    text = "1.0\t1.0\tclick\n\\\t6928.5\t6928.5\n2.0\t2.5\ta\tb\n\\\t-1.000000\t6334.58\n3\t3.5\n"
    made = read(text)
    assert times(made) == [(1_000_000, 1_000_000, "click"), (2_000_000, 2_500_000, "a\tb"), (3_000_000, 3_500_000, "")]
    assert [label.is_point for label in made.labels] == [True, False, False]
    assert [(label.low_hz, label.high_hz) for label in made.labels] == [
        (Fraction("6928.5"), Fraction("6928.5")),
        (None, Fraction("6334.58")),
        (None, None),
    ]


def test_an_empty_file_is_a_track_without_labels(read) -> None:
    assert read("", "a.wav.audacity.txt") == read("\n\n", "a.wav.audacity.txt")
    assert read("", "a.wav.audacity.txt").labels == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1.0\t2.0\tx\n\\\t5\n", "line 2: a line of frequencies has"),
        ("\\\t5\t6\n", "line 1: a line of frequencies belongs"),
        ("1,5\t2,0\tx\n", "line 1: '1,5' has a decimal comma; write the file with decimal points"),
        ("1.0\t2.0\tx\n5.0\t4.0\ty\n", "line 2: the end lies before the start"),
        ("-1.0\t4.0\ty\n", "line 1: a label cannot begin before"),
        ("1.0\t2.0\tx\nhello\n", "line 2: a label has a start and an end"),
    ],
)
def test_a_damaged_track_names_its_line(read, text: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=f"reef.wav.txt: {what}".replace("(", r"\(")):
        read(text)


# ----------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize(
    ("text", "expected", "column", "recording"),
    [
        (f"{','.join(EVENT_COLUMNS)}\n1.6,4.8,3.2,anemonefish,.9,.99,15,76800,230400,48000,dep/reef.wav,reef@1\n",
         (1_600_000, 4_800_000, "anemonefish"), "class", "dep/reef.wav"),
        ("Start (s),End (s),Scientific name,Common name,Confidence,File\n0.0,3.0,Parus major,Great Tit,0.9,/x/a.wav\n",
         (0, 3_000_000, "Great Tit"), "Common name", "/x/a.wav"),
        ("INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,TOP1MATCH,TOP1DIST,MANUAL ID\n"
         "D:\\bats\\,n1,a.wav,0,1.5,.25,x,.9,af\n",
         (1_500_000, 1_750_000, "af"), "MANUAL ID", "D:\\bats/n1/a.wav"),
        ("sound.files,selec,start,end,label\na.wav,1,1,2,call\n", (1_000_000, 2_000_000, "call"), "label", "a.wav"),
        ("filename\tonset\toffset\tevent_label\na.wav\t1\t2\tcall\n", (1_000_000, 2_000_000, "call"), "event_label",
         "a.wav"),
        ('audio_file,annotation,start_time,end_time,low_f,high_f\n"a, b.wav","one ""call""",1,2,10,20\n',
         (1_000_000, 2_000_000, 'one "call"'), "annotation", "a, b.wav"),
        ("begin,duration\n1,0.5\n", (1_000_000, 1_500_000, ""), None, "reef.wav"),
    ],
)  # fmt: skip
def test_tables_of_many_programs(
    read, text: str, expected: tuple[int, int, str], column: str | None, recording: str
) -> None:
    made = read(text, "reef.wav.csv")
    assert (made.format, made.label_column) == ("csv", column)
    assert times(made) == [expected]
    assert made.labels[0].recording == recording


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_marks_of_editors_change_nothing(read, encoding: str, line_end: str) -> None:
    for text in (
        "start,end,label\n1,2,Männchen\n",
        "1\t2\tMännchen\n",
        f"{RAVEN}\tLabel\n1\tS\t1\t1\t2\t0\t9\tMännchen\n",
    ):
        made = read(text.replace("\n", line_end).encode(encoding))
        assert times(made) == [(1_000_000, 2_000_000, "Männchen")]


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
def test_a_damaged_table_names_its_mend(read, text: str | bytes, what: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(text)
    assert what in str(raised.value)
    assert "reef.wav.txt: " in str(raised.value)


@given(st.text(alphabet='0123456789.,;\t\n\r"\\ -eabSeln()', max_size=80))
def test_no_text_does_anything_but_labels_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    for head in ("", f"{RAVEN}\tAnnotation\n", "start,end,label\n"):
        path.write_text(head + text, encoding="utf-8", newline="")
        try:
            labels = read_labels(path).labels
        except InvalidRequest as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert all(0 <= label.start <= label.stop for label in labels)


# ------------------------------------------------------------------------- which column names the labels

ROW = "1\tSpectrogram 1\t1\t6.9\t7.4\t400\t900"


def named(made: LabelFile) -> tuple[str | None, list[str]]:
    return made.label_column, [label.name for label in made.labels]


def test_an_empty_annotation_beside_a_filled_species_is_passed_over(read) -> None:
    made = read(f"{RAVEN}\tAnnotation\tSpecies\n{ROW}\t\tanemonefish\n")
    assert named(made) == ("Species", ["anemonefish"])


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        ("label,species", [",a", ",b"], ("species", ["a", "b"])),
        ("label,species", ["NA,a", "NaN,b"], ("species", ["a", "b"])),  # R and pandas write missing values so
        ("label,species", ["a,", "b,a", "c,"], None),
        ("label,species", ["a,a", ",b"], ("species", ["a", "b"])),  # the fuller one
        ("label,species", ["a,", "b,b"], ("label", ["a", "b"])),
        ("label,species", ["a,", ",b"], None),  # neither has all
        ("label,species", ["a,A", "b,B"], ("label", ["a", "b"])),
        ("label,species", ["a,x", "b,x"], None),
        ("species,annotation", ["x,y"], None),
        ("annotation,type", ["call,song"], ("annotation", ["call"])),
        ("label,species", [",", ","], (None, ["", ""])),
        ("label", ["a", ""], ("label", ["a", ""])),
        ("Common name,Scientific name", ["Great Tit,Parus major", "Wren,Troglodytes troglodytes"],
         ("Common name", ["Great Tit", "Wren"])),
        ("Common name,species", ["Great Tit,Parus major", "Great Tit,Parus minor"], None),
        ("MANUAL ID,TOP1MATCH", ["af,x", ",x"], ("MANUAL ID", ["af", ""])),
        ("MANUAL ID,AUTO ID", [",x", ",y"], ("AUTO ID", ["x", "y"])),
    ],
)  # fmt: skip
def test_a_label_column_is_chosen_by_its_values(
    read, columns: str, rows: list[str], expected: tuple[str | None, list[str]] | None
) -> None:
    text = "\n".join([f"start,end,{columns}", *(f"1,2,{row}" for row in rows)])
    if expected is not None:
        assert named(read(text)) == expected
        return
    with pytest.raises(InvalidRequest, match="say which is the label column, for example --label-column") as raised:
        read(text)
    assert all(repr(column) in str(raised.value) for column in columns.split(","))
    assert read(text, label_column=columns.split(",")[1]).label_column == columns.split(",")[1]


@pytest.mark.parametrize("index", ["", "Unnamed: 0", "X", "index", "...1", "rowid", "row.names", "X.1", '""'])
def test_a_column_that_numbers_the_rows_is_no_label(read, index: str) -> None:
    made = read(f"{index},file,start_time,end_time\n0,reef.wav,6.9,7.4\n1,reef.wav,8.0,8.1\n", "labels.csv")
    assert named(made) == (None, ["", ""])
    assert made.class_columns == ()
    assert made.recordings == ("reef.wav",)
    tabs = read(f"{index}\t{RAVEN}\tFish\n0\t{ROW}\tclarkii\n1\t{ROW}\tclarkii\n".replace('"', ""))
    assert named(tabs)[0] == "Fish"


# ------------------------------------------------------------------------------- a column for each class


@pytest.mark.parametrize(
    ("yes", "no"),
    [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("present", "absent"), ("1", "")],
)
def test_a_column_for_each_class_gives_a_label_for_each_class_that_is_present(read, yes: str, no: str) -> None:
    rows = [
        f"a.wav,0.0,3.0,{no},{no}",
        f"a.wav,3.0,6.0,{no},{yes}",
        f"a.wav,6.0,9.0,{yes},{yes}",
        f"b.wav,0,3,{no},{no}",
    ]
    made = read("\n".join(["file,start_time,end_time,anemonefish,biological", *rows]), "labels.csv")
    assert times(made) == [
        (3_000_000, 6_000_000, "biological"),
        (6_000_000, 9_000_000, "anemonefish"),
        (6_000_000, 9_000_000, "biological"),
    ]
    assert (made.label_column, made.class_columns) == (None, ("anemonefish", "biological"))
    assert made.recordings == ("a.wav", "b.wav")  # b.wav was looked at, and nothing is in it


def test_a_value_that_is_missing_in_a_column_of_a_class_is_named(read) -> None:
    with pytest.raises(InvalidRequest, match="line 3: fish: 'NaN' says neither 0 nor 1"):
        read("start_time,end_time,fish\n0,3,1\n3,6,NaN\n")


def test_other_columns_of_numbers_are_no_classes(read) -> None:
    made = read("channel,start,end,depth_m,verified,id,fish\n1,0,3,12.5,1,1,1\n0,3,6,12.5,0,0,0\n")
    assert made.class_columns == ("fish",)
    assert times(made) == [(0, 3_000_000, "fish")]


@pytest.mark.parametrize("values", ["0.73,0.2", "0,0.5", "1.0,0.0001", "1e-3,1"])
def test_scores_are_no_labels(read, values: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"hold scores such as [\d.e-]+, not labels; write 1 where a class is present"
    ):
        read(f"file,start_time,end_time,anemonefish,biological\na.wav,0,3,{values}\n")


def test_a_column_of_0_and_1_can_be_asked_for(read) -> None:
    made = read("start,end,fish,boat\n0,3,1,0\n3,6,0,1\n", label_column="boat")
    assert times(made) == [(3_000_000, 6_000_000, "boat")]


# ------------------------------------------------------------------------------------- tables of a sequence


@pytest.mark.parametrize("column", ["Begin File", "Begin Path"])
@pytest.mark.parametrize("rows", [["c.wav"], ["c.wav", "c.wav"], ["c.wav", "d.wav"]])
def test_times_that_may_count_from_the_first_file_of_a_sequence_are_asked_about(
    read, column: str, rows: list[str]
) -> None:
    text = "\n".join([f"{RAVEN}\t{column}\tSpecies", *(f"{ROW}\t{name}\tx" for name in rows)])
    with pytest.raises(InvalidRequest, match=r"add the measurement File Offset in Raven.*or say --times-per-file"):
        read(text, "labels.selections.txt")
    assert {label.start for label in read(text, "labels.selections.txt", times_per_file=True).labels} == {6_900_000}


@pytest.mark.parametrize(
    ("file", "recording"),
    [("c.wav.selections.txt", "c.wav"), ("c.Table.1.selections.txt", "C:\\site\\c.wav"), ("c.txt", "/x/C.WAV"),
     ("c.BirdNET.selection.table.txt", "/x/c.flac"), ("c_checked by me.txt", "c.wav"), ("c.d.txt", "c.d.wav")],
)  # fmt: skip
def test_a_table_of_a_single_file_after_which_it_is_named_is_read(read, file: str, recording: str) -> None:
    made = read(f"{RAVEN}\tBegin Path\tSpecies\n{ROW}\t{recording}\tx\n", file)
    assert times(made) == [(6_900_000, 7_400_000, "x")]


def test_a_table_whose_name_only_begins_alike_is_asked_about(read) -> None:
    with pytest.raises(InvalidRequest, match="is not named after it"):
        read(f"{RAVEN}\tBegin File\tSpecies\n{ROW}\tc.wav\tx\n", "combined.selections.txt")


# ----------------------------------------------------------------------------- what is refused names the mend


def quoted_by_r(text: str) -> str:
    """Write a table as R's write.table does: quotation marks around headers and texts, not around numbers."""
    return "\n".join(
        "\t".join(cell if cell.replace(".", "").isdigit() else f'"{cell}"' for cell in line.split("\t"))
        for line in text.split("\n")
    )


def test_a_selection_table_with_quoted_headers_is_read(read) -> None:
    text = quoted_by_r(f'{RAVEN}\tSpecies\n{ROW}\tone \\"call\\"\n{ROW}\tanemonefish')
    made = read(text)
    assert (made.format, made.label_column) == ("raven", "Species")
    assert [label.name for label in made.labels] == ['one "call"', "anemonefish"]


def test_a_label_track_with_quoted_names_is_read(read) -> None:
    assert [label.name for label in read('1\t2\t"a"\n3\t4\t"b c"\n').labels] == ["a", "b c"]
    assert [label.name for label in read('1\t2\t"a"\n3\t4\tb\n').labels] == ['"a"', "b"]


def test_row_names_that_r_writes_without_a_header_are_passed_over(read) -> None:
    made = read(quoted_by_r(f"{RAVEN}\tSpecies") + f'\n"1"\t{ROW}\t"a"\n"7"\t{ROW}\t"b"\n')
    assert times(made) == [(6_900_000, 7_400_000, "a"), (6_900_000, 7_400_000, "b")]
    commas = read('"start","end","label"\n"1",6.9,7.4,"a"\n')
    assert times(commas) == [(6_900_000, 7_400_000, "a")]


def test_headers_as_r_and_pandas_change_them_are_known(read) -> None:
    head = "Selection\tView\tChannel\tBegin.Time..s.\tEnd_Time_(s)\tLow.Freq..Hz.\tHigh.Freq..Hz.\tFile.Offset..s."
    made = read(f"{head}\tBegin.File\tSpecies\n{ROW}\t0.9\tc.wav\tx\n", "labels.txt")
    assert (made.format, made.recordings) == ("raven", ("c.wav",))
    assert times(made) == [(900_000, 1_400_000, "x")]
    assert (made.labels[0].low_hz, made.labels[0].high_hz) == (400, 900)


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
        ("Begin Clock Time,End Clock Time\n1:00,1:01\n", ["is in a clock's time"]),
        ("start,end_ms\n1,2\n", ["where a label ends", "'end_ms' is in milliseconds"]),
        ("start,end\n1,2\0\n", ["line 2: there is a byte 0"]),
        (b"PK\x03\x04\x14\0", ["a workbook", "CSV"]),
        ("start,end\n1,2\n".encode("utf-16-le"), ["byte 0", "UTF-8"]),
        (b"\xff\xfes\0t\0a", ["UTF-16", "save the file as UTF-8"]),
    ],
)  # fmt: skip
def test_what_is_refused_names_the_value_and_the_mend(read, text: str | bytes, words: list[str]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(text)
    assert [word for word in words if word not in str(raised.value)] == []


def test_every_line_that_cannot_be_read_is_named(read) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read("start,end\n1,x\n1,2\n3,2\n-1,0\n" + "9,8\n" * 10)
    message = str(raised.value)
    assert [word for word in ("line 2", "line 4", "line 5", "and 8 more") if word not in message] == []


def test_a_row_that_cannot_be_read_spoils_its_recording_alone(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("file,start,end,label\na.wav,1,2,x\nb.wav,1,oops,x\nc.wav,3,4,y\n")
    made = scan_labels(tmp_path / "all.csv")
    assert [label.recording for label in made.labels] == ["a.wav", "c.wav"]
    assert [(problem.line, problem.recording) for problem in made.problems] == [(3, "b.wav")]
    assert made.recordings == ("a.wav", "b.wav", "c.wav")


def test_a_line_of_frequencies_behind_a_damaged_label_is_no_second_problem(tmp_path: Path) -> None:
    (tmp_path / "a.wav.txt").write_text("1\t2\tx\n3\tx\ty\n\\\t5\t6\n5\t6\tz\n")
    made = scan_labels(tmp_path / "a.wav.txt")
    assert [label.name for label in made.labels] == ["x", "z"]
    assert [problem.line for problem in made.problems] == [2]


def test_mixed_line_ends_are_read(read) -> None:
    made = read("start,end,label\r\n1,2,a\n\r\n3,4,b\r5,6,c\r\n")
    assert [label.name for label in made.labels] == ["a", "b", "c"]
    assert [label.name for label in read("1\t2\ta\r\n3\t4\tb\r5\t6\tc\n").labels] == ["a", "b", "c"]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav.txt").mkdir()
    with pytest.raises(InvalidRequest, match=r"a\.wav\.txt: cannot be read"):
        read_labels(tmp_path / "a.wav.txt")


def test_a_hundred_thousand_lines_take_seconds(read) -> None:
    rows = "".join(
        f"{number}\tSpectrogram 1\t1\t{number}.25\t{number}.5\t1\t9\tr{number % 5000}.wav\t0.5\tx\n"
        for number in range(100_000)
    )
    began = time.process_time()
    made = read(f"{RAVEN}\tBegin File\tFile Offset (s)\tSpecies\n{rows}", "all.txt")
    assert len(made.labels) == 100_000
    assert len(made.recordings) == 5_000
    assert time.process_time() - began < 60  # about 2 s; it was quadratic in the number of recordings


def test_cells_that_were_escaped_for_spreadsheets_are_read_back(read) -> None:
    made = read('recording,start,end,label\n\'=1+1.wav,1,2,\'-x\n"\'=HYPERLINK(""x"").wav",1,2,\'tis\n')
    assert made.recordings == ("=1+1.wav", '=HYPERLINK("x").wav')
    assert [label.name for label in made.labels] == ["-x", "'tis"]
    assert [label.name for label in read("1\t2\t'=x\n").labels] == ["=x"]


# --------------------------------------------------------------------------------- files and names


@pytest.mark.parametrize(
    ("file", "recording"),
    [("reef.wav.selections.txt", "reef.wav"), ("reef.Table.1.selections.txt", "reef"), ("reef.wav.txt", "reef.wav"),
     ("reef.BirdNET.selection.table.txt", "reef"), ("reef.BirdNET.results.csv", "reef"), ("a.b.events.csv", "a.b"),
     ("labels.txt", "labels"), ("20190920T004248Z.audacity.txt", "20190920T004248Z")],
)  # fmt: skip
def test_the_name_of_a_file_suggests_its_recording(read, file: str, recording: str) -> None:
    assert read("", file).recording == recording


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.txt", "sub/a.CSV", ".hidden/c.txt", "x.wav", ".d.txt", "evaluation.csv", "sub/summary.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_label_files(tmp_path)]
    assert found == ["b.txt", "sub/a.CSV"]
    assert find_label_files(tmp_path / "x.wav") == (tmp_path / "x.wav",)
    assert [path.name for path in find_label_files(tmp_path, "*.txt")] == ["b.txt"]
    with pytest.raises(InvalidRequest, match="no label file"):
        find_label_files(tmp_path, "*.tsv")
    with pytest.raises(InvalidRequest, match="no such file or folder"):
        find_label_files(tmp_path / "absent")


@pytest.mark.parametrize(
    ("said", "found"),
    [("a/x.wav", "a/x.wav"), ("C:\\data\\a\\x.wav", "a/x.wav"), ("/data/b/x.wav", "b/x.wav"), ("y.wav", "c/y.wav"),
     ("/elsewhere/y.wav", "c/y.wav"), ("y", "c/y.wav"), ("y.flac", "c/y.wav"), ("b/x", "b/x.wav"), ("q.wav", None),
     ("", None), ("z", "z")],
)  # fmt: skip
def test_a_recording_is_found_by_what_a_label_calls_it(said: str, found: str | None) -> None:
    assert RecordingNames(["a/x.wav", "b/x.wav", "c/y.wav", "z"], AUDIO_EXTENSIONS).find(said) == found


@pytest.mark.parametrize("said", ["x.wav", "x", "/elsewhere/x.wav"])
def test_two_recordings_of_one_name_are_not_guessed_between(said: str) -> None:
    with pytest.raises(InvalidRequest, match=r"a/x\.wav, b/x\.wav"):
        RecordingNames(["a/x.wav", "b/x.wav"], AUDIO_EXTENSIONS).find(said)


def test_a_label_is_what_it_says() -> None:
    assert Label(0, 0, "", None, None, "a.wav", 1).is_point


@pytest.mark.parametrize(
    ("said", "found"),
    [("REEF.WAV", "site/reef.wav"), ("Site/Reef.Wav", "site/reef.wav"), ("reef.WAV", "site/reef.wav"),
     ("reef.wav ", "site/reef.wav"), ("REEF", "site/reef.wav"), ("reef.FLAC", "site/reef.wav"),
     ("C:\\DATA\\SITE\\REEF.wav", "site/reef.wav"), ("Männchen.wav", "Männchen.wav"), ("MÄNNCHEN.wav", "Männchen.wav")],
)  # fmt: skip
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_capitals_and_unicode_forms_do_not_matter_where_there_is_no_doubt(said: str, found: str, form: str) -> None:
    for other in ("NFC", "NFD"):
        names = RecordingNames(
            [unicodedata.normalize(other, name) for name in ("site/reef.wav", "Männchen.wav")], AUDIO_EXTENSIONS
        )  # type: ignore[arg-type]
        assert names.find(unicodedata.normalize(form, said)) == unicodedata.normalize(other, found)  # type: ignore[arg-type]


def test_names_that_differ_in_capitals_or_forms_alone_are_two_recordings() -> None:
    forms = [unicodedata.normalize("NFC", "ä.wav"), unicodedata.normalize("NFD", "ä.wav")]
    names = RecordingNames(["a.wav", "A.wav", *forms], AUDIO_EXTENSIONS)
    assert [names.find(name) for name in ("a.wav", "A.wav", *forms)] == ["a.wav", "A.wav", *forms]
    assert names.find("a.flac") == "a.wav"
    with pytest.raises(InvalidRequest, match="may be any of"):
        names.find("ä.flac")
    with pytest.raises(InvalidRequest, match="may be any of"):
        RecordingNames(["ab.wav", "AB.wav"], AUDIO_EXTENSIONS).find("Ab.wav")


def test_of_two_folders_the_one_that_differs_in_capitals_alone_is_meant() -> None:
    assert RecordingNames(["a/x.wav", "b/x.wav"], AUDIO_EXTENSIONS).find("D:\\A\\x.wav") == "a/x.wav"
