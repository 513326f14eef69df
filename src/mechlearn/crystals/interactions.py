"""Independent entries of interaction tensors between slip systems: the orbits of their index tuples.

The point group permutes the systems, R: s → π_R(s).  A tensor that belongs to the crystal does not change when all its
indices are moved together, H_ij = H_π(i)π(j) and K_ijk = K_π(i)π(j)π(k).  Its entries are thus equal along each orbit
of index tuples, and free between orbits: there are as many independent entries as orbits.  An index may be *signed* (a
slip rate, not its magnitude): it then changes sign with b ⊗ n, entries of an orbit are equal up to signs, and an orbit
that some element takes to minus itself is zero.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float, Int

from mechlearn.crystals.slip import SlipSystems
from mechlearn.errors import InputError

#: The interactions of fcc's octahedral systems, and what the pair (i, j) has in common.  Both glissile classes are
#: one where H is symmetric: the exchange of i and j makes one of the other.
FCC_INTERACTIONS = (
    "self",
    "coplanar",
    "collinear",
    "Hirth",
    "glissile, junction in the plane of i",
    "glissile, junction in the plane of j",
    "Lomer",
)


@dataclass(frozen=True, eq=False)
class Orbits:
    """Which entries of an interaction tensor are equal by symmetry.

    Attributes
    ----------
    labels : (systems, …)
        The number of each entry's orbit; −1 where symmetry makes the entry zero.
    signs : (systems, …)
        The entry's sign against its orbit's representative.
    representatives : (orbits, order)
        The index tuple that comes first in each orbit.
    """

    labels: Int[np.ndarray, "..."]
    signs: Int[np.ndarray, "..."]
    representatives: Int[np.ndarray, "orbits order"]

    def __len__(self) -> int:
        return len(self.representatives)

    @property
    def sizes(self) -> Int[np.ndarray, " orbits"]:
        """How many entries each orbit has."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self))

    def expand(self, values: Float[np.ndarray, " orbits"]) -> Float[np.ndarray, "..."]:
        """Write the whole tensor that has the given independent entries."""
        return self.signs * np.append(values, 0.0)[self.labels]

    def mean(self, tensor: Float[np.ndarray, "..."]) -> Float[np.ndarray, " orbits"]:
        """Average a tensor over its orbits: the independent entries of the nearest tensor with the symmetry."""
        free = self.labels >= 0
        return np.bincount(self.labels[free], (self.signs * tensor)[free], minlength=len(self)) / self.sizes

    def entries(
        self, values: Float[np.ndarray, " orbits"]
    ) -> tuple[Int[np.ndarray, "entries order"], Float[np.ndarray, " entries"]]:
        """List the entries that are not zero, as index tuples and values, without writing the whole tensor."""
        chosen = np.append(values != 0, False)[self.labels]
        return np.argwhere(chosen), self.signs[chosen] * values[self.labels[chosen]]


