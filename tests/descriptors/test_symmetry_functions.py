"""Symmetry functions: their sums written out, forces by differences, invariances, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, combinations_with_replacement
from typing import Any, Literal

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from cells import random_batch, random_rotation
from mechlearn.descriptors import Descriptor, audit_features
from mechlearn.descriptors.symmetry_functions import AngularFunction, RadialFunction, SymmetryFunctions
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch

RADIAL = (RadialFunction(0.3), RadialFunction(4.0, 2.5), RadialFunction(9.0, 3.9))
ANGULAR = (
    AngularFunction(0.02, 1.0, 1.0),
    AngularFunction(0.02, 16.0, -1.0),
    AngularFunction(0.1, 2.5, -1.0),
    AngularFunction(0.0, 4.0, 0.5),
)


def functions(kind: Literal["G4", "G5"] = "G4") -> SymmetryFunctions:
    return SymmetryFunctions(("W", "Be"), RADIAL, ANGULAR, cutoff=4.7, angular_cutoff=4.1, kind=kind)


@pytest.fixture(scope="module")
def batch() -> StructureBatch:
    return random_batch(np.random.default_rng(5), 10, ("W", "Be"), largest=12)


def fade(r: float, cutoff: float) -> float:
    return 0.5 * (1.0 + np.cos(np.pi * r / cutoff)) if r < cutoff else 0.0


def written_out(descriptor: SymmetryFunctions, structure: StructureBatch) -> np.ndarray:
    """The sums over every neighbour and pair of neighbours, one after the other."""
    cell, cutoff, angular_cutoff = structure.cells[0], descriptor.cutoff, descriptor.angular_cutoff
    assert angular_cutoff is not None
    reach = np.ceil(cutoff * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int) + 1
    shifts = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    folded = np.linalg.solve(cell.T, structure.positions.T).T % 1.0 @ cell
    images = (folded[:, None, :] + shifts @ cell).reshape(-1, 3)
    symbols = np.repeat([{74: "W", 4: "Be"}[number] for number in structure.species], len(shifts))
    rows = []
    for centre in folded:
        away = np.linalg.norm(images - centre, axis=1)
        near = np.flatnonzero((away > 1e-8) & (away < cutoff))
        row = []
        for element in descriptor.elements:
            own = [away[j] for j in near if symbols[j] == element]
            for shell in descriptor.radial:
                row.append(sum(np.exp(-shell.eta * (r - shell.distance) ** 2) * fade(r, cutoff) for r in own))
        for pair in combinations_with_replacement(descriptor.elements, 2):
            for turn in descriptor.angular:
                total = 0.0
                for j, k in combinations(near, 2):
                    if sorted((symbols[j], symbols[k])) != sorted(pair):
                        continue
                    r_j, r_k, across = away[j], away[k], np.linalg.norm(images[j] - images[k])
                    cosine = np.clip((images[j] - centre) @ (images[k] - centre) / (r_j * r_k), -1.0, 1.0)
                    squares, weight = r_j**2 + r_k**2, fade(r_j, angular_cutoff) * fade(r_k, angular_cutoff)
                    if descriptor.kind == "G4":
                        squares, weight = squares + across**2, weight * fade(float(across), angular_cutoff)
                    opening = (1.0 + turn.lambda_ * cosine) ** turn.zeta
                    total += 2.0 ** (1.0 - turn.zeta) * opening * np.exp(-turn.eta * squares) * weight
                row.append(total)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("kind", ["G4", "G5"])
def test_equal_their_sums_written_out(kind: Literal["G4", "G5"]) -> None:
    """In sheared cells smaller than the cutoff, where an atom sees its own images."""
    few = random_batch(np.random.default_rng(11), 6, ("W", "Be"), largest=5)
    found = functions(kind).compute(few)
    for index in range(len(few)):
        own = slice(few.offsets[index], few.offsets[index + 1])
        expected = written_out(functions(kind), few.select([index]))
        np.testing.assert_allclose(found[own], expected, rtol=1e-9, atol=1e-12)


def test_a_triangle_by_hand() -> None:
    """Three atoms, a right angle: one pair of neighbours each, cos θ = 0, 1/√5, 2/√5."""
    triangle = Atoms("W3", [[0, 0, 0], [1, 0, 0], [0, 2, 0]], cell=[20, 20, 20], pbc=True)
    structure = StructureBatch.from_atoms([triangle])
    descriptor = SymmetryFunctions(("W",), angular=(AngularFunction(0.1, 2.0, 1.0),), cutoff=4.0)
    fades = np.prod([fade(r, 4.0) for r in (1.0, 2.0, np.sqrt(5.0))])
    cosines = np.array([0.0, 1.0 / np.sqrt(5.0), 2.0 / np.sqrt(5.0)])
    expected = 0.5 * (1.0 + cosines) ** 2 * np.exp(-0.1 * 10.0) * fades
    np.testing.assert_allclose(descriptor.compute(structure)[:, 0], expected, rtol=1e-13)


@pytest.mark.parametrize("kind", ["G4", "G5"])
def test_forces_and_virials_are_derivatives(batch: StructureBatch, kind: Literal["G4", "G5"]) -> None:
    rng = np.random.default_rng(12)
    descriptor = functions(kind)
    scale = np.abs(descriptor.compute(batch)).mean(axis=0)
    gradient = rng.normal(size=(batch.atoms, descriptor.features)) / scale
    pull = descriptor.pullback(batch, gradient)

    def energies(moved: StructureBatch) -> np.ndarray:
        shares = (gradient * descriptor.compute(moved)).sum(axis=1)
        return np.bincount(batch.structure_of_atom, shares, len(batch))

    way, step = rng.normal(size=batch.positions.shape), 1e-5
    ahead, behind = (energies(replace(batch, positions=batch.positions + sign * step * way)) for sign in (1.0, -1.0))
    work = np.bincount(batch.structure_of_atom, (pull.forces * way).sum(axis=1), len(batch))
    np.testing.assert_allclose(work, -(ahead - behind) / (2.0 * step), rtol=1e-6, atol=1e-6 * np.abs(work).max())
    strain = rng.normal(size=(3, 3))
    ends = []
    for sign in (1.0, -1.0):
        map_ = np.eye(3) + sign * step * strain
        ends.append(energies(replace(batch, positions=batch.positions @ map_.T, cells=batch.cells @ map_.T)))
    expected = -(ends[0] - ends[1]) / (2.0 * step)
    # W = Σ r ⊗ f, so that dE = −W : Lᵀ.
    work = np.einsum("sab,ba->s", pull.virials, strain)
    np.testing.assert_allclose(work, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_threads_and_company_change_no_bit(batch: StructureBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = np.random.default_rng(7).normal(size=(batch.atoms, functions().features))
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("MECHLEARN_THREADS", threads)
        found.append((functions().compute(batch), functions().pullback(batch, gradient).forces))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    last = slice(batch.offsets[-2], batch.offsets[-1])
    np.testing.assert_array_equal(functions().compute(batch.select([len(batch) - 1])), found[0][0][last])


def test_the_set_for_glasses_passes_an_audit() -> None:
    rng = np.random.default_rng(2)
    atoms = bulk("Cu", a=4.0, cubic=True)
    atoms.symbols[[1]] = "Zr"
    atoms.rattle(0.3, rng=rng)
    descriptor = SymmetryFunctions.for_glass(("Cu", "Zr"))
    assert isinstance(descriptor, Descriptor)
    assert len(descriptor.names) == len(set(descriptor.names)) == descriptor.features
    structure = StructureBatch.from_atoms([atoms])
    audit = audit_features(descriptor, structure, rng=rng, names=descriptor.names, lossless=True)
    assert all(audit.verdicts[name] for name in ("symmetry", "continuity", "size", "lossless")), str(audit)


def test_reflection_and_an_improper_turn_change_nothing(batch: StructureBatch) -> None:
    turn = -random_rotation(np.random.default_rng(3))
    turned = replace(batch, positions=batch.positions @ turn.T, cells=batch.cells @ turn.T)
    values = functions().compute(batch)
    np.testing.assert_allclose(functions().compute(turned), values, rtol=1e-9, atol=1e-11 * np.abs(values).max())


def test_an_atom_alone_has_zeros() -> None:
    alone = StructureBatch.from_atoms([Atoms("Be", [[0, 0, 0]], cell=[9, 9, 9], pbc=True)])
    assert not functions().compute(alone).any()
    assert not functions().pullback(alone, np.ones((1, functions().features))).forces.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"elements": ("W", "Xx")}, "give chemical symbols"),
        ({"elements": ("W", "W")}, "each once"),
        ({"radial": ()}, "there is no function"),
        ({"cutoff": 0.0}, "give a positive number"),
        ({"radial": (RadialFunction(-1.0),)}, "from 0 on"),
        ({"angular": (AngularFunction(1.0, 0.5),)}, "ζ from 1 on"),
    ],
)
def test_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SymmetryFunctions(**({"elements": ("W",), "radial": RADIAL} | arguments))


def test_refuses_a_strange_element(batch: StructureBatch) -> None:
    with pytest.raises(InputError, match="the structures hold Be"):
        SymmetryFunctions(("W",), RADIAL).compute(batch)
