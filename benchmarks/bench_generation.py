"""Entropy-optimised structures beside the same search driven through LAMMPS and NumPy, one core against one core."""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ["MECHLEARN_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from rows import Row, compare, record

from mechlearn.engines import open_lammps
from mechlearn.engines.lammps import lammps_cell
from mechlearn.sampling import EntropyPotential, GenerationSettings, Recipe, anneal, minimise
from mechlearn.sampling.generator import DrawnStructures, draw_structures
from mechlearn.structures import StructureBatch

SETTINGS = GenerationSettings()
#: Of the maximised half and of the minimised one.
HALVES = (range(0, 12, 2), range(1, 12, 2))
SEED = 1

#: Every atom is of a type of its own: ``snad/atom`` then keeps apart whose descriptor an atom moves.
SESSION = """
units metal
atom_style atomic
atom_modify map array sort 0 0.0
boundary p p p
box tilt large
region box prism 0 {xx} 0 {yy} 0 {zz} {xy} {xz} {yz} units box
create_box {atoms} box
mass * 1.0
pair_style hybrid/overlay zero {cutoff} lepton {radius}
pair_coeff * * zero
pair_coeff * * lepton "{strength}*(1-r/{radius})^3"
neighbor 0.0 bin
neigh_modify one 20000 page 400000
thermo 1000000
compute values all sna/atom {cutoff} {rfac0} {twojmax} {ones} rmin0 0 bzeroflag 1
compute slopes all snad/atom {cutoff} {rfac0} {twojmax} {ones} rmin0 0 bzeroflag 1
dump keep all custom 1 /dev/null c_values[1] c_slopes[1]
"""


class LammpsStructure:
    """One structure in one LAMMPS: the core from ``pair_style lepton``, B and ∂B from ``snad/atom``, S in NumPy."""

    def __init__(self, potential: EntropyPotential, batch: StructureBatch, index: int) -> None:
        own = slice(batch.offsets[index], batch.offsets[index + 1])
        self.weight, self.scale, self.floor = potential.weights[index], potential.scale, potential.floor
        self.atoms = own.stop - own.start
        cell, self.rotation = lammps_cell(batch.cells[index])
        self.cell, self.inverse = cell, np.linalg.inv(cell)
        descriptor = potential.descriptor
        self.session = open_lammps()
        self.session.commands_string(
            SESSION.format(
                xx=cell[0, 0], yy=cell[1, 1], zz=cell[2, 2], xy=cell[1, 0], xz=cell[2, 0], yz=cell[2, 1],
                atoms=self.atoms, cutoff=descriptor.cutoff, rfac0=descriptor.rfac0, twojmax=descriptor.twojmax,
                ones=" ".join(["0.5"] * self.atoms + ["1.0"] * self.atoms),
                strength=potential.core.strength, radius=potential.core.radii[index],
            )
        )  # fmt: skip
        numbers = list(range(1, self.atoms + 1))
        self.session.create_atoms(self.atoms, numbers, numbers, self.inside(batch.positions[own]).ravel().tolist())
        self.order = self.session.numpy.extract_atom("id")[: self.atoms] - 1

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """The positions in LAMMPS's frame, wrapped into its box."""
        turned = positions @ self.rotation
        return turned - np.floor(turned @ self.inverse) @ self.cell

    def forces(self, positions: np.ndarray) -> np.ndarray:
        """-∂V/∂r of every atom."""
        lammps = self.session.numpy
        lammps.extract_atom("x")[: self.atoms] = self.inside(positions)[self.order]
        self.session.command("run 1 post no")
        forces, values = np.empty((self.atoms, 3)), np.empty((self.atoms, len(self.scale)))
        values[self.order] = lammps.extract_compute("values", 1, 2)[: self.atoms]
        gradient = -self.weight * self.entropy_gradient(values)
        slopes = lammps.extract_compute("slopes", 1, 2)[: self.atoms].reshape(self.atoms, self.atoms, 3, -1)
        moved = np.einsum("kixl,il->kx", slopes, gradient, optimize=True)
        forces[self.order] = lammps.extract_atom("f")[: self.atoms] + moved
        return forces @ self.rotation.T

    def entropy_gradient(self, values: np.ndarray) -> np.ndarray:
        """N ∂S/∂B: each atom and its nearest in descriptor space."""
        points, atoms = values / self.scale, np.arange(self.atoms)
        differences = points[:, None] - points[None]
        squares = np.einsum("ijl,ijl->ij", differences, differences)
        np.fill_diagonal(squares, np.inf)
        nearest = squares.argmin(axis=1)
        pulls = differences[atoms, nearest] / (squares[atoms, nearest] + self.floor**2)[:, None]
        gradient = pulls.copy()
        np.subtract.at(gradient, nearest, pulls)
        return gradient / self.scale


def relaxed_by_lammps(drawn: DrawnStructures, recipe: Recipe) -> StructureBatch:
    """The same annealing and minimisation, one structure after the other."""
    done = []
    for index in range(len(drawn.batch)):
        structure = LammpsStructure(drawn.potential, drawn.batch, index)
        batch = drawn.batch.select([index])
        batch = anneal(structure.forces, batch, drawn.streams[index : index + 1], recipe.annealing)
        done.append(minimise(structure.forces, batch, SETTINGS.minimisation))
        structure.session.close()
    return StructureBatch.concatenate(done)


def relaxed_by_us(drawn: DrawnStructures, recipe: Recipe) -> StructureBatch:
    """Annealing and minimisation as :func:`mechlearn.sampling.generate_structures` does them."""
    forces = drawn.potential.forces_along(drawn.batch)
    return minimise(forces, anneal(forces, drawn.batch, drawn.streams, recipe.annealing), SETTINGS.minimisation)


def both_halves(relaxed: Callable[[DrawnStructures, Recipe], StructureBatch]) -> list[StructureBatch]:
    """The structures of both halves, from their random beginnings to the end."""
    return [relaxed(draw_structures(SETTINGS, half, SEED), SETTINGS.recipe(half[0])) for half in HALVES]


def first_forces_differ(drawn: DrawnStructures) -> float:
    """The largest difference of the first forces, of the largest force of the structure."""
    ours, worst = drawn.potential.forces_along(drawn.batch)(drawn.batch.positions), 0.0
    for index in range(len(drawn.batch)):
        own = slice(drawn.batch.offsets[index], drawn.batch.offsets[index + 1])
        structure = LammpsStructure(drawn.potential, drawn.batch, index)
        theirs = structure.forces(drawn.batch.positions[own])
        structure.session.close()
        worst = max(worst, float(np.abs(theirs - ours[own]).max() / np.abs(theirs).max()))
    return worst


def entropies(halves: list[StructureBatch]) -> str:
    """Mean and spread of the final entropies of both halves."""
    told = []
    for indices, batch in zip(HALVES, halves, strict=True):
        potential = draw_structures(SETTINGS, indices, SEED).potential
        values = potential.entropy(potential.descriptor.compute(batch), batch)[0]
        told.append(f"{values.mean():.2f} ± {values.std():.2f}")
    return " and ".join(told)


def generation_row() -> Row:
    """Structures a second, from the same random structures through the same steps."""
    ours, theirs = both_halves(relaxed_by_us), both_halves(relaxed_by_lammps)
    differ = max(first_forces_differ(draw_structures(SETTINGS, half, SEED)) for half in HALVES)
    return compare(
        "entropy-generation",
        "LAMMPS snad/atom and NumPy",
        sum(len(half) for half in HALVES),
        "structures/s",
        lambda: both_halves(relaxed_by_us),
        lambda: both_halves(relaxed_by_lammps),
        f"first forces differ by {differ:.0e}, final entropies (maximised and minimised) "
        f"{entropies(ours)}, peer's {entropies(theirs)}",
        rounds=3,
        warm=True,
    )


def main() -> None:
    """All rows."""
    record([generation_row()])


if __name__ == "__main__":
    main()
