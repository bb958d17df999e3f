"""All parts of a protobuf model that hold data: in graphs, in attributes, in functions and in default values of their attributes."""

from dataclasses import dataclass, field

import onnx

from onnx_graph.errors import InvalidModelError


@dataclass(frozen=True, eq=False)
class ModelParts:
    """Graphs and tensors of a model.

    Attributes:
        graphs: the main graph and the graphs in attributes.
        tensors: tensors in attributes.
        sparse: attributes that are sparse tensors.
    """

    graphs: list[onnx.GraphProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    sparse: list[onnx.AttributeProto] = field(default_factory=list)

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "ModelParts":
        """Visit all attributes; raises `InvalidModelError` for one whose type is tensor or graph and that holds none."""
        found = cls([model.graph])
        pending = [attribute for node in model.graph.node for attribute in node.attribute]
        for function in model.functions:
            pending.extend(function.attribute_proto)
            pending.extend(attribute for node in function.node for attribute in node.attribute)
        while pending:
            graphs = found._take(pending.pop())
            pending.extend(attribute for graph in graphs for node in graph.node for attribute in node.attribute)
        return found

    def _take(self, attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
        """Store all tensors and graphs of an attribute, independent of its declared type; returns its graphs."""
        graphs, tensors = graphs_of(attribute), list(attribute.tensors)
        if attribute.HasField("t"):
            tensors.append(attribute.t)
        if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
            self.sparse.append(attribute)
        missing = _FIELDS.get(attribute.type)
        if missing is not None and not attribute.HasField(missing) and not attribute.ref_attr_name:
            raise InvalidModelError(f"attribute {attribute.name!r} should hold a tensor or a graph, and holds none")
        self.graphs.extend(graphs)
        self.tensors.extend(tensors)
        return graphs


def graphs_of(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    """The graphs in an attribute, independent of its declared type."""
    return [attribute.g, *attribute.graphs] if attribute.HasField("g") else list(attribute.graphs)


_FIELDS = {
    onnx.AttributeProto.TENSOR: "t",
    onnx.AttributeProto.GRAPH: "g",
    onnx.AttributeProto.SPARSE_TENSOR: "sparse_tensor",
}
