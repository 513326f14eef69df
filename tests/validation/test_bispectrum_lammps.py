"""The bispectrum and its derivatives against LAMMPS's ``sna/atom`` and ``snad/atom``, on thousands of cells."""

from __future__ import annotations

import numpy as np
import pytest

from cells import random_batch
from mechlearn.descriptors import Bispectrum
from mechlearn.engines import lammps_session
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

RADII, WEIGHTS = (0.5, 0.417932), (1.0, 0.959049)
CUTOFF = 4.73

SETUP = """
clear
units metal
atom_style atomic
atom_modify map array sort 0 0.0
boundary p p p
box tilt large
region box prism 0 {xx} 0 {yy} 0 {zz} {xy} {xz} {yz} units box
create_box 2 box
mass * 1.0
pair_style zero 4.8
pair_coeff * *
neighbor 0.0 bin
neigh_modify one 20000 page 400000
compute values all sna/atom {arguments}
compute slopes all snad/atom {arguments}
dump keep all custom 1 /dev/null c_values[1] c_slopes[1]
"""


def lammps_values(  # type: ignore[no-untyped-def]
    lammps, batch: StructureBatch, index: int, twojmax: int, options: str = "rmin0 0 bzeroflag 1"
) -> tuple[np.ndarray, np.ndarray]:
    """B (atoms, features) and -∂ΣB/∂r (atoms, elements, 3, features) as LAMMPS computes them."""
    own = slice(batch.offsets[index], batch.offsets[index + 1])
    cell = batch.cells[index]
    arguments = f"{CUTOFF} 0.99363 {twojmax} {RADII[0]} {RADII[1]} {WEIGHTS[0]} {WEIGHTS[1]} {options}"
    lammps.commands_string(
        SETUP.format(
            xx=cell[0, 0].item(), yy=cell[1, 1].item(), zz=cell[2, 2].item(),
            xy=cell[1, 0].item(), xz=cell[2, 0].item(), yz=cell[2, 1].item(), arguments=arguments,
        )
    )  # fmt: skip
    types = [1 if number == 74 else 2 for number in batch.species[own]]
    count = len(types)
    lammps.create_atoms(count, list(range(1, count + 1)), types, batch.positions[own].ravel().tolist())
    lammps.command("run 0 post no")
    order = lammps.numpy.extract_atom("id")[:count] - 1
    values, slopes = (lammps.numpy.extract_compute(name, 1, 2)[:count].copy() for name in ("values", "slopes"))
    sorted_values, sorted_slopes = np.empty_like(values), np.empty_like(slopes)
    sorted_values[order], sorted_slopes[order] = values, slopes
    return sorted_values, sorted_slopes.reshape(count, 2, 3, -1)


def our_slopes(descriptor: Bispectrum, batch: StructureBatch) -> np.ndarray:
    """-∂(Σ_i of element e B_i)/∂r of every atom: (atoms, elements, 3, features)."""
    jacobian = descriptor.jacobian(batch, np.float64)
    element = descriptor.element_indices(batch)
    out = np.zeros((batch.atoms, 2, 3, descriptor.features))
    first, second = jacobian.pairs.first, jacobian.pairs.second
    np.add.at(out, (second, element[first]), -jacobian.derivatives)
    np.add.at(out, (first, element[first]), jacobian.derivatives)
    return out


@pytest.mark.parametrize(("twojmax", "cells"), [(2, 800), (4, 600), (6, 400), (8, 200)])
def test_equal_to_lammps(twojmax: int, cells: int) -> None:
    """1e-9 of the largest number of each structure, 1 to 10 atoms a cell, most cells smaller than the cutoff."""
    batch = random_batch(np.random.default_rng(twojmax), cells, ("W", "Be"), largest=10)
    descriptor = Bispectrum(("W", "Be"), cutoff=CUTOFF, twojmax=twojmax, element_radii=RADII, element_weights=WEIGHTS)
    values, slopes = descriptor.compute(batch), our_slopes(descriptor, batch)
    worst_value = worst_slope = 0.0
    with lammps_session() as lammps:
        for index in range(cells):
            own = slice(batch.offsets[index], batch.offsets[index + 1])
            theirs, their_slopes = lammps_values(lammps, batch, index, twojmax)
            worst_value = max(worst_value, np.abs(values[own] - theirs).max() / np.abs(theirs).max())
            # In a cell of one atom all derivatives cancel: measure against what was summed.
            size = max(np.abs(their_slopes).max(), 1e-3 * np.abs(theirs).max())
            worst_slope = max(worst_slope, np.abs(slopes[own] - their_slopes).max() / size)
    assert worst_value < 1e-9
    assert worst_slope < 1e-9


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ("rmin0 0.4 bzeroflag 1", {"rmin0": 0.4}),
        ("rmin0 1.5 bzeroflag 1", {"rmin0": 1.5}),
        ("rmin0 0 bzeroflag 0 switchflag 0", {"bzero": False, "switch": False}),
    ],
)
def test_options_equal_to_lammps(options: str, change: dict[str, float | bool]) -> None:
    """A smallest distance, which some pairs are closer than, and neighbours that do not fade out."""
    batch = random_batch(np.random.default_rng(20), 60, ("W", "Be"), largest=10)
    apart = [neighbour_pairs(batch.select([index]), 9.0).distances.min() > 0.45 for index in range(len(batch))]
    batch = batch.select(np.array(apart))
    descriptor = Bispectrum(
        ("W", "Be"),
        CUTOFF,
        4,
        element_radii=RADII,
        element_weights=WEIGHTS,
        **change,  # type: ignore[arg-type]
    )
    values, slopes = descriptor.compute(batch), our_slopes(descriptor, batch)
    with lammps_session() as lammps:
        for index in range(len(batch)):
            own = slice(batch.offsets[index], batch.offsets[index + 1])
            theirs, their_slopes = lammps_values(lammps, batch, index, 4, options)
            size = np.abs(theirs).max()
            np.testing.assert_allclose(values[own], theirs, atol=1e-9 * size)
            np.testing.assert_allclose(slopes[own], their_slopes, atol=1e-9 * max(np.abs(their_slopes).max(), size))
