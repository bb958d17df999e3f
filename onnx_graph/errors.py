"""Errors of the ONNX layer: each names the faulty file or node and states what would be right."""


class GraphError(Exception):
    """Base of every error raised by `onnx_graph`."""


class InvalidModelError(GraphError, ValueError):
    """The file is not a readable ONNX model, or it refers to files outside its folder."""


class UnreadableModelError(InvalidModelError):
    """A reader failed on the model in a way that no check foresaw; the cause is chained.

    Nearly always the model contradicts itself. If onnxruntime runs the model, the defect is in this package.
    """


class WeightError(GraphError, ValueError):
    """An array does not fit its initializer, or there is no initializer of that name."""


class FixedBatchError(GraphError, ValueError):
    """A model that was exported for one batch size and cannot take another."""


class UnsupportedOperatorError(GraphError, ValueError):
    """An operator that this part of the system cannot handle.

    Attributes:
        node: name of the node (or of its first output where it has no name).
        operator: ``domain::OpType``, without the domain for standard ONNX.
    """

    def __init__(self, node: str, operator: str, reason: str = "") -> None:
        """Compose the message from node, operator and, if given, the reason."""
        self.node = node
        self.operator = operator
        self.reason = reason
        super().__init__(f"node {node!r}: operator {operator} is not supported" + (f": {reason}" if reason else ""))

    def __reduce__(self) -> tuple[type["UnsupportedOperatorError"], tuple[str, str, str]]:
        """Pickle all arguments: by default, only the message would be passed to `__init__` in the other process."""
        return type(self), (self.node, self.operator, self.reason)
