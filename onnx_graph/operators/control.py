"""Control flow, and operators on text or signals, which are like no others."""

from onnx_graph.operators.operator import Operator

OPERATORS = (
    *Operator(kind="control", folds=False).named("If Loop Scan SequenceMap"),
    *Operator(folds=False).named("DFT STFT StringSplit RegexFullMatch StringNormalizer TfIdfVectorizer"),
)
