"""From verdicts of a person to probabilities and call densities; numpy alone."""
