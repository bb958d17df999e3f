"""Kinds of operators: a few classes for the many operator names that exporters use."""

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
"""All kinds, in the order in which fitted predictors number them: add a new kind at the end; it changes the predictors' features."""

CONVOLUTIONS = frozenset({"conv", "conv_transpose"})
PRODUCTS = frozenset({"dense"}) | CONVOLUTIONS
RECURRENT = frozenset({"rnn", "gru", "lstm"})
LAYERS = PRODUCTS | RECURRENT
"""Operators with maskable weights."""
ACTIVATIONS = frozenset({"rectifier", "sigmoid", "tanh", "smooth", "clip"})
ELEMENTWISE = ACTIVATIONS | {"add", "mul", "compare", "pointwise"}
"""Kinds that treat every position by itself."""
POOLS = frozenset({"max_pool", "average_pool", "global_pool"})
NORMALISATIONS = frozenset({"batch_norm", "layer_norm", "lrn"})
