"""Do the labels of one group agree with those of the others?  Energies against energies, stresses against
energies.

A Gaussian process on atomic environments (the idea of Bartók et al., Phys. Rev. Lett. 104, 136403, 2010) is
fitted to a sample of the energies.  With e = E/N and the kernel of two structures the mean of exp(−|d_i −
d_j|²/2ℓ²) over their atoms,

    e = H c + ε,   ε ~ Normal(0, K),

where H has one column a composition and one for each group that carries an offset.  Generalised least squares
gives the offsets *with* their uncertainty: small where groups share environments, honestly large where one
stands alone.  The same fit foretells each structure's pressure, −dE/dV under a uniform strain, which a
labelled stress must match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from threadpoolctl import threadpool_limits

from mechlearn.structures.batch import StructureBatch
from mechlearn.structures.environments import atomic_environments, environment_cutoff, structure_mean
from mechlearn.structures.neighbours import neighbour_pairs

_SAMPLE: Final = 600
_LEAST_STRUCTURES: Final = 20
_MOST_ATOMS: Final = 1500
_MOST_KINDS: Final = 4
_MOST_GROUPS: Final = 60
_REPRESENTATIVES: Final = 200
_LENGTHS_SQUARED: Final = (3.0, 10.0, 30.0, 100.0)
_NOISES: Final = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
_STRAIN: Final = 1e-3
#: An offset counts when it is so many standard errors from zero, and at least this large (eV/atom): the form
#: of the fit is itself good to some 3 meV/atom, which its standard errors do not know.
SIGNIFICANCE: Final = 5.0
SMALLEST_OFFSET: Final = 5e-3


@dataclass(frozen=True, eq=False)
class Consistency:
    """What the fit says of the labels.

    Attributes
    ----------
    groups : tuple of str
        The groups that were compared.
    offsets, errors : (groups,)
        Each group's constant energy against the rest and its standard error, eV/atom.
    carriers : tuple of str
        The groups whose offset is too large and too significant to be the fit's fault.
    structures : (compared,)
        The structures whose pressure was foretold.
    pressures : (compared,)
        The pressure that their energies imply, eV/Å³.
    """

    groups: tuple[str, ...]
    offsets: Float[np.ndarray, " groups"]
    errors: Float[np.ndarray, " groups"]
    carriers: tuple[str, ...]
    structures: Int[np.ndarray, " compared"]
    pressures: Float[np.ndarray, " compared"]


@dataclass(frozen=True, eq=False)
class _Frame:
    """How environments are measured: standardised, decorrelated, with representatives spread over them."""

    cutoff: float
    elements: Int[np.ndarray, " kinds"]
    mean: Float[np.ndarray, " features"]
    transform: Float[np.ndarray, "features components"]
    representatives: Float[np.ndarray, "representatives coordinates"]


@dataclass(frozen=True, eq=False)
class _Process:
    """A fitted Gaussian process: its covariance's factor and the map from representatives to structures."""

    factor: tuple[np.ndarray, bool]
    length_squared: float
    amplitude: float
    rows: Float[np.ndarray, "structures representatives"]
    corner: Float[np.ndarray, "representatives representatives"]


def assess_consistency(batch: StructureBatch) -> Consistency | None:
    """Fit the energies of a sample and compare all groups; None where there are too few energies or too many
    elements.

    Parameters
    ----------
    batch : StructureBatch
        Structures with cells of some volume and finite positions.
    """
    sample = _sample(batch)
    if len(sample) < _LEAST_STRUCTURES or len(np.unique(batch.species)) > _MOST_KINDS:
        return None
    # Matrices of hundreds of rows: where cores are busy, threads of BLAS wait for each other longer than they work.
    with threadpool_limits(1, user_api="blas"):
        return _assess(batch.select(sample), sample)


def _assess(chosen: StructureBatch, sample: Int[np.ndarray, " chosen"]) -> Consistency | None:
    """Fit the energies of the chosen structures, which are those of the batch at ``sample``."""
    frame, distances = _frame(chosen)
    compositions = _compositions(chosen)
    candidates = _candidates(chosen)
    process = _fit(chosen, frame, distances, np.hstack([compositions, *candidates.values()]))
    if process is None:
        return None
    energies = chosen.energies_per_atom
    carriers = _carriers(process, energies, compositions, candidates)
    offsets = {name: _offset(process, energies, compositions, candidates, carriers, name) for name in candidates}
    known = np.flatnonzero(np.isfinite(chosen.stresses).all(axis=1) & chosen.periodic.all(axis=1))
    design = np.hstack([compositions, *(candidates[name] for name in carriers)])
    weights = _weights(process, energies, design)
    return Consistency(
        groups=tuple(candidates),
        offsets=np.array([offset for offset, _ in offsets.values()]),
        errors=np.array([error for _, error in offsets.values()]),
        carriers=tuple(carriers),
        structures=sample[known],
        pressures=_pressures(chosen.select(known), frame, process, weights) if len(known) else np.empty(0),
    )


