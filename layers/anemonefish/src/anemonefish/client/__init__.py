"""Client: the HTTP client of a deployed stack."""
