"""The state of a training run between two epochs, in memory and on disk (safetensors and JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mechlearn.errors import InputError
from mechlearn.learning.arrays import load_arrays, save_arrays
from mechlearn.learning.settings import Epoch, TrainingSettings

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class TrainingState:
    """All that the next epoch depends on, beside the settings, the seed and the data.

    Attributes
    ----------
    weights, best_weights
        The module's state now, and after the epoch of the lowest validation loss.
    moments
        Adam's state, by parameter index: ``step``, ``exp_avg``, ``exp_avg_sq``.
    learning_rate
        The rate of the next epoch.
    plateau_best
        The loss a next epoch must improve on; None before the first.
    plateau_epochs
        Epochs since the last improvement.
    epochs
        What was done.
    """

    weights: Mapping[str, torch.Tensor]
    best_weights: Mapping[str, torch.Tensor]
    moments: Mapping[int, Mapping[str, torch.Tensor]]
    learning_rate: float
    plateau_best: float | None
    plateau_epochs: int
    epochs: tuple[Epoch, ...]


def save_checkpoint(path: Path, state: TrainingState, identity: Mapping[str, Any]) -> Path:
    """Write a state, with the ``identity`` of the run it belongs to, atomically."""
    arrays = {
        **{f"weights/{name}": _array(tensor) for name, tensor in state.weights.items()},
        **{f"best/{name}": _array(tensor) for name, tensor in state.best_weights.items()},
        **{
            f"adam/{index}/{name}": _array(tensor)
            for index, moments in state.moments.items()
            for name, tensor in moments.items()
        },
        "history": np.array(
            [(epoch.training, epoch.validation, epoch.learning_rate) for epoch in state.epochs],
            dtype=np.float64,
        ).reshape(-1, 3),
    }
    metadata = {
        "kind": "training checkpoint",
        "format": _FORMAT,
        "identity": dict(identity),
        "learning_rate": state.learning_rate,
        "plateau_best": state.plateau_best,
        "plateau_epochs": state.plateau_epochs,
    }
    return save_arrays(path, arrays, metadata)


def load_checkpoint(path: Path, identity: Mapping[str, Any]) -> TrainingState:
    """Read a state back, if it belongs to the run of this ``identity``.

    Raises
    ------
    InputError
        The file is cut short or no checkpoint, or it belongs to a run of other settings, network or data.
    """
    arrays, metadata = load_arrays(path)
    if metadata.get("kind") != "training checkpoint" or metadata.get("format") != _FORMAT:
        raise InputError(f"resuming training: {path} is not a checkpoint of this version; remove it to start again")
    differing = [key for key, value in identity.items() if metadata["identity"].get(key) != value]
    if differing:
        raise InputError(
            f"resuming training: {path} is of another run (other {', '.join(differing)}); "
            "remove it to start again, or give another path"
        )
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("adam/"):
            _, index, moment = name.split("/")
            moments.setdefault(int(index), {})[moment] = torch.from_numpy(array)
    return TrainingState(
        weights=_tensors(arrays, "weights/"),
        best_weights=_tensors(arrays, "best/"),
        moments=moments,
        learning_rate=metadata["learning_rate"],
        plateau_best=metadata["plateau_best"],
        plateau_epochs=metadata["plateau_epochs"],
        epochs=tuple(Epoch(number, *row) for number, row in enumerate(arrays["history"].tolist(), start=1)),
    )


def run_identity(module: torch.nn.Module, settings: TrainingSettings, seed: int, data: str) -> dict[str, Any]:
    """What has to be the same for a checkpoint to go on: network, settings, seed and data.

    How often to write checkpoints is not part of it, nor is the number of epochs: a longer run may go on from
    a shorter.
    """
    relevant = {key: value for key, value in asdict(settings).items() if key not in ("epochs", "checkpoint_seconds")}
    shapes = {name: [str(tensor.dtype), *tensor.shape] for name, tensor in module.state_dict().items()}
    return {"network": shapes, "settings": relevant, "seed": seed, "data": data}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().cpu().numpy())


def _tensors(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }
