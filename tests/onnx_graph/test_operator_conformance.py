"""The table of operators against runtimes: one input element is changed at a time, and exactly the stated outputs must change.

A case is a graph of one node, ``inputs | constants | node``, in the text form of ONNX. Both engines must connect an input element with
an output element if and only if a runtime does; where the table states a reason why it connects more (`Relation.blurs`), it may.
"""

from collections.abc import Callable, Iterator
from functools import cache, cached_property

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnx_graph.operators import STANDARD_DOMAINS, TABLE
from onnx_graph.operators.operator import NOT_FOLLOWED
from onnx_graph.propagation.algebra import NUMBERS, TRUTH
from onnx_graph.propagation.relation import NOTHING, Relation, backward, forward, mixed
from onnx_graph.units.live_units import relation_of
from onnx_graph.units.weighted_nodes import Weighted
from predictors.paths import canonical_call
from predictors.paths.weight_flow import CountedWeights
from predictors.reading.canonical import canonical_graph

Arrays = dict[str, NDArray[np.generic]]
Pairs = NDArray[np.bool_]

UNARY = """
    Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Log
    Mish Neg Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu
"""
COMPARING = "Equal Greater GreaterOrEqual Less LessOrEqual"
LOGICAL = "And Or Xor"
BITWISE = "BitwiseAnd BitwiseOr BitwiseXor"
REDUCING = """
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
"""
CASES = [
    # Every place by itself.
    *(f"float[2,3] x || y = {name}(x)" for name in UNARY.split()),
    *(f"float[2,3] a, float[3] b || y = {name}(a, b)" for name in ("Add", "Sub", "Mul", "Div", "Pow", "PRelu")),
    *(f"float[2,1] a, float[1,3] b || y = {name}(a, b)" for name in ("Add", "Mul")),
    *(f"float[2,3] a, float[3] b, float[1] c || y = {name}(a, b, c)" for name in ("Sum", "Mean", "Max", "Min")),
    *(f"int32[2,3] a, int32[3] b || y = {name}(a, b)" for name in COMPARING.split()),
    *(f"bool[2,3] a, bool[3] b || y = {name}(a, b)" for name in LOGICAL.split()),
    *(f"int32[2,3] a, int32[3] b || y = {name}(a, b)" for name in BITWISE.split()),
    "float[2,3] x | float[2,3] c = {0,1,2,0,0,1} | y = Mul(x, c)",
    "float[2,3] x | float[3] c = {0,1,2} | y = Mul(c, x)",
    "float[3] x | float[2,3] c = {1,2,3,4,5,6} | y = Add(x, c)",
    "float[2,3] x | float c = {2} | y = Sub(c, x)",
    "int32[2,3] a, int32[3] b || y = Mod(a, b)",
    'uint8[2,3] a, uint8[3] b || y = BitShift<direction="LEFT">(a, b)',
    "bool[2,3] x || y = Not(x)",
    "int32[2,3] x || y = BitwiseNot(x)",
    "float[2,3] x || y = IsNaN(x)",
    "float[2,3] x || y = IsInf(x)",
    "bool[2,3] c, float[2,1] a, float[3] b || y = Where(c, a, b)",
    "float[2,3] x || y = Cast<to=7>(x)",
    "float[2,3] x, int64[1] t || y = CastLike(x, t)",
    "<26> float[2,3] x || y = BitCast<to=6>(x)",
    "float[2,3] x || y = Dropout(x)",
    "float[2,3] x || y = Gelu(x)",
    "<24> float[2,3] x || y = Swish(x)",
    "<28> float[2,3] a, float[2,3] b || y = SwiGLU(a, b)",
    "float[2,3] x || y = Shrink<lambd=0.5>(x)",
    "float[2,3] x, float low, float high || y = Clip(x, low, high)",
    "float[2,3] x | float low = {-1} | y = Clip(x, low)",
    "float[1,2,2,1] x | "
    "float[2] s = {1,2}, float[2] b = {0,1}, float[2] m = {0,0}, float[2] v = {1,1} | "
    "y = BatchNormalization(x, s, b, m, v)",
    "float[2,3] x | float s = {0.01}, int8 z = {0} | y = QuantizeLinear(x, s, z)",
    "int8[2,3] x | float s = {0.1}, int8 z = {0} | y = DequantizeLinear(x, s, z)",
    # Along an axis every place depends on all.
    *(
        f"float[2,3,2] x || y = {name}<axis={axis}>(x)"
        for name in ("Softmax", "LogSoftmax", "Hardmax")
        for axis in (1, -1)
    ),
    "<11> float[2,3,2] x || y = Softmax<axis=1>(x)",
    "<11> float[2,3,2] x || y = Softmax(x)",
    *(f"float[2,3,2] x || y = LpNormalization<axis={axis}, p={p}>(x)" for axis in (0, -1) for p in (1, 2)),
    "float[2,3,2] x | float[2] s = {1,2} | y = LayerNormalization(x, s)",
    "float[2,3,2] x | float[3,2] s = {1,2,1,2,1,2} | y, m, d = LayerNormalization<axis=1>(x, s)",
    "<23> float[2,3,2] x | float[2] s = {1,2} | y = RMSNormalization(x, s)",
    "float[2,3,2] x | float[2] s = {1,2} | y = SimplifiedLayerNormalization<axis=-1>(x, s)",
    "float[2,4,2] x | float[4] s = {1,2,3,4}, float[4] b = {0,0,0,0} | y = GroupNormalization<num_groups=2>(x, s, b)",
    "float[1,4,2] x | float[4] s = {1,2,3,4}, float[4] b = {0,0,0,0} | y = GroupNormalization<num_groups=1>(x, s, b)",
    "float[2,2,3] x | float[2] s = {1,2}, float[2] b = {0,0} | y = InstanceNormalization(x, s, b)",
    "float[2,2,2,2] x || y = MeanVarianceNormalization(x)",
    "float[2,3,2] x || y = MeanVarianceNormalization<axes=[1]>(x)",
    "float[1,5,2,1] x || y = LRN<size=3, alpha=1.0>(x)",
    "float[1,7,1,1] x || y = LRN<size=5, alpha=1.0>(x)",
    # Reductions and running sums.
    *(f"float[2,3,2] x | int64[1] axes = {{1}} | y = {name}(x, axes)" for name in REDUCING.split()),
    *(
        f"float[2,3,2] x | int64[2] axes = {{0,-1}} | y = {name}<keepdims=0>(x, axes)"
        for name in ("ReduceSum", "ReduceMax")
    ),
    "float[2,3] x || y = ReduceMean(x)",
    "float[2,3] x || y = ReduceMean<keepdims=0>(x)",
    "float[2,3] x || y = ReduceSum<noop_with_empty_axes=1>(x)",
    "<11> float[2,3] x || y = ReduceSum<axes=[0], keepdims=0>(x)",
    *(
        f"float[2,3] x || y = {name}<axis={axis}, keepdims={keep}>(x)"
        for name in ("ArgMax", "ArgMin")
        for axis, keep in ((1, 0), (0, 1))
    ),
    *(
        f"float[2,4] x | int64 axis = {{{axis}}} | y = CumSum<exclusive={exclusive}, reverse={reverse}>(x, axis)"
        for axis in (1, 0)
        for exclusive in (0, 1)
        for reverse in (0, 1)
    ),
    *(f"<26> float[2,4] x | int64 axis = {{1}} | y = CumProd<exclusive={exclusive}>(x, axis)" for exclusive in (0, 1)),
    "float[2,4] x | int64[1] k = {2} | v, i = TopK<axis=1>(x, k)",
    "float[3,2] x | int64[1] k = {2} | v, i = TopK<axis=0, largest=0>(x, k)",
    # Images.
    "float[1,2,3,3] x || y = MaxPool<kernel_shape=[2,2]>(x)",
    "float[1,2,4] x || y, i = MaxPool<kernel_shape=[2], strides=[2]>(x)",
    "float[1,2,3,3] x || y = AveragePool<kernel_shape=[2,2], pads=[1,1,0,0]>(x)",
    "float[1,2,3,3] x || y = LpPool<kernel_shape=[2,2]>(x)",
    *(f"float[2,2,3,2] x || y = {name}(x)" for name in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")),
    "float[1,2,2,2] x | float[4] s = {1,1,2,2} | y = Resize(x, , s)",
    'float[1,2,2,3] x | float[4] s = {1,1,2,1} | y = Resize<mode="linear">(x, , s)',
    "<9> float[1,2,2,2] x | float[4] s = {1,1,2,1} | y = Upsample(x, s)",
    # Moving numbers about.
    "float[2,3,2] x || y = Transpose(x)",
    "float[2,3,4] x || y = Transpose<perm=[1,2,0]>(x)",
    "float[2,6] x | int64[3] s = {2,3,2} | y = Reshape(x, s)",
    "float[2,6] x | int64[2] s = {3,4} | y = Reshape(x, s)",
    "float[2,3,2] x | int64[2] s = {0,-1} | y = Reshape(x, s)",
    "float[2,3,2] x || y = Flatten<axis=2>(x)",
    "float[2,1,3,1] x | int64[1] axes = {1} | y = Squeeze(x, axes)",
    "float[2,1,3,1] x || y = Squeeze(x)",
    "float[2,3] x | int64[2] axes = {0,-1} | y = Unsqueeze(x, axes)",
    "float[2,2] a, float[2,3] b, float[2,1] c || y = Concat<axis=1>(a, b, c)",
    "float[1,3] a, float[2,3] b || y = Concat<axis=-2>(b, a)",
    "float[2,2] a, float[2,3] b | float[2,1] c = {1,2} | y = Concat<axis=1>(a, c, b)",
    "float[2,5] x | int64[2] s = {2,3} | a, b = Split<axis=1>(x, s)",
    "float[4,2] x || a, b = Split<num_outputs=2>(x)",
    "float[3,5] x | "
    "int64[2] s = {1,0}, int64[2] e = {3,4}, int64[2] axes = {0,1}, int64[2] st = {1,2} | "
    "y = Slice(x, s, e, axes, st)",
    "float[5] x | "
    "int64[1] s = {-1}, int64[1] e = {-9}, int64[1] axes = {0}, int64[1] st = {-2} | "
    "y = Slice(x, s, e, axes, st)",
    "float[5] x | "
    "int64[1] s = {-1}, int64[1] e = {-9223372036854775807}, int64[1] axes = {0}, int64[1] st = {-1} | "
    "y = Slice(x, s, e, axes, st)",
    "<9> float[3,5] x || y = Slice<starts=[1], ends=[100]>(x)",
    "float[2,4] x | int64[3] i = {3,0,3} | y = Gather<axis=1>(x, i)",
    "float[2,4] x | int64 i = {-1} | y = Gather<axis=1>(x, i)",
    "float[3,2] x | int64[2,2] i = {0,2,1,0} | y = Gather(x, i)",
    "float[2,3] x | int64[2,2] i = {0,2,1,0} | y = GatherElements<axis=1>(x, i)",
    "float[2,3] x | int64[4] p = {0,1,1,2} | y = Pad(x, p)",
    *(f'float[2,4] x | int64[4] p = {{0,2,1,3}} | y = Pad<mode="{mode}">(x, p)' for mode in ("edge", "wrap")),
    'float[2,4] x | int64[4] p = {1,2,1,3} | y = Pad<mode="reflect">(x, p)',
    "float[2,4] x | int64[4] p = {0,-1,0,1} | y = Pad(x, p)",
    "float[2,3] x | int64[2] p = {1,1}, float c = {0}, int64[1] axes = {1} | y = Pad(x, p, c, axes)",
    "float[2,3] x | int64[2] r = {2,3} | y = Tile(x, r)",
    "float[3,1] x | int64[3] s = {2,1,2} | y = Expand(x, s)",
    'float[1,8,1,2] x || y = DepthToSpace<blocksize=2, mode="DCR">(x)',
    'float[1,8,2,1] x || y = DepthToSpace<blocksize=2, mode="CRD">(x)',
    "float[1,2,2,4] x || y = SpaceToDepth<blocksize=2>(x)",
    "float[2,3,3] x || y = Trilu(x)",
    "float[3,4] x | int64 k = {1} | y = Trilu<upper=0>(x, k)",
    "int64[2,3] x | int64 d = {5}, float[2] v = {0,1} | y = OneHot<axis=1>(x, d, v)",
    # What reads a shape only.
    "float[2,3] x || y = Shape(x)",
    "float[2,3] x || y = Size(x)",
    "float[2,2] x || y = EyeLike(x)",
    # Products.
    "float[2,3] x | float[3,2] w = {1,0,0,2,0,3} | y = MatMul(x, w)",
    "float[2,2,3] x | float[3,2] w = {1,0,0,2,0,3} | y = MatMul(x, w)",
    "float[3] x | float[3,2] w = {1,0,0,2,0,3} | y = MatMul(x, w)",
    "float[2,3,2] x | float[2,3] w = {1,0,0,2,0,3} | y = MatMul(w, x)",
    "float[3] x | float[2,3] w = {1,0,0,2,0,3} | y = MatMul(w, x)",
    "float[2,3] a, float[3,2] b || y = MatMul(a, b)",
    "float[2,1,3] a, float[2,3,2] b || y = MatMul(a, b)",
    "float[2,3] a, float[2,3,2] b || y = MatMul(a, b)",
    "float[1,2,3] x | float[1,3,2] w = {1,0,0,2,0,3} | y = MatMul(x, w)",
    "float[2,3] x, float[2] c | float[2,3] w = {1,0,0,2,0,3} | y = Gemm<transB=1>(x, w, c)",
    "float[3,2] x | float[3,2] w = {1,0,0,2,0,3} | y = Gemm<transA=1>(x, w)",
    "float[3,2] x | float[2,3] w = {1,0,0,2,0,3} | y = Gemm(w, x)",
    "float[2,3] x | float[3,2] w = {1,0,0,2,0,3} | y = Gemm<transA=1, transB=1>(w, x)",
    "float[3,2] a, float[2,3] b, float[2,1] c || y = Gemm<transA=1, transB=1>(a, b, c)",
    'float[2,3] a, float[3,2] b || y = Einsum<equation="ij,jk->ki">(a, b)',
    'float[2,3] a, float[3] b || y = Einsum<equation="ij,j->i">(a, b)',
    'float[2,3] a, float[2] b || y = Einsum<equation="ij,k->jk">(a, b)',
    # Convolutions: one place, so that places are told apart by the runtime as little as by the table.
    "float[2,2,1,1] x | float[3,2,1,1] w = {1,0,0,2,0,0} | y = Conv(x, w)",
    "float[1,4,1] x | float[4,2,1] w = {1,0,0,2,3,0,0,0} | y = Conv<group=2>(x, w)",
    "float[1,2,1] x, float[3] b | float[3,2,1] w = {1,0,0,2,0,0} | y = Conv(x, w, b)",
    "float[1,2,1] x | float[2,3,1] w = {1,0,0,2,0,0} | y = ConvTranspose(x, w)",
    "float[1,4,1] x | float[4,1,1] w = {1,0,2,3} | y = ConvTranspose<group=2>(x, w)",
    "float[1,2,3] x | float[2,2,2] w = {1,0,0,0,0,0,0,2} | y = Conv(x, w)",
    "float[1,2,3,3] x | float[2,2,2,2] w = {1,0,0,0,0,0,0,0,0,0,0,0,1,0,0,2} | y = Conv<pads=[1,0,0,1]>(x, w)",
    # Recurrent operators: one step.
    "float[1,1,2] x | float[1,2,2] w = {1,0,0,2}, float[1,2,2] r = {0,0,0,0} | y, h = RNN<hidden_size=2>(x, w, r)",
    # A chain of three units takes three steps. Liveness ignores the number of steps, so that fewer are not compared.
    "float[4,1,2] x | float[1,3,2] w = {1,0,0,0,0,0}, float[1,3,3] r = {0,0,0,1,0,0,0,1,0} | "
    "y, h = RNN<hidden_size=3>(x, w, r)",
    "float[1,1,2] x, float[1,1,2] s | "
    "float[1,2,2] w = {1,0,0,2}, float[1,2,2] r = {0,0,0,1} | "
    "y, h = RNN<hidden_size=2>(x, w, r, , , s)",
    'float[3,1,2] x | float[2,1,2] w = {1,0,0,2}, float[2,1,1] r = {1,1} | y, h = RNN<hidden_size=1, direction="bidirectional">(x, w, r)',
    "float[2,1,2] x | "
    "float[1,6,2] w = {1,0,0,0,0,0,0,0,1,0,0,0}, float[1,6,2] r = {0,0,1,0,0,0,0,0,0,0,0,0} | "
    "y, h = GRU<hidden_size=2>(x, w, r)",
    "float[2,1,1] x, float[1,1,2] s, float[1,1,2] c | "
    "float[1,8,1] w = {1,0,0,0,0,0,1,0}, float[1,8,2] r = {0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0} | "
    "y, h, z = LSTM<hidden_size=2>(x, w, r, , , s, c)",
    "float[1,2,2] x | "
    "float[1,2,2] w = {1,0,0,2}, float[1,2,2] r = {0,0,1,0} | "
    "y, h = RNN<hidden_size=2, layout=1>(x, w, r)",
    # Rules that connect everything.
    "float[2,2] x | int64[2,2] i = {0,0,1,1} | y = GatherND(x, i)",
    "float[3,2] x | bool[3] c = {1,0,1} | y = Compress<axis=0>(x, c)",
]
SPECIAL = {"IsNaN": [np.nan, 1.0], "IsInf": [np.inf, 1.0]}
POSITIVE = frozenset({"Log", "Sqrt", "Pow", "ReduceLogSum", "Acosh"})
WITHIN_ONE = frozenset({"Acos", "Asin", "Atanh"})
ROUNDED = frozenset({"LRN"})
"""Operators for which onnxruntime keeps a running sum: removed entries remain as a rounding error."""
NEWEST_OPSET = 25
"""Newest opset of onnxruntime."""
POINTS, FEW, TRIES = 60, 8, 3
"""A limited number of points, until every dependency of the table was seen; fewer points if the table has more."""


class Case:
    """One node with data and constants, and its outputs in a runtime."""

    def __init__(self, text: str) -> None:
        version, _, rest = text.rpartition("> ") if text.startswith("<") else ("<21", "", text)
        self.opset = int(version[1:])
        inputs, constants, self.body = (part.strip() for part in rest.split("|"))
        outputs, _, call = self.body.partition("=")
        self.outputs = [name.strip() for name in outputs.split(",")]
        self.operator = call.strip().split("(")[0].split("<")[0]
        held = f"<{constants}>" if constants else ""
        made = ", ".join(f"float {name}" for name in self.outputs)
        header = f'<ir_version: 10, opset_import: ["" : {self.opset}]>'
        self.proto = onnx.parser.parse_model(f"{header} g ({inputs}) => ({made}) {held} {{ {self.body} }}")
        for value in self.proto.graph.output:
            value.ClearField("type")
        self.inputs = {value.name: value.type.tensor_type for value in self.proto.graph.input}
        self.shapes = {name: tuple(dim.dim_value for dim in kind.shape.dim) for name, kind in self.inputs.items()}
        self.model = ir.from_proto(onnx.shape_inference.infer_shapes(self.proto, data_prop=True))
        self.node = next(iter(self.model.graph))
        for value, shape in zip(self.node.outputs, self.made_shapes(), strict=True):
            value.shape = ir.Shape(shape)

    @property
    def sizes(self) -> dict[str, int]:
        """Elements of every input."""
        return {name: int(np.prod(shape)) for name, shape in self.shapes.items()}

    @cached_property
    def run(self) -> Callable[[Arrays], list[NDArray[np.generic]]]:
        """The node in onnxruntime, in the reference implementation where onnxruntime does not have it."""
        if self.opset > NEWEST_OPSET or "layout=1" in self.body:
            evaluator = ReferenceEvaluator(self.proto)
            return lambda arrays: evaluator.run(None, arrays)
        session = onnxruntime.InferenceSession(self.proto.SerializeToString(), providers=["CPUExecutionProvider"])
        return lambda arrays: session.run(None, arrays)

    def drawn(self, name: str, rng: np.random.Generator) -> NDArray[np.generic]:
        """Numbers for an input that the operator is defined for."""
        shape, kind = self.shapes[name], onnx.helper.tensor_dtype_to_np_dtype(self.inputs[name].elem_type)
        if kind == np.bool_:
            return rng.integers(0, 2, shape).astype(kind)
        if kind.kind in "iu":
            return rng.integers(1 if self.operator == "Mod" else 0, 5, shape).astype(kind)
        if self.operator in SPECIAL:
            return rng.choice(np.array(SPECIAL[self.operator], kind), shape)
        if self.operator in WITHIN_ONE:
            return rng.uniform(-0.9, 0.9, shape).astype(kind)
        return rng.uniform(1.1 if self.operator in POSITIVE else -3, 3, shape).astype(kind)

    def found(self, said: Pairs, points: int) -> Pairs:
        """Which output elements ``(out, in)`` change with which input elements, at any of some points."""
        rng, run = np.random.default_rng(0), self.run
        found: Pairs | None = None
        for _ in range(points):
            point = {name: self.drawn(name, rng) for name in self.inputs}
            still = run(point)
            columns = [
                np.logical_or.reduce(
                    [
                        _changed(still, run({**point, name: other}), 1e-5 if self.operator in ROUNDED else 0)
                        for other in self.moved(point, name, element, rng)
                    ]
                )
                for name, size in self.sizes.items()
                for element in range(size)
            ]
            now = np.stack(columns, axis=1)
            found = now if found is None else found | now
            if np.array_equal(found, said):
                break
        assert found is not None
        return found

    def moved(self, point: Arrays, name: str, element: int, rng: np.random.Generator) -> Iterator[NDArray[np.generic]]:
        """An input with one element replaced, a few times."""
        for _ in range(TRIES):
            other = point[name].copy()
            other.reshape(-1)[element] = self.drawn(name, rng).reshape(-1)[element]
            yield other

    def made_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the outputs."""
        rng = np.random.default_rng(0)
        return [np.shape(array) for array in self.run({name: self.drawn(name, rng) for name in self.inputs})]


def _changed(before: list[NDArray[np.generic]], after: list[NDArray[np.generic]], tolerance: float) -> Pairs:
    """Which elements of the outputs changed."""
    pairs = [(np.ravel(one), np.ravel(two)) for one, two in zip(before, after, strict=True)]
    return np.concatenate([~np.isclose(one, two, rtol=tolerance, atol=0, equal_nan=True) for one, two in pairs])


@cache
def case_of(text: str) -> Case:
    """A case, read once."""
    return Case(text)


def passed(step, relation: Relation, fields, ranks: list[int], algebra) -> list:
    """Fields of that many tensors of these ranks; None where no value arrives."""
    found = mixed(fields, ranks, algebra) if relation.mixes else step(relation, fields, algebra)
    return [*found, *[None] * (len(ranks) - len(found))]


def told(case: Case, relation: Relation, live: list[bool], made: list[tuple[int, ...]]) -> tuple[Pairs, Pairs]:
    """The dependencies of the table as booleans, forward and back: ``(out, in)``."""
    names = [value.name if value is not None else "" for value in case.node.inputs]
    ranks = [len(case.shapes.get(name or "", ())) for name in names]
    columns = []
    for name, size in case.sizes.items():
        for element in range(size):
            fields = [
                np.eye(size, dtype=np.bool_)[element].reshape(case.shapes[name]) if one == name else None
                for one in names
            ]
            columns.append(_flat(passed(forward, relation, fields, [len(shape) for shape in made], TRUTH), made))
    rows = []
    for index, shape in enumerate(made):
        size = int(np.prod(shape))
        for element in range(size):
            fields = [
                np.eye(size, dtype=np.bool_)[element].reshape(shape) if one == index else None
                for one in range(len(made))
            ]
            back = passed(backward, relation, fields, ranks, TRUTH)
            given = {name: field for name, field, one in zip(names, back, live, strict=True) if one}
            rows.append(_flat([given[name] for name in case.shapes], list(case.shapes.values())))
    return np.stack(columns, axis=1), np.stack(rows)


def _flat(fields: list[NDArray[np.bool_] | None], shapes: list[tuple[int, ...]]) -> Pairs:
    whole = [
        np.zeros(shape, np.bool_) if one is None else np.broadcast_to(one, shape)
        for one, shape in zip(fields, shapes, strict=True)
    ]
    return np.concatenate([one.ravel() for one in whole])


def check(found: Pairs, said: Pairs, relation: Relation) -> None:
    """The table misses no dependency, and states no extra one without a reason."""
    assert not (found & ~said).any(), "the table misses that these depend on each other"
    if not relation.blurs:
        np.testing.assert_array_equal(said, found)


@pytest.mark.parametrize("text", CASES)
def test_units_are_connected_as_a_runtime_shows(text):
    """Both engines: truth values of the graph's node, numbers of the predictors' operator, above zero where truth is."""
    case = case_of(text)
    live = [value is not None and value.is_graph_input() for value in case.node.inputs]
    relation = relation_of(case.node, case.opset, live, Weighted.of(case.model))
    ahead, back = told(case, relation, live, case.made_shapes())
    np.testing.assert_array_equal(ahead, back)
    check(case.found(ahead, FEW if relation.blurs else POINTS), ahead, relation)
    counted = paths(case, ahead.shape[1])
    if counted is None:  # nothing is computed, or of shapes only
        assert TABLE[case.operator].passes or relation is NOTHING
    else:
        np.testing.assert_array_equal(counted > 0, ahead)


def paths(case: Case, count: int) -> NDArray[np.float64] | None:
    """Numbers of paths ``(out, in)`` in the predictors' graph; None where that has no operator for the node."""
    graph = canonical_graph(case.model)
    operators = [one for one in graph.operators if one.kind not in ("input", "output")]
    if not operators:
        return None
    (operator,) = operators
    relation = canonical_call.relation_of(operator, graph.shapes, graph.opset, CountedWeights(1))
    fields = sources(case, [graph.shapes[value] or () for value in operator.inputs], operator.positions)
    shapes = [graph.shapes[value] or () for value in operator.outputs]
    ranks = [0] * (max(operator.results) + 1)
    for place, shape in zip(operator.results, shapes, strict=True):
        ranks[place] = len(shape)
    made = passed(forward, relation, fields, ranks, NUMBERS)
    wide = [_wide(made[place], (*shape, count)) for place, shape in zip(operator.results, shapes, strict=True)]
    return np.concatenate(wide)


def sources(case: Case, shapes: list[tuple[int, ...]], positions: list[int]) -> list[NDArray[np.float64] | None]:
    """Fields of the node's inputs in which every element of every input is a source of its own."""
    total, start = sum(case.sizes.values()), 0
    starts = {}
    for name, size in case.sizes.items():
        starts[name] = np.eye(total)[start : start + size]
        start += size
    fields: list[NDArray[np.float64] | None] = [None] * (max(positions) + 1)
    for position, shape in zip(positions, shapes, strict=True):
        fields[position] = starts[case.node.inputs[position].name].reshape(*shape, total)
    return fields


def _wide(field: NDArray[np.float64] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Rows of places, columns of sources."""
    return np.broadcast_to(np.zeros(()) if field is None else field, shape).reshape(-1, shape[-1])


def test_every_operator_that_is_followed_has_a_case():
    followed = {one.name for one in TABLE.values() if one.flow is not NOT_FOLLOWED and one.domain in STANDARD_DOMAINS}
    assert followed - {case_of(text).operator for text in CASES} == set()


def test_zeros_are_kept_where_the_table_says_so():
    """A case with zeros in all float inputs gives zeros."""
    checked = set()
    for text in CASES:
        case = case_of(text)
        floats = all(kind.elem_type == onnx.TensorProto.FLOAT for kind in case.inputs.values())
        if floats and TABLE[case.operator].zero and not case.model.graph.initializers and "Pad" not in case.operator:
            zeros = {name: np.zeros(shape, np.float32) for name, shape in case.shapes.items()}
            result = case.run(zeros)[0]
            assert np.isfinite(result).all(), text
            if TABLE[case.operator].zero == "kept":
                assert not np.any(result), text
            checked.add(case.operator)
    assert len(checked) > 60
