"""The torch side of fitting a network: minibatches, the loss, and its slopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from mechlearn.descriptors import Bispectrum, Descriptor
from mechlearn.learning import Epoch, History, Perceptron, TrainingSettings
from mechlearn.learning.modules import perceptron_module, perceptron_of
from mechlearn.learning.training import train
from mechlearn.potentials.network_fit import FitData, Frame
from mechlearn.potentials.network_slopes import PerceptronPass
from mechlearn.structures import StructureBatch

#: Ridge of the first output layer, relative to the mean square of the hidden activations.
_RIDGE = 1e-3

#: Networks of more parameters than this are left to automatic differentiation: their time goes into products of
#: matrices that torch does as fast, and in single precision faster.
_WIDE = 30_000


@runtime_checkable
class Jacobian(Protocol):
    """The derivatives ∂B_i/∂r_k of one batch, as what a fit needs of them."""

    def force_misfit(
        self,
        gradient: Float[np.ndarray, "atoms features"],
        forces: Float[np.ndarray, "atoms 3"],
        weights: Float[np.ndarray, " atoms"],
        with_slope: bool = True,
    ) -> tuple[float, Float[np.ndarray, "atoms features"] | None]:
        """Σ_k w_k |f_k - F_k|² of the forces f of an energy with ∂E/∂B = ``gradient``, and its slope by that."""
        ...


@dataclass(frozen=True, eq=False)
class Recomputed:
    """The same by way of the descriptor, for what does not fit into memory."""

    descriptor: Any
    batch: StructureBatch

    def force_misfit(
        self,
        gradient: Float[np.ndarray, "atoms features"],
        forces: Float[np.ndarray, "atoms 3"],
        weights: Float[np.ndarray, " atoms"],
        with_slope: bool = True,
    ) -> tuple[float, Float[np.ndarray, "atoms features"] | None]:
        """Σ_k w_k |f_k - F_k|² of the forces f of an energy with ∂E/∂B = ``gradient``, and its slope by that."""
        difference = self.descriptor.pullback(self.batch, gradient).forces - forces
        weighted = weights[:, None] * difference
        misfit = float(np.sum(weighted * difference))
        # f_k = -Σ_i g_i·∂B_i/∂r_k, a linear map of g: its transpose is minus the change of B along displacements.
        return misfit, self.descriptor.pushforward(self.batch, -2.0 * weighted) if with_slope else None


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
    weights : (atoms,)
        Squared weights over the frame's loss.
    """

    jacobian: Jacobian
    slopes: np.ndarray
    forces: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Minibatch:
    """Some structures, one after the other.

    Attributes
    ----------
    inputs : (atoms, features)
        Standardised descriptors.
    rows : one an element
        The atoms of each element.
    structure : (atoms,)
        The structure of each atom.
    inverse_sizes, energies, energy_weights : (structures,)
        1/n; energies per atom in units of the frame; squared weights over the frame's loss.
    forces
        None where no force counts.
    """

    inputs: np.ndarray
    rows: tuple[np.ndarray | slice, ...]
    structure: np.ndarray
    inverse_sizes: np.ndarray
    energies: np.ndarray
    energy_weights: np.ndarray
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
    """The mean loss of a minibatch's structures, see :func:`mechlearn.potentials.network_fit.fit_network`.

    Gradients flow to the weights of networks in training mode.
    """
    parameters = list(networks.parameters())
    if batch.forces is None or sum(parameter.numel() for parameter in parameters) > _WIDE:
        return _recorded_loss(networks, batch)
    if not networks.training:
        return torch.tensor(_loss_and_slopes(parameters, batch, False)[0], dtype=torch.float64)
    value: torch.Tensor = _WrittenLoss.apply(batch, *parameters)  # type: ignore[no-untyped-call]
    return value


