"""PyTorch modules as graphs: the same outputs for any batch, baked weights, untouched modules, clear errors."""

import io
import subprocess
import sys

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import nas
import onnx_graph
from nas.errors import UnsupportedModuleError, UsageError
from nas.importer import import_model
from nas.torch_export.torch_module import _frozen_copy

# torch.onnx.export warns of its own future changes.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


class Convolutional(nn.Module):
    """Residual, depthwise, batch norm, pooling, a pruned convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.depthwise, self.pointwise = nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 4, 1)
        self.pool, self.drop, self.head = nn.AvgPool2d(3, 2, ceil_mode=True), nn.Dropout(0.5), nn.Linear(16, 3)
        prune.random_unstructured(self.pointwise, "weight", 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = x + torch.nn.functional.silu(self.pointwise(self.depthwise(x)))
        return self.head(self.drop(self.pool(x).flatten(1)))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **options: object) -> None:
        super().__init__()
        self.cells = kind(3, 5, batch_first=True, **options)
        self.head = nn.Linear(5 * (2 if self.cells.bidirectional else 1), 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cells(x)[0])


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def _mlp() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 5)), nn.GELU(), nn.LayerNorm(5), nn.Linear(5, 3))


def _transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(8, 4))


MODULES = {
    "mlp": (_mlp, (4,)),
    "cnn": (Convolutional, (1, 5, 5)),
    "gru": (lambda: Recurrent(nn.GRU, bidirectional=True), (6, 3)),
    "transformer": (_transformer, (6, 8)),
}
FURTHER = {
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2), (6, 3)),
    "rnn": (lambda: Recurrent(nn.RNN), (6, 3)),
    "rnn-relu": (lambda: Recurrent(nn.RNN, nonlinearity="relu"), (6, 3)),
}


def _example(shape: tuple[int, ...], batch: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((batch, *shape)).astype(np.float32))


def _make(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    build, shape = {**MODULES, **FURTHER}[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build()
        module(_example(shape, 8))  # in training, so that the statistics of batch norm are no longer 0 and 1
    return module, shape


@pytest.fixture(scope="session")
def exported() -> dict[str, tuple[nn.Module, ir.Model]]:
    found = {}
    for name in MODULES:
        module, shape = _make(name)
        weights = [part.weight for part in module.modules() if prune.is_pruned(part) and hasattr(part, "weight")]
        found[name] = (module, nas.from_torch(module, _example(shape)))
        # The module holds the very tensors that it held before, their history included.
        assert all(any(part.__dict__.get("weight") is weight for part in module.modules()) for weight in weights)
        assert all(weight.grad_fn is not None for weight in weights)
    return found


def _check(module: nn.Module, model: ir.Model, shape: tuple[int, ...]) -> None:
    """Equal outputs of module, importer and onnxruntime, for batches other than the example's."""
    network = import_model(model)
    data = ir.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    training = module.training
    module.eval()
    for batch in (1, 5):
        x = _example(shape, batch, seed=batch)
        with torch.no_grad():
            expected = module(x)
            found, _ = network(network.parameters, network.buffers, x)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        reference = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
        np.testing.assert_allclose(reference, expected.numpy(), rtol=1e-4, atol=1e-5)
    module.train(training)


@pytest.mark.parametrize("name", MODULES)
def test_graph_computes_what_the_module_does(name, exported) -> None:
    module, model = exported[name]
    _check(module, model, MODULES[name][1])


@pytest.mark.slow
@pytest.mark.parametrize("name", FURTHER)
def test_further_graph_computes_what_the_module_does(name) -> None:
    module, shape = _make(name)
    _check(module, nas.from_torch(module, _example(shape)), shape)


@pytest.mark.parametrize("name", [*MODULES, *FURTHER])
@pytest.mark.filterwarnings("ignore")
def test_export_by_the_old_exporter_computes_what_the_module_does(name) -> None:
    module, shape = _make(name)
    module.eval()
    file = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "N"}}}
    torch.onnx.export(module, (_example(shape, 2),), file, dynamo=False, opset_version=17, **names)
    _check(module, ir.from_proto(onnx.load_from_string(file.getvalue())), shape)


