"""Control flow, and operators on text or signals, which belong to no other family."""

from onnx_graph.operators.operator import Operator

OPERATORS = (
    *Operator(kind="control", folds=False).named("If Loop Scan SequenceMap"),
    *Operator(folds=False).named("DFT STFT StringSplit RegexFullMatch StringNormalizer TfIdfVectorizer"),
)