def _recorded_loss(networks: torch.nn.Module, batch: Minibatch) -> torch.Tensor:
    """The loss by automatic differentiation, in the networks' own precision."""
    dtype = next(networks.parameters()).dtype
    inputs, inverse_sizes, targets, weights = (
        torch.from_numpy(array).to(dtype)
        for array in (batch.inputs, batch.inverse_sizes, batch.energies, batch.energy_weights)
    )
    inputs.requires_grad_(batch.forces is not None)
    atomic = _outputs(networks, inputs, batch)
    totals = torch.zeros_like(targets).index_add_(0, torch.from_numpy(batch.structure), atomic)
    value = torch.sum(weights * (totals * inverse_sizes - targets) ** 2)
    if batch.forces is not None:
        (slope,) = torch.autograd.grad(atomic.sum(), inputs, create_graph=True)
        gradient = slope * torch.from_numpy(batch.forces.slopes).to(dtype)
        value = value + _Misfit.apply(gradient, batch.forces)  # type: ignore[no-untyped-call]
    return value / len(batch)


def _outputs(networks: Any, inputs: torch.Tensor, batch: Minibatch) -> torch.Tensor:
    """The network's output for every atom."""
    if len(batch.rows) == 1:
        output: torch.Tensor = networks[0](inputs)
        return output[:, 0]
    outputs = inputs.new_zeros(len(inputs))
    for network, rows in zip(networks, batch.rows, strict=True):
        chosen = torch.from_numpy(rows)
        outputs = outputs.index_copy(0, chosen, network(inputs[chosen])[:, 0])
    return outputs


class _Misfit(torch.autograd.Function):
    """How far the forces are from their targets, as a function of ∂E/∂B."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, targets: ForceTargets) -> torch.Tensor:
        by_energy = gradient.detach().double().numpy()
        misfit, slope = targets.jacobian.force_misfit(by_energy, targets.forces, targets.weights)
        ctx.slope = torch.from_numpy(slope).to(gradient.dtype)
        return gradient.new_tensor(misfit)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None]:
        return slope * ctx.slope, None


class _WrittenLoss(torch.autograd.Function):
    """The loss as a function of the networks' parameters, its slopes written out instead of recorded.

    Small networks leave automatic differentiation, twice over for the forces, with bookkeeping.
    """

    @staticmethod
    def forward(ctx: Any, batch: Minibatch, *parameters: torch.Tensor) -> torch.Tensor:
        value, slopes = _loss_and_slopes(parameters, batch, True)
        ctx.slopes = _shaped(slopes, parameters)
        return torch.tensor(value, dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, *(own * slope.to(own.dtype) for own in ctx.slopes)


def _shaped(slopes: Sequence[np.ndarray], parameters: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Each parameter's part of the slopes."""
    flat = torch.from_numpy(np.concatenate(slopes) if len(slopes) > 1 else slopes[0]).to(parameters[0].dtype)
    parts = flat.split([parameter.numel() for parameter in parameters])  # type: ignore[no-untyped-call]
    return [part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)]


def _loss_and_slopes(
    parameters: Sequence[torch.Tensor], batch: Minibatch, with_slopes: bool
) -> tuple[float, list[np.ndarray]]:
    """The loss and, where asked for, its slopes by the parameters of each element's network."""
    each = len(parameters) // len(batch.rows)
    passes = [
        PerceptronPass.of(*_flat(parameters[n * each : (n + 1) * each]), batch.inputs[rows])
        for n, rows in enumerate(batch.rows)
    ]
    atomic = _joined(batch, [own.energies for own in passes])
    residual = np.bincount(batch.structure, atomic, len(batch)) * batch.inverse_sizes - batch.energies
    weighted = batch.energy_weights * residual
    value, gradient_slope = weighted @ residual, None
    if batch.forces is not None:
        targets = batch.forces
        gradient = _joined(batch, [own.gradients for own in passes]) * targets.slopes
        misfit, by_gradient = targets.jacobian.force_misfit(gradient, targets.forces, targets.weights, with_slopes)
        value += misfit
        gradient_slope = None if by_gradient is None else by_gradient * (targets.slopes / len(batch))
    slopes = []
    if with_slopes:
        energy_slope = (2.0 / len(batch) * weighted * batch.inverse_sizes)[batch.structure]
        for own, rows in zip(passes, batch.rows, strict=True):
            direction = None if gradient_slope is None else gradient_slope[rows]
            slopes.append(own.parameter_slopes(energy_slope[rows], direction))
    return float(value) / len(batch), slopes


