"""Fitting networks: the gradient of the loss, energies and forces, weights, resuming, any descriptor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from mechlearn.descriptors import Bispectrum, Pullback
from mechlearn.errors import InputError
from mechlearn.interactions.zbl import Zbl
from mechlearn.learning import Epoch, TrainingSettings
from mechlearn.learning.modules import perceptron_module, perceptron_of
from mechlearn.potentials import network_training
from mechlearn.potentials.network import NetworkPotential
from mechlearn.potentials.network_fit import Frame, fit_network, prepare
from mechlearn.structures import StructureBatch

DESCRIPTOR = Bispectrum(("W",), cutoff=4.2, twojmax=4)
TWO = Bispectrum(("W", "Be"), cutoff=4.2, twojmax=4, element_weights=(1.0, 0.3))
SETTINGS = TrainingSettings(epochs=60, learning_rate=0.01, batch_size=8)


def rattled(count: int, seed: int = 0, elements: tuple[str, ...] = ("W",)) -> StructureBatch:
    """Strained and rattled bcc cells of 2 to 8 atoms, labelled by a screened nuclear repulsion."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        atoms = bulk("W", cubic=True, a=3.2 * rng.uniform(0.96, 1.05)).repeat(
            [(1, 1, 1), (2, 1, 1), (2, 2, 1)][index % 3]
        )
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.05, 0.05, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(scale=0.1, size=(len(atoms), 3))
        atoms.set_chemical_symbols([elements[rng.integers(len(elements))] for _ in atoms])
        images.append(atoms)
    batch = StructureBatch.from_atoms(images)
    truth = Zbl(elements, 2.0, 4.5).evaluate(batch)
    return replace(batch.with_labels(truth.energies, truth.forces), groups=tuple("ab"[i % 2] for i in range(count)))


TRAIN, VALIDATION, TEST = rattled(48), rattled(16, seed=1), rattled(24, seed=2)


def errors(potential: NetworkPotential, batch: StructureBatch) -> tuple[float, float]:
    """Root-mean-square errors of energies (eV/atom) and force components (eV/Å)."""
    found = potential.evaluate(batch)
    energy = (found.energies - batch.energies) / batch.sizes
    return float(np.sqrt(np.mean(energy**2))), float(np.sqrt(np.mean((found.forces - batch.forces) ** 2)))


def minibatches(
    descriptor: Bispectrum, batch: StructureBatch, jacobian_bytes: float, force_weight: float = 1.0
) -> tuple[torch.nn.ModuleList, list[network_training.Minibatch]]:
    elements = len(descriptor.elements)
    data = prepare(batch, descriptor, None, 3.0, force_weight)
    maker = network_training.MinibatchMaker(Frame.of(data, elements), 8, jacobian_bytes)
    generator = torch.Generator().manual_seed(0)
    networks = torch.nn.ModuleList(perceptron_module([descriptor.features, 4, 1], generator) for _ in range(elements))
    return networks, maker.make(data, np.arange(len(batch)))


def jacobian_of(batch: network_training.Minibatch) -> object:
    assert batch.forces is not None
    return batch.forces.jacobian


@pytest.mark.parametrize("elements", [("W",), ("W", "Be")])
def test_gradient_of_the_force_loss_against_finite_differences(elements: tuple[str, ...]) -> None:
    descriptor = TWO if len(elements) == 2 else DESCRIPTOR
    networks, batches = minibatches(descriptor, rattled(4, elements=elements), 0.0)
    loss = network_training.loss(networks, batches[0])
    loss.backward()  # type: ignore[no-untyped-call]
    for parameter in networks.parameters():
        assert parameter.grad is not None
        direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        values = []
        for step in (-1e-5, 1e-5):
            with torch.no_grad():
                parameter += step * direction
            values.append(network_training.loss(networks, batches[0]).item())
            with torch.no_grad():
                parameter -= step * direction
        slope = (values[1] - values[0]) / 2e-5
        assert torch.sum(parameter.grad * direction).item() == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("elements", [("W",), ("W", "Be")])
