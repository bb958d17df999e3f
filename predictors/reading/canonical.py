"""Reading an ONNX graph as a canonical graph: operators of few classes, without nodes that do not change the function.

Identity, Dropout and Cast are removed, and constants become part of their operator. A bias or a batch normalisation after a
product becomes part of the product. Gemm, MatMul and a convolution over its whole input are one class, `dense`. An input that
is only read flattened gets a flat shape. A scaling of the inputs and a last softmax are removed.
"""

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from onnx_graph import InvalidModelError
from onnx_graph.internals import FLOATS, WeightUse, array_of, name_of, weight_of_shape, weight_uses
from onnx_graph.operators import TABLE, facts_of
from predictors.reading import operators
from predictors.reading.attributes import Shape, integers, settings
from predictors.reading.canonical_graph import Block, CanonicalGraph, Operator
from predictors.reading.decompositions import join_decompositions
from predictors.reading.end_steps import drop_end_steps
from predictors.reading.layer_fusion import join_layers
from predictors.reading.links import Links

MAX_VIRTUAL, MAX_VIRTUAL_RECURRENT = 2**31, 2**27
"""Largest size, in numbers, of a weight whose data is not in the file; smaller for recurrent weights, whose gates need memory."""

_GRAPHS = frozenset({ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS})


def canonical_graph(model: ir.Model) -> CanonicalGraph:
    """Read a model; fold constant parts before (`onnx_graph.simplify`)."""
    reader = _Reader(model)
    graph = CanonicalGraph(
        join_decompositions(reader.read()), reader.shapes, tuple(sorted(reader.unknown)), reader.opset
    )
    drop_end_steps(graph)
    join_layers(graph)
    _flatten_inputs(graph)
    return graph


def _flatten_inputs(graph: CanonicalGraph) -> None:
    """Make inputs flat that are only read flattened, so that a perceptron is the same for rows of numbers and for images."""
    readers = Links(graph.operators).readers
    for operator in graph.operators:
        if operator.kind == "input":
            value = operator.outputs[0]
            shape = graph.shapes[value]
            if shape is not None and len(shape) > 2:
                flat = (shape[0], prod(shape[1:]))
                if readers.get(value) and all(_reads_flat(one, flat, graph.shapes) for one in readers[value]):
                    graph.shapes[value] = flat


def _reads_flat(operator: Operator, flat: Shape, shapes: Sequence[Shape | None]) -> bool:
    if operator.kind == "reshape":
        return shapes[operator.outputs[0]] == flat
    # Only a convolution over the whole image: a product along the last axis keeps the other axes.
    whole = operator.name == "Conv" and operator.kind == "dense" and operator.unit_axis == 1
    return whole and operator.blocks[0].shape[1] == flat[1]


def is_constant(value: ir.Value) -> bool:
    """Whether a value has its data in the file."""
    return value.const_value is not None


