"""The bispectrum, and the training of the ten networks, on a GPU: for whoever has one.

    python benchmarks/gpu_bispectrum.py --device cuda > gpu.json

prints one JSON object: atoms/s at 2J = 8 for values and for energies with forces, in both precisions, with and
without the search for neighbours (which runs on the CPU), how far the numbers are from the compiled kernels', and
the seconds that each network's training takes.  ``--device cpu`` runs the same through torch on a CPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from ase.build import bulk
from rows import machine

from mechlearn.descriptors import Bispectrum
from mechlearn.learning import TrainingSettings
from mechlearn.learning.modules import perceptron_module
from mechlearn.learning.training import train
from mechlearn.potentials.network import HIDDEN_WIDTHS, architecture
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs, neighbour_pairs

TWOJMAX = 8


def crystals(structures: int, repeats: int) -> StructureBatch:
    """Cubes of bcc W, rattled, all different."""
    rng = np.random.default_rng(0)
    atoms = [bulk("W", a=3.18, cubic=True).repeat(repeats) for _ in range(structures)]
    for each in atoms:
        each.rattle(0.1, rng=rng)
    return StructureBatch.from_atoms(atoms)


def seconds(call: Callable[[], object], rounds: int = 5) -> float:
    """The median time of a call whose result ends up on the CPU, so that nothing is under way any more."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over the largest number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def bispectrum_rows(device: str, repeats: int) -> list[dict[str, object]]:
    """Atoms/s and accuracy in both precisions."""
    batch = crystals(1, repeats)
    compiled = Bispectrum(twojmax=TWOJMAX)
    pairs = neighbour_pairs(batch, compiled.reach)
    searching = seconds(lambda: neighbour_pairs(batch, compiled.reach))
    gradient = np.random.default_rng(1).normal(size=(batch.atoms, compiled.features))
    values, forces = compiled.compute(batch), compiled.pullback(batch, gradient).forces
    rows = []
    for precision in ("double", "single"):
        descriptor = replace(compiled, device=device, precision=precision)
        compute = partial(_compute, descriptor, batch, pairs)
        pull = partial(_pull, descriptor, batch, pairs, gradient)
        computing, pulling = seconds(compute), seconds(pull)
        rows.append(
            {
                "name": f"bispectrum-{TWOJMAX}",
                "precision": precision,
                "atoms": batch.atoms,
                "values, atoms/s": batch.atoms / computing,
                "values, atoms/s with neighbours": batch.atoms / (computing + searching),
                "energies and forces, atoms/s": batch.atoms / pulling,
                "energies and forces, atoms/s with neighbours": batch.atoms / (pulling + searching),
                "largest relative difference of values": relative(compute(), values),
                "largest relative difference of forces": relative(pull(), forces),
            }
        )
    return rows


def _compute(descriptor: Bispectrum, batch: StructureBatch, pairs: NeighbourPairs) -> np.ndarray:
    return descriptor.prepare(batch, pairs, keep=False).compute()


def _pull(descriptor: Bispectrum, batch: StructureBatch, pairs: NeighbourPairs, gradient: np.ndarray) -> np.ndarray:
    return descriptor.prepare(batch, pairs, keep=False).pullback(gradient).forces


@dataclass(frozen=True, eq=False)
class Minibatch:
    """Some structures with the derivatives of their descriptors, as tensors on the device."""

    inputs: torch.Tensor
    structure: torch.Tensor
    energies: torch.Tensor
    derivatives: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    forces: torch.Tensor


def minibatches(device: str, structures: int, size: int) -> list[Minibatch]:
    """Crystals labelled by a linear function of their descriptors, cut into minibatches."""
    batch = crystals(structures, 3)
    descriptor = Bispectrum(twojmax=6)
    values = descriptor.compute(batch)
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    slope = np.random.default_rng(2).normal(size=descriptor.features)
    made = []
    for start in range(0, structures, size):
        part = batch.select(np.arange(start, min(start + size, structures)))
        jacobian = descriptor.jacobian(part)
        inputs = (jacobian.values - mean) / spread
        arrays = (
            inputs.astype(np.float32),
            part.structure_of_atom,
            np.add.reduceat(inputs @ slope, part.offsets[:-1]).astype(np.float32),
            (jacobian.derivatives / spread).astype(np.float32),
            jacobian.pairs.first,
            jacobian.pairs.second.astype(np.int64),
            jacobian.pullback(np.tile(slope / spread, (part.atoms, 1))).forces.astype(np.float32),
        )
        made.append(Minibatch(*(torch.from_numpy(array).to(device) for array in arrays)))
    return made


def loss(network: torch.nn.Module, batch: Minibatch) -> torch.Tensor:
    """The mean squares of the energies' and of the forces' errors."""
    inputs = batch.inputs.detach().requires_grad_()
    atomic = network(inputs)[:, 0]
    energies = torch.zeros_like(batch.energies).index_add_(0, batch.structure, atomic)
    (gradient,) = torch.autograd.grad(atomic.sum(), inputs, create_graph=True)
    pulled = torch.bmm(batch.derivatives, gradient[batch.first][..., None])[..., 0]
    forces = torch.zeros_like(batch.forces).index_add_(0, batch.first, pulled).index_add_(0, batch.second, -pulled)
    return ((energies - batch.energies) ** 2).mean() + ((forces - batch.forces) ** 2).mean()


def training_rows(device: str, structures: int, epochs: int, names: Sequence[str]) -> list[dict[str, object]]:
    """Seconds that the training of each network takes, single precision, energies and forces."""
    batches = minibatches(device, structures, 16)
    settings = TrainingSettings(epochs=epochs)
    rows = []
    for name in names:
        widths = architecture(name, batches[0].inputs.shape[1])
        network = perceptron_module(widths, torch.Generator().manual_seed(0), torch.float32).to(device)
        train(network, loss, batches[:1], [], TrainingSettings(epochs=1), seed=0)
        start = time.perf_counter()
        history = train(network, loss, batches, [], settings, seed=0)
        rows.append(
            {
                "name": f"train-{name}",
                "structures": structures,
                "epochs": epochs,
                "seconds": time.perf_counter() - start,
                "first loss": history.training[0],
                "last loss": history.training[-1],
            }
        )
    return rows


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description="The bispectrum and the training of networks through torch.")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, … or cpu")
    parser.add_argument("--repeats", type=int, default=48, help="cells along each edge of the crystal (2 atoms each)")
    parser.add_argument("--structures", type=int, default=256, help="structures to train on, of 54 atoms")
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    rows = bispectrum_rows(chosen.device, chosen.repeats)
    training = training_rows(chosen.device, chosen.structures, chosen.epochs, list(HIDDEN_WIDTHS))
    kind = torch.device(chosen.device).type
    described = {
        **machine(),
        "device": torch.cuda.get_device_name(chosen.device) if kind == "cuda" else "cpu",
        "torch": torch.__version__,
    }
    total = sum(float(str(row["seconds"])) for row in training)
    json.dump({"machine": described, "rows": [*rows, *training], "ten networks, seconds": total}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
