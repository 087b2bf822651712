"""Plots: timelines, activity, spectrograms and precision-recall curves."""
