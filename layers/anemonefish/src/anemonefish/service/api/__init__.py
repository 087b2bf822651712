"""The HTTP API: routes that parse a request, call the service and answer.

One application (:mod:`.api.app`) serves both functions, Api and Predict. Powertools for AWS Lambda routes, validates,
logs, traces and counts; only this package imports it. The OpenAPI document is generated from the types that validate
requests and answers.
"""