def interaction_orbits(
    systems: SlipSystems,
    order: int,
    symmetric: Sequence[int] = (),
    signed: Sequence[int] = (),
) -> Orbits:
    """Find the orbits of index tuples under the point group: 2 indices for H_ij, 3 for K_ijk.

    Parameters
    ----------
    systems
        The systems and their point group.
    order
        How many indices the tensor has.
    symmetric
        Positions of indices that may change places: (0, 1) for H_ij = H_ji, (1, 2) for K_ijk = K_ikj.
    signed
        Positions of indices that change sign with the system's shear.

    Raises
    ------
    InputError
        The order is below 1, a position is not one of the tensor's, or only some of the symmetric indices are signed.

    Examples
    --------
    The 144 entries of fcc's hardening matrix are 7 numbers, 6 where it is symmetric:

    >>> from mechlearn.crystals import slip_systems
    >>> fcc = slip_systems("fcc")
    >>> len(interaction_orbits(fcc, 2)), len(interaction_orbits(fcc, 2, symmetric=(0, 1)))
    (7, 6)
    """
    _check(order, symmetric, signed)
    images, senses = systems.action()
    indices = np.indices((len(systems),) * order, sparse=True)
    lowest = np.full((len(systems),) * order, len(systems) ** order, dtype=np.int64)
    signs = np.zeros_like(lowest)
    vanishing = np.zeros(lowest.shape, dtype=bool)
    for image, sense in zip(images, senses, strict=True):
        sign = functools.reduce(np.multiply, [sense[indices[slot]] for slot in signed], np.ones_like(lowest))
        for places in _exchanges(order, symmetric):
            code = functools.reduce(lambda c, slot: c * len(systems) + image[indices[slot]], places, np.int64(0))
            lower, equal = code < lowest, code == lowest
            vanishing = np.where(lower, False, vanishing | (equal & (sign != signs)))
            signs = np.where(lower, sign, signs)
            lowest = np.where(lower, code, lowest)
    codes, labels = np.unique(np.where(vanishing, -1, lowest), return_inverse=True)
    zeros = int(vanishing.any())
    representatives = np.stack(np.unravel_index(codes[zeros:], lowest.shape), axis=1)
    return Orbits(labels.reshape(lowest.shape) - zeros, np.where(vanishing, 0, signs), representatives)


def independent_entries(
    systems: SlipSystems, order: int, symmetric: Sequence[int] = (), signed: Sequence[int] = ()
) -> int:
    """Count the independent entries from the group's characters alone, without finding the orbits.

    The dimension of the tensors that the group leaves alone is the mean of the trace over the group (Burnside's lemma).
    An element R with an exchange of indices has the trace Π over the exchange's cycles of tr R^length, where tr R
    counts the systems that R leaves in place (with their signs for signed indices).  See :func:`interaction_orbits`
    for the parameters and errors.

    Examples
    --------
    >>> from mechlearn.crystals import slip_systems
    >>> hcp = slip_systems("hcp")
    >>> independent_entries(hcp, 2), independent_entries(hcp, 3)
    (152, 5121)
    """
    _check(order, symmetric, signed)
    total, terms = 0, 0
    for image, sense in zip(*systems.action(), strict=True):
        for places in _exchanges(order, symmetric):
            cycles = _cycles(places)
            total += int(np.prod([_trace(image, sense, len(c), signed=c[0] in signed) for c in cycles]))
            terms += 1
    return total // terms


def symmetry_projector(
    systems: SlipSystems, order: int, symmetric: Sequence[int] = (), signed: Sequence[int] = ()
) -> sparse.csr_array:
    """Build the projection on the tensors with the symmetry, P = mean over the group of R ⊗ … ⊗ R, as a sparse matrix.

    It acts on the flattened tensor, has a row and a column for each entry, and no more numbers in a row than the group
    has elements (times exchanges).  Its trace is the number of independent entries.  See :func:`interaction_orbits`
    for the parameters and errors.

    Examples
    --------
    >>> from mechlearn.crystals import slip_systems
    >>> print(round(symmetry_projector(slip_systems("fcc"), 2).trace(), 10))
    7.0
    """
    _check(order, symmetric, signed)
    count = len(systems)
    exchanges = _exchanges(order, symmetric)
    flat = np.arange(count**order).reshape((count,) * order)
    total = sparse.csr_array((flat.size, flat.size))
    for image, sense in zip(*systems.action(), strict=True):
        plain = sparse.csr_array((np.ones(count), (image, np.arange(count))), shape=(count, count))
        turned = sparse.csr_array((sense.astype(float), (image, np.arange(count))), shape=(count, count))
        matrix = sparse.csr_array(np.ones((1, 1)))
        for slot in range(order):
            matrix = sparse.csr_array(sparse.kron(matrix, turned if slot in signed else plain))
        for places in exchanges:
            total = total + matrix[flat.transpose(places).ravel()]
    return sparse.csr_array(total / (len(systems.point_group) * len(exchanges)))


