"""Start time: when a recording began, in UTC, from its name and its header."""
