"""Kinds of operators: what many exporters' names come down to."""

KINDS = (
    "input",
    "output",
    "dense",
    "conv",
    "conv_transpose",
    "rnn",
    "gru",
    "lstm",
    "matmul",
    "attention",
    "embedding",
    "rectifier",
    "sigmoid",
    "tanh",
    "smooth",
    "clip",
    "softmax",
    "batch_norm",
    "layer_norm",
    "lrn",
    "add",
    "mul",
    "affine",
    "max_pool",
    "average_pool",
    "global_pool",
    "reduce",
    "concat",
    "slice",
    "scatter",
    "pad",
    "resize",
    "transpose",
    "reshape",
    "compare",
    "pointwise",
    "sort",
    "quantise",
    "random",
    "control",
    "shape",
)
"""In the order in which fitted predictors number them: a new kind goes to the end, and changes what they read."""

CONVOLUTIONS = frozenset({"conv", "conv_transpose"})
PRODUCTS = frozenset({"dense"}) | CONVOLUTIONS
RECURRENT = frozenset({"rnn", "gru", "lstm"})
LAYERS = PRODUCTS | RECURRENT
"""Operators with maskable weights."""
ACTIVATIONS = frozenset({"rectifier", "sigmoid", "tanh", "smooth", "clip"})
ELEMENTWISE = ACTIVATIONS | {"add", "mul", "compare", "pointwise"}
"""Every place by itself."""
POOLS = frozenset({"max_pool", "average_pool", "global_pool"})
NORMALISATIONS = frozenset({"batch_norm", "layer_norm", "lrn"})
