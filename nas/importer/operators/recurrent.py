"""RNN, GRU and LSTM: one product per gate for the inputs of all steps, then a loop with few operations per step.

Every gate has its own product, and the bias is a part of the input weights. One wide product for all gates would have to
be cut into strided views; they cost more than the smaller products when `torch.func.vmap` stacks many networks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.importer.node import Kernel, Node, Several
from onnx_graph.operators import TABLE

Activation = Callable[[Tensor], Tensor]
State = tuple[Tensor, ...]
# One step: input part of each gate ``(N, H)``, state before → state after. The first entry of the state is the output.
Step = Callable[[Sequence[Tensor], State], State]

_ACTIVATIONS: Mapping[str, Activation] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softsign": functional.softsign,
    "softplus": functional.softplus,
}
_BACKWARD = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@dataclass(frozen=True)
class _Layer:
    """Options that the three operators have in common.

    Attributes:
        backward: for each direction, whether it runs from the last step to the first.
        batch_first: whether layout=1, that is, ``x (N, T, I)`` and outputs in the same order.
        activations: activation functions of each direction.
    """

    backward: tuple[bool, ...]
    batch_first: bool
    activations: tuple[tuple[Activation, ...], ...]


@dataclass(frozen=True)
class _Weights:
    """Weights of one direction, one tensor per gate.

    Attributes:
        inputs: ``(I, H)``, or ``(I + 1, H)`` with the bias as last row.
        recurrent: ``(H, H)``.
        hidden_bias: ``(H,)``, recurrent bias of the last gate if it cannot be added to the input bias, else None.
        peepholes: ``(H,)`` each, only for an LSTM with peepholes.
    """

    inputs: Sequence[Tensor]
    recurrent: Sequence[Tensor]
    hidden_bias: Tensor | None
    peepholes: Sequence[Tensor] | None


# Makes the step function of one direction.
Cell = Callable[[_Weights, tuple[Activation, ...]], Step]


def _layer(node: Node) -> _Layer:
    defaults = TABLE[node.operator].gate_functions
    backward = _BACKWARD[node.option("direction", "forward", tuple(_BACKWARD))]
    names = tuple(name.lower() for name in node.strings("activations") or defaults * len(backward))
    unknown = [name for name in names if name not in _ACTIVATIONS]
    if unknown:
        raise node.refuse(f"activation {unknown[0]!r} is not one of {', '.join(_ACTIVATIONS)}")
    clip = node.number("clip") if node.attribute("clip") else None
    functions = tuple(_clipped(_ACTIVATIONS[name], clip) for name in names)
    count = len(defaults)
    by_direction = tuple(functions[d * count : (d + 1) * count] for d in range(len(backward)))
    return _Layer(backward, bool(node.integer("layout")), by_direction)


def _clipped(function: Activation, limit: float | None) -> Activation:
    return function if limit is None else lambda x: function(x.clamp(-limit, limit))


def _recurrent(layer: _Layer, gates: int, cell: Cell, *, apart: bool = False) -> Several:
    """The kernel of a recurrent operator: outputs Y, then the last value of each state.

    Args:
        apart: whether the last gate keeps its recurrent bias apart from the input bias (GRU with linear_before_reset).
    """

    def run(
        x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None, *rest: Tensor | None
    ) -> tuple[Tensor, ...]:
        starts, peepholes = rest[:2], rest[2] if len(rest) > 2 else None
        if layer.batch_first:
            x = x.transpose(0, 1)
        outputs, states = [], []
        for d, backward in enumerate(layer.backward):
            weights = _gate_weights(w[d], r[d], b, peepholes, d, gates, apart)
            step = cell(weights, layer.activations[d])
            begin = _start(starts, d, x, r, layer.batch_first)
            y, last = _loop(step, _project(_turn(x, lengths) if backward else x, weights.inputs), begin, lengths)
            outputs.append(_turn(y, lengths) if backward else y)
            states.append(last)
        axis = 2 if layer.batch_first else 1
        ys = torch.stack([y.transpose(0, 1) if layer.batch_first else y for y in outputs], axis)
        return (ys, *(torch.stack(state, axis - 1) for state in zip(*states, strict=True)))

    return Several(run)


def _gate_weights(
    w: Tensor, r: Tensor, b: Tensor | None, p: Tensor | None, d: int, gates: int, apart: bool
) -> _Weights:
    """Cut the matrices of one direction into gates, and append the bias to the input weights of each gate."""
    hidden_bias = None
    if b is not None:
        left, right = b[d].chunk(2)
        bias = left + right
        if apart:
            size = r.shape[-1]
            bias, hidden_bias = torch.cat([bias[:-size], left[-size:]]), right[-size:]
        w = torch.cat([w, bias.unsqueeze(1)], 1)
    recurrent = [part.t().contiguous() for part in r.chunk(gates)]
    peepholes = None if p is None else p[d].chunk(3)
    return _Weights([part.t() for part in w.chunk(gates)], recurrent, hidden_bias, peepholes)


def _project(x: Tensor, weights: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """The input part of each gate at each step: ``x (T, N, I)`` → T tuples with one ``(N, H)`` per gate."""
    rows = x.reshape(-1, x.shape[-1])
    if weights[0].shape[0] > rows.shape[1]:
        rows = torch.cat([rows, rows.new_ones(rows.shape[0], 1)], 1)
    gates = [(rows @ weight).reshape(x.shape[0], x.shape[1], -1).unbind(0) for weight in weights]
    return list(zip(*gates, strict=True))


def _start(given: Sequence[Tensor | None], d: int, x: Tensor, r: Tensor, batch_first: bool) -> State:
    """The states before the first step; the second is used by the LSTM only."""
    zeros = x.new_zeros(x.shape[1], r.shape[-1])
    known = [zeros if value is None else value.select(1 if batch_first else 0, d) for value in given]
    return tuple([*known, zeros, zeros][:2])


def _turn(y: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse ``(T, N, …)`` in time, each sequence within its own length."""
    if lengths is None:
        return y.flip(0)
    time = torch.arange(y.shape[0], device=y.device).unsqueeze(1)
    index = torch.where(time < lengths, lengths - 1 - time, time).to(torch.int64)
    return y.gather(0, index.unsqueeze(-1).expand(y.shape))


