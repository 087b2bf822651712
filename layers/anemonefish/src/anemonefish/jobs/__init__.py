"""Jobs: what is asked for, its plan, its cost, and the keys under which everything of a job is stored."""
