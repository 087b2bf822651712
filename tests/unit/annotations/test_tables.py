"""Label tables are read: the columns of Raven and many other programs, and tables over several recordings."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from anemonefish.annotations.label_files import read_labels
from anemonefish.annotations.raven import write_raven
from anemonefish.annotations.recording_matching import RecordingMatcher
from anemonefish.annotations.selections import AudioReference, Selection
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest
from anemonefish.results.csv_tables import EVENT_COLUMNS
from tests.unit.annotations.label_tables import RAVEN, ROW, times


def test_written_raven_table_is_read_back(read) -> None:
    file = io.StringIO()
    selections = [Selection(4_801, 9_602, "anemonefish", 100.5, 2_000, 0.5), Selection(0, 48_000, "biological", 0, 900)]
    write_raven(file, [(AudioReference(path="/data/site/reef.wav", name="reef.wav", sample_rate=48_000), selections)])
    table = read(file.getvalue(), "reef.wav.selections.txt")
    assert (table.format, table.label_column, table.names_recordings) == ("raven", "Class", True)
    assert times(table) == [(100_021, 200_042, "anemonefish"), (0, 1_000_000, "biological")]
    assert (table.labels[0].low_hz, table.labels[0].high_hz) == (Fraction(201, 2), 2_000)
    assert table.labels[0].recording == "/data/site/reef.wav"
    assert [label.line for label in table.labels] == [2, 3]


def test_raven_table_of_another_detector_is_read(real_recording: Callable[[str], Path]) -> None:
    table = read_labels(real_recording("reef/FS_plot_AMAR173.4.20190920T004248Z.selections.txt"))
    assert (table.format, table.label_column, len(table.labels)) == ("raven", "Class", 14)
    assert times(table)[:3] == [
        (1_000_000, 1_200_000, "FS"),
        (4_750_000, 4_950_000, "FS"),
        (5_350_000, 5_550_000, "FS"),
    ]
    names = RecordingMatcher(["FS_plot_AMAR173.4.20190920T004248Z.wav"], AUDIO_EXTENSIONS)
    assert {names.find(label.recording) for label in table.labels} == {"FS_plot_AMAR173.4.20190920T004248Z.wav"}


def test_rows_for_several_views_are_one_selection(read) -> None:
    rows = [
        "1\tWaveform 1\t1\t1.5\t2.0\t100\t900\tcall",
        "1\tSpectrogram 1\t1\t1.5\t2.0\t100\t900\tcall",
        "2\tWaveform 1\t1\t1.5\t2.0\t100\t900\tcall",  # the same time, marked twice: two selections
        "2\tSpectrogram 1\t1\t1.5\t2.0\t100\t900\tcall",
    ]
    table = read("\n".join([f"{RAVEN}\tAnnotation", *rows]))
    assert times(table) == [(1_500_000, 2_000_000, "call")] * 2


def test_selections_with_the_same_number_and_other_times_are_kept(read) -> None:
    rows = ["1\tSpectrogram 1\t1\t1\t2\t0\t9\ta", "1\tSpectrogram 1\t1\t5\t6\t0\t9\ta"]
    assert len(read("\n".join([f"{RAVEN}\tAnnotation", *rows])).labels) == 2


def test_times_in_a_table_over_several_files_count_from_each_file(read) -> None:
    rows = ["1\tSpectrogram 1\t1\t5\t6.25\t0\t9\t5\ta.wav\tx", "2\tSpectrogram 1\t1\t65.1\t66.6\t0\t9\t5.1\tb.wav\tx"]
    table = read("\n".join([f"{RAVEN}\tFile Offset (s)\tBegin File\tAnnotation", *rows]), "deployment.txt")
    assert times(table) == [(5_000_000, 6_250_000, "x"), (5_100_000, 6_600_000, "x")]
    assert table.recordings == ("a.wav", "b.wav")


@pytest.mark.parametrize(
    ("header", "rows", "correction"),
    [
        (
            "Begin File",
            ["1\tS\t1\t5\t6\t0\t9\ta.wav", "2\tS\t1\t65\t66\t0\t9\tb.wav"],
            "add the measurement File Offset",
        ),
        ("File Offset (s)", ["1\tS\t1\t65\t66\t0\t9\t5"], "add the measurement Begin File"),
    ],
)
def test_table_over_several_files_without_their_times_or_names_is_refused(
    read, header: str, rows: list[str], correction: str
) -> None:
    with pytest.raises(InvalidRequest, match=correction):
        read("\n".join([f"{RAVEN}\t{header}", *rows]))


def test_quotation_marks_in_a_raven_table_are_characters(read) -> None:
    table = read(f'{RAVEN}\tAnnotation\n1\tS\t1\t1\t2\t0\t9\t"the\n2\tS\t1\t3\t4\t0\t9\tcall"')
    assert [label.name for label in table.labels] == ['"the', 'call"']


@pytest.mark.parametrize("text", [f"{RAVEN}\tAnnotation\n", f"{RAVEN}\tAnnotation"])
def test_table_without_selections_has_the_recording_of_its_name(read, text: str) -> None:
    table = read(text, "reef.wav.Table.1.selections.txt")
    assert (table.labels, table.recordings) == ((), ("reef.wav",))


@pytest.mark.parametrize(
    ("text", "expected", "column", "recording"),
    [
        (f"{','.join(EVENT_COLUMNS)}\n1.6,4.8,3.2,anemonefish,.9,.99,15,3,-40,9,500,,76800,230400,48000,dep/reef.wav,reef@1\n",
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
def test_tables_of_many_programs_are_read(
    read, text: str, expected: tuple[int, int, str], column: str | None, recording: str
) -> None:
    table = read(text, "reef.wav.csv")
    assert (table.format, table.label_column) == ("csv", column)
    assert times(table) == [expected]
    assert table.labels[0].recording == recording


@pytest.mark.parametrize("column", ["Begin File", "Begin Path"])
@pytest.mark.parametrize("rows", [["c.wav"], ["c.wav", "c.wav"], ["c.wav", "d.wav"]])
def test_times_that_may_count_from_the_first_file_of_a_sequence_are_refused(read, column: str, rows: list[str]) -> None:
    text = "\n".join([f"{RAVEN}\t{column}\tSpecies", *(f"{ROW}\t{name}\tx" for name in rows)])
    with pytest.raises(InvalidRequest, match=r"add the measurement File Offset in Raven.*or say --times-per-file"):
        read(text, "labels.selections.txt")
    assert {label.start for label in read(text, "labels.selections.txt", times_per_file=True).labels} == {6_900_000}


@pytest.mark.parametrize(
    ("file", "recording"),
    [("c.wav.selections.txt", "c.wav"), ("c.Table.1.selections.txt", "C:\\site\\c.wav"), ("c.txt", "/x/C.WAV"),
     ("c.BirdNET.selection.table.txt", "/x/c.flac"), ("c_checked by me.txt", "c.wav"), ("c.d.txt", "c.d.wav")],
)  # fmt: skip
def test_table_that_is_named_after_its_only_file_is_read(read, file: str, recording: str) -> None:
    table = read(f"{RAVEN}\tBegin Path\tSpecies\n{ROW}\t{recording}\tx\n", file)
    assert times(table) == [(6_900_000, 7_400_000, "x")]


def test_table_whose_name_only_begins_like_its_file_is_refused(read) -> None:
    with pytest.raises(InvalidRequest, match="is not named after it"):
        read(f"{RAVEN}\tBegin File\tSpecies\n{ROW}\tc.wav\tx\n", "combined.selections.txt")


def test_headers_as_r_and_pandas_change_them_are_known(read) -> None:
    head = "Selection\tView\tChannel\tBegin.Time..s.\tEnd_Time_(s)\tLow.Freq..Hz.\tHigh.Freq..Hz.\tFile.Offset..s."
    table = read(f"{head}\tBegin.File\tSpecies\n{ROW}\t0.9\tc.wav\tx\n", "labels.txt")
    assert (table.format, table.recordings) == ("raven", ("c.wav",))
    assert times(table) == [(900_000, 1_400_000, "x")]
    assert (table.labels[0].low_hz, table.labels[0].high_hz) == (400, 900)


def test_reading_time_grows_linearly_with_the_rows(read) -> None:
    rows = "".join(
        f"{number}\tSpectrogram 1\t1\t{number}.25\t{number}.5\t1\t9\tr{number % 5000}.wav\t0.5\tx\n"
        for number in range(100_000)
    )
    began = time.process_time()
    table = read(f"{RAVEN}\tBegin File\tFile Offset (s)\tSpecies\n{rows}", "all.txt")
    assert len(table.labels) == 100_000
    assert len(table.recordings) == 5_000
    assert time.process_time() - began < 60  # about 2 s; it was quadratic in the number of recordings


def test_cells_that_were_escaped_for_spreadsheets_are_read_back(read) -> None:
    table = read('recording,start,end,label\n\'=1+1.wav,1,2,\'-x\n"\'=HYPERLINK(""x"").wav",1,2,\'tis\n')
    assert table.recordings == ("=1+1.wav", '=HYPERLINK("x").wav')
    assert [label.name for label in table.labels] == ["-x", "'tis"]
    assert [label.name for label in read("1\t2\t'=x\n").labels] == ["=x"]
