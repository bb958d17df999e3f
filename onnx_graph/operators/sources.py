"""Operators that make numbers out of shapes, attributes or chance."""

from onnx_graph.operators.indexing import shape_only
from onnx_graph.operators.operator import Operator

OPERATORS = (
    *Operator(kind="random", folds=False).named(
        "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial"
    ),
    *Operator(kind="shape", flow=shape_only, rigid=True, shape_only=True).named("Shape Size"),
    *Operator(kind="shape").named("Constant ConstantOfShape Range"),
)
