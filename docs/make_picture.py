"""Draw the figure of the README: a simulated reef, its scores and its events.

    .venv/bin/python docs/make_picture.py

The scene comes from anemonefish.simulation.scene and is analysed by the reference model.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import soundfile

from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.local import detect

mpl.use("Agg")
from matplotlib import pyplot as plt  # the backend is chosen first

REPOSITORY = Path(__file__).parents[1]
SECONDS, SEED = 40, 6


def main() -> None:
    """Simulate a scene, detect events and draw the figure."""
    with tempfile.TemporaryDirectory() as name:
        wav, out = Path(name, "reef.wav"), Path(name, "out")
        made = scene(SECONDS, seed=SEED, settings=SceneSettings(snr_db=(15, 30), boat_fraction=0))
        write_scene(made, wav)
        models = str(REPOSITORY / "models")
        detect(find_recordings([str(wav)]).recordings, "reef", Settings.load(), models_uri=models, out=out, processes=1)
        samples, rate = soundfile.read(wav)
        events = _rows(out / "reef.wav.events.csv")
        scores = _rows(out / "reef.wav.scores.csv")
    figure, (sound, score) = plt.subplots(
        2, 1, figsize=(11, 4.6), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    power, _, _, picture = sound.specgram(samples, NFFT=1024, Fs=rate, noverlap=768, cmap="magma")
    picture.set_clim(*np.percentile(10 * np.log10(power[4:64]), (5, 99.8)))
    sound.set(ylim=(0, 3000), ylabel="Hz")
    sound.set_title("A simulated reef. Bars: calls (cyan), other sounds (white); shaded: events")
    for label in made.labels:
        colour = "cyan" if label.label == "anemonefish" else "white"
        sound.plot([label.start / rate, label.stop / rate], [2900, 2900], color=colour, linewidth=4)
    middle = [(float(row["start_time"]) + float(row["end_time"])) / 2 for row in scores]
    score.plot(middle, [float(row["smoothed_anemonefish"]) for row in scores], color="tab:blue", label="smoothed")
    raw = np.array([float(row["anemonefish"]) for row in scores])
    score.plot(middle, raw, ".", color="tab:blue", markersize=2, label="raw")
    score.axhline(0.5, color="grey", linewidth=0.8, linestyle="--")
    score.set(ylim=(-0.02, 1.02), xlim=(0, SECONDS), ylabel="score", xlabel="seconds")
    for axes in (sound, score):
        for event in events:
            axes.axvspan(float(event["start_time"]), float(event["end_time"]), color="cyan", alpha=0.2, linewidth=0)
    figure.savefig(REPOSITORY / "docs" / "images" / "result.png", dpi=80)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