class _Reader:
    """A reader that turns nodes into operators in one pass, in topological order."""

    def __init__(self, model: ir.Model) -> None:
        self.graph = model.graph
        self.opset = next((version for domain, version in model.opset_imports.items() if domain in ("", "ai.onnx")), 17)
        self.shapes: list[Shape | None] = []
        self.unknown: set[str] = set()
        self._ids: dict[ir.Value, int] = {}
        # Constants whose data is not stored: whether they are free of zeros, and their shape.
        self._virtual: dict[ir.Value, tuple[bool, Shape | None]] = {}
        self._uses: dict[ir.Node, list[WeightUse]] = {}
        # A weight that is read in two orientations gives two blocks.
        self._blocks: dict[tuple[ir.Value, bool], Block] = {}
        for use in weight_uses(model):
            self._uses.setdefault(use.node, []).append(use)

    def read(self) -> list[Operator]:
        found = [
            Operator("input", "input", None, [], [], [self._new(value)])
            for value in self.graph.inputs
            if not is_constant(value)
        ]
        for node in self._live_nodes():
            found.extend(self._operator(node))
        for value in self.graph.outputs:
            inputs = [self._ids[value]] if value in self._ids else []
            found.append(Operator("output", "output", None, inputs, [0] * len(inputs), []))
        return found

    def _live_nodes(self) -> list[ir.Node]:
        needed = set(self.graph.outputs)
        live = []
        for node in reversed(self.graph):
            if not needed.isdisjoint(node.outputs):
                live.append(node)
                needed.update(value for value in _reads(node) if value is not None)
        return live[::-1]

    def _new(self, value: ir.Value) -> int:
        index = self._ids[value] = len(self.shapes)
        self.shapes.append(_static(value.shape))
        return index

    def _operator(self, node: ir.Node) -> Iterator[Operator]:
        data = [
            (position, value) for position, value in enumerate(_reads(node)) if value is not None and value in self._ids
        ]
        facts = facts_of(node.domain, node.op_type)
        kind = operators.class_of(node.domain, node.op_type)
        if (not data and kind != "random") or facts.shape_only:
            self._constant(node)
            return
        if facts.passes and not _random_dropout(node):
            self._ids[node.outputs[0]] = self._ids[data[0][1]]
            if len(node.outputs) == 1:
                return
        name = f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        if kind is None:
            self.unknown.add(name)
            kind = operators.unknown_class(name)
        made = [place for place, value in enumerate(node.outputs) if value not in self._ids and _wanted(node, value)]
        found = Operator(
            kind,
            name,
            node,
            [self._ids[value] for _, value in data],
            [place for place, _ in data],
            [self._new(node.outputs[place]) for place in made],
            results=made,
            facts=facts,
        )
        found.settings = settings(node, self.opset)
        wanted = tuple(place for place, value in enumerate(node.outputs) if value.uses() or value.is_graph_output())
        if 0 < len(wanted) < len(node.outputs) and wanted != (0,):
            found.settings["outputs"] = wanted
        found.variant = operators.variant(node.domain, node.op_type)
        self._take_constants(found, node)
        _classify(found, self.shapes)
        yield found

    def _constant(self, node: ir.Node) -> None:
        """Remember a node that does not depend on the numbers of any input: shape arithmetic, and constants too large to compute."""
        filled = node.op_type == "ConstantOfShape" and "value" in node.attributes
        zero = node.op_type == "ConstantOfShape" and not (
            filled and np.any(node.attributes["value"].as_tensor().numpy())
        )
        for value in node.outputs:
            # Shape inference does not know quantisers of other domains; their output has the shape of their input.
            like = node.inputs[0] if operators.class_of(node.domain, node.op_type) == "quantise" else None
            self._virtual[value] = (not zero, _static(value.shape or (like.shape if like is not None else None)))

    def _take_constants(self, operator: Operator, node: ir.Node) -> None:
        uses = {use.index: use for use in self._uses.get(node, ())}
        for position, value in enumerate(node.inputs):
            if value is None or value in self._ids:
                continue
            if position in uses:
                operator.blocks.append(self._block(uses[position]))
            elif is_constant(value):
                self._take_constant(operator, value, position)
            elif value in self._virtual:
                self._take_virtual(operator, node, value, position)

    def _block(self, use: WeightUse) -> Block:
        key = (use.value, use.weight.transposed)
        known = self._blocks.get(key)
        if known is None or known.shape != use.weight.shape:
            weight = use.weight
            array = array_of(use.value)
            nnz = int(np.count_nonzero(array))
            masks = None if nnz == array.size else np.asarray(weight.canonical(array != 0), dtype=np.bool_)[None]
            known = Block(
                *(use.value, weight.kind, weight.shape, masks, np.array([nnz])),
                *(weight.groups, weight.gates, weight.directions),
            )
            self._blocks[key] = known
        return known

    def _take_constant(self, operator: Operator, value: ir.Value, position: int) -> None:
        tensor, facts = value.const_value, operator.facts
        if tensor is None or tensor.dtype not in FLOATS or position in facts.settings:
            return
        if facts.ports.get(position) in ("lengths", "state"):
            return
        shape = tuple(int(size) for size in tensor.shape.numpy())
        operator.constants.append(shape)
        operator.params += prod(shape)

    def _take_virtual(self, operator: Operator, node: ir.Node, value: ir.Value, position: int) -> None:
        dense, shape = self._virtual[value]
        if shape is None:
            return
        block = _virtual_block(node, value, position, shape, dense=dense)
        if block is not None:
            operator.blocks.append(block)
        else:
            operator.constants.append(shape)
            operator.params += prod(shape)


def _wanted(node: ir.Node, value: ir.Value) -> bool:
    """Whether an output is kept: only if it is read; a Split keeps all outputs, as their order gives the positions of its parts."""
    return node.op_type == "Split" or bool(value.uses()) or value.is_graph_output()


def _reads(node: ir.Node) -> Sequence[ir.Value | None]:
    """Inputs of a node, and outer values that the graphs in its attributes read."""
    attributes = node.attributes
    if not attributes or not any(attribute.type in _GRAPHS for attribute in attributes.values()):
        return node.inputs
    outer: list[ir.Value | None] = list(node.inputs)
    for attribute in node.attributes.values():
        graphs = [attribute.value] if attribute.type == ir.AttributeType.GRAPH else []
        if attribute.type == ir.AttributeType.GRAPHS:
            graphs = list(attribute.value)
        for graph in graphs:
            inner = list(graph.all_nodes())
            made = {value for one in inner for value in one.outputs} | set(graph.inputs)
            taken = [value for one in inner for value in one.inputs if value is not None and value not in made]
            outer.extend(dict.fromkeys([*taken, *(value for value in graph.outputs if value not in made)]))
    return outer


