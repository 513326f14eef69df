"""Bispectrum components of the neighbour density, in LAMMPS's conventions."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.descriptors.angular_momentum import BispectrumTables, bispectrum_tables
from mechlearn.descriptors.descriptor import Pullback
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs, neighbour_pairs

_LANES = 8


@dataclass(frozen=True)
class Bispectrum:
    """Bispectrum components B_{j1 j2 j} of the density of neighbours around each atom.

    The numbers, their order and their parameters are those of LAMMPS's ``compute sna/atom`` and
    ``pair_style snap``: an atom i and its neighbour k see each other within ``rcutfac · (R_i + R_k)``.

    Parameters
    ----------
    elements : tuple of str
        Chemical symbols; their order is that of the per-element parameters.
    cutoff : float
        The cutoff between two atoms of radius ½, Å; LAMMPS's ``rcutfac``.
    twojmax : int
        2J, the highest doubled angular momentum: 2, 4, 6, 8 give 5, 14, 30, 55 components.
    element_radii, element_weights : tuple of float
        R and w of each element; ½ and 1 where left out.
    rfac0, rmin0 : float
        θ₀ = rfac0 · π (r - rmin0)/(R_cut - rmin0).
    switch : bool
        Whether neighbours fade out smoothly at the cutoff.
    bzero : bool
        Whether the value of an isolated atom is taken off, so that no neighbours means B = 0.

    Raises
    ------
    InputError
        If a parameter makes no sense (a cutoff of zero, lengths that differ, an unknown element).

    Notes
    -----
    Source: Thompson et al., J. Comput. Phys. 285, 316 (2015); Montes de Oca Zapiain et al. (2022), Eqs. 3–6.

    Examples
    --------
    >>> from ase.build import bulk
    >>> batch = StructureBatch.from_atoms([bulk("W", a=3.18)])
    >>> descriptor = Bispectrum(("W",), cutoff=4.73, twojmax=6)
    >>> descriptor.compute(batch).shape
    (1, 30)
    """

    elements: tuple[str, ...] = ("W",)
    cutoff: float = 4.73
    twojmax: int = 8
    element_radii: tuple[float, ...] | None = None
    element_weights: tuple[float, ...] | None = None
    rfac0: float = 0.99363
    rmin0: float = 0.0
    switch: bool = True
    bzero: bool = True

    def __post_init__(self) -> None:
        count = len(self.elements)
        object.__setattr__(self, "elements", tuple(self.elements))
        object.__setattr__(self, "element_radii", tuple(self.element_radii or (0.5,) * count))
        object.__setattr__(self, "element_weights", tuple(self.element_weights or (1.0,) * count))
        unknown = [element for element in self.elements if element not in atomic_numbers]
        if count == 0 or unknown:
            raise InputError(f"setting up the bispectrum: unknown elements {unknown or '()'}; give chemical symbols")
        if not (np.isfinite(self.cutoff) and self.cutoff > max(self.rmin0, 0.0)):
            raise InputError(
                f"setting up the bispectrum: the cutoff is {self.cutoff} Å; give one above {max(self.rmin0, 0.0)}"
            )
        if not 0 <= self.twojmax <= 14:
            raise InputError(f"setting up the bispectrum: twojmax is {self.twojmax}; give a whole number from 0 to 14")
        if not 0 < self.rfac0 <= 1:
            raise InputError(f"setting up the bispectrum: rfac0 is {self.rfac0}; give a number in (0, 1]")
        for name, values in (("element_radii", self._radii), ("element_weights", self._weights)):
            if len(values) != count:
                raise InputError(f"setting up the bispectrum: {len(values)} {name} for {count} elements; give one each")

    # ------------------------------------------------------------------ asking

    @property
    def _radii(self) -> tuple[float, ...]:
        return self.element_radii or ()

    @property
    def _weights(self) -> tuple[float, ...]:
        return self.element_weights or ()

    @property
    def features(self) -> int:
        """The number of components."""
        return len(self._tables.components)

    @property
    def components(self) -> tuple[tuple[int, int, int], ...]:
        """(j1, j2, j), doubled, of each component in order."""
        return tuple((int(j1), int(j2), int(j)) for j1, j2, j in self._tables.components)

    @property
    def reach(self) -> float:
        """The longest distance at which two atoms see each other, Å."""
        return self.cutoff * 2 * max(self._radii)

    @cached_property
    def _tables(self) -> BispectrumTables:
        return bispectrum_tables(self.twojmax)

    def element_indices(self, batch: StructureBatch) -> Int[np.ndarray, " atoms"]:
        """The place of each atom's element in ``elements``.

        Raises
        ------
        InputError
            If the batch holds an element that is not among them.
        """
        table = np.full(120, -1, dtype=np.int64)
        table[[atomic_numbers[element] for element in self.elements]] = np.arange(len(self.elements))
        indices = table[batch.species]
        if (indices < 0).any():
            strange = sorted(set(batch.elements) - set(self.elements))
            raise InputError(
                f"computing the bispectrum: the structures hold {', '.join(strange)}, "
                f"the descriptor knows {', '.join(self.elements)}; add the element or leave these structures out"
            )
        return indices

    # ------------------------------------------------------------------ computing

    def compute(self, batch: StructureBatch) -> Float[np.ndarray, "atoms features"]:
        """The components of every atom.

        Parameters
        ----------
        batch : StructureBatch
            Any cells: tiny, sheared, smaller than the cutoff.

        Returns
        -------
        (atoms, features)
            B, in units of the density's cube (dimensionless weights).
        """
        from mechlearn.descriptors.bispectrum_drivers_kernels import compute_range

        return self.prepare(batch).values(compute_range)

    def pullback(self, batch: StructureBatch, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂B is ``gradient``: f = -Σ_i g_i · ∂B_i/∂r."""
        return self.prepare(batch).pullback(gradient)

    def pushforward(
        self, batch: StructureBatch, displacements: Float[np.ndarray, "atoms 3"]
    ) -> Float[np.ndarray, "atoms features"]:
        """The change of B along displacements of the atoms: Σ_k ∂B_i/∂r_k · d_k."""
        return self.prepare(batch).pushforward(displacements)

    def jacobian(self, batch: StructureBatch, dtype: type[np.floating] = np.float32) -> DescriptorJacobian:
        """All derivatives ∂B_i/∂r_k, stored; about 10 kB an atom at 2J = 6 in single precision."""
        return self.prepare(batch).jacobian(dtype)

    def prepare(self, batch: StructureBatch) -> PreparedBispectrum:
        """Neighbours and geometry of a batch, for several uses of the same positions."""
        from mechlearn.descriptors.bispectrum_kernels import PAIR_NUMBERS, pair_geometry

        elements = self.element_indices(batch)
        pairs = neighbour_pairs(batch, self.reach)
        radii, weights = np.array(self._radii), np.array(self._weights)
        reach = self.cutoff * (radii[elements[pairs.first]] + radii[elements[pairs.second]])
        geometry = np.empty((PAIR_NUMBERS, len(pairs.second)))
        pair_geometry(
            pairs.vectors,
            pairs.distances,
            reach,
            weights[elements[pairs.second]],
            self.rfac0,
            self.rmin0,
            1.0 if self.switch else 0.0,
            geometry,
        )
        return PreparedBispectrum(self, batch, pairs, geometry)


