"""Read the sums of CloudWatch metrics over days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from anemonefish import clock
from anemonefish.cloud.clients import client, translate_errors

__all__ = ["mean_seconds", "metric_sums"]

_PERIOD = 86_400  # seconds; the coarsest period, because only sums over days are read


def metric_sums(
    namespace: str, names: Sequence[str], dimensions: Mapping[str, str], days: int
) -> tuple[dict[str, float], int]:
    """Return the sum of each metric over the last days, and how many values there were.

    Parameters
    ----------
    namespace : str
    names : sequence of str
    dimensions : mapping of str to str
        All dimensions of the metric: CloudWatch matches the complete set only.
    days : int

    Returns
    -------
    sums : dict of str to float
    values : int
        Number of values of the first metric.

    Raises
    ------
    StorageError
        CloudWatch did not answer.
    """
    listed = [{"Name": name, "Value": value} for name, value in dimensions.items()]

    def query(identifier: str, name: str, statistic: str) -> dict[str, object]:
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": listed}
        return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": _PERIOD, "Stat": statistic}}

    queries = [query(f"sum{number}", name, "Sum") for number, name in enumerate(names)]
    queries.append(query("values", names[0], "SampleCount"))
    until = clock.now()
    totals: dict[str, float] = {}
    with translate_errors("CloudWatch"):
        pages = (
            client("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=queries, StartTime=until - timedelta(days=days), EndTime=until + timedelta(minutes=1)
            )
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                totals[result["Id"]] = totals.get(result["Id"], 0.0) + sum(result["Values"])
    return {name: totals.get(f"sum{number}", 0.0) for number, name in enumerate(names)}, int(totals.get("values", 0))


def mean_seconds(function: str, days: int) -> float | None:
    """Return the mean duration of a function's calls over the last days; None when there were none."""
    sums, calls = metric_sums("AWS/Lambda", ("Duration",), {"FunctionName": function}, days)
    return sums["Duration"] / calls / 1000 if calls else None  # Duration is in milliseconds