def _sample(batch: StructureBatch) -> Int[np.ndarray, " chosen"]:
    """Structures with energies, evenly over the groups and, in each, over those with and without a stress."""
    usable = np.isfinite(batch.energies) & (batch.sizes > 0) & (batch.sizes <= _MOST_ATOMS)
    stressed = np.isfinite(batch.stresses).all(axis=1)
    names, owner = np.unique(np.asarray(batch.groups, dtype=str), return_inverse=True)
    share = max(4, _SAMPLE // max(len(names), 1))
    chosen: list[np.ndarray] = []
    for group in range(len(names)):
        halves = [np.flatnonzero(usable & (owner == group) & (stressed == value)) for value in (True, False)]
        present = [half for half in halves if len(half)]
        chosen += [_evenly(half, share // len(present)) for half in present]
    together = np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)
    return _evenly(together, 2 * _SAMPLE)


def _evenly(indices: Int[np.ndarray, " given"], count: int) -> Int[np.ndarray, " chosen"]:
    """At most ``count`` of the indices, evenly spaced."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).astype(int)]


def _compositions(batch: StructureBatch) -> Float[np.ndarray, "structures compositions"]:
    """An orthogonal basis of the structures' atomic fractions, a column for each independent composition."""
    elements = np.unique(batch.species)
    fractions = structure_mean(batch, (batch.species[:, None] == elements).astype(float))
    basis, sizes, _ = np.linalg.svd(fractions, full_matrices=False)
    return basis[:, sizes > 1e-6 * sizes[0]] * np.sqrt(len(batch))


def _candidates(batch: StructureBatch) -> dict[str, Float[np.ndarray, "structures 1"]]:
    """An indicator column for each group that an offset may be sought for."""
    names, counts = np.unique(np.asarray(batch.groups, dtype=str), return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:_MOST_GROUPS]
    if len(largest) < 2:
        return {}
    return {
        str(name): (np.asarray(batch.groups, dtype=str) == name).astype(float)[:, None]
        for name in dict.fromkeys(batch.groups)
        if name in largest
    }


# ---------------------------------------------------------------------- the process


def _frame(batch: StructureBatch) -> tuple[_Frame, Float[np.ndarray, "atoms coordinates"]]:
    """A frame for the environments of a batch, and these environments in it."""
    cutoff, elements = environment_cutoff(batch), np.unique(batch.species)
    pairs = neighbour_pairs(batch, cutoff, allow_twins=True)
    features = atomic_environments(batch, pairs, cutoff, elements)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-9, spread, np.inf)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov((features - mean) / spread, rowvar=False)))
    # Directions that hardly vary are noise: their spread is floored, not blown up.
    scale = np.sqrt(np.maximum(values, 1e-4 * max(values[-1], 1e-12)) * len(values))
    transform = vectors / spread[:, None] / scale
    kinds = (batch.species[:, None] == elements) * 1e3
    points = np.hstack([(features - mean) @ transform, kinds])
    return _Frame(cutoff, elements, mean, transform, _spread_out(points, _REPRESENTATIVES)), points


def _points(batch: StructureBatch, frame: _Frame, scale: float) -> Float[np.ndarray, "atoms coordinates"]:
    """The environments of a batch in a frame; atoms of different elements are far from each other."""
    pairs = neighbour_pairs(batch, frame.cutoff * (1.0 + 2.0 * _STRAIN), allow_twins=True)
    features = atomic_environments(batch, pairs, frame.cutoff, frame.elements, scale)
    kinds = (batch.species[:, None] == frame.elements) * 1e3
    return np.hstack([(features - frame.mean) @ frame.transform, kinds])


