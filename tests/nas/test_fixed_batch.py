"""Modules exported by `torch.onnx.export` with its defaults, which fix the batch size of the example, are trained like others."""

import contextlib
import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import onnx_graph
from nas.cli.main import main
from nas.exporters.onnx_export import run
from nas.tasks import load_task
from nas.training import TrainingOptions, train
from nas.verbs.compatibility import read_trainable


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(64, 12), nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.hidden(x.view(x.size(0), -1))))


class Recurrent(nn.Module):
    """With an initial state of the batch's size, as many write it."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cells, self.head = kind(8, 6, batch_first=True), nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(1, x.shape[0], 6)
        start = (state, state) if isinstance(self.cells, nn.LSTM) else state
        return self.head(self.cells(x.reshape(x.shape[0], 8, 8), start)[0][:, -1])


class Transformer(nn.Module):
    """With a class token that is expanded to the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.token = nn.Linear(8, 8), nn.Parameter(torch.randn(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x.reshape(x.shape[0], 8, 8))
        return self.head(self.layers(torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1))[:, 0])


MODULES = {
    "mlp": Perceptron,
    "gru": lambda: Recurrent(nn.GRU),
    "lstm": lambda: Recurrent(nn.LSTM),
    "transformer": Transformer,
}


def write(module, path, batch, *, dynamo):
    options = {"dynamo": True, "external_data": False} if dynamo else {"dynamo": False}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporters, about themselves
        torch.onnx.export(module, (torch.randn(batch, 1, 8, 8),), path, verbose=False, **options)
    return path


@pytest.fixture
def module(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MODULES[request.param]().eval()


@pytest.mark.parametrize("module", MODULES, indirect=True)
@pytest.mark.parametrize(("dynamo", "batch"), [(False, 1), (False, 3), (True, 1), (True, 3)])
def test_an_export_with_a_fixed_batch_is_trained(module, dynamo, batch, tmp_path):
    path = write(module, tmp_path / "model.onnx", batch, dynamo=dynamo)
    assert onnx_graph.fixed_batch(onnx_graph.load(path)) == batch
    model = read_trainable(path)
    assert onnx_graph.fixed_batch(model) is None
    x = torch.randn(7, 1, 8, 8)
    with torch.no_grad():
        np.testing.assert_allclose(run(model, x.numpy()), module(x).numpy(), rtol=1e-4, atol=1e-5)
    result = train(model, load_task("digits", subset=100), TrainingOptions(epochs=1, init="keep"))
    assert 0 < result.accuracy < 1


@pytest.mark.parametrize("module", ["transformer"], indirect=True)
def test_the_command_line_trains_it_and_the_written_file_takes_any_batch(module, tmp_path, capsys):
    path, out = write(module, tmp_path / "model.onnx", 2, dynamo=False), tmp_path / "out.onnx"
    flags = ["--task", "digits", "--subset", "100", "--epochs", "1", "--repeats", "1", "-o", str(out)]
    assert main(["train", str(path), *flags]) == 0
    written = onnx_graph.load(out)
    assert [str(dim) for dim in written.graph.inputs[0].shape] == ["N", "1", "8", "8"]
    assert run(written, np.zeros((5, 1, 8, 8), np.float32)).shape == (5, 10)
    capsys.readouterr()


class Mixing(nn.Module):
    """Outputs that depend on the other examples of the batch: a batch of another size changes them."""

    def __init__(self, operation: str) -> None:
        super().__init__()
        self.layer, self.operation = nn.Linear(64, 10), operation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.layer(x.flatten(1))
        return rows.cumsum(0) if self.operation == "sum" else rows - rows.mean(0)


@pytest.mark.parametrize("operation", ["sum", "mean"])
def test_a_model_whose_examples_depend_on_each_other_is_refused_in_one_line(operation, tmp_path, capsys):
    path = write(Mixing(operation), tmp_path / "model.onnx", 4, dynamo=False)
    assert main(["train", str(path), "--task", "digits", "--subset", "100", "--epochs", "1"]) == 3
    line = capsys.readouterr().err.strip()
    assert len(line.splitlines()) == 1
    assert "fixed to a batch of 4 and answers differently in a batch of" in line


class Weightless(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x.flatten(1)[:, :10])


def test_a_model_without_weights_is_refused_in_one_line(tmp_path, capsys):
    path = write(Weightless(), tmp_path / "model.onnx", 1, dynamo=False)
    assert main(["train", str(path), "--task", "digits", "--subset", "100", "--epochs", "1"]) == 3
    assert "the model has no weights to train" in capsys.readouterr().err
