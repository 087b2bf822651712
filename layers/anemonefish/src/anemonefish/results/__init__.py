"""Results: scores to events, events to files, and the files read again."""
