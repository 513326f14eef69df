"""Bispectrum components of the neighbour density, in LAMMPS's conventions."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.descriptors.angular_momentum import BispectrumTables, bispectrum_tables
from mechlearn.descriptors.derivative_rows import derivative_rows
from mechlearn.descriptors.descriptor import Pullback, check_shape
from mechlearn.descriptors.jacobian import DescriptorJacobian
from mechlearn.descriptors.products import ProductList, product_lists
from mechlearn.descriptors.torch_device import check_device
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs, neighbour_pairs

_LANES = 8

#: U of all atoms is kept between uses if it takes no more than this, bytes.
_LARGEST_MEMORY = 2**25


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
    device : str or None
        ``"cuda"``, ``"cuda:1"``, … or ``"cpu"``: values and pullbacks go through torch, there; the compiled kernels
        do the rest, and everything where it is None.  A potential's file does not keep it.
    precision : str
        ``"double"``, or on a device ``"single"``, good to 1e-5 of the largest value.

    Raises
    ------
    InputError
        If a parameter makes no sense (a cutoff of zero, lengths that differ, an unknown element), or the device is
        not there.

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
    # Where numbers are worked out is no part of what they are.
    device: str | None = field(default=None, compare=False)
    precision: Literal["double", "single"] = field(default="double", compare=False)

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
        if self.precision not in (("double", "single") if self.device else ("double",)):
            raise InputError(
                f"setting up the bispectrum: precision is {self.precision!r}; give 'double', or 'single' and a device"
            )
        if self.device is not None:
            check_device(self.device)

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
        return self.prepare(batch, keep=False).compute()

    def pullback(self, batch: StructureBatch, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂B is ``gradient``: f = -Σ_i g_i · ∂B_i/∂r."""
        return self.prepare(batch, keep=False).pullback(gradient)

    def pushforward(
        self, batch: StructureBatch, displacements: Float[np.ndarray, "atoms 3"]
    ) -> Float[np.ndarray, "atoms features"]:
        """The change of B along displacements of the atoms: Σ_k ∂B_i/∂r_k · d_k."""
        return self.prepare(batch, keep=False).pushforward(displacements)

    def jacobian(self, batch: StructureBatch, dtype: type[np.floating] = np.float32) -> DescriptorJacobian:
        """All derivatives ∂B_i/∂r_k, stored; about 10 kB an atom at 2J = 6 in single precision."""
        return self.prepare(batch, keep=False).jacobian(dtype)

    def prepare(
        self, batch: StructureBatch, pairs: NeighbourPairs | None = None, *, keep: bool = True
    ) -> PreparedBispectrum:
        """Neighbours of a batch, for several uses of the same positions.

        Parameters
        ----------
        batch : StructureBatch
            The structures.
        pairs : NeighbourPairs or None
            The neighbours within ``reach`` at least, where they are known (from a ``NeighbourList``).
        keep : bool
            Whether U of every atom is kept for the next use, where it does not take much memory.
        """
        elements = self.element_indices(batch)
        return PreparedBispectrum(self, batch, pairs or neighbour_pairs(batch, self.reach), elements, keep)


@dataclass(eq=False)
class _Memory:
    """U of every group of eight atoms, known once a kernel has made them; or no room for any."""

    densities: Float[np.ndarray, "groups numbers"]
    known: bool = False