def test_the_loss_is_that_of_the_rows_of_a_linear_fit(elements: tuple[str, ...]) -> None:
    """Σ (3·ΔE/n)² + Σ |2·ΔF|², a structure, over that of the best constant."""
    descriptor, batch = (TWO if len(elements) == 2 else DESCRIPTOR), rattled(8, elements=elements)
    networks, batches = minibatches(descriptor, batch, 0.0, force_weight=2.0)
    frame = Frame.of(prepare(batch, descriptor, None, 3.0, 2.0), len(elements))
    potential = frame.potential(descriptor, tuple(perceptron_of(network) for network in networks))  # type: ignore[arg-type]
    found = potential.evaluate(batch)
    energy = np.sum((3.0 * (found.energies - batch.energies) / batch.sizes) ** 2)
    force = np.sum((2.0 * (found.forces - batch.forces)) ** 2)
    counts = np.stack(
        [
            [np.sum(part == number) for number in (74, 4)[: len(elements)]]
            for part in np.split(batch.species, batch.offsets[1:-1])
        ]
    )
    constant = np.sum((3.0 * (counts @ frame.energy_shift - batch.energies) / batch.sizes) ** 2)
    expected = (energy + force) / (constant + np.sum((2.0 * batch.forces) ** 2))
    assert network_training.loss(networks, batches[0]).item() == pytest.approx(expected, rel=1e-10)


def test_stored_and_recomputed_derivatives_agree() -> None:
    networks, stored = minibatches(DESCRIPTOR, TRAIN, 1e9)
    _, recomputed = minibatches(DESCRIPTOR, TRAIN, 0.0)
    assert not isinstance(jacobian_of(stored[0]), network_training.Recomputed)
    assert isinstance(jacobian_of(recomputed[0]), network_training.Recomputed)
    for left, right in zip(stored, recomputed, strict=True):
        gradients = []
        for batch in (left, right):
            networks.zero_grad()
            network_training.loss(networks, batch).backward()  # type: ignore[no-untyped-call]
            gradients.append(torch.cat([parameter.grad.flatten() for parameter in networks.parameters()]))  # type: ignore[union-attr]
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("elements", [("W",), ("W", "Be")])
def test_the_loss_written_out_is_that_of_automatic_differentiation(
    elements: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = TWO if len(elements) == 2 else DESCRIPTOR
    networks, batches = minibatches(descriptor, rattled(8, elements=elements), 1e9)
    values, gradients = [], []
    for wide in (10**9, 0):
        monkeypatch.setattr(network_training, "_WIDE", wide)
        networks.zero_grad()
        loss = network_training.loss(networks, batches[0])
        (3.0 * loss).backward()  # type: ignore[no-untyped-call]
        values += [loss.item(), network_training.loss(networks.eval(), batches[0]).item()]
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in networks.train().parameters()]))  # type: ignore[union-attr]
    assert values == pytest.approx([values[0]] * 4, rel=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-12)


def test_memory_for_derivatives_is_bounded() -> None:
    _, some = minibatches(DESCRIPTOR, TRAIN, 1.0)
    kinds = [isinstance(jacobian_of(batch), network_training.Recomputed) for batch in some]
    assert kinds == [False] + [True] * 5


def test_energies_alone_are_learned_and_need_no_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("energies need no derivatives")

    monkeypatch.setattr(Bispectrum, "jacobian", forbidden)
    monkeypatch.setattr(Bispectrum, "pullback", forbidden)
    potential, history = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", SETTINGS)
    assert errors(potential, TEST)[0] < 0.1 * np.std(TEST.energies_per_atom)
    assert history.best.validation < 0.01
    assert potential.provenance["architecture"] == "A1"


def test_training_on_forces_gives_better_forces() -> None:
    blind, _ = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", SETTINGS)
    sighted, _ = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", SETTINGS, energy_weight=10.0, force_weight=1.0)
    assert errors(sighted, TEST)[1] < 0.5 * errors(blind, TEST)[1]


def test_forces_of_a_fitted_network_are_the_slope_of_its_energy() -> None:
    settings = replace(SETTINGS, epochs=3)
    potential, _ = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", settings, force_weight=1.0)
    atoms = TEST.select([1]).to_atoms()[0]
    forces = potential.evaluate(StructureBatch.from_atoms([atoms])).forces
    values = []
    for step in (-1e-4, 1e-4):
        moved = atoms.copy()
        moved.positions[1, 2] += step
        values.append(potential.evaluate(StructureBatch.from_atoms([moved])).energies[0])
    assert forces[1, 2] == pytest.approx(-(values[1] - values[0]) / 2e-4, rel=1e-5)


