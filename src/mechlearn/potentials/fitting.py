"""Least squares for linear and quadratic SNAP, in memory that does not grow with the data.

Rows  energy per atom × w_E,  each force component × w_F,  each stress component × w_S  against the labels less the
reference.  The rows are folded part by part into the triangular factor R of a QR decomposition, which keeps the
digits that normal equations lose; the fit is then a small problem in R, solved by singular values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.linalg
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from mechlearn.descriptors import Bispectrum, available_threads
from mechlearn.errors import InputError
from mechlearn.interactions.zbl import Zbl
from mechlearn.potentials.snap import SnapPotential, column_count
from mechlearn.structures import StructureBatch

#: Atoms whose derivatives are held at once.
_ATOMS_AT_ONCE = 1500


@dataclass(frozen=True)
class FitWeights:
    """What a row counts: energy per atom (1/eV), force component (Å/eV), stress component (Å³/eV)."""

    energy: float = 100.0
    force: float = 1.0
    stress: float = 0.0

    def scaled(self, factor: float) -> FitWeights:
        """All three times ``factor``."""
        return FitWeights(self.energy * factor, self.force * factor, self.stress * factor)


@dataclass(frozen=True, eq=False)
class SnapFit:
    """A fitted potential and how the fit went.

    Attributes
    ----------
    potential : SnapPotential
        What was fitted.
    rows : int
        Equations.
    rank, columns : int
        How many directions of coefficient space the data determine, of how many.
    condition : float
        Largest over smallest singular value of the scaled problem, before the ridge.
    residual : float
        Root mean square of the weighted residuals.
    """

    potential: SnapPotential
    rows: int
    rank: int
    columns: int
    condition: float
    residual: float


@dataclass(frozen=True, eq=False)
class SnapRows:
    """All that a fit has to know of its data: the triangular factor of the weighted rows.

    Rows of different data can be folded together, so that a fit to all but one group costs no second look at the
    structures.

    Attributes
    ----------
    factor : (at most columns + 1, columns + 1)
        R of the QR decomposition of the weighted rows, the labels in the last column.
    rows : int
        How many rows were folded in.
    groups : frozenset of str
        The groups that were seen.
    """

    factor: Float[np.ndarray, "some_rows columns_and_one"]
    rows: int
    groups: frozenset[str]

    @classmethod
    def none(cls, columns: int) -> SnapRows:
        """No rows."""
        return cls(np.zeros((0, columns + 1)), 0, frozenset())

    def merged(self, other: SnapRows) -> SnapRows:
        """The rows of both."""
        stacked = np.asfortranarray(np.concatenate([self.factor, other.factor]))
        factor = scipy.linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)[0][: stacked.shape[1]]
        return SnapRows(factor, self.rows + other.rows, self.groups | other.groups)


def fit_snap(
    source: StructureBatch | Iterable[StructureBatch],
    descriptor: Bispectrum,
    *,
    quadratic: bool = False,
    weights: FitWeights = FitWeights(),
    group_weights: Mapping[str, float] | None = None,
    ridge: float = 0.0,
    prior: SnapPotential | None = None,
    reference: Zbl | None = None,
) -> SnapFit:
    """Fit linear or quadratic SNAP to energies, forces and stresses.

    Parameters
    ----------
    source : StructureBatch, or several
        Labelled structures; labels that are absent (NaN) give no rows.  ``StructureSet.batches()`` will do.
    descriptor : Bispectrum
        B.
    quadratic : bool
        Whether the quadratic term is fitted too.
    weights : FitWeights
        What energy, force and stress rows count.
    group_weights : mapping, optional
        A factor on all the weights of a group of structures, by its name; 1 for those not named, 0 leaves one out.
    ridge : float
        λ: minimises ‖A x - b‖² + λ n ‖S (x - x_prior)‖², S the root mean square of each column and n the rows, so
        that λ is a pure number.
    prior : SnapPotential, optional
        The coefficients that the ridge draws towards; zero where it is not given.
    reference : Zbl, optional
        A pair potential that is taken off the labels and added to the prediction.

    Returns
    -------
    SnapFit
        The potential and the state of the fit.

    Raises
    ------
    InputError
        If there is no labelled structure, an element the descriptor does not know, or a group that does not occur.

    Notes
    -----
    Directions whose singular value is below 1e-13 of the largest are left at the prior: they are what the data do
    not determine.  An element's constant is determined by energies alone.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from dataclasses import replace
    >>> images = StructureBatch.from_atoms([bulk("W", a=a) for a in (3.0, 3.1, 3.2, 3.3)])
    >>> labelled = replace(images, energies=np.array([-8.7, -8.88, -8.9, -8.8]))
    >>> fit = fit_snap(labelled, Bispectrum(twojmax=2), weights=FitWeights(force=0.0))
    >>> bool(np.allclose(fit.potential.evaluate(images).energies, labelled.energies, atol=1e-6))
    True
    """
    rows = snap_rows(
        source,
        descriptor,
        quadratic=quadratic,
        weights=weights,
        group_weights=group_weights,
        reference=reference,
    )
    unknown = set(group_weights or {}) - rows.groups
    if unknown:
        raise InputError(
            f"fitting SNAP: weights are given for {', '.join(sorted(unknown))}, but the groups are "
            f"{', '.join(sorted(rows.groups)) or 'none'}; name one of these"
        )
    return solve_snap(rows, descriptor, quadratic=quadratic, ridge=ridge, prior=prior, reference=reference)


def snap_rows(
    source: StructureBatch | Iterable[StructureBatch],
    descriptor: Bispectrum,
    *,
    quadratic: bool = False,
    weights: FitWeights = FitWeights(),
    group_weights: Mapping[str, float] | None = None,
    reference: Zbl | None = None,
) -> SnapRows:
    """Fold the weighted rows of structures into one triangular factor; parameters as in :func:`fit_snap`."""
    columns = column_count(descriptor.features, quadratic) * len(descriptor.elements)

    def rows_of(part: StructureBatch) -> SnapRows:
        rows = _weighted_rows(part, descriptor, quadratic, weights, group_weights or {}, reference)
        return SnapRows(rows, len(rows), frozenset(part.groups))

    folded = SnapRows.none(columns)
    # The factorisations are small and many: threads of BLAS cost more than they bring, and would decide the last bits.
    with threadpool_limits(1, user_api="blas"):
        for rows in _in_order(rows_of, _parts([source] if isinstance(source, StructureBatch) else source)):
            folded = folded.merged(rows)
    return folded


def solve_snap(
    rows: SnapRows,
    descriptor: Bispectrum,
    *,
    quadratic: bool = False,
    ridge: float = 0.0,
    prior: SnapPotential | None = None,
    reference: Zbl | None = None,
) -> SnapFit:
    """Solve min ‖R x - c‖² + λ n ‖S (x - x₀)‖² by the singular values of R S⁻¹; parameters as in :func:`fit_snap`.

    Raises
    ------
    InputError
        If there is no row, or the prior has another number of coefficients.
    """
    if rows.rows == 0:
        raise InputError("fitting SNAP: no structure has a label with a weight above zero; give labelled structures")
    columns = rows.factor.shape[1] - 1
    matrix, target = rows.factor[:, :columns], rows.factor[:, columns]
    start = np.zeros(columns) if prior is None else prior.coefficients.ravel()
    if len(start) != columns:
        raise InputError(f"fitting SNAP: the prior has {len(start)} coefficients, the fit {columns}; give one alike")
    scale = np.linalg.norm(matrix, axis=0) / np.sqrt(rows.rows)
    scale[scale == 0] = 1.0
    left, singular, right = scipy.linalg.svd(matrix / scale, full_matrices=False)
    kept = singular > 1e-13 * singular[0]
    gain = np.where(kept, singular / np.where(kept, singular**2 + ridge * rows.rows, 1.0), 0.0)
    solution = start + (right.T @ (gain * (left.T @ (target - matrix @ start)))) / scale
    coefficients = solution.reshape(len(descriptor.elements), -1)
    return SnapFit(
        potential=SnapPotential(descriptor, coefficients, quadratic, reference),
        rows=rows.rows,
        rank=int(kept.sum()),
        columns=columns,
        condition=float(singular[0] / max(singular[-1], np.finfo(float).tiny)),
        residual=float(np.linalg.norm(matrix @ solution - target) / np.sqrt(rows.rows)),
    )


def _parts(source: Iterable[StructureBatch]) -> Iterator[StructureBatch]:
    """The structures in parts of about ``_ATOMS_AT_ONCE`` atoms."""
    for batch in source:
        which = batch.offsets[:-1] // _ATOMS_AT_ONCE
        edges = np.concatenate([[0], np.flatnonzero(np.diff(which)) + 1, [len(batch)]])
        for first, last in pairwise(edges):
            if last > first:
                yield batch.select(np.arange(first, last))


def _in_order(work: Callable[[StructureBatch], SnapRows], parts: Iterable[StructureBatch]) -> Iterator[SnapRows]:
    """The rows of each part, made by threads a few parts ahead, and handed on in the parts' order."""
    threads = available_threads()
    with ThreadPoolExecutor(threads) as pool:
        under_way: deque[Future[SnapRows]] = deque()
        for part in parts:
            under_way.append(pool.submit(work, part))
            if len(under_way) > threads:
                yield under_way.popleft().result()
        for future in under_way:
            yield future.result()