def _spread_out(points: Float[np.ndarray, "atoms coordinates"], count: int) -> np.ndarray:
    """Representatives: starting in the middle, always the point farthest from those taken."""
    points = points[:: max(1, len(points) // 8000)]
    nearest = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
    taken = [int(np.argmin(nearest))]
    nearest = np.full(len(points), np.inf)
    while len(taken) < min(count, len(points)):
        nearest = np.minimum(nearest, ((points - points[taken[-1]]) ** 2).sum(axis=1))
        if nearest.max() < 1e-10:
            break
        taken.append(int(np.argmax(nearest)))
    return points[taken]


def _squared_distances(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, "first second"]:
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2.0 * first @ second.T
    return np.maximum(squares, 0.0)


def _fit(
    batch: StructureBatch, frame: _Frame, points: Float[np.ndarray, "atoms coordinates"], design: np.ndarray
) -> _Process | None:
    """The process whose length and noise have the largest restricted likelihood, over a small grid."""
    to_representatives = _squared_distances(points, frame.representatives)
    between = _squared_distances(frame.representatives, frame.representatives)
    best: tuple[float, _Process] | None = None
    for length_squared in _LENGTHS_SQUARED:
        rows = structure_mean(batch, np.exp(-to_representatives / (2.0 * length_squared)))
        corner = np.exp(-between / (2.0 * length_squared)) + 1e-8 * np.eye(len(between))
        reduced = solve_triangular(np.linalg.cholesky(corner), rows.T, lower=True)
        # What the representatives leave out of a structure's own variance is added back as noise.
        variance = _self_covariance(batch, points, length_squared) - (reduced**2).sum(axis=0)
        covariance = reduced.T @ reduced + np.diag(np.maximum(variance, 0.0))
        for noise in _NOISES:
            found = _likelihood(covariance + noise * np.eye(len(batch)), batch.energies_per_atom, design)
            if found is not None and (best is None or found[0] > best[0]):
                best = (found[0], _Process(found[2], length_squared, found[1], rows, corner))
    return None if best is None else best[1]


def _self_covariance(
    batch: StructureBatch, points: np.ndarray, length_squared: float
) -> Float[np.ndarray, " structures"]:
    """The mean of the kernel over all pairs of atoms of each structure."""
    return np.array(
        [
            np.exp(-_squared_distances(points[start:stop], points[start:stop]) / (2.0 * length_squared)).mean()
            for start, stop in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
        ]
    )


def _likelihood(
    covariance: np.ndarray, energies: np.ndarray, design: np.ndarray
) -> tuple[float, float, tuple[np.ndarray, bool]] | None:
    """The logarithm of the restricted likelihood, the amplitude that maximises it, and the factor."""
    try:
        factor = cho_factor(covariance, lower=True)
    except LinAlgError:
        return None
    coefficients, _, normal = _least_squares(factor, energies, design)
    residual = energies - design @ coefficients
    freedom = max(len(energies) - np.linalg.matrix_rank(design), 1)
    amplitude = max(float(residual @ cho_solve(factor, residual)) / freedom, 1e-30)
    value = -0.5 * freedom * np.log(amplitude) - np.log(np.diag(factor[0])).sum()
    positive = np.linalg.eigvalsh(normal)
    value -= 0.5 * np.log(positive[positive > 1e-10 * positive[-1]]).sum()
    return float(value), amplitude, factor


def _least_squares(
    factor: tuple[np.ndarray, bool], energies: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """c = (Hᵀ K⁻¹ H)⁺ Hᵀ K⁻¹ e, the unscaled covariance (Hᵀ K⁻¹ H)⁺, and Hᵀ K⁻¹ H itself."""
    solved = cho_solve(factor, design)
    normal = design.T @ solved
    spread = np.linalg.pinv(normal, rcond=1e-12, hermitian=True)
    return spread @ (solved.T @ energies), spread, normal


# ---------------------------------------------------------------------- offsets and pressures


def _carriers(
    process: _Process, energies: np.ndarray, compositions: np.ndarray, candidates: dict[str, np.ndarray]
) -> list[str]:
    """The groups that carry an offset: the most significant first, each sought beside those found before."""
    carriers: list[str] = []
    # The rest must stay the larger part: an offset of every group is one of none.
    while len(carriers) < len(candidates) // 2:
        scores = {}
        for name in candidates:
            if name not in carriers:
                offset, error = _offset(process, energies, compositions, candidates, carriers, name)
                if abs(offset) >= SMALLEST_OFFSET and abs(offset) >= SIGNIFICANCE * error:
                    # Of two groups that differ, the smaller one is said to carry the offset.
                    scores[name] = (round(abs(offset) / error, 3), -float(candidates[name].sum()))
        if not scores:
            break
        carriers.append(max(scores, key=scores.__getitem__))
    return carriers


def _offset(
    process: _Process,
    energies: np.ndarray,
    compositions: np.ndarray,
    candidates: dict[str, np.ndarray],
    carriers: list[str],
    name: str,
) -> tuple[float, float]:
    """The offset of one group against those that carry none, and its standard error, eV/atom."""
    others = [candidates[carrier] for carrier in carriers if carrier != name]
    design = np.hstack([compositions, *others, candidates[name]])
    coefficients, spread, _ = _least_squares(process.factor, energies, design)
    return float(coefficients[-1]), float(np.sqrt(process.amplitude * max(spread[-1, -1], 0.0)))


def _weights(process: _Process, energies: np.ndarray, design: np.ndarray) -> Float[np.ndarray, " representatives"]:
    """The weights w of the representatives in the process: e − H c is the mean over the atoms of k · w."""
    coefficients, _, _ = _least_squares(process.factor, energies, design)
    return np.linalg.solve(process.corner, process.rows.T @ cho_solve(process.factor, energies - design @ coefficients))


def _pressures(
    batch: StructureBatch, frame: _Frame, process: _Process, weights: np.ndarray
) -> Float[np.ndarray, " structures"]:
    """P = −dE/dV = −(N/3V) de/dλ for all lengths multiplied by λ, by central differences, eV/Å³."""
    small, large = (
        structure_mean(
            batch,
            np.exp(
                -_squared_distances(_points(batch, frame, scale), frame.representatives)
                / (2.0 * process.length_squared)
            ),
        )
        @ weights
        for scale in (1.0 - _STRAIN, 1.0 + _STRAIN)
    )
    return -batch.sizes / (3.0 * batch.volumes) * (large - small) / (2.0 * _STRAIN)
