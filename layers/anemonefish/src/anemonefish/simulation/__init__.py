"""Simulated reef scenes: recordings with calls, noise and exact labels, drawn from a seed."""
