"""Products of matrices: with a maskable weight, or of two tensors that both depend on the data."""

from onnx_graph.operators.axes import made_by, shape_of
from onnx_graph.operators.operator import Operator, Role
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Path, Relation, mixing, paths
from onnx_graph.propagation.step import Drop, Fold, Insert, Move, Step, Stretch
from onnx_graph.propagation.weighted import Through

_FREE = "zeros of a constant that is no maskable weight are not looked at"


def gemm(call: Call) -> Relation:
    """``alpha · A′ · B′ + beta · C``, where A′ and B′ are A and B, possibly transposed."""
    turned = [bool(call.integer(name, 0)) for name in ("transA", "transB")]
    found = _weighted(call, into=(1 - turned[0], int(turned[1])), out=(1, 0)) or _free(call, turned)
    if call.live[2:] and call.live[2]:
        found = paths(*found.stages[0], Path(0, 2, (Stretch(shape_of(call, 2), 2),)), blurs=found.blurs)
    return found


def matmul(call: Call) -> Relation:
    """Sums over the last axis of the first operand and the second to last axis of the second."""
    ranks = [len(shape_of(call, index)) for index in (0, 1)]
    axes = (ranks[0] - 1, max(ranks[1] - 2, 0))  # a vector has only one axis to sum over
    found = _weighted(call, into=axes, out=axes)
    if found is not None:
        return found
    if min(ranks) < 2:
        return mixing("a product of vectors is not followed")
    return _free(call, [False, False])


def _weighted(call: Call, into: tuple[int, int], out: tuple[int, int]) -> Relation | None:
    """Relation of a product with a weight, else None; `into` and `out` give the axis for data as first and as second operand."""
    for data in (0, 1):
        weight = call.product(1 - data)
        if weight is not None and call.live[data] and not call.live[1 - data]:
            return paths(Path(0, data, (Through(weight, into[data], out[data]),)))
    return None


def _free(call: Call, turned: list[bool]) -> Relation:
    """Relation of a product without a maskable weight: rows of the first operand and columns of the second are kept apart."""
    rank = len(made_by(call))
    found = []
    for index in (0, 1):
        if call.live[index]:
            turn: tuple[Step, ...] = (Move((1, 0)),) if turned[index] else ()
            stretch = Stretch(shape_of(call, index), rank)
            found.append(Path(0, index, (*turn, stretch, Fold((rank - 1 - index,)))))
    return paths(*found, blurs="" if len(found) == 2 else _FREE)


def einsum(call: Call) -> Relation:
    """Sums over letters that do not occur in the result."""
    terms, arrow, result = call.text("equation", "").replace(" ", "").partition("->")
    letters = terms.split(",")
    if not arrow or "." in terms or any(len(set(one)) < len(one) for one in (*letters, result)):
        return mixing("an equation with dots, without a result or with a letter twice in a term is not followed")
    found = []
    for index, term in enumerate(letters):
        if call.live[index]:
            found.append(Path(0, index, _summed(term, result)))
    return paths(*found, blurs="" if all(call.live) else _FREE)


def _summed(term: str, result: str) -> tuple[Step, ...]:
    """Steps from the axes of a term to the axes of the result."""
    gone = tuple(axis for axis, letter in enumerate(term) if letter not in result)
    left = [letter for letter in term if letter in result]
    order = tuple(left.index(letter) for letter in result if letter in left)
    new = tuple(axis for axis, letter in enumerate(result) if letter not in left)
    return (Fold(gone), Drop(gone), Move(order), Insert(new))


_EITHER: dict[int, Role] = {0: "weight", 1: "weight"}

OPERATORS = (
    *Operator(kind="dense", flow=gemm, reads=None, ports={**_EITHER, 2: "bias"}).named("Gemm"),
    *Operator(kind="dense", flow=matmul, reads=None, ports=_EITHER).named("MatMul"),
    *Operator(kind="matmul", flow=einsum, reads=None, rigid=True, folds=False).named("Einsum"),
    *Operator(kind="matmul").named("MatMulInteger Det"),
    *Operator(kind="attention").named("Attention"),
    *Operator(kind="attention", domain="com.microsoft", folds=False).named("MultiHeadAttention GroupQueryAttention"),
    *Operator(kind="attention").named("RotaryEmbedding"),
)
