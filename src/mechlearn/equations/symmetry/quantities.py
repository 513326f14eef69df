"""What a variable is: a scalar, a vector, a tensor, and how rotations and reflections act on it.

An orthogonal matrix g turns

    scalar s → s            vector v → g v                    tensor T → g T gᵀ
    pseudoscalar p → det(g) p     axial vector w → det(g) g w

and symmetric and antisymmetric tensors as tensors.  A quantity is stored by its independent components, in the order
of Voigt where it is symmetric (xx, yy, zz, yz, xz, xy), so that a column of a file is a component as it was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError

#: The names of the axes, in order.
AXES: Final = "xyz"

#: What a variable can be, and the rank of its tensor.
KINDS: Final = {
    "scalar": 0,
    "pseudoscalar": 0,
    "vector": 1,
    "axial vector": 1,
    "tensor": 2,
    "symmetric tensor": 2,
    "antisymmetric tensor": 2,
}

_PAIRS: Final = {
    ("symmetric tensor", 3): ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)),
    ("symmetric tensor", 2): ((0, 0), (1, 1), (0, 1)),
    ("antisymmetric tensor", 3): ((1, 2), (0, 2), (0, 1)),
    ("antisymmetric tensor", 2): ((0, 1),),
}


@dataclass(frozen=True)
class Quantity:
    """A variable of an equation: its name, what it is, its unit, and whether it lives in the plane or in space.

    Attributes
    ----------
    name : str
        As it is to be printed.
    kind : str
        ``"scalar"``, ``"pseudoscalar"``, ``"vector"``, ``"axial vector"``, ``"tensor"``, ``"symmetric tensor"`` or
        ``"antisymmetric tensor"``.
    unit : str or None
        For print and for the check of units.
    dimension : int
        2 or 3.

    Raises
    ------
    InputError
        If the kind or the dimension is not one of these.

    Examples
    --------
    >>> stress = Quantity("σ", "symmetric tensor", "GPa")
    >>> stress.labels
    ('σ_xx', 'σ_yy', 'σ_zz', 'σ_yz', 'σ_xz', 'σ_xy')
    """

    name: str
    kind: str
    unit: str | None = None
    dimension: int = 3

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"declaring {self.name}: it is said to be a {self.kind!r}; give one of {', '.join(KINDS)}")
        if self.dimension not in (2, 3):
            raise InputError(f"declaring {self.name}: its space has {self.dimension} dimensions; give 2 or 3")
        if self.kind == "axial vector" and self.dimension == 2:
            raise InputError(
                f"declaring {self.name}: an axial vector of the plane has one component; call it a pseudoscalar"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one value as a full tensor: (), (d,) or (d, d)."""
        return (self.dimension,) * KINDS[self.kind]

    @property
    def parity(self) -> int:
        """1 where a reflection brings an extra change of sign (pseudoscalars, axial vectors), else 0."""
        return int(self.kind in ("pseudoscalar", "axial vector"))

    @property
    def indices(self) -> tuple[tuple[int, ...], ...]:
        """Which entries of the full tensor are its independent components."""
        pairs = _PAIRS.get((self.kind, self.dimension))
        return tuple(np.ndindex(*self.shape)) if pairs is None else pairs

    @property
    def places(self) -> list[int]:
        """Where the independent components stand in the full tensor, row by row."""
        return [sum(axis * self.dimension**power for power, axis in enumerate(entry[::-1])) for entry in self.indices]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the components, as ``v_x`` or ``σ_xy``."""
        if not self.shape:
            return (self.name,)
        return tuple(f"{self.name}_{''.join(AXES[axis] for axis in entry)}" for entry in self.indices)

    @property
    def basis(self) -> Float[np.ndarray, "components ..."]:
        """The full tensor that belongs to each component: T = Σ_c t_c E_c."""
        tensors = np.zeros((len(self.indices), *self.shape))
        for component, entry in enumerate(self.indices):
            tensors[(component, *entry)] = 1.0
            if self.kind == "symmetric tensor":
                tensors[(component, *entry[::-1])] = 1.0
            elif self.kind == "antisymmetric tensor":
                tensors[(component, *entry[::-1])] = -1.0
        return tensors

    @property
    def metric(self) -> Float[np.ndarray, " components"]:
        """The weight of each component in the invariant square |T|² = Σ_c w_c t_c² (off the diagonal 2)."""
        return np.sum(self.basis.reshape(len(self.indices), -1) ** 2, axis=1)

    def components(self, values: Float[np.ndarray, "samples ..."]) -> Float[np.ndarray, "samples components"]:
        """The independent components of values given either as components or as full tensors.

        Raises
        ------
        InputError
            If the shape is neither, or a tensor is not (anti)symmetric as declared.
        """
        count = len(self.indices)
        given = values.shape[1:]
        if given == (count,) or (given == () and count == 1):
            return values.reshape(-1, count)
        if given != self.shape:
            raise InputError(
                f"reading {self.name}: a {self.kind} in {self.dimension} dimensions has {count} components or the "
                f"shape {self.shape}, but each value has the shape {given}; give one of these"
            )
        picked = values.reshape(len(values), -1)[:, self.places]
        distance = np.abs(self.tensors(picked) - values).max(initial=0.0)
        if distance > 1e-8 * np.abs(values).max(initial=1e-300):
            raise InputError(
                f"reading {self.name}: the values differ by {distance:.2g} from a {self.kind}; "
                "declare it a tensor, or give its (anti)symmetric part"
            )
        return picked

    def tensors(self, components: Float[np.ndarray, "samples components"]) -> Float[np.ndarray, "samples ..."]:
        """The full tensors of these components."""
        return np.tensordot(components, self.basis, axes=1)

    def representation(self, element: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "components components"]:
        """The matrix by which an orthogonal matrix acts on the components.

        Raises
        ------
        InputError
            If the matrix is not of the dimension of the quantity.
        """
        self._check_acts(element)
        sign = round(float(np.linalg.det(element))) if self.parity else 1
        return sign * self._matrix(self._turned(element))

    def derivative(self, generator: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "components components"]:
        """The matrix by which an infinitesimal rotation X acts on the components: 0, X v, or X T + T Xᵀ."""
        self._check_acts(generator)
        basis = self.basis
        if len(self.shape) == 0:
            return np.zeros((1, 1))
        if len(self.shape) == 1:
            return self._matrix(basis @ generator.T)
        return self._matrix(generator @ basis + basis @ generator.T)

    def _turned(self, element: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "components ..."]:
        if len(self.shape) == 0:
            return self.basis
        if len(self.shape) == 1:
            return self.basis @ element.T
        return element @ self.basis @ element.T

    def _matrix(self, images: Float[np.ndarray, "components ..."]) -> Float[np.ndarray, "components components"]:
        """Column c holds the components of the image of E_c."""
        return images.reshape(len(images), -1)[:, self.places].T

    def _check_acts(self, element: Float[np.ndarray, "d d"]) -> None:
        if element.shape != (self.dimension, self.dimension):
            raise InputError(
                f"turning {self.name}: a group in {len(element)} dimensions does not act on a {self.kind} in "
                f"{self.dimension}; declare the same dimension for both"
            )