def test_two_elements_are_fitted_with_forces() -> None:
    train, test = rattled(48, elements=("W", "Be")), rattled(16, seed=5, elements=("W", "Be"))
    potential, history = fit_network(train, test, TWO, "A1", SETTINGS, energy_weight=10.0, force_weight=1.0)
    assert len(potential.perceptrons) == 2
    assert history.best.validation < 0.3 * history.validation[0]
    assert errors(potential, test)[1] < 0.5 * np.sqrt(np.mean(test.forces**2))


def test_the_start_is_better_than_a_constant() -> None:
    _, history = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "B1", replace(SETTINGS, epochs=1, learning_rate=1e-9))
    assert history.validation[0] < 0.5


def test_single_precision_learns_the_same() -> None:
    """The first epochs agree; later ones part, as any two roundings of one training do."""
    fits = [
        fit_network(
            TRAIN,
            VALIDATION,
            DESCRIPTOR,
            "A1",
            replace(SETTINGS, epochs=2, precision=precision),
            force_weight=1.0,
        )[1]
        for precision in ("double", "single")
    ]
    np.testing.assert_allclose(fits[0].validation, fits[1].validation, rtol=1e-3)
    assert fits[0].validation != fits[1].validation


def test_a_reference_is_taken_off_and_added_again() -> None:
    reference = Zbl(("W",), 2.0, 4.5)
    potential, _ = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", replace(SETTINGS, epochs=1), reference=reference)
    energy, force = errors(potential, TEST)
    assert energy < 1e-9
    assert force < 1e-9


def test_a_fit_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=12, checkpoint_seconds=0.0)
    whole, expected = fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", settings, force_weight=1.0)

    def stop(epoch: Epoch) -> None:
        if epoch.number == 5:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_network(
            TRAIN,
            VALIDATION,
            DESCRIPTOR,
            "A1",
            settings,
            force_weight=1.0,
            checkpoint=checkpoint,
            progress=stop,
        )
    resumed, history = fit_network(
        TRAIN, VALIDATION, DESCRIPTOR, "A1", settings, force_weight=1.0, checkpoint=checkpoint
    )
    assert history == expected
    assert np.array_equal(resumed.evaluate(TEST).forces, whole.evaluate(TEST).forces)
    with pytest.raises(InputError, match=r"is of another run .other data."):
        fit_network(TEST, VALIDATION, DESCRIPTOR, "A1", settings, force_weight=1.0, checkpoint=checkpoint)


