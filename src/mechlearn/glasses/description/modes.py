"""The softest vibrations of a structure at rest, without the matrix of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import SmoothPoint

#: Up to so many degrees of freedom all modes are had by diagonalising the matrix.
_DENSE = 1500

#: The degree of the polynomial that lifts the low end of the spectrum: a higher one takes fewer steps of the iteration,
#: and more products in all.
_DEGREE = 8

#: The band that is lifted, as a share of the largest curvature, at first and by what factor it grows.
_BAND, _GROWTH = 0.03, 1.7

#: Three translations cost nothing and are left out.
_TRANSLATIONS = 3


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes of lowest curvature, the three translations left out.

    Attributes
    ----------
    curvatures : (modes,)
        ω², ascending: eV/Å² over the unit of the masses.
    vectors : (modes, atoms, 3)
        Polarisations √m v, orthogonal and of length one.
    """

    curvatures: Float[np.ndarray, " modes"]
    vectors: Float[np.ndarray, "modes atoms 3"]

    @property
    def participations(self) -> Float[np.ndarray, " atoms"]:
        """The participation fraction of every atom, Σ_k |e_k,i|²; over all atoms they add up to the number of modes."""
        return np.square(self.vectors).sum(axis=(0, 2))


def lowest_modes(point: SmoothPoint, count: int, masses: Float[np.ndarray, " atoms"] | None = None) -> Modes:
    """The modes of lowest curvature ω², D e = ω² e with D = m^(−½) H m^(−½).

    In large structures a Lanczos iteration works on a Chebyshev polynomial of D that is small on the upper part of the
    spectrum and steep below: some thousand products with the sparse Hessian, no factors of it, and a cost that is near
    linear in the number of atoms times that of modes.

    Parameters
    ----------
    point
        A potential at a structure at rest.
    count
        How many modes, translations not counted.
    masses
        Of the atoms; by default one for all, so that ω² is a stiffness in eV/Å².

    Raises
    ------
    InputError
        There are fewer modes than asked for.
    WorkError
        The iteration does not converge.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> from mechlearn.structures import StructureBatch
    >>> crystal = StructureBatch.from_atoms([bulk("W", a=3.1652, cubic=True)])
    >>> modes = lowest_modes(read_eam("W_zhou.eam.alloy").at(crystal), count=3)
    >>> modes.vectors.shape, bool(np.ptp(modes.curvatures) < 1e-9)  # the optical modes of two atoms in a cube
    ((3, 2, 3), True)
    """
    atoms = point.structure.atoms
    size = 3 * atoms
    if not 1 <= count <= size - _TRANSLATIONS:
        raise InputError(
            f"modes: asked for {count} of the {size - _TRANSLATIONS} modes of {atoms} atoms; ask for fewer"
        )
    weights = np.ones(atoms) if masses is None else np.sqrt(np.asarray(masses, dtype=np.float64))
    roots = np.repeat(weights, 3)
    translations = np.linalg.qr(np.kron(weights[:, None], np.eye(3)))[0]
    if size <= _DENSE or count > size // 4:
        values, vectors = _by_diagonalising(point, roots, translations, count)
    else:
        values, vectors = _by_filtering(point, roots, translations, count)
    return Modes(values, np.ascontiguousarray(vectors.T).reshape(count, atoms, 3))


def _by_diagonalising(
    point: SmoothPoint, roots: Float[np.ndarray, " size"], translations: Float[np.ndarray, "size 3"], count: int
) -> tuple[Float[np.ndarray, " modes"], Float[np.ndarray, "size modes"]]:
    """The lowest modes by LAPACK."""
    from scipy.linalg import eigh

    matrix = point.hessian().matrix().toarray() / (roots[:, None] * roots[None, :])
    # Lifted out of the way, for a mode may be as soft as a translation.
    matrix += 2.0 * np.abs(matrix).sum(axis=1).max() * (translations @ translations.T)
    values, vectors = eigh(matrix, subset_by_index=[0, count - 1])
    return values, vectors


def _by_filtering(
    point: SmoothPoint, roots: Float[np.ndarray, " size"], translations: Float[np.ndarray, "size 3"], count: int
) -> tuple[Float[np.ndarray, " modes"], Float[np.ndarray, "size modes"]]:
    """The lowest modes by Lanczos iteration with a polynomial of D."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    def dynamical(vector: Any) -> Any:
        return point.hessian_product((vector / roots).reshape(-1, 3)).ravel() / roots

    size = len(roots)
    start = np.random.default_rng(0).normal(size=size)
    operator = LinearOperator((size, size), matvec=dynamical, dtype=np.float64)
    highest = 1.02 * float(eigsh(operator, 1, which="LA", tol=1e-2, v0=start, return_eigenvectors=False)[0])
    band = _BAND
    while band < 1.0:
        # T_n of the curvatures, those from band to 1 of the highest mapped to [−1, 1]: below the band it grows fast.
        low = band * highest

        def lifted(vector: Any, low: float = low) -> Any:
            vector = vector - translations @ (translations.T @ vector)
            centre, half = 0.5 * (highest + low), 0.5 * (highest - low)
            before, now = vector, (centre * vector - dynamical(vector)) / half
            for _ in range(_DEGREE - 1):
                before, now = now, 2.0 * (centre * now - dynamical(now)) / half - before
            return now - translations @ (translations.T @ now)

        filtered = LinearOperator((size, size), matvec=lifted, dtype=np.float64)
        try:
            _, vectors = eigsh(filtered, count, which="LA", v0=start, tol=1e-9, ncv=min(size, 2 * count + 20))
        except ArpackError as error:
            raise WorkError(f"modes: the iteration does not converge: {error}") from error
        products = np.stack([dynamical(vector) for vector in vectors.T], axis=1)
        values, turns = np.linalg.eigh(vectors.T @ products)
        # Modes above the band are not in order; then the band was too narrow.
        if values[-1] < low:
            return values, vectors @ turns
        band *= _GROWTH
    raise WorkError(f"modes: {count} of them are not the low end of the spectrum; ask for fewer")
