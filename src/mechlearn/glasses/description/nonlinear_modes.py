"""Where a glass can give way: its nonlinear plastic modes, and the strain at which a loading makes each unstable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mechlearn.glasses.description.response import LONGEST_MOVE, NonaffineResponse, balanced, second_order_forces
from mechlearn.glasses.loading.nonaffine import nonaffine_squares
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.glasses.rest.minimisation import preconditioner
from mechlearn.interactions import (
    SmoothPoint,
    SmoothPotential,
    nonaffine_displacements,
    softenings,
)
from mechlearn.structures import StructureBatch

#: One search for so many atoms.
_ATOMS_A_SEARCH = 100

#: In units of the cutoff: how wide a search begins, how far apart searches are, and how far a mode may reach until it
#: has found its place.
_WIDTH, _APART, _WINDOW = 1.0, 0.8, 1.6

#: A search has found its place where the overlap of v with the last v is that close to one, if in so many rounds.
_STILL, _MOST_ROUNDS = 1e-2, 12

#: Then it goes on without a window until the overlap is that close to one, or for so many rounds.
_EXACT, _LAST_ROUNDS = 1e-3, 8

#: In units of the cutoff: how far the foremost atom moves where the term of fourth order is measured.
_WAY = 0.04

#: To these shares of its largest component a force is balanced: on the way, and close to a mode.
_RESIDUAL, _LAST_RESIDUAL = 1e-2, 1e-3


def _shears() -> Float[np.ndarray, "5 3 3"]:
    """Symmetric and without trace, orthonormal: sums of squares over them are the same in any frame."""
    half = np.sqrt(0.5)
    xy, yz, xz = np.zeros((3, 3, 3))
    xy[0, 1] = xy[1, 0] = yz[1, 2] = yz[2, 1] = xz[0, 2] = xz[2, 0] = half
    return np.stack([xy, yz, xz, np.diag([half, -half, 0.0]), np.diag([1.0, 1.0, -2.0]) / np.sqrt(6.0)])


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
    A small disordered mixture has a few:

    >>> from ase.build import bulk
    >>> from mechlearn.glasses import glass_potential, minimise
    >>> atoms = bulk("Ni", "fcc", a=1.494, cubic=True) * 3
    >>> atoms.numbers[::5] = 15
    >>> atoms.rattle(0.3, seed=0)
    >>> potential = glass_potential("kob-andersen", ("Ni", "P"))
    >>> point = minimise(potential, StructureBatch.from_atoms([atoms])).point
    >>> modes = plastic_modes(potential, point, cutoff=1.8)
    >>> modes.vectors.shape == (len(modes), 108, 3) and bool((modes.stiffnesses > 0.0).all())
    True
    """
    search = _Search(potential, point, preconditioner(point), cutoff)
    field, free = search.anharmonic_response(), np.ones(point.structure.atoms, dtype=bool)
    found: list[_Found] = []
    for _ in range(max(1, point.structure.atoms // _ATOMS_A_SEARCH)):
        if not (field.any() and free.any()):
            break
        start = search.start(field, free)
        vector = search.follow(start.vector, found)
        free &= start.elsewhere
        if vector is not None:
            found.append(_Found.of(point, vector))
            field = _without(found[-1:], field)
    return search.modes(found)


@dataclass(frozen=True, eq=False)
class Imminences:
    """1/γ of the strain γ at which a loading makes each mode unstable; 0 of those that it does not.

    Attributes
    ----------
    first : (modes,)
        By λ, τ and what drives the mode.
    second : (modes,)
        With what changes in proportion to the strain.
    fourth : (modes,)
        As the first, with the term of fourth order along the mode.
    """

    first: Float[np.ndarray, " modes"]
    second: Float[np.ndarray, " modes"]
    fourth: Float[np.ndarray, " modes"]


def imminences(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    response: NonaffineResponse,
    modes: PlasticModes,
) -> Imminences:
    """How soon a loading makes each mode unstable, by three expansions.

    Under γ L a mode is driven by c = −Ξ·v, and rests at s with λ s − τ s²/2 = c γ until, at γ = λ²/(2 τ c), there is
    no such s.

    *Second order in γ.*  Its stiffness becomes λ + b γ and what drives it c γ + ½ d γ².  The place of rest is lost with
    the discriminant (λ + b γ)² − 2 τ (c γ + ½ d γ²): 1/γ is then the larger root x of

        λ² x² + 2 (λ b − τ c) x + b² − τ d = 0.

    b and d are what dλ/dγ and f₂·v hold beside the mode's own motion a = c/λ:  b = v·(dH/dγ) v + τ a,
    d = v·H w − τ a² + 2 a b.

    *Fourth order in s.*  The stiffness λ − τ s + ½ χ s² is zero at s* = 2 λ/(τ + √(τ² − 2 λ χ)), and
    γ = (λ s* − ½ τ s*² + χ s*³/6)/c; where τ² < 2 λ χ the mode is held up and never unstable.

    Parameters
    ----------
    potential, point
        With second derivatives, at the structure.
    gradient
        L.
    response
        To L, of first and second order.
    modes
        Of the structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.glasses import SENSES, glass_potential, minimise, nonaffine_response
    >>> atoms = bulk("Ni", "fcc", a=1.494, cubic=True) * 3
    >>> atoms.numbers[::5] = 15
    >>> atoms.rattle(0.3, seed=0)
    >>> potential = glass_potential("kob-andersen", ("Ni", "P"))
    >>> point = minimise(potential, StructureBatch.from_atoms([atoms])).point
    >>> modes = plastic_modes(potential, point, cutoff=1.8)
    >>> there, back = SENSES["xy"], SENSES["-xy"]
    >>> forth = imminences(potential, point, there, nonaffine_response(potential, point, there), modes)
    >>> other = imminences(potential, point, back, nonaffine_response(potential, point, back), modes)
    >>> bool((forth.first * other.first == 0.0).all())  # no mode is driven both ways
    True
    """
    if not len(modes):
        return Imminences(np.zeros(0), np.zeros(0), np.zeros(0))
    driven = np.einsum("kia,ia->k", modes.vectors, -point.nonaffine_forces(gradient[None])[:, :, 0])
    own = driven / modes.stiffnesses
    softened = softenings(potential, point, modes.vectors, gradient, response.first)
    changed = softened + modes.asymmetries * own
    pulled = np.einsum("kia,ia->k", modes.vectors, point.hessian_product(response.second))
    bent = pulled - modes.asymmetries * own**2 + 2.0 * own * changed
    return Imminences(
        2.0 * modes.asymmetries * np.maximum(driven, 0.0) / modes.stiffnesses**2,
        _second_order(modes, driven, changed, bent),
        np.maximum(driven, 0.0) * _inverse_largest_pull(modes),
    )


def _second_order(
    modes: PlasticModes,
    driven: Float[np.ndarray, " modes"],
    changed: Float[np.ndarray, " modes"],
    bent: Float[np.ndarray, " modes"],
) -> Float[np.ndarray, " modes"]:
    """The larger root x of λ² x² + 2 (λ b − τ c) x + b² − τ d, or 0."""
    square = modes.stiffnesses**2
    middle = modes.asymmetries * driven - modes.stiffnesses * changed
    left = middle**2 - square * (changed**2 - modes.asymmetries * bent)
    return np.maximum(np.where(left >= 0.0, middle + np.sqrt(np.maximum(left, 0.0)), 0.0) / square, 0.0)


def _inverse_largest_pull(modes: PlasticModes) -> Float[np.ndarray, " modes"]:
    """1/(λ s* − ½ τ s*² + χ s*³/6), what a mode can bear at most along v; 0 where it bears any."""
    left = modes.asymmetries**2 - 2.0 * modes.stiffnesses * modes.stiffenings
    gives = left > 0.0
    root = np.sqrt(np.where(gives, left, 1.0))
    end = 2.0 * modes.stiffnesses / (modes.asymmetries + root)
    pull = modes.stiffnesses * end - 0.5 * modes.asymmetries * end**2 + modes.stiffenings * end**3 / 6.0
    return np.where(gives & (pull > 0.0), 1.0 / np.where(pull > 0.0, pull, 1.0), 0.0)


# ---------------------------------------------------------------------- searches


@dataclass(frozen=True, eq=False)
class _Found:
    """A mode, its force H v, and its stiffness."""

    vector: Float[np.ndarray, "atoms 3"]
    force: Float[np.ndarray, "atoms 3"]
    stiffness: float

    @classmethod
    def of(cls, point: SmoothPoint, vector: Float[np.ndarray, "atoms 3"]) -> _Found:
        force = point.hessian_product(vector)
        return cls(vector, force, float(np.vdot(vector, force)))


@dataclass(frozen=True, eq=False)
class _Start:
    """Where a search begins: v, and the atoms too far away to begin there too."""

    vector: Float[np.ndarray, "atoms 3"]
    elsewhere: Bool[np.ndarray, " atoms"]


@dataclass(frozen=True, eq=False)
class _Search:
    """Looks for modes of one structure."""

    potential: SmoothPotential
    point: SmoothPoint
    inverses: Float[np.ndarray, "atoms 3 3"]
    cutoff: float

    def start(self, field: Float[np.ndarray, "atoms 3"], free: Bool[np.ndarray, " atoms"]) -> _Start:
        """W around the highest peak of its D²min among atoms where no search began."""
        structure = self.point.structure
        squares = nonaffine_squares(structure, field, self.cutoff, smooth=True)
        away = distances_from(structure, int(np.argmax(np.where(free, squares, -np.inf)))) / self.cutoff
        return _Start(_unit(field * np.exp(-np.square(away / _WIDTH))[:, None]), away > _APART)

    def follow(self, start: Float[np.ndarray, "atoms 3"], found: list[_Found]) -> Float[np.ndarray, "atoms 3"] | None:
        """The mode that a start leads to; None where it leads to none, or to one that is known."""
        vector, change = start, 1.0
        for _ in range(_MOST_ROUNDS):
            vector, change = self._round(vector, found, within_window=True)
            if change < _STILL:
                break
        else:
            return None
        for _ in range(_LAST_ROUNDS):
            vector, change = self._round(vector, found, within_window=False)
            if change < _EXACT:
                break
        return vector

    def _round(
        self, vector: Float[np.ndarray, "atoms 3"], found: list[_Found], *, within_window: bool
    ) -> tuple[Float[np.ndarray, "atoms 3"], float]:
        """The next v, orthogonal in H to what is known, and by how much less than one the two overlap."""
        ahead = _without(found, self._next(vector, _RESIDUAL if within_window else _LAST_RESIDUAL))
        if within_window:
            # What is known came in with H⁻¹ and is far larger than what is looked for: it goes before a window cuts it.
            ahead = _without(found, self._within_window(ahead))
        ahead = _unit(ahead)
        return ahead, 1.0 - abs(float(np.vdot(ahead, vector)))

    def modes(self, found: list[_Found]) -> PlasticModes:
        """What was found, each pointing to where it softens."""
        structure = self.point.structure
        vectors = np.empty((len(found), structure.atoms, 3))
        asymmetries, stiffenings = np.empty((2, len(found)))
        squares = np.empty((len(found), structure.atoms))
        for place, mode in enumerate(found):
            third = float(np.vdot(mode.vector, self._third(mode.vector)))
            vectors[place] = mode.vector if third < 0.0 else -mode.vector
            asymmetries[place] = abs(third)
            stiffenings[place] = self._fourth(mode)
            squares[place] = nonaffine_squares(structure, mode.vector, self.cutoff, smooth=True)
        stiffnesses = np.array([mode.stiffness for mode in found])
        return PlasticModes(stiffnesses, asymmetries, stiffenings, vectors, squares)

    def anharmonic_response(self) -> Float[np.ndarray, "atoms 3"]:
        """W = H⁻¹ Σ f₂ over the five shears."""
        shears = _shears()
        first = nonaffine_displacements(self.point, shears, inverses=self.inverses, tolerance=1e-5)
        forces = sum(
            second_order_forces(self.potential, self.point, shear, first[:, :, place])
            for place, shear in enumerate(shears)
        )
        return balanced(self.point, np.asarray(forces), self.inverses, _LAST_RESIDUAL)

    def _third(self, vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """U‴ v v, by a second difference of the forces."""
        length = LONGEST_MOVE / furthest(vector)
        forces = -2.0 * self.point.forces
        for sign in (1.0, -1.0):
            moved = displaced(self.point.structure, sign * length * vector)
            forces = forces + self.potential.at(moved, self.point.kept).forces
        return -centred(forces) / length**2

    def _fourth(self, mode: _Found) -> float:
        """U⁗ v v v v, from the odd part of the force along v, −λ s − χ s³/6, some way off."""
        length = _WAY * self.cutoff / furthest(mode.vector)
        ahead, behind = (
            self.potential.at(displaced(self.point.structure, sign * length * mode.vector), self.point.kept).forces
            for sign in (1.0, -1.0)
        )
        odd = 0.5 * float(np.vdot(mode.vector, behind - ahead))
        return 6.0 * (odd - mode.stiffness * length) / length**3

    def _next(self, vector: Float[np.ndarray, "atoms 3"], share: float) -> Float[np.ndarray, "atoms 3"]:
        """H⁻¹ U‴ v v, begun with the multiple of v that is nearest to it."""
        third, force = self._third(vector), self.point.hessian_product(vector)
        length = np.vdot(vector, third) / np.vdot(vector, force)
        left = centred(third - length * force)
        # To a share of U‴ v v itself: close to a mode there is little left to balance.
        largest, residual = float(np.abs(left).max()), share * float(np.abs(third).max())
        if largest <= residual:
            return length * vector
        return length * vector + balanced(self.point, left, self.inverses, residual / largest)

    def _within_window(self, vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """The vector around its own core."""
        core = int(np.square(vector).sum(axis=1).argmax())
        away = distances_from(self.point.structure, core) / (_WINDOW * self.cutoff)
        return vector * np.exp(-(away**4))[:, None]


def distances_from(structure: StructureBatch, atom: int) -> Float[np.ndarray, " atoms"]:
    """How far the nearest image of every atom is from one, Å."""
    from ase.geometry import find_mic

    vectors = structure.positions - structure.positions[atom]
    return np.asarray(find_mic(vectors, structure.cells[0], pbc=structure.periodic[0])[1])


def _without(found: list[_Found], vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    """The part of a vector that is orthogonal in H to what is known."""
    for mode in found:
        vector = vector - mode.vector * (np.vdot(mode.force, vector) / mode.stiffness)
    return vector


def _unit(vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    return vector / np.linalg.norm(vector)
