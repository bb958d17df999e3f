"""Models as users bring them: dense networks of torch, trained on digits, as ONNX files."""

from pathlib import Path

import torch
from torch import Tensor, nn

import nas
import onnx_graph


class Residual(nn.Module):
    """Two residual blocks of 16 channels, then the mean over the image."""

    def __init__(self) -> None:
        """Fresh weights."""
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1)) for _ in range(2)
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, 10)`` of images ``(N, 1, 8, 8)``."""
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return self.head(x.mean(dim=(2, 3)))


class Recurrent(nn.Module):
    """An LSTM of 48 units that reads an image row by row."""

    def __init__(self) -> None:
        """Fresh weights."""
        super().__init__()
        self.cells, self.head = nn.LSTM(8, 48, batch_first=True), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, 10)`` of images ``(N, 1, 8, 8)``."""
        return self.head(self.cells(x.flatten(1, 2))[0][:, -1])


class Attentive(nn.Module):
    """One Transformer layer of width 24 over the rows of an image."""

    def __init__(self) -> None:
        """Fresh weights."""
        super().__init__()
        layer = nn.TransformerEncoderLayer(24, 3, 48, dropout=0.0, batch_first=True)
        self.embed, self.place = nn.Linear(8, 24), nn.Parameter(0.1 * torch.randn(1, 8, 24))
        self.layers, self.head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, 10)`` of images ``(N, 1, 8, 8)``."""
        return self.head(self.layers(self.embed(x.flatten(1, 2)) + self.place).mean(dim=1))


def perceptron() -> nn.Module:
    """Two hidden layers of 100 units."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10)
    )


MODELS = {"mlp": perceptron, "resnet": Residual, "lstm": Recurrent, "transformer": Attentive}


def trained(name: str, path: Path, *, seed: int, epochs: int = 60) -> float:
    """Train one of `MODELS` on digits, as a user would before he prunes it, and write it; its test accuracy."""
    torch.manual_seed(seed)
    task = nas.load_task("digits")
    model = nas.from_torch(MODELS[name]().eval(), torch.zeros(1, 1, 8, 8))
    options = nas.TrainingOptions(epochs=epochs, init="keep", learning_rate=3e-3)
    result = nas.apply_result(model, nas.train(model, task, options, seed=seed))
    onnx_graph.save(result, path)
    return nas.evaluate(result, task, task.test)
