"""The trained networks that a run keeps: the networks of the leaders and of the Pareto front."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

import onnx_graph


@dataclass(frozen=True)
class NetworkFiles:
    """Files ``DIGEST-REPEAT.onnx`` in the models folder of a run."""

    folder: Path

    def path(self, digest: str, repeat: int) -> Path:
        """Path of the network of one training."""
        return self.named(f"{digest}-{repeat}")

    def named(self, name: str) -> Path:
        """Path of the network of a training with that name, ``DIGEST-REPEAT``."""
        return self.folder / f"{name}.onnx"

    def save(self, digest: str, repeat: int, model: ir.Model) -> None:
        """Keep a trained network."""
        onnx_graph.save(model, self.path(digest, repeat))

    def keep_only(self, digests: Iterable[str]) -> None:
        """Delete the networks of all other candidates, so that a long search does not fill the disk."""
        kept = set(digests)
        for path in self.folder.glob("*-*.onnx"):
            if path.stem.rpartition("-")[0] not in kept:
                path.unlink(missing_ok=True)
