"""Jobs: the request, the plan, its cost, the parts, and the keys under which a job is stored."""
