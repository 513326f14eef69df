"""Graph attention networks on glasses: runs side by side in minibatches, trained and evaluated (loads torch)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import expit

from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.glasses.prediction.event_settings import ModelSettings
from mechlearn.learning import Epoch, History, TrainingSettings
from mechlearn.learning.graph_attention import (
    AttentionGraph,
    GraphAttentionNetwork,
    GraphAttentionShape,
    focal_loss,
    graph_attention_module,
)
from mechlearn.learning.training import train

#: Inputs, graph, truth and weight of the atoms of some runs.
Batch: TypeAlias = tuple[torch.Tensor, AttentionGraph, torch.Tensor, torch.Tensor]

_DTYPES = {"single": torch.float32, "double": torch.float64}


@dataclass(frozen=True, eq=False)
class Labelled:
    """Scaled features of runs beside what is to be learnt of their atoms.

    Attributes
    ----------
    data : EventData
        The runs.
    values : (atoms, columns)
        Scaled features.
    positive : (atoms,)
        Which atoms are.
    weights : (atoms,)
        What each counts.
    """

    data: EventData
    values: Float[np.ndarray, "atoms columns"]
    positive: Bool[np.ndarray, " atoms"]
    weights: Float[np.ndarray, " atoms"]

    def batches(self, order: Sequence[int], size: int, dtype: torch.dtype) -> list[Batch]:
        """Minibatches of runs in this order, each a union of graphs, made once for all epochs."""
        offsets = self.data.offsets
        made = []
        for first in range(0, len(order), size):
            runs = order[first : first + size]
            rows = np.concatenate([np.arange(offsets[run], offsets[run + 1]) for run in runs])
            graph = union([self.data.graphs[run] for run in runs])
            columns = (self.values[rows], self.positive[rows], self.weights[rows])
            inputs, positive, weights = (torch.from_numpy(column).to(dtype) for column in columns)
            made.append((inputs, graph, positive, weights))
        return made


def union(graphs: Sequence[EventGraph]) -> AttentionGraph:
    """Runs side by side."""
    return AttentionGraph.union([graph.structure.atoms for graph in graphs], [graph.edges for graph in graphs])


def fit_graph_attention(
    learnt: Labelled,
    judged: Labelled | None,
    settings: ModelSettings,
    seed: int,
    *,
    odds: float,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> tuple[GraphAttentionNetwork, History]:
    """Train a network; the weights of the epoch with the lowest validation loss are kept.

    Which runs share a minibatch is drawn once from the seed; their order anew every epoch.

    Parameters
    ----------
    learnt, judged
        Training and validation; without the second, the epoch of the lowest training loss.
    settings
        Shape, loss, epochs.
    seed
        Of weights and minibatches.
    odds
        Of a positive atom as it counts, which the network starts from.
    checkpoint
        A file to go on from.
    progress
        Called after every epoch.
    """
    dtype = _DTYPES[settings.precision]
    order = np.random.default_rng([seed, 0]).permutation(len(learnt.data)).tolist()
    batches = learnt.batches(order, settings.batch_size, dtype)
    validation = judged.batches(range(len(judged.data)), settings.batch_size, dtype) if judged is not None else []
    module = graph_attention_module(_shape(settings, learnt.values.shape[1]), seed, dtype, odds)
    focusing = settings.focusing if settings.imbalance == "focal" else 0.0
    history = train(
        module,
        partial(_loss, focusing),
        batches,
        validation,
        TrainingSettings(
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            patience=settings.patience,
            stop_after=settings.stop_after,
            gradient_clip=1.0,
            precision=settings.precision,
        ),
        seed=seed,
        checkpoint=checkpoint,
        data=_fingerprint([*batches, *validation], focusing),
        progress=progress,
        weight=lambda batch: float(len(batch[0])),
    )
    return module, history


@dataclass(frozen=True, eq=False)
class AttentionScore:
    """A trained network.

    Attributes
    ----------
    network : GraphAttentionNetwork
        On the processor.
    """

    network: GraphAttentionNetwork

    def confidences(self, values: Float[np.ndarray, "atoms columns"], data: EventData) -> Float[np.ndarray, " atoms"]:
        """The probability that each atom is positive, run after run, with one thread."""
        dtype, offsets = next(self.network.parameters()).dtype, data.offsets
        self.network.eval()
        found = []
        with torch.inference_mode(), _one_thread():
            for run, graph in enumerate(data.graphs):
                inputs = torch.from_numpy(values[offsets[run] : offsets[run + 1]]).to(dtype)
                found.append(self.network(inputs, union([graph])).double().numpy())
        return np.asarray(expit(np.concatenate(found)))

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights by name."""
        return {name: tensor.detach().numpy() for name, tensor in self.network.state_dict().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: ModelSettings, columns: int) -> AttentionScore:
        """What :meth:`arrays` gave, for a network of these settings."""
        network = graph_attention_module(_shape(settings, columns), 0, _DTYPES[settings.precision])
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        return cls(network)


def _shape(settings: ModelSettings, columns: int) -> GraphAttentionShape:
    sizes = (settings.layers, settings.width, settings.heads, settings.dense, settings.residual)
    return GraphAttentionShape(columns, *sizes)


def _loss(focusing: float, module: torch.nn.Module, batch: Batch) -> torch.Tensor:
    inputs, graph, positive, weights = batch
    return focal_loss(module(inputs, graph), positive, weights, focusing)


def _fingerprint(batches: Sequence[Batch], focusing: float) -> str:
    """A digest of all that training sees, so that a checkpoint cannot go on with other data."""
    digest = hashlib.sha256(repr(focusing).encode())
    for inputs, graph, positive, weights in batches:
        arrays = (inputs.numpy(), positive.numpy(), weights.numpy(), graph.pointers, graph.sources)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@contextmanager
def _one_thread() -> Iterator[None]:
    """The last bits depend on how many threads share a sum."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
