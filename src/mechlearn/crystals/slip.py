"""Slip and twinning systems of fcc, bcc and hcp crystals, generated from the crystal's point group.

A system is a plane and a direction in it.  Both are kept as Miller indices, (h k l)[u v w], in hexagonal crystals as
Miller–Bravais ones, (h k i l)[u v t w].  In these indices each element of the point group is an integer matrix R:
planes and directions alike become R·index.  So a family is the orbit of one representative, found without rounding
and whatever the ratio c/a.  Cartesian axes are the cube's edges; in hexagonal crystals x lies along a₁ and z along c.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError

Index = tuple[int, ...]

#: The ratio of close-packed spheres, √(8/3).
IDEAL_RATIO = float(np.sqrt(8 / 3))


@dataclass(frozen=True)
class SlipFamily:
    """One representative of systems that the point group makes of each other.

    Attributes
    ----------
    plane, direction : tuple of int
        Miller indices, three; Miller–Bravais ones, four, in hexagonal crystals.
    twin : bool
        Whether the systems shear in one sense only, along +direction for +plane.
    reversal : float
        The ratio c/a above which a twin shears the other way; infinite where it never does.
    """

    plane: Index
    direction: Index
    twin: bool = False
    reversal: float = np.inf


#: What is known of each lattice, by the names that the field uses.
FAMILIES: Mapping[str, Mapping[str, SlipFamily]] = MappingProxyType(
    {
        "fcc": MappingProxyType(
            {
                "octahedral": SlipFamily((1, 1, 1), (0, -1, 1)),
                "cube": SlipFamily((0, 0, 1), (1, 1, 0)),
                "twin": SlipFamily((1, 1, 1), (1, 1, -2), twin=True),
            }
        ),
        "bcc": MappingProxyType(
            {
                "110": SlipFamily((0, 1, 1), (1, -1, 1)),
                "112": SlipFamily((1, 1, 2), (-1, -1, 1)),
                "123": SlipFamily((1, 2, 3), (-1, -1, 1)),
                "twin": SlipFamily((1, 1, 2), (-1, -1, 1), twin=True),
            }
        ),
        "hcp": MappingProxyType(
            {
                "basal a": SlipFamily((0, 0, 0, 1), (2, -1, -1, 0)),
                "prismatic a": SlipFamily((1, 0, -1, 0), (-1, 2, -1, 0)),
                "prismatic c": SlipFamily((1, 0, -1, 0), (0, 0, 0, 1)),
                "prismatic c+a": SlipFamily((1, 0, -1, 0), (-1, 2, -1, 3)),
                "pyramidal I a": SlipFamily((1, 0, -1, 1), (-1, 2, -1, 0)),
                "pyramidal I c+a": SlipFamily((1, 0, -1, 1), (-2, 1, 1, 3)),
                "pyramidal II c+a": SlipFamily((1, 1, -2, 2), (-1, -1, 2, 3)),
                "tension twin": SlipFamily((1, 0, -1, 2), (-1, 0, 1, 1), twin=True, reversal=float(np.sqrt(3))),
                "tension twin II": SlipFamily((1, 1, -2, 1), (-1, -1, 2, 6), twin=True),
                "compression twin": SlipFamily((1, 1, -2, 2), (1, 1, -2, -3), twin=True),
                "compression twin I": SlipFamily((1, 0, -1, 1), (1, 0, -1, -2), twin=True),
            }
        ),
    }
)

#: What is generated where no families are named; for hcp these are 39 systems.
DEFAULT_FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fcc": ("octahedral",),
        "bcc": ("110", "112"),
        "hcp": tuple(name for name, family in FAMILIES["hcp"].items() if not family.twin),
    }
)


@dataclass(frozen=True, eq=False)
class SlipSystems:
    """The systems of a crystal, family by family, and how its point group moves them.

    Attributes
    ----------
    lattice : str
        "fcc", "bcc" or "hcp".
    families : tuple of str
        The names of the families.
    family : (systems,)
        The number of each system's family.
    planes, directions : (systems, 3 or 4)
        Miller or Miller–Bravais indices.  Of the two signs of a plane, and of a direction, the one whose last index is
        positive is kept; where that is zero, whose first non-zero index is.  Twins keep direction relative to plane.
    normals, vectors : (systems, 3)
        Unit vectors of the planes' normals n and of the directions b.
    one_way : (systems,)
        Whether a system shears along +b only, as twins do.
    point_group : (elements, 3 or 4, 3 or 4)
        The elements as integer matrices on the indices.
    """

    lattice: str
    families: tuple[str, ...]
    family: Int[np.ndarray, " systems"]
    planes: Int[np.ndarray, "systems indices"]
    directions: Int[np.ndarray, "systems indices"]
    normals: Float[np.ndarray, "systems 3"]
    vectors: Float[np.ndarray, "systems 3"]
    one_way: Bool[np.ndarray, " systems"]
    point_group: Int[np.ndarray, "elements indices indices"]

    def __len__(self) -> int:
        return len(self.family)

    @property
    def schmid_tensors(self) -> Float[np.ndarray, "systems 3 3"]:
        """b ⊗ n of each system; the resolved shear stress is τ = σ : (b ⊗ n)."""
        return np.einsum("si,sj->sij", self.vectors, self.normals)

    @property
    def labels(self) -> tuple[str, ...]:
        """Each system as plane and direction, a negative index with a minus.

        Examples
        --------
        >>> slip_systems("hcp", ["basal a"]).labels[0]
        '(0 0 0 1)[2 -1 -1 0]'
        """
        return tuple(
            f"({' '.join(map(str, plane))})[{' '.join(map(str, direction))}]"
            for plane, direction in zip(self.planes.tolist(), self.directions.tolist(), strict=True)
        )

    def action(self) -> tuple[Int[np.ndarray, "elements systems"], Int[np.ndarray, "elements systems"]]:
        """Find where each element of the point group takes each system, and with which sign of its shear.

        Returns
        -------
        images : (elements, systems)
            R(b_s ⊗ n_s)Rᵀ = ± b_t ⊗ n_t with t = images[R, s].
        signs : (elements, systems)
            That ±1.
        """
        number = {key: s for s, key in enumerate(self._keys())}
        images = np.empty((len(self.point_group), len(self)), dtype=np.int64)
        signs = np.empty_like(images)
        for element, matrix in enumerate(self.point_group):
            turned = zip(self.family, self.planes @ matrix.T, self.directions @ matrix.T, self.one_way, strict=True)
            for system, (family, plane, direction, one_way) in enumerate(turned):
                plane, direction, sign = _canonical(_index(plane), _index(direction), bool(one_way))
                images[element, system] = number[int(family), plane, direction]
                signs[element, system] = sign
        return images, signs

    def _keys(self) -> list[tuple[int, Index, Index]]:
        return list(zip(self.family.tolist(), map(_index, self.planes), map(_index, self.directions), strict=True))


def slip_systems(lattice: str, families: Sequence[str] = (), c_over_a: float = IDEAL_RATIO) -> SlipSystems:
    """Generate the slip and twinning systems of a crystal from one representative a family.

    Parameters
    ----------
    lattice
        "fcc", "bcc" or "hcp".
    families
        Names of :data:`FAMILIES`.  If empty, fcc gets its 12 octahedral systems, bcc {110} and {112}⟨111⟩, and hcp the
        39 of basal, prismatic and pyramidal slip along ⟨a⟩, ⟨c⟩ and ⟨c+a⟩.
    c_over_a
        The ratio of an hcp crystal's axes.  Above √3 the {10-12} twin shears the other way.

    Raises
    ------
    InputError
        The lattice or a family is not known, a family is named twice, or the ratio is not positive.

    References
    ----------
    J. W. Christian, S. Mahajan, Prog. Mater. Sci. 39, 1 (1995), for the twins; M. Messner et al., Modelling Simul.
    Mater. Sci. Eng. 25, 044001 (2017), for an hcp crystal of 39 systems.

    Examples
    --------
    >>> [len(slip_systems(lattice)) for lattice in ("fcc", "bcc", "hcp")]
    [12, 24, 39]
    >>> magnesium = slip_systems("hcp", ["basal a", "tension twin"], c_over_a=1.624)
    >>> len(magnesium), int(magnesium.one_way.sum())
    (9, 6)
    """
    chosen = tuple(families) or DEFAULT_FAMILIES.get(lattice, ())
    _check(lattice, chosen, c_over_a)
    group = point_group(lattice)
    systems = [
        (number, plane, direction)
        for number, name in enumerate(chosen)
        for plane, direction in _orbit(FAMILIES[lattice][name], group, c_over_a)
    ]
    planes, directions = (np.array([system[part] for system in systems]) for part in (1, 2))
    direct, reciprocal = _frames(lattice, c_over_a)
    family = np.array([number for number, _, _ in systems])
    return SlipSystems(
        lattice,
        chosen,
        family,
        planes,
        directions,
        _unit(planes @ reciprocal),
        _unit(directions @ direct),
        np.array([FAMILIES[lattice][name].twin for name in chosen])[family],
        group,
    )


def point_group(lattice: str) -> Int[np.ndarray, "elements indices indices"]:
    """The point group as integer matrices on Miller (cubic, m-3m) or Miller–Bravais (hexagonal, 6/mmm) indices.

    The cube's elements permute the three indices and change their signs.  The hexagonal prism's permute the first three
    of four indices, change the sign of these three together, and change that of the last.

    Examples
    --------
    >>> len(point_group("fcc")), len(point_group("hcp"))
    (48, 24)
    """
    identity = np.eye(3, dtype=np.int64)
    permutations = [identity[list(order)] for order in itertools.permutations(range(3))]
    if lattice != "hcp":
        signs = [np.diag(sign) for sign in itertools.product((1, -1), repeat=3)]
        return np.array([sign @ permutation for permutation in permutations for sign in signs])
    elements = np.zeros((24, 4, 4), dtype=np.int64)
    choices = itertools.product(permutations, (1, -1), (1, -1))
    for element, (permutation, in_plane, along_c) in zip(elements, choices, strict=True):
        element[:3, :3] = in_plane * permutation
        element[3, 3] = along_c
    return elements


def _check(lattice: str, families: tuple[str, ...], c_over_a: float) -> None:
    """Refuse what cannot be generated."""
    work = "generating slip systems"
    if lattice not in FAMILIES:
        raise InputError(f"{work}: no lattice {lattice!r} is known; give one of {', '.join(FAMILIES)}")
    known = FAMILIES[lattice]
    if unknown := [name for name in families if name not in known]:
        raise InputError(f"{work}: {lattice} has no family {unknown[0]!r}; choose from {', '.join(known)}")
    if len(set(families)) < len(families):
        raise InputError(f"{work}: a family is named twice in {', '.join(families)}; name each once")
    if not (np.isfinite(c_over_a) and c_over_a > 0):
        raise InputError(f"{work}: c/a is {c_over_a}; give a positive ratio, as 1.624 for magnesium")


def _orbit(
    family: SlipFamily, group: Int[np.ndarray, "elements indices indices"], c_over_a: float
) -> list[tuple[Index, Index]]:
    """All systems that the group makes of a family's representative, largest indices first."""
    plane = np.array(family.plane)
    direction = np.array(family.direction) * (-1 if c_over_a > family.reversal else 1)
    images = {_canonical(_index(matrix @ plane), _index(matrix @ direction), family.twin)[:2] for matrix in group}
    return sorted(images, reverse=True)