def _loop(
    step: Step, inputs: Sequence[tuple[Tensor, ...]], state: State, lengths: Tensor | None
) -> tuple[Tensor, State]:
    """Run over the steps; after the end of a sequence its state stays the same and its outputs are zero."""
    outputs = []
    for t, x in enumerate(inputs):
        new = step(x, state)
        if lengths is not None:
            running = (t < lengths).unsqueeze(-1)
            outputs.append(torch.where(running, new[0], torch.zeros_like(new[0])))
            state = tuple(torch.where(running, n, s) for n, s in zip(new, state, strict=False))
        else:
            outputs.append(new[0])
            state = new
    return torch.stack(outputs), state


def _rnn(node: Node) -> Kernel:
    def cell(weights: _Weights, activations: tuple[Activation, ...]) -> Step:
        (r,), (f,) = weights.recurrent, activations

        def step(x: Sequence[Tensor], state: State) -> State:
            return (f(x[0] + state[0] @ r),)

        return step

    return _recurrent(_layer(node), 1, cell)


def _gru(node: Node) -> Kernel:
    """Gates z (update), r (reset), h (hidden). The reset is applied before or after the recurrent product."""
    after = bool(node.integer("linear_before_reset"))

    def cell(weights: _Weights, activations: tuple[Activation, ...]) -> Step:
        (rz, rr, rh), bias, (f, g) = weights.recurrent, weights.hidden_bias, activations

        def hidden(h: Tensor, reset: Tensor, x: Tensor) -> Tensor:
            if not after:
                return g(x + (reset * h) @ rh)
            return g(torch.addcmul(x, reset, h @ rh if bias is None else h @ rh + bias))

        def step(x: Sequence[Tensor], state: State) -> State:
            h = state[0]
            z, r = f(x[0] + h @ rz), f(x[1] + h @ rr)
            return (torch.lerp(hidden(h, r, x[2]), h, z),)

        return step

    return _recurrent(_layer(node), 3, cell, apart=after)


def _lstm(node: Node) -> Kernel:
    """Gates i (input), o (output), f (forget), c (cell); peepholes, if given, read the cell state."""
    if node.integer("input_forget"):
        raise node.refuse("input_forget=1 is not implemented")

    def cell(weights: _Weights, activations: tuple[Activation, ...]) -> Step:
        (ri, ro, rf, rc), (f, g, h) = weights.recurrent, activations
        pi, po, pf = weights.peepholes or (None, None, None)

        def look(gate: Tensor, peephole: Tensor | None, c: Tensor) -> Tensor:
            return f(gate if peephole is None else torch.addcmul(gate, peephole, c))

        def step(x: Sequence[Tensor], state: State) -> State:
            hidden, c = state
            i, forget = look(x[0] + hidden @ ri, pi, c), look(x[2] + hidden @ rf, pf, c)
            c = torch.addcmul(forget * c, i, g(x[3] + hidden @ rc))
            return look(x[1] + hidden @ ro, po, c) * h(c), c

        return step

    return _recurrent(_layer(node), 4, cell)


RECURRENT: Mapping[str, Callable[[Node], Kernel]] = {"GRU": _gru, "LSTM": _lstm, "RNN": _rnn}