@dataclass(frozen=True, eq=False)
class PreparedBispectrum:
    """A bispectrum with the neighbours of one batch at hand."""

    descriptor: Bispectrum
    batch: StructureBatch
    pairs: NeighbourPairs
    geometry: Float[np.ndarray, "numbers pairs"]

    @cached_property
    def _order(self) -> Int[np.ndarray, " atoms"]:
        # Atoms with like numbers of neighbours share a group of eight, so that few lanes idle.
        return np.argsort(np.diff(self.pairs.starts), kind="stable")

    @cached_property
    def _shift(self) -> Float[np.ndarray, " features"]:
        # An isolated atom has U = 1, hence B_{j1 j2 j} = j + 1.
        isolated = self.descriptor._tables.components[:, 2] + 1.0
        return isolated if self.descriptor.bzero else np.zeros_like(isolated)

    def _run(self, kernel: Callable[..., None], *arrays: np.ndarray) -> None:
        tables = self.descriptor._tables
        groups = -(-self.batch.atoms // _LANES)

        def work(first: int, last: int) -> None:
            kernel(
                first,
                last,
                self._order,
                self.pairs.starts,
                self.geometry,
                1.0,
                tables.twojmax,
                tables.block,
                tables.roots,
                tables.half_weights,
                tables.triples,
                tables.factors,
                tables.coefficients,
                *arrays,
            )

        threads = min(available_threads(), groups // 4)
        if threads <= 1:
            work(0, groups)
            return
        edges = np.linspace(0, groups, 4 * threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, edges[:-1], edges[1:]))

    def values(self, kernel: Callable[..., None]) -> Float[np.ndarray, "atoms features"]:
        """B of every atom."""
        out = np.zeros((self.batch.atoms, self.descriptor.features))
        self._run(kernel, self._shift, out)
        return out

    def compute(self) -> Float[np.ndarray, "atoms features"]:
        """B of every atom."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import compute_range

        return self.values(compute_range)

    def pullback(self, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂B is ``gradient``."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import pullback_range

        _check_shape("gradient", gradient, (self.batch.atoms, self.descriptor.features))
        pair_gradient = np.zeros((len(self.pairs.second), 3))
        self._run(pullback_range, np.ascontiguousarray(gradient, dtype=np.float64), pair_gradient)
        return _sum_pairs(self.batch, self.pairs, pair_gradient)

    def pushforward(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms features"]:
        """Σ_k ∂B_i/∂r_k · d_k of every atom."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import pushforward_range

        _check_shape("displacements", displacements, (self.batch.atoms, 3))
        moved = np.ascontiguousarray((displacements[self.pairs.second] - displacements[self.pairs.first]).T)
        out = np.zeros((self.batch.atoms, self.descriptor.features))
        self._run(pushforward_range, moved.astype(np.float64), out)
        return out

    def jacobian(self, dtype: type[np.floating] = np.float64) -> DescriptorJacobian:
        """B and all its derivatives, stored."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import jacobian_range

        features = self.descriptor.features
        values = np.zeros((self.batch.atoms, features))
        derivatives = np.zeros((len(self.pairs.second), 3, features), dtype=dtype)
        self._run(jacobian_range, self._shift, values, derivatives)
        return DescriptorJacobian(self.batch, self.pairs, values, derivatives)


@dataclass(frozen=True, eq=False)
class DescriptorJacobian:
    """B of a batch with every ∂B_i/∂r_k stored, one block a pair of neighbours.

    Attributes
    ----------
    values : (atoms, features)
        B.
    derivatives : (pairs, 3, features)
        ∂B_i/∂r_k of the pair (i, k); by translation invariance ∂B_i/∂r_i is minus their sum.
    """

    batch: StructureBatch
    pairs: NeighbourPairs
    values: Float[np.ndarray, "atoms features"]
    derivatives: Float[np.ndarray, "pairs 3 features"]

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        return self.derivatives.nbytes + self.pairs.vectors.nbytes + self.pairs.second.nbytes

    def pullback(self, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂B is ``gradient``."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import contract_jacobian

        _check_shape("gradient", gradient, self.values.shape)
        pair_gradient = np.empty((len(self.pairs.second), 3))
        gradient = np.ascontiguousarray(gradient, dtype=self.derivatives.dtype)
        contract_jacobian(self.pairs.starts, self.pairs.second, self.derivatives, gradient, pair_gradient)
        return _sum_pairs(self.batch, self.pairs, pair_gradient)

    def pushforward(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms features"]:
        """Σ_k ∂B_i/∂r_k · d_k of every atom."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import push_jacobian

        _check_shape("displacements", displacements, (self.batch.atoms, 3))
        out = np.zeros_like(self.values)
        displacements = np.ascontiguousarray(displacements, dtype=np.float64)
        push_jacobian(self.pairs.starts, self.pairs.second, self.derivatives, displacements, out)
        return out


def available_threads() -> int:
    """How many threads compiled kernels may use: ``MECHLEARN_THREADS``, else the cores given to this process."""
    return int(os.environ.get("MECHLEARN_THREADS", "0")) or len(os.sched_getaffinity(0))


def _sum_pairs(batch: StructureBatch, pairs: NeighbourPairs, pair_gradient: Float[np.ndarray, "pairs 3"]) -> Pullback:
    from mechlearn.descriptors.bispectrum_drivers_kernels import forces_from_pairs

    forces = np.zeros((batch.atoms, 3))
    virials = np.zeros((len(batch), 3, 3))
    forces_from_pairs(
        pairs.starts, pairs.second, pairs.vectors, batch.structure_of_atom, pair_gradient, forces, virials
    )
    return Pullback(forces, virials)


def _check_shape(name: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise InputError(f"using the bispectrum: {name} has shape {array.shape}; give {expected}, one row an atom")
