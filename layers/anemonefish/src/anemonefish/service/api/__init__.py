"""The HTTP API: routes that parse, call the domain and answer.

One application (:mod:`.api.app`) serves both functions; ``predict`` only has its own because it scores.
The OpenAPI document is made of the very types that check requests and answers. Powertools for AWS Lambda routes,
validates, logs, traces and counts; nothing outside this package knows it.
"""
