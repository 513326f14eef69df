"""The bispectrum: invariances, derivatives, and what it refuses.  Its numbers are held to LAMMPS's in validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from cells import random_batch, random_rotation
from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourList, neighbour_pairs

ALLOY = Bispectrum(("W", "Be"), cutoff=4.73, twojmax=6, element_radii=(0.5, 0.417932), element_weights=(1.0, 0.959049))


@pytest.fixture(scope="module")
def batch() -> StructureBatch:
    return random_batch(np.random.default_rng(5), 12, ("W", "Be"))


def test_rotation_translation_and_reflection(batch: StructureBatch) -> None:
    rng = np.random.default_rng(6)
    rotation = random_rotation(rng)
    moved = replace(batch, positions=(batch.positions + rng.normal(size=3)) @ rotation, cells=batch.cells @ rotation)
    mirrored = replace(batch, positions=-batch.positions, cells=-batch.cells)
    values = ALLOY.compute(batch)
    scale = np.abs(values).max()
    np.testing.assert_allclose(ALLOY.compute(moved), values, atol=1e-11 * scale)
    np.testing.assert_allclose(ALLOY.compute(mirrored), values, atol=1e-11 * scale)


def test_permutation_of_atoms_and_company_change_no_bit(batch: StructureBatch) -> None:
    """An atom's numbers depend on its structure alone: not on the order of structures, not on who shares its group."""
    values = ALLOY.compute(batch)
    backwards = np.arange(len(batch))[::-1]
    again = ALLOY.compute(batch.select(backwards))
    own = np.concatenate([np.arange(batch.offsets[s], batch.offsets[s + 1]) for s in backwards])
    np.testing.assert_array_equal(again, values[own])


