"""Errors of the ONNX layer: each says which file or node is wrong and what would be right."""


class GraphError(Exception):
    """Base of every error raised by `onnx_graph`."""


class InvalidModelError(GraphError, ValueError):
    """The file is not a readable ONNX model, or is one that reaches outside its folder."""


class UnreadableModelError(InvalidModelError):
    """A model on which a reader failed in a way that no check foresaw; the cause is chained.

    Nearly always the model contradicts itself. If onnxruntime runs it, the defect is ours.
    """


class WeightError(GraphError, ValueError):
    """An array does not fit the initializer it is meant for, or there is no such initializer."""


class FixedBatchError(GraphError, ValueError):
    """A model that was exported for one batch size and cannot take another."""


class UnsupportedOperatorError(GraphError, ValueError):
    """An operator that this part of the system cannot handle.

    Attributes:
        node: name of the node (or of its first output where it has no name).
        operator: ``domain::OpType``, the domain left out for standard ONNX.
    """

    def __init__(self, node: str, operator: str, reason: str = "") -> None:
        """Say which node and operator, and why if there is more to say."""
        self.node = node
        self.operator = operator
        self.reason = reason
        super().__init__(f"node {node!r}: operator {operator} is not supported" + (f": {reason}" if reason else ""))

    def __reduce__(self) -> tuple[type["UnsupportedOperatorError"], tuple[str, str, str]]:
        """From process to process: by default, the message alone would be given back to `__init__`."""
        return type(self), (self.node, self.operator, self.reason)