def test_labels_that_are_missing_count_nothing() -> None:
    energies, forces = TRAIN.energies.copy(), TRAIN.forces.copy()
    energies[::2], forces[: len(forces) // 2] = np.nan, np.nan
    potential, history = fit_network(
        TRAIN.with_labels(energies, forces), VALIDATION, DESCRIPTOR, "A1", SETTINGS, force_weight=0.1
    )
    assert np.isfinite(history.best.validation)
    assert errors(potential, TEST)[0] < 0.2 * np.std(TEST.energies_per_atom)


def test_a_group_of_weight_zero_is_not_learned() -> None:
    wrong = TRAIN.energies + np.where(np.array(TRAIN.groups) == "b", 5.0, 0.0) * TRAIN.sizes
    spoilt = TRAIN.with_labels(wrong, TRAIN.forces)
    potential, _ = fit_network(spoilt, VALIDATION, DESCRIPTOR, "A1", SETTINGS, energy_weight={"a": 1.0, "b": 0.0})
    assert errors(potential, TEST)[0] < 0.5 * np.std(TEST.energies_per_atom)


def test_without_validation_the_training_loss_decides() -> None:
    _, history = fit_network(TRAIN, StructureBatch.empty(), DESCRIPTOR, "A1", replace(SETTINGS, epochs=3))
    assert history.training == history.validation


def test_what_cannot_be_fitted_is_said() -> None:
    with pytest.raises(InputError, match="none of the 48 training structures has a label with a weight; label them"):
        fit_network(TRAIN.without_labels(), VALIDATION, DESCRIPTOR, "A1", SETTINGS)
    with pytest.raises(InputError, match="energy_weight has no entry for the group 'b'"):
        fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", SETTINGS, energy_weight={"a": 1.0})
    with pytest.raises(InputError, match=r"force_weight holds -1\.0; give numbers of 0 or more"):
        fit_network(TRAIN, VALIDATION, DESCRIPTOR, "A1", SETTINGS, force_weight=-1.0)
    with pytest.raises(InputError, match="the structures hold Be, the potential knows W"):
        fit_network(rattled(6, elements=("W", "Be")), VALIDATION, DESCRIPTOR, "A1", SETTINGS)
    with pytest.raises(InputError, match="there is no training structure; give at least one"):
        fit_network(StructureBatch.empty(), VALIDATION, DESCRIPTOR, "A1", SETTINGS)


@dataclass(frozen=True)
class Gaussians:
    """Another descriptor, of molecules: B_il = Σ_k exp(−(r_ik − c_l)²), in the plainest way."""

    elements: tuple[str, ...] = ("H", "C", "O")
    centres: tuple[float, ...] = (0.8, 1.2, 1.6, 2.2)

    @property
    def features(self) -> int:
        return len(self.centres)

    def pairs(self, batch: StructureBatch) -> list[tuple[int, int, np.ndarray, float]]:
        found = []
        for start, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
            for i in range(start, end):
                for k in range(start, end):
                    if i != k:
                        vector = batch.positions[k] - batch.positions[i]
                        found.append((i, k, vector, float(np.linalg.norm(vector))))
        return found

    def compute(self, batch: StructureBatch) -> np.ndarray:
        values = np.zeros((batch.atoms, self.features))
        for i, _, _, r in self.pairs(batch):
            values[i] += np.exp(-((r - np.array(self.centres)) ** 2))
        return values

    def slopes(self, vector: np.ndarray, r: float) -> np.ndarray:
        c = np.array(self.centres)
        return (-2 * (r - c) * np.exp(-((r - c) ** 2)))[:, None] * vector / r

    def pullback(self, batch: StructureBatch, gradient: np.ndarray) -> Pullback:
        forces, virials = np.zeros((batch.atoms, 3)), np.zeros((len(batch), 3, 3))
        for i, k, vector, r in self.pairs(batch):
            force = -gradient[i] @ self.slopes(vector, r)
            forces[k] += force
            forces[i] -= force
            virials[batch.structure_of_atom[i]] += np.outer(vector, force)
        return Pullback(forces, virials)

    def pushforward(self, batch: StructureBatch, displacement: np.ndarray) -> np.ndarray:
        pushed = np.zeros((batch.atoms, self.features))
        for i, k, vector, r in self.pairs(batch):
            pushed[i] += self.slopes(vector, r) @ (displacement[k] - displacement[i])
        return pushed


def test_any_descriptor_with_the_products_can_be_fitted() -> None:
    rng = np.random.default_rng(0)
    images: list[Atoms] = []
    for index in range(12):
        atoms = molecule(["H2O", "CH4", "CO2"][index % 3], vacuum=3.0)
        atoms.positions += rng.normal(scale=0.05, size=(len(atoms), 3))
        images.append(atoms)
    batch = StructureBatch.from_atoms(images)
    lengths = np.array([atoms.get_all_distances().sum() for atoms in images])
    bends = np.concatenate(
        [
            -2
            * np.array(
                [
                    sum((a - b) / np.linalg.norm(a - b) for b in atoms.positions if b is not a and (a != b).any())
                    for a in atoms.positions
                ]
            )
            for atoms in images
        ]
    )
    batch = batch.with_labels(lengths, bends)
    potential, history = fit_network(
        batch, StructureBatch.empty(), Gaussians(), "A1", replace(SETTINGS, epochs=120), force_weight=1.0
    )
    assert history.training[-1] < 0.2 * history.training[0]
    found = potential.evaluate(batch)
    assert np.corrcoef(found.forces.ravel(), batch.forces.ravel())[0, 1] > 0.8
