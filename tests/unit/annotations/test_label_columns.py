"""The column that names the labels, or the columns of 0 and 1 for each class, are found."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidRequest
from tests.unit.annotations.label_tables import RAVEN, ROW, label_names, times


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ("Annotation", "a", "Annotation"),
        ("Whatever", "click", "Whatever"),  # the only column that nobody knows
        ("Peak Power (dB)\tWhatever\tN", "3\tclick\t7", "Whatever"),
        ("Common Name\tSpecies Code\tConfidence", "Wren\twren\t0.5", "Common Name"),
        ("Species\tAnnotation", "x\tx", "Annotation"),
        ("Confidence", "0.5", None),
    ],
)
def test_label_column_of_a_raven_table_is_found(read, columns: str, values: str, expected: str | None) -> None:
    table = read(f"{RAVEN}\t{columns}\n1\tS\t1\t1\t2\t0\t9\t{values}")
    assert table.label_column == expected


def test_two_possible_label_columns_are_refused_until_one_is_chosen(read) -> None:
    table = f"{RAVEN}\tOne\tOther\n1\tS\t1\t1\t2\t0\t9\tx\ty"
    with pytest.raises(InvalidRequest, match="'One' or 'Other'"):
        read(table)
    assert times(read(table, label_column="other")) == [(1_000_000, 2_000_000, "y")]
    with pytest.raises(InvalidRequest, match="no column 'Third'"):
        read(table, label_column="Third")


def test_empty_column_is_ignored(read) -> None:
    table = read(f"{RAVEN}\tAnnotation\tSpecies\n{ROW}\t\tanemonefish\n")
    assert label_names(table) == ("Species", ["anemonefish"])


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
def test_label_column_is_chosen_by_its_values(
    read, columns: str, rows: list[str], expected: tuple[str | None, list[str]] | None
) -> None:
    text = "\n".join([f"start,end,{columns}", *(f"1,2,{row}" for row in rows)])
    if expected is not None:
        assert label_names(read(text)) == expected
        return
    with pytest.raises(InvalidRequest, match="say which is the label column, for example --label-column") as raised:
        read(text)
    assert all(repr(column) in str(raised.value) for column in columns.split(","))
    assert read(text, label_column=columns.split(",")[1]).label_column == columns.split(",")[1]


@pytest.mark.parametrize("index", ["", "Unnamed: 0", "X", "index", "...1", "rowid", "row.names", "X.1", '""'])
def test_column_that_numbers_the_rows_is_ignored(read, index: str) -> None:
    table = read(f"{index},file,start_time,end_time\n0,reef.wav,6.9,7.4\n1,reef.wav,8.0,8.1\n", "labels.csv")
    assert label_names(table) == (None, ["", ""])
    assert table.class_columns == ()
    assert table.recordings == ("reef.wav",)
    tabs = read(f"{index}\t{RAVEN}\tFish\n0\t{ROW}\tclarkii\n1\t{ROW}\tclarkii\n".replace('"', ""))
    assert label_names(tabs)[0] == "Fish"


@pytest.mark.parametrize(
    ("yes", "no"),
    [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("present", "absent"), ("1", "")],
)
def test_columns_of_classes_give_a_label_for_each_present_class(read, yes: str, no: str) -> None:
    rows = [
        f"a.wav,0.0,3.0,{no},{no}",
        f"a.wav,3.0,6.0,{no},{yes}",
        f"a.wav,6.0,9.0,{yes},{yes}",
        f"b.wav,0,3,{no},{no}",
    ]
    table = read("\n".join(["file,start_time,end_time,anemonefish,biological", *rows]), "labels.csv")
    assert times(table) == [
        (3_000_000, 6_000_000, "biological"),
        (6_000_000, 9_000_000, "anemonefish"),
        (6_000_000, 9_000_000, "biological"),
    ]
    assert (table.label_column, table.class_columns) == (None, ("anemonefish", "biological"))
    assert table.recordings == ("a.wav", "b.wav")  # b.wav was looked at, and nothing is in it


def test_missing_value_in_a_column_of_a_class_is_an_error(read) -> None:
    with pytest.raises(InvalidRequest, match="line 3: fish: 'NaN' is neither 0 nor 1"):
        read("start_time,end_time,fish\n0,3,1\n3,6,NaN\n")


def test_other_columns_of_numbers_are_ignored(read) -> None:
    table = read("channel,start,end,depth_m,verified,id,fish\n1,0,3,12.5,1,1,1\n0,3,6,12.5,0,0,0\n")
    assert table.class_columns == ("fish",)
    assert times(table) == [(0, 3_000_000, "fish")]


@pytest.mark.parametrize("values", ["0.73,0.2", "0,0.5", "1.0,0.0001", "1e-3,1"])
def test_table_of_scores_is_refused(read, values: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"hold scores such as [\d.e-]+, not labels; write 1 where a class is present"
    ):
        read(f"file,start_time,end_time,anemonefish,biological\na.wav,0,3,{values}\n")


def test_column_of_a_class_can_be_chosen(read) -> None:
    table = read("start,end,fish,boat\n0,3,1,0\n3,6,0,1\n", label_column="boat")
    assert times(table) == [(3_000_000, 6_000_000, "boat")]