def test_batch_axis_is_free_and_all_shapes_are_known(exported) -> None:
    for name, (_, model) in exported.items():
        assert [str(size) for size in model.graph.inputs[0].shape] == ["N", *map(str, MODULES[name][1])]
        assert str(model.graph.outputs[0].shape[0]) == "N"
        for node in model.graph:
            assert all(value.shape is not None for value in node.outputs), node


def test_parameters_keep_their_names_and_batch_norm_stays(exported) -> None:
    model = exported["cnn"][1]
    assert {"stem.weight", "norm.weight", "norm.running_var", "head.bias"} <= set(model.graph.initializers)
    assert "BatchNormalization" in {node.op_type for node in model.graph}
    assert {"0.weight", "3.weight"} <= set(exported["mlp"][1].graph.initializers)
    weights = {weight.name for weight in onnx_graph.weights(exported["gru"][1])}
    assert "head.weight" in weights
    assert len(weights) == 3


def test_no_shape_arithmetic_is_left(exported) -> None:
    for _, model in exported.values():
        assert not {node.op_type for node in model.graph} & {"Shape", "Constant", "Identity", "Expand"}


def test_exporter_notes_are_gone(exported) -> None:
    for _, model in exported.values():
        text = str(ir.to_proto(model))
        assert "metadata_props" not in text
        assert "doc_string" not in text
        assert __file__ not in text


def test_pruned_weights_are_baked_and_the_module_is_left_alone(exported) -> None:
    module, model = exported["cnn"]
    kept = model.graph.initializers["pointwise.weight"].const_value.numpy() != 0
    assert kept.sum() == 8
    np.testing.assert_array_equal(kept, module.pointwise.weight_mask.numpy() != 0)
    assert module.training
    assert prune.is_pruned(module.pointwise)
    assert module.pointwise.weight_orig.requires_grad
    mlp = exported["mlp"][0]
    assert torch.nn.utils.parametrize.is_parametrized(mlp[0])
    assert mlp[0].weight.shape == (5, 4)


def test_graph_is_saved_and_loaded(exported, tmp_path) -> None:
    module, model = exported["transformer"]
    onnx_graph.save(model, tmp_path / "model.onnx")
    _check(module, onnx_graph.load(tmp_path / "model.onnx"), MODULES["transformer"][1])


def test_unsupported_module_is_a_clear_error() -> None:
    with pytest.raises(UnsupportedModuleError, match=r"^Branching cannot become a graph: [^\n]*data-dependent[^\n]*$"):
        nas.from_torch(Branching(), torch.ones(2, 3))


class _NamedLikePruned(nn.Linear):
    """Parameters of its own whose names are those that pruning gives."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.gain_orig, self.gain_mask = nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(2))


def test_computed_weights_are_baked_into_a_copy() -> None:
    from torch.nn.utils import spectral_norm, weight_norm

    with torch.random.fork_rng():
        torch.manual_seed(0)
        pruned = prune.l1_unstructured(nn.Linear(3, 2), "weight", 4)
        spectral, own = spectral_norm(nn.Linear(3, 2)), _NamedLikePruned()
        normed = weight_norm(nn.Linear(3, 2))
    x = torch.ones(1, 3)
    for module in (pruned, spectral, normed, own):
        module.eval()
        frozen = _frozen_copy(module)
        torch.testing.assert_close(frozen(x), module(x))
        assert {"weight", "bias"} <= {name for name, _ in frozen.named_parameters()}
        assert "weight_orig" not in dict(frozen.named_parameters())
    assert {"weight_orig", "bias"} == {name for name, _ in pruned.named_parameters()}
    assert "gain_orig" in dict(_frozen_copy(own).named_parameters())


def test_example_that_does_not_fit_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match=r"Linear cannot run on an example of shape \(2, 5\)"):
        nas.from_torch(nn.Linear(4, 3), torch.ones(2, 5))
    with pytest.raises(UsageError, match=r"needs a torch\.nn\.Module"):
        nas.from_torch("model", torch.ones(2, 5))
    with pytest.raises(UsageError, match=r"at least one example, got shape \(0, 4\)"):
        nas.from_torch(nn.Linear(4, 3), torch.ones(0, 4))


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, nas, nas.errors, nas.importer; print('torch' in sys.modules, nas.__version__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", nas.__version__]
