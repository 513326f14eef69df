"""The screened repulsion is LAMMPS's."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.errors import InputError
from mechlearn.interactions import LammpsPotential, Zbl
from mechlearn.structures import StructureBatch


def random_batch(seed: int, symbols: tuple[str, ...], structures: int = 8) -> StructureBatch:
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(structures):
        count = int(rng.integers(1, 15))
        cell = (np.eye(3) + rng.uniform(-0.4, 0.4, (3, 3))) * (14.0 * count) ** (1 / 3)
        images.append(Atoms(rng.choice(symbols, count), rng.random((count, 3)) @ cell, cell=cell, pbc=True))
    return StructureBatch.from_atoms(images)


@pytest.mark.parametrize(("inner", "outer"), [(4.0, 4.8), (0.5, 3.0)])
@given(seed=st.integers(0, 2**32 - 1))
def test_equal_to_lammps(seed: int, inner: float, outer: float) -> None:
    batch = random_batch(seed, ("W", "Be"))
    lammps = LammpsPotential(
        f"zbl {inner} {outer}", ("1 1 74 74", "1 2 74 4", "2 2 4 4"), ("W", "Be"), name="zbl"
    ).evaluate(batch)
    ours = Zbl(("Be", "W"), inner, outer).evaluate(batch)
    for name in ("energies", "forces", "stresses", "atomic_energies"):
        expected, found = getattr(lammps, name), getattr(ours, name)
        # Forces of random structures cancel; they are compared with the pulls they are made of.
        assert np.allclose(found, expected, rtol=1e-10, atol=1e-12 * max(1.0, np.abs(expected).max())), name


def test_energy_and_force_end_smoothly() -> None:
    energies, slopes = Zbl(("W",)).pair_energy(np.array([4.8 - 1e-3, 4.8]), "W", "W")
    assert np.allclose(energies, 0.0, atol=1e-9)
    assert np.allclose(slopes, 0.0, atol=1e-6)


def test_slope_is_the_derivative_on_both_sides_of_the_switch() -> None:
    distances, step = np.linspace(1.0, 4.79, 50), 1e-5
    zbl = Zbl(("W",))
    ahead, behind = (zbl.pair_energy(distances + sign * step, "W", "W")[0] for sign in (1, -1))
    slopes = zbl.pair_energy(distances, "W", "W")[1]
    assert np.allclose((ahead - behind) / (2 * step), slopes, rtol=1e-6, atol=1e-8)


def test_bare_coulomb_at_contact() -> None:
    distance = np.array([1e-4])
    energy, _ = Zbl(("W",), 1.0, 2.0).pair_energy(distance, "W", "W")
    assert energy[0] * distance[0] / (74 * 74 * 14.3996) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("elements", "inner", "outer", "message"),
    [
        (("W",), 4.8, 4.0, "give 0 < inner < outer"),
        (("W",), 0.0, 4.0, "give 0 < inner < outer"),
        (("W",), 1.0, float("nan"), "give 0 < inner < outer"),
        (("Xx",), 4.0, 4.8, "not chemical symbols"),
        ((), 4.0, 4.8, "not chemical symbols"),
    ],
)
def test_parameters_that_make_no_sense(elements: tuple[str, ...], inner: float, outer: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Zbl(elements, inner, outer)


def test_an_unknown_element() -> None:
    with pytest.raises(InputError, match="it holds Cu, and ZBL knows W only"):
        Zbl(("W",)).evaluate(StructureBatch.from_atoms([bulk("Cu")]))


def test_an_empty_batch() -> None:
    assert Zbl(("W",)).evaluate(StructureBatch.empty()).energies.shape == (0,)
