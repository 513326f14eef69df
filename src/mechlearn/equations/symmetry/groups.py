"""Symmetry groups of the plane and of space, given by their generators.

A continuous group is given by infinitesimal rotations X (Rᵀ = exp(−θX), X antisymmetric) and by the finite elements
that it has besides, G = G₀F: O(3) is the rotations and the inversion.  A finite group has F alone.  All are written
in the axes of the crystal; ``orientation`` turns data into these axes and back.

=========================  ==============  ==========================================================
name                       Schoenflies     generators
=========================  ==============  ==========================================================
isotropic                  O(3), O(2)      all rotations, and the inversion or a reflection
rotations                  SO(3), SO(2)    all rotations
transversely isotropic     D∞h             rotations about z, mirrors across and along z
cubic, cubic rotations     Oh, O           quarter turns about z and x; and the inversion
hexagonal, … rotations     D6h, D6         sixth of a turn about z, half a turn about x; and the inversion
tetragonal                 D4h             quarter turn about z, half a turn about x; inversion
trigonal                   D3d             third of a turn about z, half a turn about x; inversion
orthotropic                D2h             half turns about z and x; inversion
monoclinic                 C2h             half a turn about z; inversion
inversion                  Ci              inversion
none                       C1              nothing
square, hexagonal (2D)     D4, D6          quarter or sixth of a turn, and a mirror
=========================  ==============  ==========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.linalg import expm

from mechlearn.errors import InputError

#: Finite groups made here stay well below this; more means generators that do not close.
_MOST_ELEMENTS: Final = 400


@dataclass(frozen=True, eq=False)
class SymmetryGroup:
    """A closed group of orthogonal matrices, by its generators.

    Attributes
    ----------
    name : str
        As in the table above.
    symbol : str
        Schoenflies's symbol.
    dimension : int
        2 or 3.
    rotations : tuple of (d, d)
        Antisymmetric matrices X: exp(θX) belongs to the group for each θ.
    elements : tuple of (d, d)
        Orthogonal matrices that, with the rotations, generate the group.
    """

    name: str
    symbol: str
    dimension: int
    rotations: tuple[Float[np.ndarray, "d d"], ...]
    elements: tuple[Float[np.ndarray, "d d"], ...]

    def closure(self) -> Float[np.ndarray, "order d d"]:
        """All products of the finite generators; for a finite group, the group.

        Examples
        --------
        >>> [len(symmetry_group(name).closure()) for name in ("cubic", "hexagonal", "orthotropic", "none")]
        [48, 24, 8, 1]
        """
        return self._closure

    @cached_property
    def _closure(self) -> Float[np.ndarray, "order d d"]:
        known = [np.eye(self.dimension)]
        seen = {_key(known[0])}
        for element in known:  # grows while it is gone through
            for generator in self.elements:
                product = generator @ element
                if _key(product) not in seen:
                    seen.add(_key(product))
                    known.append(product)
            if len(known) > _MOST_ELEMENTS:
                raise InputError(
                    f"closing the group {self.name}: more than {_MOST_ELEMENTS} elements; give generators of a finite "
                    "group, and continuous rotations apart"
                )
        return np.stack(known)

    def random_elements(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count d d"]:
        """Draw elements: a finite one times a rotation by random angles (all parts of the group are reached)."""
        finite = self.closure()[rng.integers(len(self.closure()), size=count)]
        if not self.rotations:
            return finite
        angles = rng.uniform(-np.pi, np.pi, size=(count, len(self.rotations)))
        return expm(np.tensordot(angles, np.stack(self.rotations), axes=1)) @ finite

    def quadrature(self, bandwidth: int) -> tuple[Float[np.ndarray, "nodes d d"], Float[np.ndarray, " nodes"]]:
        """Nodes and weights that average class functions over the group, exact up to a degree of polynomials in g.

        Over rotations about one axis the average is over equal angles.  Over all rotations of space a class function
        depends on the angle alone, with Weyl's density (1 − cos θ)/2π; the inversion commutes with them all.
        """
        finite = self.closure()
        if not self.rotations:
            return finite, np.full(len(finite), 1 / len(finite))
        angles = 2 * np.pi * np.arange(bandwidth + 2) / (bandwidth + 2)
        turned = expm(angles[:, None, None] * self.rotations[-1])
        density = np.ones(len(angles)) if len(self.rotations) == 1 else 1 - np.cos(angles)
        nodes = turned[:, None] @ finite[None]
        weights = np.broadcast_to(density[:, None], nodes.shape[:2]) / (len(angles) * len(finite))
        return nodes.reshape(-1, self.dimension, self.dimension), weights.ravel()

    def contains(self, other: SymmetryGroup) -> bool:
        """Whether the other group, in the same axes, is a part of this one.

        Examples
        --------
        >>> symmetry_group("cubic").contains(symmetry_group("orthotropic"))
        True
        >>> symmetry_group("cubic").contains(symmetry_group("hexagonal"))
        False
        """
        if other.dimension != self.dimension:
            return False
        if any(not _spanned(rotation, self.rotations) for rotation in other.rotations):
            return False
        return all(self._has(element) for element in other.elements)

    def _has(self, element: Float[np.ndarray, "d d"]) -> bool:
        """Whether element = exp(X) f for an f of the closure and an X of the rotations."""
        for finite in self.closure():
            rest = element @ finite.T
            if np.abs(rest - np.eye(self.dimension)).max() < 1e-9:
                return True
            if np.linalg.det(rest) > 0 and self.rotations and _spanned(_axis(rest), self.rotations):
                return True
        return False


def symmetry_group(name: str, dimension: int = 3) -> SymmetryGroup:
    """The group of this name, in its own axes (z the principal one, x a twofold one).

    Parameters
    ----------
    name
        As in the table of the module, or Schoenflies's symbol (``"Oh"``, ``"SO(3)"``).
    dimension
        2 or 3.

    Raises
    ------
    InputError
        If there is no such group in that dimension.

    Examples
    --------
    >>> symmetry_group("cubic").symbol, symmetry_group("SO(2)", 2).name
    ('Oh', 'rotations')
    """
    groups = _plane_groups() if dimension == 2 else _space_groups()
    for group in groups:
        if name in (group.name, group.symbol):
            return group
    known = ", ".join(f"{group.name} ({group.symbol})" for group in groups)
    raise InputError(f"choosing a symmetry group in {dimension} dimensions: there is no {name!r}; give one of {known}")


def symmetry_groups(dimension: int = 3) -> tuple[SymmetryGroup, ...]:
    """All groups known in this dimension, from the largest to the smallest."""
    return _plane_groups() if dimension == 2 else _space_groups()


def turn(axis: int, angle: float) -> Float[np.ndarray, "3 3"]:
    """The rotation about a coordinate axis by an angle in radians.

    Examples
    --------
    >>> (turn(2, np.pi / 2) @ [1.0, 0.0, 0.0]).round(12).tolist()
    [0.0, 1.0, 0.0]
    """
    return np.asarray(expm(angle * _spin(axis)))


def _spin(axis: int) -> Float[np.ndarray, "3 3"]:
    """The infinitesimal rotation about a coordinate axis: X v = e × v."""
    return np.cross(np.eye(3)[axis], np.eye(3)).T


@lru_cache
def _space_groups() -> tuple[SymmetryGroup, ...]:
    every, about_z = (_spin(0), _spin(1), _spin(2)), (_spin(2),)
    inversion, half_x, half_z = -np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, -1, 1])
    third, quarter, sixth = (turn(2, 2 * np.pi / fold) for fold in (3, 4, 6))
    quarter, quarter_x = quarter.round(), turn(0, np.pi / 2).round()
    return tuple(
        SymmetryGroup(name, symbol, 3, rotations, elements)
        for name, symbol, rotations, elements in (
            ("isotropic", "O(3)", every, (inversion,)),
            ("rotations", "SO(3)", every, ()),
            ("transversely isotropic", "D∞h", about_z, (half_x, inversion)),
            ("cubic", "Oh", (), (quarter, quarter_x, inversion)),
            ("cubic rotations", "O", (), (quarter, quarter_x)),
            ("hexagonal", "D6h", (), (sixth, half_x, inversion)),
            ("hexagonal rotations", "D6", (), (sixth, half_x)),
            ("tetragonal", "D4h", (), (quarter, half_x, inversion)),
            ("trigonal", "D3d", (), (third, half_x, inversion)),
            ("orthotropic", "D2h", (), (half_z, half_x, inversion)),
            ("monoclinic", "C2h", (), (half_z, inversion)),
            ("inversion", "Ci", (), (inversion,)),
            ("none", "C1", (), ()),
        )
    )


@lru_cache
def _plane_groups() -> tuple[SymmetryGroup, ...]:
    spin, mirror = _spin(2)[:2, :2], np.diag([1.0, -1.0])
    quarter, sixth = turn(2, np.pi / 2)[:2, :2].round(), turn(2, np.pi / 3)[:2, :2]
    return tuple(
        SymmetryGroup(name, symbol, 2, rotations, elements)
        for name, symbol, rotations, elements in (
            ("isotropic", "O(2)", (spin,), (mirror,)),
            ("rotations", "SO(2)", (spin,), ()),
            ("square", "D4", (), (quarter, mirror)),
            ("hexagonal", "D6", (), (sixth, mirror)),
            ("orthotropic", "D2", (), (-np.eye(2), mirror)),
            ("inversion", "C2", (), (-np.eye(2),)),
            ("none", "C1", (), ()),
        )
    )


def _key(element: Float[np.ndarray, "d d"]) -> bytes:
    """The same for elements that differ by rounding."""
    return (element.round(6) + 0.0).tobytes()


def _spanned(matrix: Float[np.ndarray, "d d"], rotations: tuple[Float[np.ndarray, "d d"], ...]) -> bool:
    """Whether an antisymmetric matrix is a combination of these (which are orthogonal to each other)."""
    rest = matrix.copy()
    for rotation in rotations:
        rest -= rotation * np.sum(rotation * matrix) / np.sum(rotation**2)
    return bool(np.abs(rest).max() < 1e-9)


def _axis(rotation: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """An antisymmetric matrix about the axis of a rotation; half turns, R = Rᵀ, have it in R + 1."""
    skew = (rotation - rotation.T) / 2
    if len(rotation) == 2:
        return np.array([[0.0, -1.0], [1.0, 0.0]])
    if np.abs(skew).max() > 1e-9:
        return skew
    column = (rotation + np.eye(3))[:, np.argmax(np.diag(rotation))]
    return np.cross(column, np.eye(3)).T