@dataclass(frozen=True, eq=False)
class PreparedBispectrum:
    """A bispectrum with the neighbours of one batch at hand."""

    descriptor: Bispectrum
    batch: StructureBatch
    pairs: NeighbourPairs
    elements: Int[np.ndarray, " atoms"]
    keep: bool

    def compute(self) -> Float[np.ndarray, "atoms features"]:
        """B of every atom."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import compute_range

        if self.descriptor.device is not None:
            whole: np.ndarray = self._through_torch.values()
            return whole - self._shift
        values, _ = product_lists(self.descriptor.twojmax)
        out = np.empty((self.batch.atoms, self.descriptor.features))
        self._run(compute_range, values, self._shift, out)
        return out

    def pullback(self, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂B is ``gradient``."""
        return self.contract(gradient)[1]

    def contract(self, gradient: Float[np.ndarray, "atoms features"]) -> tuple[Float[np.ndarray, " atoms"], Pullback]:
        """Σ_l g_l B_l of every atom, and the pullback of g: all that a linear energy needs, without B itself."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import forces_from_pairs, pullback_range

        check_shape("using the bispectrum", "gradient", gradient, (self.batch.atoms, self.descriptor.features))
        batch, pairs = self.batch, self.pairs
        gradient = np.ascontiguousarray(gradient, dtype=np.float64)
        if self.descriptor.device is not None:
            products, pair_gradient = self._through_torch.contract(gradient)
        else:
            _, slopes = product_lists(self.descriptor.twojmax)
            products, pair_gradient = np.empty(batch.atoms), np.empty((len(pairs.second), 3))
            self._run(pullback_range, slopes, gradient, products, pair_gradient)
        forces, virials = np.zeros((batch.atoms, 3)), np.zeros((len(batch), 3, 3))
        forces_from_pairs(
            pairs.starts, pairs.second, pairs.vectors, batch.structure_of_atom, pair_gradient, forces, virials
        )
        return products - gradient @ self._shift, Pullback(forces, virials)

    def pushforward(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms features"]:
        """Σ_k ∂B_i/∂r_k · d_k of every atom."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import pushforward_range

        check_shape("using the bispectrum", "displacements", displacements, (self.batch.atoms, 3))
        _, slopes = product_lists(self.descriptor.twojmax)
        out = np.empty((self.batch.atoms, self.descriptor.features))
        self._run(pushforward_range, slopes, np.ascontiguousarray(displacements, dtype=np.float64), out)
        return out

    def jacobian(self, dtype: type[np.floating] = np.float64) -> DescriptorJacobian:
        """B and all its derivatives, stored."""
        from mechlearn.descriptors.derivative_kernels import jacobian_range

        features = self.descriptor.features
        _, slopes = product_lists(self.descriptor.twojmax)
        values = np.empty((self.batch.atoms, features))
        derivatives = np.empty((len(self.pairs.second), 3, features), dtype=dtype)
        rows = derivative_rows(self.descriptor.twojmax).arrays
        self._run(jacobian_range, slopes, rows, self._shift, values, derivatives)
        return DescriptorJacobian(self.batch, self.pairs, values, derivatives)

    def with_derivatives(self, kernel: Callable[..., None], *arguments: Any) -> None:
        """Run a kernel that takes up the derivatives of every pair as they are made, in this thread alone.

        Parameters
        ----------
        kernel
            Called as :func:`mechlearn.descriptors.derivative_kernels.jacobian_range` is.
        arguments
            Its last arguments, from the values on.
        """
        _, slopes = product_lists(self.descriptor.twojmax)
        rows = derivative_rows(self.descriptor.twojmax).arrays
        self._run(kernel, slopes, rows, self._shift, *arguments, threads=1)

    def _run(
        self, kernel: Callable[..., None], products: ProductList, *arguments: Any, threads: int | None = None
    ) -> None:
        """Run a kernel over all groups of eight atoms, by threads."""
        tables = self.descriptor._tables
        groups = -(-self.batch.atoms // _LANES)

        def work(first: int, last: int) -> None:
            kernel(
                first,
                last,
                (self._order, self.pairs.starts, self.pairs.second, self.pairs.vectors, self.elements),
                self._radial,
                (tables.twojmax, tables.block, tables.norms),
                (products.places, products.factors, products.weights),
                (self._memory.densities, self._memory.known),
                *arguments,
            )

        threads = min(threads or available_threads(), groups // 4)
        if threads <= 1:
            work(0, groups)
        else:
            edges = np.linspace(0, groups, 4 * threads + 1).astype(int).tolist()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, edges[:-1], edges[1:]))
        self._memory.known = len(self._memory.densities) > 0

    @cached_property
    def _through_torch(self) -> Any:
        """The same neighbours as a ``TorchBispectrum``, whose name is not said here because it would load torch."""
        from mechlearn.descriptors.torch_bispectrum import TorchBispectrum

        return TorchBispectrum(self.descriptor, self.batch, self.pairs, self.keep)

    @cached_property
    def _memory(self) -> _Memory:
        from mechlearn.descriptors.lane_kernels import aligned

        numbers = 2 * _LANES * int(self.descriptor._tables.block[-1])
        groups = -(-self.batch.atoms // _LANES)
        fits = self.keep and 8 * groups * numbers <= _LARGEST_MEMORY
        kept = groups if fits else 0
        # The plain function: Numba cannot hand an array to Python from a compiled one that cached kernels hold too.
        return _Memory(aligned.py_func(kept * numbers).reshape(kept, numbers))

    @cached_property
    def _order(self) -> Int[np.ndarray, " atoms"]:
        # Atoms with like numbers of neighbours share a group of eight, so that few lanes idle; NumPy sorts numbers
        # of 16 bits in linear time.
        return np.argsort(np.diff(self.pairs.starts).astype(np.uint16), kind="stable")

    @cached_property
    def _shift(self) -> Float[np.ndarray, " features"]:
        # An isolated atom has U = 1, hence B_{j1 j2 j} = j + 1.
        isolated = self.descriptor._tables.components[:, 2] + 1.0
        return isolated if self.descriptor.bzero else np.zeros_like(isolated)

    @cached_property
    def _radial(self) -> tuple[np.ndarray, np.ndarray, float, float, float]:
        """How far two elements see each other, what a neighbour counts, and the three numbers of θ and f_c."""
        descriptor = self.descriptor
        radii = np.array(descriptor.element_radii)
        return (
            descriptor.cutoff * (radii[:, None] + radii[None, :]),
            np.array(descriptor.element_weights),
            float(descriptor.rfac0),
            float(descriptor.rmin0),
            1.0 if descriptor.switch else 0.0,
        )


def available_threads() -> int:
    """How many threads compiled kernels may use: ``MECHLEARN_THREADS``, else the cores given to this process."""
    return int(os.environ.get("MECHLEARN_THREADS", "0")) or len(os.sched_getaffinity(0))
