"""Recurrent operators: hidden units are distinguished, steps and gates are not."""

from dataclasses import replace

from onnx_graph.operators.axes import rank_of, shape_of
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Path, Relation, mixing
from onnx_graph.propagation.step import Drop, Fold, Insert, Mix, Step
from onnx_graph.propagation.weighted import Enter, Run


def recurrent(call: Call) -> Relation:
    """Inputs and initial states reach hidden units, hidden units reach each other over the steps, and the outputs contain them."""
    weights = call.recurrence()
    if weights is None or rank_of(call) != 3:
        return mixing("its weights are no maskable ones")
    by_batch = call.integer("layout", 0)
    entering = [
        Path(0, index, _into(call, index, Enter(weights), by_batch)) for index, one in enumerate(call.live) if one
    ]
    step = (Path(0, 0, (Run(weights),)),)
    # Outputs of all steps have the shape (steps, directions, batch, hidden), states (directions, batch, hidden); layout 1: batch first.
    every, last = (Insert((0, 1)), Insert((0,))) if by_batch else (Insert((0, 2)), Insert((1,)))
    leaving = tuple(Path(index, 0, (last if index else every,)) for index in range(len(call.outputs)))
    return Relation(
        (tuple(entering), step, leaving), blurs="steps of a sequence and the gates of a unit are not told apart"
    )


def _into(call: Call, index: int, enter: Enter, by_batch: int) -> tuple[Step, ...]:
    """Steps from an input to the hidden units."""
    if index == 0:
        return (Fold((0, 1)), Drop((0, 1)), enter)
    if index in (5, 6):
        axes = (0,) if by_batch else (1,)
        return (Fold(axes), Drop(axes))
    return (Mix(len(shape_of(call, index)), 2),)


_RECURRENT = Operator(flow=recurrent, reads=None, folds=False)

OPERATORS = (
    *replace(
        _RECURRENT,
        kind="rnn",
        gates=1,
        gate_functions=("tanh",),
        ports={1: "weight", 2: "weight", 3: "bias", 4: "lengths", 5: "state"},
    ).named("RNN"),
    *replace(
        _RECURRENT,
        kind="gru",
        gates=3,
        gate_functions=("sigmoid", "tanh"),
        ports={1: "weight", 2: "weight", 3: "bias", 4: "lengths", 5: "state"},
    ).named("GRU"),
    *replace(
        _RECURRENT,
        kind="lstm",
        gates=4,
        gate_functions=("sigmoid", "tanh", "tanh"),
        ports={1: "weight", 2: "weight", 3: "bias", 4: "lengths", 5: "state", 6: "state", 7: "peephole"},
    ).named("LSTM"),
)
