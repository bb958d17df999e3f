"""Canonical operator classes: what many exporters' operator names come down to, and a hashed place for the unknown.

Operators that compute the same kind of thing share a class; which one it was is the node feature ``variant``. The
classes of unknown operators are chosen by a stable hash of ``domain::OpType``, so that the same operator always lands
in the same class.
"""

import zlib
from collections.abc import Mapping

_MEMBERS: Mapping[str, str] = {
    "input": "",
    "output": "",
    "dense": "Gemm MatMul",
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "matmul": "Einsum MatMulInteger Det",
    "attention": "Attention MultiHeadAttention GroupQueryAttention RotaryEmbedding",
    "embedding": "",
    "rectifier": "Relu LeakyRelu PRelu Elu Selu Celu ThresholdedRelu Shrink",
    "sigmoid": "Sigmoid HardSigmoid",
    "tanh": "Tanh Softsign",
    "smooth": "Gelu Swish HardSwish Mish Softplus FastGelu QuickGelu SwiGLU",
    "clip": "Clip",
    "softmax": "Softmax LogSoftmax Hardmax",
    "batch_norm": "BatchNormalization",
    "layer_norm": (
        "LayerNormalization RMSNormalization GroupNormalization InstanceNormalization LpNormalization"
        " MeanVarianceNormalization SimplifiedLayerNormalization SkipLayerNormalization"
    ),
    "lrn": "LRN",
    "add": "Add Sub Sum Mean",
    "mul": "Mul Div",
    "affine": "",
    "max_pool": "MaxPool MaxRoiPool MaxUnpool",
    "average_pool": "AveragePool LpPool",
    "global_pool": "GlobalAveragePool GlobalMaxPool GlobalLpPool",
    "reduce": (
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp"
        " ReduceSumSquare CumSum CumProd"
    ),
    "concat": "Concat ConcatFromSequence SequenceConstruct SplitToSequence SequenceAt SequenceInsert SequenceErase",
    "slice": "Split Slice Gather GatherElements GatherND Compress Trilu",
    "scatter": "Scatter ScatterElements ScatterND OneHot EyeLike TensorScatter",
    "pad": "Pad",
    "resize": "Resize Upsample GridSample AffineGrid RoiAlign CenterCropPad Tile Expand",
    "transpose": "Transpose DepthToSpace SpaceToDepth Col2Im ReverseSequence",
    "reshape": "Reshape Flatten Squeeze Unsqueeze",
    "compare": (
        "Where Equal Greater Less GreaterOrEqual LessOrEqual And Or Xor Max Min Mod BitShift BitwiseAnd BitwiseOr"
        " BitwiseXor IsNaN IsInf"
    ),
    "pointwise": (
        "Exp Log Sqrt Reciprocal Neg Abs Sign Floor Ceil Round Erf Pow Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh"
        " Atanh Not BitwiseNot Identity Cast CastLike BitCast Dropout"
    ),
    "sort": "ArgMax ArgMin TopK NonZero NonMaxSuppression Unique",
    "quantise": (
        "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger"
        " Quant BipolarQuant Trunc"
    ),
    "random": "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial",
    "control": "If Loop Scan SequenceMap",
    "shape": "Shape Size Constant ConstantOfShape Range",
}
UNKNOWN_CLASSES = 4
CLASSES: tuple[str, ...] = (*_MEMBERS, *(f"unknown_{index}" for index in range(UNKNOWN_CLASSES)))
INDEX: Mapping[str, int] = {name: index for index, name in enumerate(CLASSES)}

_CLASS_OF: Mapping[str, str] = {operator: name for name, members in _MEMBERS.items() for operator in members.split()}
_VARIANT: Mapping[str, float] = {
    operator: index / len(members.split())
    for members in _MEMBERS.values()
    for index, operator in enumerate(members.split())
}
_KNOWN_DOMAINS = frozenset(
    {"", "ai.onnx", "com.microsoft", "qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"}
)


def class_of(domain: str, operator: str) -> str | None:
    """The class of an operator, or None where it has none of its own."""
    return _CLASS_OF.get(operator) if domain in _KNOWN_DOMAINS else None


def unknown_class(name: str) -> str:
    """The class that the unknown operator ``domain::OpType`` is hashed to."""
    return f"unknown_{zlib.crc32(name.encode()) % UNKNOWN_CLASSES}"


def variant(domain: str, operator: str) -> float:
    """Which member of its class an operator is, in [0, 1); for an unknown one a hash of its name."""
    if domain in _KNOWN_DOMAINS and operator in _VARIANT:
        return _VARIANT[operator]
    return (zlib.crc32(f"{domain}::{operator}".encode()) >> 8) / 2**24
