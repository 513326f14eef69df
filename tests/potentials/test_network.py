"""Network potentials: the paper's architectures, forces and stress against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError
from mechlearn.interactions.potential import Potential
from mechlearn.interactions.zbl import Zbl
from mechlearn.learning import Perceptron, parameter_count
from mechlearn.potentials.network import HIDDEN_WIDTHS, NetworkPotential, architecture
from mechlearn.structures import StructureBatch


def random_network(
    elements: tuple[str, ...] = ("W",), reference: Potential | None = None, seed: int = 0
) -> NetworkPotential:
    """A potential of random weights that has every part: frame, shifts, scale."""
    rng = np.random.default_rng(seed)
    descriptor = Bispectrum(elements, cutoff=4.0, twojmax=2, element_weights=(1.0, 0.7)[: len(elements)])
    features = descriptor.features

    def perceptron() -> Perceptron:
        return Perceptron(
            (rng.normal(size=(features, 6)), rng.normal(size=(6, 4)), rng.normal(size=(4, 1))),
            (rng.normal(size=6), rng.normal(size=4), rng.normal(size=1)),
        )

    return NetworkPotential(
        descriptor=descriptor,
        perceptrons=tuple(perceptron() for _ in elements),
        mean=rng.normal(scale=5.0, size=(len(elements), features)),
        spread=rng.uniform(2.0, 9.0, size=(len(elements), features)),
        energy_shift=rng.normal(size=len(elements)),
        energy_scale=0.7,
        reference=reference,
    )


def sheared(symbols: str = "W4", seed: int = 1) -> Atoms:
    """A small sheared cell, smaller than the cutoff, with its atoms off their sites."""
    atoms = bulk("W", cubic=True, a=3.2).repeat((2, 1, 1))
    atoms.set_chemical_symbols(Atoms(symbols).get_chemical_symbols())
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.1 * np.arange(9).reshape(3, 3) / 8), scale_atoms=True)
    atoms.rattle(0.15, seed=seed)
    return atoms


def energy(potential: Potential, atoms: Atoms) -> float:
    return float(potential.evaluate(StructureBatch.from_atoms([atoms])).energies[0])


POTENTIALS = {
    "one element": (random_network(), "W4"),
    "two elements": (random_network(("W", "Be")), "WBeW2"),
    "with ZBL": (random_network(reference=Zbl(("W",), 3.0, 4.2)), "W4"),
}


@pytest.mark.parametrize("case", POTENTIALS)
def test_forces_are_the_slope_of_the_energy(case: str) -> None:
    potential, symbols = POTENTIALS[case]
    atoms = sheared(symbols)
    forces = potential.evaluate(StructureBatch.from_atoms([atoms])).forces
    for atom, axis in ((0, 0), (1, 2), (3, 1)):
        values = []
        for step in (-1e-4, 1e-4):
            moved = atoms.copy()
            moved.positions[atom, axis] += step
            values.append(energy(potential, moved))
        assert forces[atom, axis] == pytest.approx(-(values[1] - values[0]) / 2e-4, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("case", POTENTIALS)
def test_stress_is_the_slope_with_strain_over_the_volume(case: str) -> None:
    potential, symbols = POTENTIALS[case]
    atoms = sheared(symbols)
    stress = potential.evaluate(StructureBatch.from_atoms([atoms])).stresses[0]
    for component, (row, column) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        values = []
        for size in (-1e-5, 1e-5):
            strain = np.zeros((3, 3))
            strain[row, column] += size / 2
            strain[column, row] += size / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            values.append(energy(potential, strained))
        slope = (values[1] - values[0]) / 2e-5 / atoms.get_volume()
        assert stress[component] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_energies_of_atoms_add_up_and_do_not_depend_on_the_batch() -> None:
    potential, _ = POTENTIALS["two elements"]
    images = [sheared("WBeW2"), sheared("Be4", seed=2), sheared("W4", seed=3)]
    together = potential.evaluate(StructureBatch.from_atoms(images))
    assert together.atomic_energies is not None
    np.testing.assert_allclose(together.atomic_energies.reshape(3, 4).sum(axis=1), together.energies, rtol=1e-13)
    for index, atoms in enumerate(images):
        alone = potential.evaluate(StructureBatch.from_atoms([atoms]))
        np.testing.assert_allclose(alone.energies[0], together.energies[index], rtol=1e-12)
        np.testing.assert_allclose(alone.forces, together.forces[4 * index : 4 * index + 4], atol=1e-12)


def test_folded_perceptrons_take_raw_descriptors_and_give_electronvolts() -> None:
    potential, _ = POTENTIALS["one element"]
    D = potential.descriptor.compute(StructureBatch.from_atoms([sheared()]))
    energies, gradient = potential.energies_and_gradient(D, np.zeros(len(D), dtype=np.int64))
    folded_energies, folded_gradient = potential.folded()[0].energy_and_gradient(D)
    np.testing.assert_allclose(folded_energies, energies, rtol=1e-12)
    np.testing.assert_allclose(folded_gradient, gradient, rtol=1e-10, atol=1e-13)


def test_an_unknown_element_is_named() -> None:
    with pytest.raises(InputError, match="the structures hold Be, the potential knows W; leave those"):
        POTENTIALS["one element"][0].evaluate(StructureBatch.from_atoms([sheared("WBeW2")]))


def test_parts_that_do_not_fit_are_refused() -> None:
    potential = random_network()
    with pytest.raises(InputError, match="do not fit a descriptor of 1 elements and 14 features"):
        replace(potential, descriptor=Bispectrum(("W",), twojmax=4))


def test_the_papers_degrees_of_freedom() -> None:
    assert parameter_count(architecture("A1", 30)) == 383
    assert parameter_count(architecture("B1", 30)) == 3965


def test_the_family_is_what_its_types_say() -> None:
    """A steps down from D = 30; B expands, then contracts; each grows; only the input depends on D."""
    counts = {name: parameter_count(architecture(name, 30)) for name in HIDDEN_WIDTHS}
    for kind in "AB":
        sizes = [counts[f"{kind}{index}"] for index in range(1, 6)]
        assert sizes == sorted(set(sizes))
    assert 3e4 < counts["B5"] < 2e5
    for name in HIDDEN_WIDTHS:
        widths = np.array(architecture(name, 30))
        assert np.all(np.diff(widths[1:]) < 0)
        assert (widths[1] < 30) == name.startswith("A")
        assert architecture(name, 55)[1:] == architecture(name, 14)[1:] == tuple(widths[1:])
    with pytest.raises(InputError, match="no architecture 'C1'; choose of A1, A2"):
        architecture("C1", 30)


def test_many_atoms_go_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    potential, _ = POTENTIALS["two elements"]
    batch = StructureBatch.from_atoms([sheared("WBeW2"), sheared("W4", seed=3)])
    whole = potential.evaluate(batch)
    monkeypatch.setattr("mechlearn.potentials.network._ROWS", 3)
    pieces = potential.evaluate(batch)
    np.testing.assert_allclose(pieces.energies, whole.energies, rtol=1e-13)
    np.testing.assert_allclose(pieces.forces, whole.forces, atol=1e-12)