def _weighted_rows(
    batch: StructureBatch,
    descriptor: Bispectrum,
    quadratic: bool,
    weights: FitWeights,
    group_weights: Mapping[str, float],
    reference: Zbl | None,
) -> Float[np.ndarray, "rows columns_and_one"]:
    """The weighted equations of a part of the data, labels in the last column."""
    energies, forces, stresses = batch.energies, batch.forces, batch.stresses
    if reference is not None:
        added = reference.evaluate(batch)
        energies, forces, stresses = energies - added.energies, forces - added.forces, stresses - added.stresses
    factor = np.array([group_weights.get(group, 1.0) for group in batch.groups])
    with_forces = weights.force > 0 and bool(np.isfinite(forces).any())
    with_stresses = weights.stress > 0 and bool(np.isfinite(stresses).any())
    energy_rows, force_rows, stress_rows = design_rows(
        batch, descriptor, quadratic=quadratic, forces=with_forces, stresses=with_stresses
    )
    weighted = [
        _rows(energy_rows / batch.sizes[:, None], energies / batch.sizes, weights.energy * factor),
    ]
    if with_forces:
        weight = np.repeat(weights.force * factor[batch.structure_of_atom], 3)
        weighted.append(_rows(force_rows.reshape(-1, energy_rows.shape[1]), forces.ravel(), weight))
    if with_stresses:
        weight = np.repeat(weights.stress * factor, 6)
        weighted.append(_rows(stress_rows.reshape(-1, energy_rows.shape[1]), stresses.ravel(), weight))
    return np.concatenate(weighted)


