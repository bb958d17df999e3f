"""Quantisation: numbers as small integers with a scale."""

from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.relation import KEPT

_SCALED = Operator(kind="quantise", flow=KEPT, rigid=True, defaults={"axis": 1})

OPERATORS = (
    *_SCALED.named("QuantizeLinear DequantizeLinear"),
    *Operator(kind="quantise").named("DynamicQuantizeLinear"),
    *Operator(kind="quantise", folds=False).named("QLinearConv"),
    *Operator(kind="quantise").named("QLinearMatMul"),
    *Operator(kind="quantise", folds=False).named("ConvInteger"),
    *Operator(kind="quantise", flow=KEPT, rigid=True, domain="qonnx.custom_op.general", folds=False).named(
        "Quant BipolarQuant Trunc"
    ),
)
