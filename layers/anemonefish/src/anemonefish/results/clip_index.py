"""An index of clips: a table for spreadsheets, and a page to look at and listen to them.

Both lie beside the clips and name them by relative paths, so the folder can be moved or sent. The page has no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from anemonefish.csv_cells import write_rows
from anemonefish.results.clips import Clip
from anemonefish.results.csv_tables import PROBABILITY
from anemonefish.results.recording_result import RecordingResult
from anemonefish.sample_times import format_seconds
from anemonefish.stores.folder import atomic_file

__all__ = ["CLIPS_CSV", "CLIPS_HTML", "write_clip_index"]

CLIPS_CSV, CLIPS_HTML = "clips.csv", "index.html"

_COLUMNS = (
    "clip",
    "spectrogram",
    "recording",
    "start_time",
    "end_time",
    "start_utc",
    "class",
    "mean_score",
    "max_score",
    "clip_start_time",
)
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src 'unsafe-inline'">
<title>Clips</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark; }
article { border-top: 1px solid; padding: 1rem 0; }
h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
img, audio { display: block; max-width: 100%; margin-top: .5rem; }
</style>
</head>
<body>
"""  # noqa: E501


def write_clip_index(
    folder: Path, clips: Sequence[Clip], by_name: Mapping[str, RecordingResult], left_out: int
) -> None:
    """Write ``clips.csv`` and ``index.html`` into the folder of the clips.

    Parameters
    ----------
    folder : Path
    clips : sequence of Clip
        A spectrogram is named where a PNG of the same name lies beside the clip.
    by_name : mapping of str to RecordingResult
        By the recording's name; for times and sample rates.
    left_out : int
        Events without a clip.
    """
    calibrated = any(by_name[clip.recording].calibration is not None for clip in clips)
    columns = (*_COLUMNS, *([PROBABILITY] if calibrated else ()))
    rows = [_row(clip, by_name[clip.recording])[: len(columns)] for clip in clips]
    with atomic_file(folder / CLIPS_CSV) as path, path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [columns, *rows])
    with atomic_file(folder / CLIPS_HTML) as path:
        path.write_text(_page([dict(zip(columns, row, strict=True)) for row in rows], left_out), encoding="utf-8")


def _row(clip: Clip, result: RecordingResult) -> tuple[str, ...]:
    event, rate, picture = clip.event, result.sample_rate, clip.path.with_suffix(".png")
    return (
        clip.path.name,
        picture.name if picture.exists() else "",
        clip.recording,
        format_seconds(event.start, rate),
        format_seconds(event.stop, rate),
        result.utc(event.start) or "",
        event.label,
        f"{event.mean_score:.6f}",
        f"{event.max_score:.6f}",
        format_seconds(clip.start, clip.sample_rate),
        "" if (probability := result.probability(event)) is None else f"{probability:.6f}",
    )


def _page(rows: Sequence[Mapping[str, str]], left_out: int) -> str:
    more = f"; {left_out} events with lower scores have none" if left_out else ""
    return "".join([_HEAD, f"<h1>Clips: {len(rows)}{more}</h1>\n", *map(_article, rows), "</body>\n</html>\n"])


def _article(row: Mapping[str, str]) -> str:
    recording, label = escape(row["recording"]), escape(row["class"])
    when = f", {escape(row['start_utc'])}" if row["start_utc"] else ""
    picture = quote(row["spectrogram"])
    chance = f", probability {float(row[PROBABILITY]):.2f}" if row.get(PROBABILITY) else ""
    image = f'<img src="{picture}" alt="Spectrogram of {label} in {recording}" loading="lazy">\n' if picture else ""
    return (
        f"<article>\n<h2>{recording}, {row['start_time']} to {row['end_time']} s{when}</h2>\n"
        f"<p>{label}, mean score {float(row['mean_score']):.3f}, highest {float(row['max_score']):.3f}{chance}</p>\n"
        f'{image}<audio controls preload="none" src="{quote(row["clip"])}"></audio>\n</article>\n'
    )