def _rows(
    design: Float[np.ndarray, "rows columns"], labels: Float[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, "kept columns_and_one"]:
    """Weighted rows that have a label and a weight."""
    kept = np.isfinite(labels) & (weight > 0)
    out = np.empty((int(kept.sum()), design.shape[1] + 1))
    np.multiply(design[kept], weight[kept, None], out=out[:, :-1])
    out[:, -1] = labels[kept] * weight[kept]
    return out


def design_rows(
    batch: StructureBatch,
    descriptor: Bispectrum,
    *,
    quadratic: bool = False,
    forces: bool = True,
    stresses: bool = True,
) -> tuple[
    Float[np.ndarray, "structures columns"],
    Float[np.ndarray, "some_atoms 3 columns"],
    Float[np.ndarray, "some_structures 6 columns"],
]:
    """What multiplies SNAP's coefficients in energies, forces and stresses.

    Parameters
    ----------
    batch : StructureBatch
        The structures.
    descriptor : Bispectrum
        B.
    quadratic : bool
        Whether the columns of quadratic SNAP follow.
    forces, stresses : bool
        Whether to make these rows; an empty array is returned where not.

    Returns
    -------
    energies : (structures, columns)
        Σ_i (1, B_i, …), the columns of one element after the other.
    forces : (atoms, 3, columns)
        -∂/∂r of these.
    stresses : (structures, 6, columns)
        Their strain derivative over the volume, Voigt, tension positive.
    """
    from mechlearn.potentials.snap_kernels import design_range, expand

    element, kinds = descriptor.element_indices(batch), len(descriptor.elements)
    width = column_count(descriptor.features, quadratic)
    prepared = descriptor.prepare(batch)
    # Kernels work on eight numbers at once, and leave the constants out, which have no derivatives.
    padded = -(-(width - 1) // 8) * 8
    force_rows = np.zeros((batch.atoms if forces else 0, 3, kinds, padded))
    stress_rows = np.zeros((len(batch) if stresses else 0, 6, kinds, padded))
    if forces or stresses:
        values = np.empty((batch.atoms, descriptor.features))
        owner, flat = batch.structure_of_atom, (force_rows.ravel(), stress_rows.ravel())
        prepared.with_derivatives(design_range, owner, quadratic, padded, values, *flat)
    else:
        values = prepared.compute()
    features = np.ones((batch.atoms, width))
    expand(values, quadratic, features[:, 1:])
    energy_rows = np.zeros((len(batch), kinds, width))
    for index in range(kinds):
        own = np.where((element == index)[:, None], features, 0.0)
        energy_rows[:, index] = np.add.reduceat(own, batch.offsets[:-1])
    stress_rows /= batch.volumes[: len(stress_rows), None, None, None]
    return (
        energy_rows.reshape(len(batch), kinds * width),
        _with_constants(force_rows, width),
        _with_constants(stress_rows, width),
    )


def _with_constants(
    rows: Float[np.ndarray, "some axes elements padded"], width: int
) -> Float[np.ndarray, "some axes columns"]:
    """Each element's columns with the constant's first, which is zero in a derivative."""
    out = np.zeros((*rows.shape[:3], width))
    out[..., 1:] = rows[..., : width - 1]
    return out.reshape(*rows.shape[:2], rows.shape[2] * width)
