"""Notes in a graph: text that tools add to the network itself, such as stack traces with paths of the exporting machine.

PyTorch's exporter writes the source line, the class hierarchy and the traced call for every node: four fifths of the bytes of
a small transformer's file.
"""

from collections.abc import Iterator

import onnx_ir as ir

from onnx_graph.norm_bound import NORM_BOUND_KEY

_TOOLS = "pkg."
"""Prefix of the metadata names that tools write into a model; other entries are from the author and are kept."""


def drop_notes(model: ir.Model) -> None:
    """Remove all notes in place: descriptions and metadata of graphs, nodes, values and functions, and tools' metadata of the model.

    The author's own metadata of the model, all names, and the norm bounds of weights, which training reads, are kept.
    """
    model.doc_string = None
    for name in [name for name in model.metadata_props if name.startswith(_TOOLS)]:
        del model.metadata_props[name]
    for graph in _graphs(model):
        graph.doc_string = None
        graph.metadata_props.clear()
        for value in (*graph.inputs, *graph.outputs, *_initializers(graph)):
            _clear(value)
        for node in graph.all_nodes():
            _clear(node)
            for value in node.outputs:
                _clear(value)
            for attribute in node.attributes.values():
                attribute.doc_string = None


def _graphs(model: ir.Model) -> Iterator[ir.Graph | ir.Function]:
    """The main graph, the functions, and the graphs inside of nodes."""
    outer: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for graph in outer:
        yield graph
        yield from graph.subgraphs()


def _initializers(graph: ir.Graph | ir.Function) -> Iterator[ir.Value]:
    if isinstance(graph, ir.Graph):
        for value in graph.initializers.values():
            yield value
            tensor = value.const_value
            if tensor is not None and (tensor.doc_string or tensor.metadata_props):
                value.const_value = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)


def _clear(thing: ir.Node | ir.Value) -> None:
    thing.doc_string = None
    for name in [name for name in thing.metadata_props if name != NORM_BOUND_KEY]:
        del thing.metadata_props[name]
