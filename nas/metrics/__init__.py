"""Metrics: what is measured on a trained network with the examples of a split; one file a metric."""

from nas.metrics.metric import IGNORED, Answers, Metric, mean
from nas.metrics.registry import METRICS

__all__ = ["IGNORED", "METRICS", "Answers", "Metric", "mean"]