def fcc_interaction_names(systems: SlipSystems, orbits: Orbits) -> tuple[str, ...]:
    """Name the orbits of pairs of fcc's octahedral systems as the field does.

    For the pair (i, j): *self*, the same system; *coplanar*, the same plane; *collinear*, the same direction;
    *Hirth*, perpendicular directions.  The others' directions make 60°, and their junction has the direction
    b_i ± b_j.  It is *glissile* where one of both directions lies in both planes, for then the junction lies in one of
    the planes: that of j if b_i does, that of i if b_j does.  It is a *Lomer* lock where none does.

    Raises
    ------
    InputError
        The systems are not fcc's 12 octahedral ones, or the orbits are not of pairs.

    Examples
    --------
    >>> from mechlearn.crystals import slip_systems
    >>> fcc = slip_systems("fcc")
    >>> orbits = interaction_orbits(fcc, 2, symmetric=(0, 1))
    >>> sorted(zip(fcc_interaction_names(fcc, orbits), orbits.sizes.tolist()))[:3]
    [('Hirth', 24), ('Lomer', 24), ('collinear', 12)]
    """
    if systems.lattice != "fcc" or systems.families != ("octahedral",) or orbits.representatives.shape[1:] != (2,):
        raise InputError(
            f"naming interactions: the names are those of pairs of fcc's octahedral systems, these are "
            f"{orbits.representatives.shape[1]} indices of {systems.lattice}'s {', '.join(systems.families)}"
        )
    return tuple(_fcc_name(systems, i, j) for i, j in orbits.representatives.tolist())


def _fcc_name(systems: SlipSystems, i: int, j: int) -> str:
    """The class of one pair."""
    planes, directions = systems.planes, systems.directions
    if i == j:
        return "self"
    if (planes[i] == planes[j]).all():
        return "coplanar"
    if (directions[i] == directions[j]).all():
        return "collinear"
    if directions[i] @ directions[j] == 0:
        return "Hirth"
    if directions[j] @ planes[i] == 0:
        return "glissile, junction in the plane of i"
    if directions[i] @ planes[j] == 0:
        return "glissile, junction in the plane of j"
    return "Lomer"


def _check(order: int, symmetric: Sequence[int], signed: Sequence[int]) -> None:
    """Refuse symmetries that a tensor of this order cannot have."""
    work = f"finding orbits of {order} indices"
    if order < 1:
        raise InputError(f"{work}: a tensor has at least one index; give an order of 1 or more")
    if outside := [slot for slot in (*symmetric, *signed) if not 0 <= slot < order]:
        raise InputError(f"{work}: there is no index {outside[0]}; count them from 0 to {order - 1}")
    if len({slot in signed for slot in symmetric}) > 1:
        raise InputError(f"{work}: of the symmetric indices {tuple(symmetric)} some are signed; give all or none")


def _exchanges(order: int, symmetric: Sequence[int]) -> list[tuple[int, ...]]:
    """All orders of the indices in which the symmetric ones have changed places."""
    movable = sorted(set(symmetric))
    exchanges = []
    for moved in itertools.permutations(movable):
        target = dict(zip(movable, moved, strict=True))
        exchanges.append(tuple(target.get(slot, slot) for slot in range(order)))
    return exchanges


def _cycles(places: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The cycles of a permutation."""
    cycles: list[tuple[int, ...]] = []
    for start in range(len(places)):
        if any(start in cycle for cycle in cycles):
            continue
        cycle = [start]
        while places[cycle[-1]] != start:
            cycle.append(places[cycle[-1]])
        cycles.append(tuple(cycle))
    return cycles


def _trace(image: Int[np.ndarray, " systems"], sense: Int[np.ndarray, " systems"], power: int, *, signed: bool) -> int:
    """The trace of the element's power: systems left in place, each with the sign gathered on the way."""
    place, sign = np.arange(len(image)), np.ones_like(sense)
    for _ in range(power):
        sign = sign * sense[place]
        place = image[place]
    fixed = place == np.arange(len(image))
    return int(np.sum(sign[fixed])) if signed else int(np.count_nonzero(fixed))
