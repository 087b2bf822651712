"""Fixtures: results that were decided from random scores."""

from tests.decided_results import make_result, results

__all__ = ["make_result", "results"]
