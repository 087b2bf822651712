"""Simulation: reef scenes with calls, similar sounds and noise, and the labels of what is in them."""
