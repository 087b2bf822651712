"""Start times: when a recording began, in UTC, from its file name, its header or a given start."""