def _canonical(plane: Index, direction: Index, one_way: bool) -> tuple[Index, Index, int]:
    """A system with its signs by convention, and the sign that b ⊗ n changes by.

    A twin's plane and direction change their signs together, which leaves b ⊗ n as it was.
    """
    of_plane = _leading_sign(plane)
    of_direction = of_plane if one_way else _leading_sign(direction)
    return (
        tuple(of_plane * index for index in plane),
        tuple(of_direction * index for index in direction),
        of_plane * of_direction,
    )


def _leading_sign(index: Index) -> int:
    """The sign of the last index, or of the first that is not zero where the last is."""
    leading = index[-1] or next(entry for entry in index if entry)
    return 1 if leading > 0 else -1


def _index(row: Int[np.ndarray, " indices"]) -> Index:
    return tuple(row.tolist())


def _frames(lattice: str, c_over_a: float) -> tuple[Float[np.ndarray, "indices 3"], Float[np.ndarray, "indices 3"]]:
    """The vectors that direction indices count, Σ u_m a_m, and those that plane indices count, in units of a and 1/a.

    With three equivalent axes in the basal plane, a₁ + a₂ + a₃ = 0, those of the planes are ⅔ a_m and ẑ/(c/a).
    """
    if lattice != "hcp":
        return np.eye(3), np.eye(3)
    half, height = 0.5, np.sqrt(3) / 2
    basal = np.array([[1.0, 0.0, 0.0], [-half, height, 0.0], [-half, -height, 0.0]])
    axis = np.array([[0.0, 0.0, 1.0]])
    return np.vstack([basal, c_over_a * axis]), np.vstack([basal * 2 / 3, axis / c_over_a])


def _unit(vectors: Float[np.ndarray, "systems 3"]) -> Float[np.ndarray, "systems 3"]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