def _flat(parameters: Sequence[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """The parameters of a network one after the other, and its nodes layer by layer."""
    widths = [parameters[0].shape[1], *(len(bias) for bias in parameters[1::2])]
    return torch.cat([tensor.detach().view(-1) for tensor in parameters]).double().numpy(), np.array(widths)


def _joined(batch: Minibatch, parts: list[np.ndarray]) -> np.ndarray:
    """What each element's atoms have, in the order of the atoms."""
    if len(parts) == 1:
        return parts[0]
    joined = np.empty((len(batch.inputs), *parts[0].shape[1:]), dtype=parts[0].dtype)
    for part, rows in zip(parts, batch.rows, strict=True):
        joined[rows] = part
    return joined


class MinibatchMaker:
    """Cuts data into minibatches, and spends a budget of memory on the derivatives of their descriptors."""

    def __init__(self, frame: Frame, structures: int, jacobian_bytes: float) -> None:
        self.frame = frame
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
        rows = tuple(np.flatnonzero(data.element == index) for index in range(elements))
        weights = (data.energy_weights * frame.energy_scale) ** 2 / frame.loss_scale
        return Minibatch(
            inputs=frame.standardised(data.inputs, data.element),
            rows=rows if elements > 1 else (slice(None),),
            structure=batch.structure_of_atom,
            inverse_sizes=1.0 / batch.sizes,
            energies=(data.energies - constant) / batch.sizes / frame.energy_scale,
            energy_weights=weights,
            forces=self._force_targets(data) if data.uses_forces else None,
        )

    def _force_targets(self, data: FitData) -> ForceTargets:
        slopes = self.frame.energy_scale / self.frame.spread
        return ForceTargets(
            jacobian=self._jacobian(data.descriptor, data.batch),
            slopes=slopes[data.element] if len(slopes) > 1 else slopes,
            forces=data.forces,
            weights=data.force_weights**2 / self.frame.loss_scale,
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
    perceptrons = [perceptron_of(network) for network in networks]  # type: ignore[arg-type]
    design = np.concatenate([_mean_activations(perceptrons, batch) for batch in batches])
    weights = np.sqrt(np.concatenate([batch.energy_weights for batch in batches]))
    targets = np.concatenate([batch.energies for batch in batches])
    if not np.any(weights > 0):
        return
    rows = design * weights[:, None]
    normal = rows.T @ rows
    ridge = _RIDGE * normal.diagonal().mean()
    solution = np.linalg.solve(normal + ridge * np.eye(len(normal)), rows.T @ (targets * weights))
    start = 0
    with torch.no_grad():
        for network in networks:
            output = network[-1]  # type: ignore[index]
            nodes = output.weight.shape[1]
            output.weight[0] = torch.from_numpy(solution[start : start + nodes])
            output.bias[0] = solution[start + nodes]
            start += nodes + 1


def _mean_activations(perceptrons: Sequence[Perceptron], batch: Minibatch) -> Float[np.ndarray, "structures nodes"]:
    """For each structure and element, the last hidden layer and 1, summed over its atoms, over n."""
    blocks = []
    for perceptron, rows in zip(perceptrons, batch.rows, strict=True):
        hidden = perceptron.hidden(batch.inputs[rows])
        sums = np.zeros((len(batch), hidden.shape[1] + 1))
        np.add.at(sums, batch.structure[rows], np.column_stack([hidden, np.ones(len(hidden))]))
        blocks.append(sums * batch.inverse_sizes[:, None])
    return np.concatenate(blocks, axis=1)