def test_threads_change_no_bit(batch: StructureBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = np.random.default_rng(7).normal(size=(batch.atoms, ALLOY.features))
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("MECHLEARN_THREADS", threads)
        found.append((ALLOY.compute(batch), ALLOY.pullback(batch, gradient).forces))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_supercell_repeats_the_cell() -> None:
    atoms = bulk("W", cubic=True)
    atoms.rattle(0.2, rng=np.random.default_rng(8))
    descriptor = Bispectrum(twojmax=8)
    small, large = (StructureBatch.from_atoms([each]) for each in (atoms, atoms.repeat((3, 2, 1))))
    np.testing.assert_allclose(
        descriptor.compute(large), np.tile(descriptor.compute(small), (6, 1)), rtol=1e-11, atol=1e-9
    )


def test_isolated_atom_is_zero() -> None:
    """U = 1 gives B = j + 1, which ``bzero`` takes off (LAMMPS's bzeroflag)."""
    alone = StructureBatch.from_arrays(np.zeros((1, 3)), 50 * np.eye(3)[None], np.array([74], dtype=np.int32), [1])
    np.testing.assert_allclose(Bispectrum(twojmax=6).compute(alone), 0.0, atol=1e-12)
    plain = Bispectrum(twojmax=6, bzero=False)
    np.testing.assert_allclose(plain.compute(alone)[0], [j + 1 for _, _, j in plain.components], atol=1e-12)


@pytest.mark.parametrize("twojmax", [2, 3, 8])
def test_derivatives_against_finite_differences(batch: StructureBatch, twojmax: int) -> None:
    descriptor = replace(ALLOY, twojmax=twojmax)
    direction = np.random.default_rng(9).normal(size=(batch.atoms, 3))
    step = 1e-5
    ahead, behind = (replace(batch, positions=batch.positions + sign * step * direction) for sign in (1, -1))
    numerical = (descriptor.compute(ahead) - descriptor.compute(behind)) / (2 * step)
    pushed = descriptor.pushforward(batch, direction)
    np.testing.assert_allclose(pushed, numerical, atol=1e-7 * np.abs(numerical).max())


def test_pullback_is_the_adjoint_of_pushforward(batch: StructureBatch) -> None:
    """Σ g·(dB·v) = -Σ f·v, for the kernels and for the stored derivatives."""
    rng = np.random.default_rng(10)
    gradient = rng.normal(size=(batch.atoms, ALLOY.features))
    direction = rng.normal(size=(batch.atoms, 3))
    jacobian = ALLOY.jacobian(batch, np.float64)
    work = (gradient * ALLOY.pushforward(batch, direction)).sum()
    for source in (ALLOY.pullback(batch, gradient), jacobian.pullback(gradient)):
        np.testing.assert_allclose(-(source.forces * direction).sum(), work, rtol=1e-10)
        np.testing.assert_allclose(source.virials, jacobian.pullback(gradient).virials, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        jacobian.pushforward(direction), ALLOY.pushforward(batch, direction), rtol=1e-9, atol=1e-9
    )


def test_contraction_is_the_linear_energy_and_its_pullback(batch: StructureBatch) -> None:
    """Euler's theorem gives Σ g·B without B; kept or not, listed with a skin or not, the numbers are the same."""
    gradient = np.random.default_rng(12).normal(size=(batch.atoms, ALLOY.features))
    values, pulled = ALLOY.compute(batch), ALLOY.pullback(batch, gradient)
    pairs = NeighbourList(ALLOY.reach, skin=0.3).pairs(batch)
    longer = neighbour_pairs(batch, 1.2 * ALLOY.reach)
    for prepared in (ALLOY.prepare(batch, keep=False), ALLOY.prepare(batch), ALLOY.prepare(batch, pairs)):
        np.testing.assert_array_equal(prepared.compute(), ALLOY.prepare(batch, prepared.pairs, keep=False).compute())
        products, again = prepared.contract(gradient)
        np.testing.assert_allclose(products, (gradient * values).sum(axis=1), atol=1e-10 * np.abs(values).max())
        np.testing.assert_allclose(again.forces, pulled.forces, atol=1e-10 * np.abs(pulled.forces).max())
    np.testing.assert_allclose(ALLOY.prepare(batch, longer).compute(), values, atol=1e-11 * np.abs(values).max())


def test_virial_against_strain(batch: StructureBatch) -> None:
    """W_xy = -∂E/∂ε_xy for E = Σ g·B under r → r (1 + ε)."""
    gradient = np.random.default_rng(11).normal(size=(batch.atoms, ALLOY.features))
    virials = ALLOY.pullback(batch, gradient).virials
    step = 1e-6
    for x, y in ((0, 0), (1, 2), (2, 0)):
        energies = []
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[x, y] += sign * step
            strained = replace(batch, positions=batch.positions @ deformation, cells=batch.cells @ deformation)
            energies.append(np.add.reduceat((gradient * ALLOY.compute(strained)).sum(axis=1), batch.offsets[:-1]))
        slope = (energies[0] - energies[1]) / (2 * step)
        np.testing.assert_allclose(virials[:, x, y], -slope, atol=2e-6 * np.abs(slope).max())


def test_fades_at_the_cutoff() -> None:
    """A pair just inside the cutoff changes B by the square of what is left of the distance."""
    descriptor = Bispectrum(twojmax=4, cutoff=4.0)
    changes = []
    for gap in (0.02, 0.01):
        positions = np.array([[0.0, 0, 0], [4.0 - gap, 0, 0]])
        pair = StructureBatch.from_arrays(positions, 30 * np.eye(3)[None], np.array([74, 74], dtype=np.int32), [2])
        changes.append(np.abs(descriptor.compute(pair)).max())
    assert 3.9 < changes[0] / changes[1] < 4.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff": 0.0}, "cutoff is 0.0 Å"),
        ({"twojmax": -1}, "twojmax is -1"),
        ({"elements": ("Xx",), "element_radii": None, "element_weights": None}, "unknown elements"),
        ({"element_radii": (0.5,)}, "1 element_radii for 2 elements"),
        ({"rfac0": 1.5}, "rfac0 is 1.5"),
    ],
)
def test_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(ALLOY, **change)


def test_names_the_element_it_does_not_know(batch: StructureBatch) -> None:
    with pytest.raises(InputError, match="the structures hold Be, the descriptor knows W"):
        Bispectrum(("W",)).compute(batch)


def test_names_a_wrong_shape(batch: StructureBatch) -> None:
    with pytest.raises(InputError, match="gradient has shape"):
        ALLOY.pullback(batch, np.zeros((batch.atoms, 2)))
