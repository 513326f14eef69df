"""Screw dislocations ½⟨111⟩ of a bcc crystal in a periodic quadrupole, by isotropic elasticity."""

from __future__ import annotations

from typing import Final

import numpy as np
from ase import Atoms
from jaxtyping import Complex, Float

from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.expert_dynamics import rattled
from mechlearn.sampling.expert_perfect import named, strained

#: Rows: 5 [11-2], (5/2) [11-2] + (9/2) [-110], ½[111]: 135 columns along the Burgers vector.
QUADRUPOLE_DIRECTIONS: Final = ((5, 5, -10), (-2, 7, -5), (0.5, 0.5, 0.5))


def theta(z: Complex[np.ndarray, " points"], tau: complex) -> Complex[np.ndarray, " points"]:
    """Jacobi's θ₁(z | τ) = 2 Σ_n (−1)ⁿ q^((n + ½)²) sin((2n + 1) z), q = e^(iπτ).

    It has one zero in each cell of the lattice π, πτ: its logarithm is a periodic array of dislocations.
    """
    orders = np.arange(12)
    powers = (-1.0) ** orders * np.exp(1j * np.pi * tau * (orders + 0.5) ** 2)
    return 2 * np.sin(np.multiply.outer(z, 2 * orders + 1)) @ powers


def dipole_displacement(
    points: Float[np.ndarray, "points 2"],
    cell: Float[np.ndarray, "2 2"],
    cores: Float[np.ndarray, "2 2"],
    burgers: float,
) -> Float[np.ndarray, " points"]:
    """Displacement along the line of a periodic array of screw dipoles, Å, up to whole Burgers vectors.

    In isotropic elasticity a screw dislocation moves the crystal by (b / 2π) arg(x − x₁), and a dipole's
    sum over all its images is closed with x + iy = ζ, L the cell's first (real) vector, τ the second over
    the first:

        u = (b / 2π) Im ln [ θ₁(π (ζ − ζ₁)/L | τ) / θ₁(π (ζ − ζ₂)/L | τ) ] + (b / A) Im(ζ₂ − ζ₁) x.

    The linear term takes the mean elastic strain away; what remains across the second cell vector,
    see :func:`dipole_tilt`, is the dipole's plastic strain.

    Parameters
    ----------
    points : (points, 2)
        In the plane normal to the line, Å.
    cell : (2, 2)
        Rows; the first along x.
    cores : (2, 2)
        The lines of Burgers vector +b and −b.
    burgers : float
        Å.

    References
    ----------
    Cai, Bulatov, Chang, Li & Yip, Phil. Mag. 83, 539 (2003), for the sum over images and its linear term.
    """
    length, second = cell[0, 0], complex(*cell[1])
    zeta, lines = points[:, 0] + 1j * points[:, 1], cores[:, 0] + 1j * cores[:, 1]
    plus, minus = (theta(np.pi * (zeta - line) / length, second / length) for line in lines)
    area = length * second.imag
    angle = np.angle(plus) - np.angle(minus)
    return burgers * (angle / (2 * np.pi) + (lines[1] - lines[0]).imag * zeta.real / area)


def dipole_tilt(
    cell: Float[np.ndarray, "2 2"], cores: Float[np.ndarray, "2 2"], burgers: float
) -> Float[np.ndarray, "2"]:
    """What each cell vector gains along the line, Å: the plastic strain b ⊗ A / V of the dipole's cut."""
    separation = cores[1] - cores[0]
    area = cell[0, 0] * cell[1, 1]
    return cell @ (np.array([separation[1], -separation[0]]) * burgers / area)


def core_sites(crystal: Crystal, cell: Float[np.ndarray, "2 2"]) -> Float[np.ndarray, "2 2"]:
    """The centres of two triangles of ⟨111⟩ columns, half the first cell vector apart, Å from a column.

    One triangle points up and the other down: its three columns wind the other way, which makes both cores
    of a dipole of the same kind.
    """
    side = np.sqrt(2 / 3) * crystal.lattice_constant
    first = np.array([0.5 * side, side / np.sqrt(12)])
    return np.stack([first, first + 0.5 * cell[0] + [0.0, side / np.sqrt(12)]])


def quadrupole(crystal: Crystal, shift: float = 0.0, sign: int = 1) -> Atoms:
    """The 135-atom cell with one screw dipole, whose periodic array is a quadrupole.

    Parameters
    ----------
    shift : float
        Both cores' way along ⟨112⟩ in the {110} plane, in units of the distance between Peierls valleys.
    sign : int
        +1 or −1: which of the two triangles has which Burgers vector, hence easy or hard cores.
    """
    atoms = crystal.oriented(np.array(QUADRUPOLE_DIRECTIONS, dtype=np.float64))
    cell, burgers = atoms.cell.array.copy(), sign * float(atoms.cell.lengths()[2])
    plane = cell[:2, :2]
    cores = atoms.positions[0, :2] + core_sites(crystal, plane)
    cores[:, 0] += shift * np.sqrt(2 / 3) * crystal.lattice_constant
    atoms.positions[:, 2] += dipole_displacement(atoms.positions[:, :2], plane, cores, burgers)
    cell[:2, 2] += dipole_tilt(plane, cores, burgers)
    atoms.set_cell(cell)
    return atoms


def dislocation_quadrupole(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A screw quadrupole, its cores anywhere between two Peierls valleys, easy or hard, rattled."""
    shift, sign = rng.random(), int(rng.choice([-1, 1]))
    temperature = rng.uniform(0.01, 0.3) * crystal.melting_temperature
    expanded = crystal.thermal_strain(temperature) * np.eye(3)
    atoms = rattled(strained(quadrupole(crystal, shift, sign), expanded), crystal, temperature, rng)
    return named(atoms, f"{'easy' if sign > 0 else 'hard'} {shift:.2f} {temperature:.0f} K")
