"""Where a glass can give way: its nonlinear plastic modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.glasses.description.mode_search import FoundMode, ModeSearch, without
from mechlearn.glasses.loading.nonaffine import nonaffine_squares
from mechlearn.glasses.rest.minimisation import preconditioner
from mechlearn.interactions import SmoothPoint, SmoothPotential

#: One search for so many atoms.
_ATOMS_A_SEARCH = 100


@dataclass(frozen=True, eq=False)
class PlasticModes:
    """Directions v along which a glass softens soonest; along s v its energy is ½ λ s² − τ s³/6 + χ s⁴/24.

    Attributes
    ----------
    stiffnesses : (modes,)
        λ = v·H v, eV/Å².
    asymmetries : (modes,)
        τ = −U‴ v v v, eV/Å³; not negative, for v points to where the energy softens.
    stiffenings : (modes,)
        χ = U⁗ v v v v, eV/Å⁴: above zero it holds up what τ softens.
    vectors : (modes, atoms, 3)
        v, of length one, v·H v' = 0 for any two.
    squares : (modes, atoms)
        D²min of v, Å² for one Å of s.
    """

    stiffnesses: Float[np.ndarray, " modes"]
    asymmetries: Float[np.ndarray, " modes"]
    stiffenings: Float[np.ndarray, " modes"]
    vectors: Float[np.ndarray, "modes atoms 3"]
    squares: Float[np.ndarray, "modes atoms"]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.stiffnesses)

    @property
    def barriers(self) -> Float[np.ndarray, " modes"]:
        """2 λ³/(3 τ²), the height of ½ λ s² − τ s³/6 above the glass at rest, eV."""
        with np.errstate(divide="ignore"):
            return 2.0 * self.stiffnesses**3 / (3.0 * np.square(self.asymmetries))

    @property
    def slips(self) -> Float[np.ndarray, " modes"]:
        """Δs, how far each moves by itself once it is unstable, Å.

        The slope λ s − ½ τ s² + χ s³/6 has its top at s*.  At s* + Δs it is as large again, and there the mode is at
        rest:  Δs = 3 √(τ² − 2 λ χ)/χ.  Infinite where χ stops nothing, 0 where the slope has no top.
        """
        left = np.square(self.asymmetries) - 2.0 * self.stiffnesses * self.stiffenings
        with np.errstate(divide="ignore", invalid="ignore"):
            slips = 3.0 * np.sqrt(np.maximum(left, 0.0)) / self.stiffenings
        return np.where(left <= 0.0, 0.0, np.where(self.stiffenings > 0.0, slips, np.inf))


def plastic_modes(potential: SmoothPotential, point: SmoothPoint, cutoff: float = 5.0) -> PlasticModes:
    """The nonlinear plastic modes of a structure at rest, for any loading.

    The barrier 2 λ³/(3 τ²) along a direction v has a minimum where U‴ v v = (U‴ v v v / λ) H v.  Such a v is a fixed
    point of v → H⁻¹ U‴ v v: it is localised where soft vibrations are not, and seen long before it goes unstable.

    Searches begin where the glass is most anharmonic, at the peaks of D²min of W = H⁻¹ Σ f₂, the response of second
    order summed over the five shears of an orthonormal basis, which no rotation changes.  Each begins with W around
    its peak and keeps to its surroundings until it has found its place.  What is known is projected out, of W too,
    orthogonal in H, so that a soft mode does not draw all searches to itself.

    The cost of a search is that of some hundred products with the Hessian, and their number goes with the atoms.

    Parameters
    ----------
    potential
        With second derivatives.
    point
        The potential at a structure at rest.
    cutoff
        Up to where atoms are neighbours in D²min, Å; the lengths of a search go with it.

    Returns
    -------
    PlasticModes
        In the order in which they were found, the most anharmonic first; none where symmetry forbids them.

    Raises
    ------
    WorkError
        The structure is not at a minimum of its energy, or an iteration does not converge.

    References
    ----------
    Gartner and Lerner, Physical Review E 93, 011001 (2016), for the modes; Lerner, Physical Review E 93, 053004 (2016),
    for how a loading makes them unstable.

    Examples
    --------
    In a small disordered mixture:

    >>> from ase.build import bulk
    >>> from mechlearn.glasses import glass_potential, minimise
    >>> from mechlearn.structures import StructureBatch
    >>> atoms = bulk("Ni", "fcc", a=1.494, cubic=True) * 3
    >>> atoms.numbers[::5] = 15
    >>> atoms.rattle(0.3, seed=0)
    >>> potential = glass_potential("kob-andersen", ("Ni", "P"))
    >>> point = minimise(potential, StructureBatch.from_atoms([atoms])).point
    >>> modes = plastic_modes(potential, point, cutoff=1.8)
    >>> modes.vectors.shape == (len(modes), 108, 3) and bool((modes.stiffnesses > 0.0).all())
    True
    """
    search = ModeSearch(potential, point, preconditioner(point), cutoff)
    field, free = search.anharmonic_response(), np.ones(point.structure.atoms, dtype=bool)
    found: list[FoundMode] = []
    for _ in range(max(1, point.structure.atoms // _ATOMS_A_SEARCH)):
        if not (field.any() and free.any()):
            break
        start = search.start(field, free)
        vector = search.follow(start.vector, found)
        free &= start.elsewhere
        if vector is not None:
            found.append(FoundMode.of(point, vector))
            field = without(found[-1:], field)
    return _oriented(search, found)


def _oriented(search: ModeSearch, found: list[FoundMode]) -> PlasticModes:
    """What was found, each pointing to where it softens."""
    structure = search.point.structure
    vectors = np.empty((len(found), structure.atoms, 3))
    asymmetries, stiffenings = np.empty((2, len(found)))
    squares = np.empty((len(found), structure.atoms))
    for place, mode in enumerate(found):
        third = float(np.vdot(mode.vector, search.third(mode.vector)))
        vectors[place] = mode.vector if third < 0.0 else -mode.vector
        asymmetries[place] = abs(third)
        stiffenings[place] = search.fourth(mode)
        squares[place] = nonaffine_squares(structure, mode.vector, search.cutoff, smooth=True)
    stiffnesses = np.array([mode.stiffness for mode in found])
    return PlasticModes(stiffnesses, asymmetries, stiffenings, vectors, squares)
