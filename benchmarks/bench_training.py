"""Training a network on energies and forces beside a plain PyTorch loop over the rows of ``snad``, on one core."""

from __future__ import annotations

import os

os.environ["MECHLEARN_THREADS"] = "1"

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from rows import Row, compare, record

from mechlearn.descriptors import Bispectrum
from mechlearn.interactions import labeller
from mechlearn.learning import TrainingSettings
from mechlearn.learning.modules import perceptron_module
from mechlearn.learning.training import train
from mechlearn.potentials.network import architecture
from mechlearn.potentials.network_fit import FitData, Frame, prepare
from mechlearn.potentials.network_training import Minibatch, MinibatchMaker, loss, start_from_ridge
from mechlearn.sampling import GenerationSettings, generate_structures

STRUCTURES, EPOCHS, SEED = 300, 10, 0
# Torch's default for networks, and the fastest the plain loop has.
PRECISION = torch.float32
SETTINGS = TrainingSettings(epochs=EPOCHS, batch_size=16, precision="single")


@dataclass(frozen=True)
class Rows:
    """A minibatch as FitSNAP's networks have it: ∂B_i/∂r_k of every pair, as ``compute snap`` with dgradflag gives.

    Attributes
    ----------
    inputs : (atoms, features)
        Standardised descriptors.
    derivatives : (pairs, 3, features)
        Of the standardised descriptors, in units of the energies.
    first, second : (pairs,)
        i and k.
    structure : (atoms,)
        The structure of each atom.
    sizes, energies : (structures,)
        Atoms, and energies per atom.
    forces : (atoms, 3)
        eV/Å.
    """

    inputs: torch.Tensor
    derivatives: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    structure: torch.Tensor
    sizes: torch.Tensor
    energies: torch.Tensor
    forces: torch.Tensor

    @classmethod
    def of(cls, data: FitData, frame: Frame, descriptor: Bispectrum) -> Rows:
        """The rows of some structures; the tests hold these numbers to LAMMPS's."""
        jacobian = descriptor.jacobian(data.batch, np.float64)
        energies = (data.energies / data.batch.sizes - frame.energy_shift[0]) / frame.energy_scale
        numbers = (
            frame.standardised(data.inputs, data.element),
            jacobian.derivatives * (frame.energy_scale / frame.spread[0]),
        )
        return cls(
            *(torch.from_numpy(array).to(PRECISION) for array in numbers),
            torch.from_numpy(jacobian.pairs.first),
            torch.from_numpy(jacobian.pairs.second),
            torch.from_numpy(data.batch.structure_of_atom),
            *(torch.from_numpy(array).to(PRECISION) for array in (data.batch.sizes, energies, data.forces)),
        )


def plain_loss(network: torch.nn.Module, rows: Rows, energy_weight: float, force_weight: float) -> torch.Tensor:
    """The same loss by automatic differentiation, vectorised over the minibatch."""
    inputs = rows.inputs.requires_grad_()
    atomic = network(inputs)[:, 0]
    energies = torch.zeros_like(rows.energies).index_add(0, rows.structure, atomic)
    (slopes,) = torch.autograd.grad(atomic.sum(), inputs, create_graph=True)
    pulls = torch.bmm(rows.derivatives, slopes.index_select(0, rows.first)[:, :, None])[:, :, 0]
    forces = torch.zeros_like(rows.forces).index_add(0, rows.first, pulls).index_add(0, rows.second, -pulls)
    energy = torch.sum((energies / rows.sizes - rows.energies) ** 2)
    return (energy_weight * energy + force_weight * torch.sum((forces - rows.forces) ** 2)) / len(rows.sizes)


def plain_training(
    network: torch.nn.Module, batches: list[Rows], order: list[int], energy_weight: float, force_weight: float
) -> float:
    """What a user writes; the mean loss of the last epoch."""
    optimiser = torch.optim.Adam(network.parameters(), lr=SETTINGS.learning_rate, fused=True)
    losses = []
    for index in order:
        optimiser.zero_grad()
        value = plain_loss(network, batches[index], energy_weight, force_weight)
        value.backward()
        optimiser.step()
        losses.append(value.detach())
    last = range(len(order) - len(batches), len(order))
    return float(np.average([losses[n].item() for n in last], weights=[len(batches[order[n]].sizes) for n in last]))


def training_row(name: str, family: str) -> Row:
    """Some epochs of one network from the same weights on the same minibatches in the same order."""
    batch = generate_structures(GenerationSettings(), range(STRUCTURES), SEED)
    labels = labeller("eam").evaluate(batch)
    descriptor = Bispectrum(cutoff=4.73, twojmax=6)
    data = prepare(batch.with_labels(labels.energies, labels.forces), descriptor, None, 100.0, 1.0)
    frame = Frame.of(data, 1)
    shuffled = np.random.default_rng(SEED).permutation(STRUCTURES)
    ours = MinibatchMaker(frame, SETTINGS.batch_size, 2e9).make(data, shuffled)
    size = SETTINGS.batch_size
    parts = [shuffled[start : start + size] for start in range(0, STRUCTURES, size)]
    theirs = [Rows.of(data.select(part), frame, descriptor) for part in parts]
    widths = architecture(family, descriptor.features)
    network = perceptron_module(widths, torch.Generator().manual_seed(SEED), PRECISION)
    start = torch.nn.ModuleList([network])
    start_from_ridge(start, ours)
    order: list[int] = []

    def train_ours(noted: Callable[[int], None] | None = None) -> float:
        def met(networks: torch.nn.Module, batch: Minibatch) -> torch.Tensor:
            noted(next(n for n, own in enumerate(ours) if own is batch))
            return loss(networks, batch)

        history = train(deepcopy(start), met if noted else loss, ours, [], SETTINGS, seed=SEED, weight=len)
        return history.training[-1]

    energy_weight = (100.0 * frame.energy_scale) ** 2 / frame.loss_scale

    def train_theirs() -> float:
        return plain_training(deepcopy(network), theirs, order, energy_weight, 1.0 / frame.loss_scale)

    difference = abs(train_ours(order.append) / train_theirs() - 1)
    return compare(
        name,
        "plain PyTorch loop",
        EPOCHS,
        "epochs/s",
        train_ours,
        train_theirs,
        f"losses after {EPOCHS} epochs differ by {difference:.0e}",
    )


def main() -> None:
    """Both rows."""
    torch.set_num_threads(1)
    record([training_row("train-A1", "A1"), training_row("train-B1", "B1")])


if __name__ == "__main__":
    main()
