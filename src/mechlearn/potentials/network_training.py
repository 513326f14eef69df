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
        pulled = jacobian.pullback(gradient.detach().double().numpy())
        return torch.from_numpy(pulled.forces).to(gradient.dtype)

    @staticmethod
    def backward(ctx: Any, displacement: torch.Tensor) -> tuple[torch.Tensor, None]:
        pushed = ctx.jacobian.pushforward(displacement.double().contiguous().numpy())
        return -torch.from_numpy(pushed).to(displacement.dtype), None


@dataclass(frozen=True, eq=False)
class ForceTargets:
    """What the force part of the loss needs.

    Attributes
    ----------
    jacobian
        The derivatives of the descriptors.
    slopes : (atoms or 1, features)
        eV of energy for one unit of output over the spread of each input: turns ∂N/∂x into ∂E/∂B.
    forces : (atoms, 3)
        eV/Å.
    weights : (atoms, 1)
        Squared weights over the frame's loss.
    """

    jacobian: Jacobian
    slopes: torch.Tensor
    forces: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True, eq=False)
class Minibatch:
    """Some structures as tensors, one after the other.

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
    forces
        None where no force counts.
    """

    inputs: torch.Tensor
    rows: tuple[torch.Tensor, ...] | None
    structure: torch.Tensor
    inverse_sizes: torch.Tensor
    energies: torch.Tensor
    energy_weights: torch.Tensor
    forces: ForceTargets | None

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
    dtype = torch.float64 if settings.precision == "double" else torch.float32
    networks = torch.nn.ModuleList(perceptron_module(widths, generator, dtype) for _ in range(elements))
    maker = MinibatchMaker(frame, settings.batch_size, jacobian_bytes, dtype)
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
    targets = batch.forces
    inputs = batch.inputs if targets is None else batch.inputs.detach().requires_grad_()
    atomic = _outputs(networks, inputs, batch)
    totals = torch.zeros_like(batch.energies).index_add_(0, batch.structure, atomic)
    residual = totals * batch.inverse_sizes - batch.energies
    value = torch.sum(batch.energy_weights * residual**2)
    if targets is not None:
        (slope,) = torch.autograd.grad(atomic.sum(), inputs, create_graph=True)
        forces = _PulledForces.apply(slope * targets.slopes, targets.jacobian)  # type: ignore[no-untyped-call]
        value = value + torch.sum(targets.weights * (forces - targets.forces) ** 2)
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

    def __init__(
        self, frame: Frame, structures: int, jacobian_bytes: float, dtype: torch.dtype = torch.float64
    ) -> None:
        self.frame = frame
        self.dtype = dtype
        self.structures = structures
        self.bytes_left = jacobian_bytes

    def make(self, data: FitData, order: np.ndarray) -> list[Minibatch]:
        """Minibatches of the structures in the given order."""
        starts = range(0, len(order), self.structures)
        return [self._minibatch(data.select(order[start : start + self.structures])) for start in starts]

    def _minibatch(self, data: FitData) -> Minibatch:
        frame, batch = self.frame, data.batch
        elements = len(frame.mean)
        constant = data.composition(elements) @ frame.energy_shift
        rows = tuple(torch.from_numpy(np.flatnonzero(data.element == index)) for index in range(elements))
        weights = (data.energy_weights * frame.energy_scale) ** 2 / frame.loss_scale
        return Minibatch(
            inputs=self._tensor(frame.standardised(data.inputs, data.element)),
            rows=rows if elements > 1 else None,
            structure=torch.from_numpy(batch.structure_of_atom),
            inverse_sizes=self._tensor(1.0 / batch.sizes),
            energies=self._tensor((data.energies - constant) / batch.sizes / frame.energy_scale),
            energy_weights=self._tensor(weights),
            forces=self._force_targets(data) if data.uses_forces else None,
        )

    def _force_targets(self, data: FitData) -> ForceTargets:
        slopes = self.frame.energy_scale / self.frame.spread
        return ForceTargets(
            jacobian=self._jacobian(data.descriptor, data.batch),
            slopes=self._tensor(slopes[data.element] if len(slopes) > 1 else slopes),
            forces=self._tensor(data.forces),
            weights=self._tensor(data.force_weights[:, None] ** 2 / self.frame.loss_scale),
        )

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.dtype)

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
        design = torch.cat([_mean_activations(hidden, batch) for batch in batches]).double()
        weights = torch.cat([batch.energy_weights for batch in batches]).double().sqrt()[:, None]
        targets = torch.cat([batch.energies for batch in batches]).double()[:, None]
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
