"""Metrics of a trained network on the examples of a split; one file per metric."""

from nas.metrics.metric import IGNORED, Answers, Metric, mean
from nas.metrics.registry import METRICS

__all__ = ["IGNORED", "METRICS", "Answers", "Metric", "mean"]
