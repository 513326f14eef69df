"""The torch side of fitting a network: minibatches, the loss, and forces that gradients flow through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from mechlearn.descriptors import Bispectrum, Descriptor, Pullback
from mechlearn.learning import Epoch, History, Perceptron, TrainingSettings
from mechlearn.learning.modules import perceptron_module, perceptron_of
from mechlearn.learning.training import train
from mechlearn.potentials.network_fit import FitData, Frame
from mechlearn.structures import StructureBatch

#: Ridge of the first output layer, relative to the mean square of the hidden activations.
_RIDGE = 1e-3


@runtime_checkable
class Jacobian(Protocol):
    """The derivatives ∂B_i/∂r_k of one batch, as the two products that a fit needs."""

    def pullback(self, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces −Σ_i g_i·∂B_i/∂r_k."""
        ...

    def pushforward(self, displacement: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms features"]:
        """Σ_k ∂B_i/∂r_k·v_k."""
        ...


@dataclass(frozen=True, eq=False)
class Recomputed:
    """The same products by way of the descriptor, for what does not fit into memory."""

    descriptor: Any
    batch: StructureBatch

    def pullback(self, gradient: Float[np.ndarray, "atoms features"]) -> Any:
        """Forces −Σ_i g_i·∂B_i/∂r_k."""
        return self.descriptor.pullback(self.batch, gradient)

    def pushforward(self, displacement: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms features"]:
        """Σ_k ∂B_i/∂r_k·v_k."""
        pushed: np.ndarray = self.descriptor.pushforward(self.batch, displacement)
        return pushed


class _PulledForces(torch.autograd.Function):
    """F_k = −Σ_i g_i·∂B_i/∂r_k as a linear map of g; backwards, Σ_k v_k·∂F_k/∂g_i = −Σ_k ∂B_i/∂r_k·v_k."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, jacobian: Jacobian) -> torch.Tensor:
        ctx.jacobian = jacobian
        return torch.from_numpy(
            np.asarray(jacobian.pullback(gradient.detach().numpy()).forces, dtype=np.float64)
        )

    @staticmethod
    def backward(ctx: Any, displacement: torch.Tensor) -> tuple[torch.Tensor, None]:
        pushed = ctx.jacobian.pushforward(displacement.contiguous().numpy())
        return -torch.from_numpy(np.asarray(pushed, dtype=np.float64)), None


@dataclass(frozen=True, eq=False)
class Minibatch:
    """Some structures as tensors, their atoms sorted by nothing: structure after structure.

    Attributes
    ----------
    inputs : (atoms, features)
        Standardised descriptors.
    rows : one an element
        The atoms of each element; None where there is one element only.
    structure : (atoms,)
        The structure of each atom.
    inverse_sizes, energies, energy_weights : (structures,)
        1/n; energies per atom in units of the frame; squared weights over the frame's loss.
    slopes : (atoms, features)
        eV of energy for one unit of output over the spread of each input: turns ∂N/∂x into ∂E/∂B.
    forces, force_weights : (atoms, 3), (atoms, 1)
        eV/Å; squared weights over the frame's loss.
    jacobian
        None where no force counts.
    """

    inputs: torch.Tensor
    rows: tuple[torch.Tensor, ...] | None
    structure: torch.Tensor
    inverse_sizes: torch.Tensor
    energies: torch.Tensor
    energy_weights: torch.Tensor
    slopes: torch.Tensor
    forces: torch.Tensor
    force_weights: torch.Tensor
    jacobian: Jacobian | None

    def __len__(self) -> int:
        return len(self.energies)


def train_perceptrons(
    trained: FitData,
    judged: FitData | None,
    frame: Frame,
    widths: Sequence[int],
    settings: TrainingSettings,
    *,
    seed: int,
    jacobian_bytes: float,
    checkpoint: Path | None,
    data: str,
    progress: Callable[[Epoch], None] | None,
) -> tuple[tuple[Perceptron, ...], History]:
    """Train one perceptron an element, in the units of the frame."""
    elements = len(frame.mean)
    generator = torch.Generator().manual_seed(seed)
    networks = torch.nn.ModuleList(perceptron_module(widths, generator) for _ in range(elements))
    maker = MinibatchMaker(frame, settings.batch_size, jacobian_bytes)
    order = np.random.default_rng([seed, 0]).permutation(len(trained.batch))
    batches = maker.make(trained, order)
    validation = maker.make(judged, np.arange(len(judged.batch))) if judged is not None else []
    start_from_ridge(networks, batches)
    history = train(
        networks,
        loss,
        batches,
        validation,
        settings,
        seed=seed,
        checkpoint=checkpoint,
        data=data,
        progress=progress,
        weight=len,
    )
    return tuple(perceptron_of(network) for network in networks), history  # type: ignore[arg-type]


def loss(networks: torch.nn.Module, batch: Minibatch) -> torch.Tensor:
    """The mean loss of a minibatch's structures, see :func:`mechlearn.potentials.network_fit.fit_network`."""
    inputs = batch.inputs if batch.jacobian is None else batch.inputs.detach().requires_grad_()
    atomic = _outputs(networks, inputs, batch)
    totals = torch.zeros_like(batch.energies).index_add_(0, batch.structure, atomic)
    residual = totals * batch.inverse_sizes - batch.energies
    value = torch.sum(batch.energy_weights * residual**2)
    if batch.jacobian is not None:
        (slope,) = torch.autograd.grad(atomic.sum(), inputs, create_graph=True)
        forces = _PulledForces.apply(slope * batch.slopes, batch.jacobian)  # type: ignore[no-untyped-call]
        value = value + torch.sum(batch.force_weights * (forces - batch.forces) ** 2)
    return value / len(batch)


def _outputs(networks: Any, inputs: torch.Tensor, batch: Minibatch) -> torch.Tensor:
    """The network's output for every atom."""
    if batch.rows is None:
        output: torch.Tensor = networks[0](inputs)
        return output[:, 0]
    outputs = inputs.new_zeros(len(inputs))
    for network, rows in zip(networks, batch.rows, strict=True):
        outputs = outputs.index_copy(0, rows, network(inputs[rows])[:, 0])
    return outputs


class MinibatchMaker:
    """Cuts data into minibatches, and spends a budget of memory on the derivatives of their descriptors."""

    def __init__(self, frame: Frame, structures: int, jacobian_bytes: float) -> None:
        self.frame = frame
        self.structures = structures
        self.bytes_left = jacobian_bytes

    def make(self, data: FitData, order: np.ndarray) -> list[Minibatch]:
        """Minibatches of the structures in the given order."""
        standardised = self.frame.standardised(data)
        return [
            self._minibatch(data, standardised, order[start : start + self.structures])
            for start in range(0, len(order), self.structures)
        ]

    def _minibatch(self, data: FitData, standardised: np.ndarray, chosen: np.ndarray) -> Minibatch:
        frame, batch = self.frame, data.batch.select(chosen)
        atoms = np.concatenate([np.arange(data.batch.offsets[s], data.batch.offsets[s + 1]) for s in chosen])
        element = data.element[atoms]
        elements = len(frame.mean)
        counts = np.zeros((len(batch), elements))
        np.add.at(counts, (batch.structure_of_atom, element), 1.0)
        energies = (data.energies[chosen] - counts @ frame.energy_shift) / batch.sizes / frame.energy_scale
        rows = tuple(torch.from_numpy(np.flatnonzero(element == index)) for index in range(elements))
        force_weights = data.force_weights[atoms][:, None] ** 2 / frame.loss_scale
        return Minibatch(
            inputs=torch.from_numpy(standardised[atoms]),
            rows=rows if elements > 1 else None,
            structure=torch.from_numpy(batch.structure_of_atom),
            inverse_sizes=torch.from_numpy(1.0 / batch.sizes),
            energies=torch.from_numpy(energies),
            energy_weights=torch.from_numpy(
                (data.energy_weights[chosen] * frame.energy_scale) ** 2 / frame.loss_scale
            ),
            slopes=torch.from_numpy(frame.energy_scale / frame.spread[element]),
            forces=torch.from_numpy(data.forces[atoms]),
            force_weights=torch.from_numpy(force_weights),
            jacobian=self._jacobian(data.descriptor, batch) if np.any(force_weights > 0) else None,
        )

    def _jacobian(self, descriptor: Descriptor, batch: StructureBatch) -> Jacobian:
        if self.bytes_left > 0 and isinstance(descriptor, Bispectrum):
            jacobian = descriptor.jacobian(batch)
            self.bytes_left -= jacobian.bytes
            return jacobian
        return Recomputed(descriptor, batch)


def start_from_ridge(networks: torch.nn.ModuleList, batches: Sequence[Minibatch]) -> None:
    """Set the output layers to the ridge regression of the energies on the hidden layers' mean activations.

    With H the (structures, hidden nodes of all elements, and each element's fraction of atoms) design, and y
    the energies per atom: minimise |w ∘ (H·a − y)|² + λ|a|².
    """
    with torch.no_grad():
        hidden = [list(network)[:-1] for network in networks]  # type: ignore[call-overload]
        design = torch.cat([_mean_activations(hidden, batch) for batch in batches])
        weights = torch.cat([batch.energy_weights for batch in batches]).sqrt()[:, None]
        targets = torch.cat([batch.energies for batch in batches])[:, None]
        if not torch.any(weights > 0):
            return
        rows = design * weights
        normal = rows.T @ rows
        ridge = _RIDGE * normal.diagonal().mean()
        solution = torch.linalg.solve(
            normal + ridge * torch.eye(len(normal), dtype=normal.dtype), rows.T @ (targets * weights)
        )
        start = 0
        for network in networks:
            output = network[-1]  # type: ignore[index]
            nodes = output.weight.shape[1]
            output.weight.copy_(solution[start : start + nodes].T)
            output.bias.copy_(solution[start + nodes])
            start += nodes + 1


def _mean_activations(hidden: list[list[torch.nn.Module]], batch: Minibatch) -> torch.Tensor:
    """For each structure and element, the last hidden layer and 1, summed over its atoms, over n."""
    blocks = []
    everything = torch.arange(len(batch.inputs))
    for layers, rows in zip(hidden, batch.rows or (everything,), strict=True):
        activations = batch.inputs[rows]
        for layer in layers:
            activations = layer(activations)
        activations = torch.cat([activations, torch.ones_like(activations[:, :1])], dim=1)
        sums = activations.new_zeros(len(batch), activations.shape[1])
        sums.index_add_(0, batch.structure[rows], activations)
        blocks.append(sums * batch.inverse_sizes[:, None])
    return torch.cat(blocks, dim=1)
