"""Operators that make numbers from shapes, attributes or a random generator."""

from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.relation import NOTHING

OPERATORS = (
    *Operator(kind="random", folds=False).named(
        "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial"
    ),
    *Operator(kind="shape", flow=NOTHING, rigid=True, shape_only=True).named("Shape Size"),
    *Operator(kind="shape").named("Constant ConstantOfShape Range"),
)
