"""Costs of storing and running a network, known before it is trained; one file for each way to measure."""

from nas.measure.costs.cost import Cost
from nas.measure.costs.counted import COUNTED, counts, counts_in_file
from nas.measure.costs.registry import COSTS, measure_all

__all__ = ["COSTS", "COUNTED", "Cost", "counts", "counts_in_file", "measure_all"]
