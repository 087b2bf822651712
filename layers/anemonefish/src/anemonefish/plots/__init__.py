"""Plots: score timelines, activity, spectrograms and precision over recall, as PNG."""
