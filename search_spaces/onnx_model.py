"""Space of the masks of one given ONNX model: its architecture and weight values are kept, connections are removed."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

import onnx_graph
from onnx_graph import GraphError, Weight
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.masked_space import MaskedSpace
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.options import SpaceOptions
from search_spaces.signature import Signature
from search_spaces.space import TrialLike


@dataclass(frozen=True, kw_only=True)
class ONNXOptions(SpaceOptions):
    """Options of the space.

    Attributes:
        model: path of the model's file; made absolute.
    """

    model: str = ""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if not isinstance(self.model, (str, Path)) or not str(self.model):
            raise InvalidOptionError(
                "space 'onnx' needs the option 'model': the path of the ONNX file whose masks are searched"
            )
        if not Path(self.model).is_file():
            raise InvalidOptionError(f"model {str(self.model)!r} is not a file; give the path of an ONNX file")
        object.__setattr__(self, "model", str(Path(self.model).resolve()))


@dataclass(frozen=True, kw_only=True)
class ONNXDesign:
    """The one design of the space.

    Attributes:
        model: hash of the file's bytes.
    """

    model: str


class MaskedModel:
    """A copy of the given model whose masks are not drawn yet."""

    def __init__(self, template: ir.Model, weights: Mapping[str, Weight]) -> None:
        """`template` is not changed."""
        self.structure: dict[str, Mask] = {}
        self._template = template
        self._weights = weights

    @property
    def layers(self) -> list[MaskLayer]:
        """All maskable weights."""
        return [
            MaskLayer(name=name, shape=weight.shape, kind=weight.kind, gates=weight.gates * weight.directions)
            for name, weight in self._weights.items()
        ]

    def model(self, masks: Mapping[str, Mask]) -> ir.Model:
        """The model with its weights where the masks keep them and 0 elsewhere."""
        model = self._template.clone()
        arrays = {}
        for name, weight in self._weights.items():
            value = model.graph.initializers[name].const_value
            if value is not None:
                # Not the product: a removed weight may be infinite, and -1 · 0 is not +0.
                arrays[name] = np.where(weight.stored(masks[name]), value.numpy(), np.float32(0))
        onnx_graph.set_weights(model, arrays)
        return model


class ONNXSpace(MaskedSpace[ONNXOptions, ONNXDesign]):
    """All masks of one model; a candidate names the file by its hash, so that another file is an error.

    Candidates take normalised inputs, like the candidates of the other spaces: the normalisation at the beginning of an
    exported file is left out, and the next export adds it again. They take batches of any size.
    """

    name = "onnx"
    options_type = ONNXOptions
    constant_genes = frozenset({"model"})

    def __init__(self, signature: Signature, settings: ONNXOptions) -> None:
        """Raises `InvalidOptionError` if the file is not a model, has nothing to mask, or does not fit the signature."""
        super().__init__(signature, settings)
        path = Path(settings.model)
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        try:
            self._template = _template(path)
        except GraphError as error:
            raise InvalidOptionError(f"model {settings.model!r} cannot be searched: {error}") from error
        self._weights = {weight.name: weight for weight in onnx_graph.weights(self._template)}
        if not self._weights:
            raise InvalidOptionError(
                f"model {settings.model!r} has no weight to mask; "
                "it needs a Gemm, MatMul, Conv, RNN, GRU or LSTM node with stored weights"
            )
        self._check_signature()

    def design(self, trial: TrialLike) -> ONNXDesign:
        """The design of the model; the trial must have the hash of the same file."""
        model = str(trial.suggest_categorical("model", [self.digest]))
        if model != self.digest:
            raise InvalidCandidateError(
                f"the candidate masks a model of hash {model}, but {self.settings.model!r} has {self.digest}; give the original file"
            )
        return ONNXDesign(model=model)

    def network(self, design: ONNXDesign) -> MaskedModel:
        """The model, to be masked."""
        return MaskedModel(self._template, self._weights)

    def _check_signature(self) -> None:
        graph = self._template.graph
        inputs = [value for value in graph.inputs if not value.is_initializer()]
        if len(inputs) != 1 or len(graph.outputs) != 1:
            raise InvalidOptionError(
                f"model {self.settings.model!r} has {len(inputs)} inputs and {len(graph.outputs)} outputs; it must have one of each"
            )
        wanted = self.signature.input_shape
        if not _fits(inputs[0], wanted):
            raise InvalidOptionError(
                f"model {self.settings.model!r} takes {inputs[0].shape}, the task gives a batch of {wanted}; "
                "reshape the data or export the model for it"
            )
        if not _fits(graph.outputs[0], (self.signature.outputs,), last_only=True):
            raise InvalidOptionError(
                f"model {self.settings.model!r} gives {graph.outputs[0].shape}, the task needs {self.signature.outputs} outputs at the end"
            )


def _template(path: Path) -> ir.Model:
    """The model of a file, simplified, without exported normalisation and metadata of tools, for any batch if possible."""
    model = onnx_graph.simplify(onnx_graph.load(path))
    with suppress(onnx_graph.FixedBatchError):  # the model can still be run in batches of its fixed size
        model = onnx_graph.free_batch(model)
    onnx_graph.drop_notes(model)
    found = onnx_graph.split_normalisation(model)
    return model if found is None else found.model


def _fits(value: ir.Value, wanted: tuple[int, ...], *, last_only: bool = False) -> bool:
    """Whether the known dimensions of the value are the wanted ones, after the batch axis or at the end of the shape."""
    if value.shape is None:
        return True
    dims = list(value.shape)[-len(wanted) :] if last_only else list(value.shape)[1:]
    if not last_only and len(value.shape) != len(wanted) + 1:
        return False
    return all(not isinstance(dim, int) or dim == size for dim, size in zip(dims, wanted, strict=True))
