"""The table of supported ONNX operators, each with the function that builds its PyTorch kernel from a node."""

from collections.abc import Callable, Mapping

from nas.importer.node import Kernel, Node
from nas.importer.operators.activation import ACTIVATIONS
from nas.importer.operators.convolution import CONVOLUTION
from nas.importer.operators.elementwise import ELEMENTWISE
from nas.importer.operators.indexing import INDEXING
from nas.importer.operators.linear import LINEAR
from nas.importer.operators.normalisation import NORMALISATION
from nas.importer.operators.pooling import POOLING
from nas.importer.operators.recurrent import RECURRENT
from nas.importer.operators.reduction import REDUCTION
from nas.importer.operators.resize import RESIZE
from nas.importer.operators.shape import SHAPE

__all__ = ["OPERATORS"]

OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    **ACTIVATIONS,
    **CONVOLUTION,
    **ELEMENTWISE,
    **INDEXING,
    **LINEAR,
    **NORMALISATION,
    **POOLING,
    **RECURRENT,
    **REDUCTION,
    **RESIZE,
    **SHAPE,
}