def _static(shape: ir.Shape | None) -> Shape | None:
    if shape is None:
        return None
    return tuple(size if isinstance(size, int) and size > 0 else 1 for size in shape.dims)


def _random_dropout(node: ir.Node) -> bool:
    """Whether a node is a Dropout that is active at inference (possible from opset 12 on)."""
    if node.op_type != "Dropout" or len(node.inputs) < 3 or node.inputs[2] is None:
        return False
    tensor = node.inputs[2].const_value
    return tensor is None or bool(np.any(tensor.numpy()))


def _virtual_block(node: ir.Node, value: ir.Value, position: int, shape: Shape, *, dense: bool) -> Block | None:
    """The block of a weight whose data is not in the file, but is known to be all zero or free of zeros."""
    weight = weight_of_shape(node, position, value.name or "", shape)
    if weight is None:
        return None
    canonical = weight.shape
    limit = MAX_VIRTUAL_RECURRENT if weight.is_recurrent else MAX_VIRTUAL
    if prod(canonical) > limit:
        raise InvalidModelError(
            f"weight {value.name!r} of node {name_of(node)!r} is made by the graph itself with shape {list(shape)}, "
            f"more than {limit} numbers"
        )
    masks = None if dense else np.broadcast_to(np.False_, (1, *canonical))
    counts = np.array([prod(canonical) if dense else 0])
    return Block(value, weight.kind, canonical, masks, counts, weight.groups, weight.gates, weight.directions)


def _classify(operator: Operator, shapes: list[Shape | None]) -> None:
    """Correct the class of an operator where it depends on more than the operator's name."""
    node = operator.node
    if operator.kind == "dense" and not operator.blocks:
        operator.kind = "matmul"
    elif operator.kind == "dense":
        operator.settings.pop("transB" if operator.positions[0] == 0 else "transA", None)
        operator.unit_axis = -1 if operator.positions[0] == 0 else -2
        operator.variant = 0.0
        for name in ("alpha", "beta"):
            if operator.settings.get(name) == 1.0:
                del operator.settings[name]
    elif operator.kind in ("add", "mul") and len(operator.inputs) == 1 and operator.constants:
        operator.variant = 0.0 if operator.kind == "add" else 0.5
        operator.kind = "affine"
        if operator.facts.ordered and operator.positions[0] == 1:
            operator.variant += 0.25
    elif operator.name == "Gather" and node is not None and operator.positions == [1]:
        operator.kind = "embedding"
    elif operator.kind == "conv":
        _as_dense(operator, shapes)
    elif operator.kind == "reshape" or (operator.name == "Transpose" and _keeps_order(operator, shapes)):
        operator.kind, operator.facts = "reshape", TABLE["Reshape"]
        operator.settings.clear()


def _keeps_order(operator: Operator, shapes: list[Shape | None]) -> bool:
    """Whether a Transpose only moves axes of length 1 or the batch axis, so that the order of an example's numbers is unchanged."""
    shape = shapes[operator.inputs[0]]
    if shape is None:
        return False
    order = integers(operator.settings.get("perm")) or tuple(reversed(range(len(shape))))
    moved = [axis for axis in order if axis < len(shape) and shape[axis] > 1]
    return moved == sorted(moved)


def _as_dense(operator: Operator, shapes: list[Shape | None]) -> None:
    """Turn a convolution whose window is its whole input into a dense layer of the flattened input."""
    if len(operator.blocks) != 1 or operator.blocks[0].groups != 1:
        return
    block, source = operator.blocks[0], shapes[operator.inputs[0]]
    if source is None or source[2:] != block.shape[2:] or any(integers(operator.settings.get("pads")) or ()):
        return
    if str(operator.settings.get("auto_pad", "NOTSET")).startswith("SAME") and prod(source[2:]) > 1:
        return
    shape = (block.shape[0], prod(block.shape[1:]))
    masks = None if block.masks is None else block.masks.reshape(-1, *shape)
    operator.blocks = [Block(block.owner, "dense", shape, masks, block.counts)]
    operator.kind, operator.unit_axis, operator.variant = "dense", 1, 0.0
    for name in ("pads", "strides", "dilations", "auto_pad", "group", "kernel_shape"):
        operator.settings.pop(name, None)
