"""Names for the other packages of this project; they may change without notice. The public names are in `onnx_graph`."""

from onnx_graph.boundary import typed
from onnx_graph.files.limits import MOST_AXES
from onnx_graph.node_call import shape_of
from onnx_graph.norm_bound import NORM_BOUND_KEY, norm_bounds, set_norm_bound, within
from onnx_graph.openmp import limit_this_thread, openmp_threads
from onnx_graph.rewriting.folding_budget import FoldingBudget
from onnx_graph.rewriting.inlining import write_out
from onnx_graph.rewriting.input_normalisation import OFFSET, SCALE
from onnx_graph.rewriting.simplification import is_idle
from onnx_graph.units.weighted_nodes import product_axes
from onnx_graph.weight import (
    FLOATS,
    WeightUse,
    array_of,
    initializer_of,
    integer,
    name_of,
    weight_of_shape,
    weight_uses,
)

__all__ = [
    "FLOATS",
    "FoldingBudget",
    "MOST_AXES",
    "NORM_BOUND_KEY",
    "OFFSET",
    "SCALE",
    "WeightUse",
    "array_of",
    "initializer_of",
    "integer",
    "is_idle",
    "limit_this_thread",
    "name_of",
    "norm_bounds",
    "openmp_threads",
    "product_axes",
    "set_norm_bound",
    "shape_of",
    "typed",
    "weight_of_shape",
    "weight_uses",
    "within",
    "write_out",
]
