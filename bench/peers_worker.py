"""Process that makes spectrograms with a public library, for section ``peers``. It does not use our package.

    python bench/peers_worker.py LIBRARY RECORDING WINDOW HOP

It prints the library's version and the shape of a spectrogram. Then, for every input line with the number of a core, it
makes the spectrogram of every window on that core and prints an empty line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import soundfile

N_FFT, HOP, HIGHEST = 1024, 256, 12_000.0


def opensoundscape(rate: int) -> Callable[[Any], Any]:
    import torch
    from opensoundscape import Audio
    from opensoundscape.spectrogram import Spectrogram

    torch.set_num_threads(1)

    def decibels(window: Any) -> Any:
        made = Spectrogram.from_audio(Audio(window, rate), window_samples=N_FFT, hop_samples=HOP)
        return made.bandpass(0, HIGHEST).spectrogram

    return decibels


def koogu(rate: int) -> Callable[[Any], Any]:
    from koogu.data.raw import Convert, Settings

    overlap = 1 - HOP / N_FFT
    settings = Settings.Spectral(rate, N_FFT / rate, overlap, bandwidth_clip=[0.0, HIGHEST], tf_rep_type="spec_db")
    return lambda window: Convert.audio2spectral(window, rate, settings)


def main() -> None:
    library, recording, window, hop = sys.argv[1:]
    samples, rate = soundfile.read(recording, dtype="float32")
    starts = range(0, len(samples) - int(window) + 1, int(hop))
    windows = [np.ascontiguousarray(samples[start : start + int(window)]) for start in starts]
    spectrogram = {"opensoundscape": opensoundscape, "koogu": koogu}[library](rate)
    shape = " × ".join(map(str, np.asarray(spectrogram(windows[0])).squeeze().shape))
    print(f"{library} {version(library)}, {shape}", flush=True)
    for line in sys.stdin:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {int(line)})
        for samples_of_window in windows:
            spectrogram(samples_of_window)
        print(flush=True)


if __name__ == "__main__":
    main()
