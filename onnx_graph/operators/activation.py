"""Activations: functions of one number; some have a learned slope."""

from dataclasses import replace

from onnx_graph.operators.elementwise import elementwise
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.relation import KEPT

_ONE = Operator(flow=KEPT, zero="kept")
_RECTIFIER = replace(_ONE, kind="rectifier")
_SIGMOID = replace(_ONE, kind="sigmoid", zero="finite", bent=True)
_TANH = replace(_ONE, kind="tanh", bent=True)
_SMOOTH = replace(_ONE, kind="smooth", bent=True)


OPERATORS = (
    *replace(_RECTIFIER, rectifies=True).named("Relu"),
    *replace(_RECTIFIER, rectifies=True, defaults={"alpha": 0.01}).named("LeakyRelu"),
    *replace(_RECTIFIER, rectifies=True, flow=elementwise, reads=None, ordered=True, ports={1: "slope"}).named("PRelu"),
    *replace(_RECTIFIER, rectifies=True, defaults={"alpha": 1.0}).named("Elu"),
    *replace(_RECTIFIER, bent=True, defaults={"alpha": 1.6732632, "gamma": 1.050701}).named("Selu"),
    *replace(_RECTIFIER, rectifies=True, defaults={"alpha": 1.0}).named("Celu"),
    *replace(_RECTIFIER, rectifies=True, bent=True, defaults={"alpha": 1.0}).named("ThresholdedRelu"),
    *replace(_RECTIFIER, bent=True, defaults={"bias": 0.0}).named("Shrink"),
    *_SIGMOID.named("Sigmoid"),
    *replace(_SIGMOID, defaults={"alpha": 0.2, "beta": 0.5}).named("HardSigmoid"),
    *_TANH.named("Tanh Softsign"),
    *replace(_SMOOTH, rectifies=True).named("Gelu"),
    *replace(_SMOOTH, rectifies=True, defaults={"alpha": 1.0}).named("Swish"),
    *replace(_SMOOTH, rectifies=True).named("HardSwish Mish"),
    *replace(_SMOOTH, rectifies=True, zero="finite").named("Softplus"),
    *replace(_SMOOTH, domain="com.microsoft").named("FastGelu QuickGelu"),
    *replace(_SMOOTH, flow=elementwise, reads=None, ordered=True).named("SwiGLU"),
    *replace(
        _ONE,
        kind="clip",
        flow=elementwise,
        reads=None,
        zero="finite",
        bent=True,
        settings={1: "min", 2: "max"},
    ).named("Clip"),
)
