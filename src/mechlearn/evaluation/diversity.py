"""How diverse a set of atomic environments is, from its descriptors alone.

Two sets are compared in the frame where the first has zero mean and unit covariance.  All of it needs only
counts, means and scatter matrices, which add: a set on disk is read once, in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from mechlearn.errors import InputError

#: Relative to the largest eigenvalue of the correlation matrix: below it a direction has no spread.
RANK_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and scatter Σ(x − ⟨x⟩)(x − ⟨x⟩)ᵀ of many rows; two of them add to those of all rows.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(100, 3))
    >>> halves = Moments.of(rows[:50]) + Moments.of(rows[50:])
    >>> bool(np.allclose(halves.covariance, np.cov(rows.T, bias=True)))
    True
    """

    count: int
    mean: Float[np.ndarray, " features"]
    scatter: Float[np.ndarray, "features features"]

    @classmethod
    def of(cls, rows: Float[np.ndarray, "rows features"]) -> Moments:
        """The moments of the rows of a matrix.

        Raises
        ------
        InputError
            If there are no rows or a number is not finite.
        """
        if rows.ndim != 2 or len(rows) == 0:
            raise InputError(f"descriptor moments: an array of shape {rows.shape}; give (rows, features), rows > 0")
        if not np.isfinite(rows).all():
            bad = int((~np.isfinite(rows).all(axis=1)).sum())
            raise InputError(f"descriptor moments: {bad} of {len(rows)} rows are not finite; leave them out")
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(len(rows), mean, centred.T @ centred)

    @classmethod
    def of_batches(cls, batches: Iterable[Float[np.ndarray, "_ features"]]) -> Moments:
        """The moments of all rows of several matrices, of which one at a time is held."""
        total: Moments | None = None
        for rows in batches:
            if len(rows):
                total = cls.of(rows) if total is None else total + cls.of(rows)
        if total is None:
            raise InputError("descriptor moments: no batch has a row; give at least one environment")
        return total

    def __add__(self, other: Moments) -> Moments:
        # Chan, Golub & LeVeque (1979): the scatter of both is the sum plus that of the two means.
        count = self.count + other.count
        shift = other.mean - self.mean
        between = np.outer(shift, shift) * (self.count * other.count / count)
        mean = self.mean + shift * (other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Float[np.ndarray, "features features"]:
        """Scatter over count."""
        return self.scatter / self.count


@dataclass(frozen=True, eq=False)
class Diversity:
    """How broad one set of environments is beside another.

    Attributes
    ----------
    widths : (directions,)
        Standard deviations of the other set along the principal directions it has in the frame where the
        reference has unit covariance, widest first.  They do not depend on units or on the choice of
        whitening, and no direction whatever is wider than the first or narrower than the last.
    axis_widths : (features,)
        The same along the axes of the ZCA frame, one for each descriptor; NaN for a descriptor that varies in
        neither set.
    shift : float
        How far the other's mean lies from the reference's, root mean square over directions, in standard
        deviations of the reference.
    regularised : int
        Directions in which the reference has no spread but the other has: there the width is a lower bound.
    dropped : int
        Directions in which neither set has spread, left out.
    reference_count, other_count : int
        Environments compared.  Equal distributions give widths within about ±√(directions/count) of 1.
    """

    widths: Float[np.ndarray, " directions"]
    axis_widths: Float[np.ndarray, " features"]
    shift: float
    regularised: int
    dropped: int
    reference_count: int
    other_count: int

    @property
    def directions(self) -> int:
        """How many directions there are."""
        return len(self.widths)

    @property
    def broader(self) -> int:
        """In how many directions the other set is broader."""
        return int((self.widths > 1).sum())

    @property
    def broader_5x(self) -> int:
        """In how many directions the other set is at least five times as broad."""
        return int((self.widths >= 5).sum())

    @property
    def narrowest(self) -> float:
        """The smallest of the widths."""
        return float(self.widths.min())

    @property
    def axes_broader(self) -> int:
        """Along how many ZCA axes the other set is broader."""
        return int((self.axis_widths > 1).sum())

    @property
    def axes_broader_5x(self) -> int:
        """Along how many ZCA axes the other set is at least five times as broad."""
        return int((self.axis_widths >= 5).sum())

    @property
    def axes_narrowest(self) -> float:
        """The smallest width along a ZCA axis."""
        return float(np.nanmin(self.axis_widths))

    def __str__(self) -> str:
        text = (
            f"broader in {self.broader} of {self.directions} directions, "
            f"at least 5 times in {self.broader_5x}, narrowest {self.narrowest:.3g} times the reference"
        )
        if self.regularised:
            text += f"; the reference has no spread in {self.regularised} of them"
        return text

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "directions": self.directions,
            "broader": self.broader,
            "broader_5x": self.broader_5x,
            "narrowest": self.narrowest,
            "widths": [float(width) for width in self.widths],
            "axes_broader": self.axes_broader,
            "axes_broader_5x": self.axes_broader_5x,
            "axes_narrowest": self.axes_narrowest,
            "axis_widths": [float(width) if np.isfinite(width) else None for width in self.axis_widths],
            "shift": self.shift,
            "regularised": self.regularised,
            "dropped": self.dropped,
            "reference_count": self.reference_count,
            "other_count": self.other_count,
        }


def zca_comparison(
    reference: Float[np.ndarray, "n features"] | Moments,
    other: Float[np.ndarray, "m other_features"] | Moments,
) -> Diversity:
    """Compare the covariance of a set with that of a reference, in the reference's whitened frame.

    With S the reference's standard deviations and P = S⁻¹ C S⁻¹ its correlation matrix, W = P^{-1/2} S⁻¹
    gives the reference unit covariance (ZCA of the standardised descriptors, so that units do not matter).
    The other's covariance there is M = W C' Wᵀ; ``widths`` are the roots of its eigenvalues,
    ``axis_widths`` those of its diagonal.

    Only where the reference is rank-deficient is P regularised: an eigenvalue below 1e-12 of the largest is
    lifted to that floor where the other set varies, and the direction is left out where neither does.

    Parameters
    ----------
    reference : (n, features) or Moments
        The set that gets zero mean and unit covariance.
    other : (m, features) or Moments
        The set whose widths are wanted.

    Raises
    ------
    InputError
        If the numbers of features differ, a number is not finite, or nothing varies.

    References
    ----------
    Montes de Oca Zapiain et al. (2022), in the text beside Fig. 2; A. Kessy, A. Lewin & K. Strimmer,
    Am. Stat. 72, 309 (2018).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> narrow = rng.normal(size=(20000, 3))
    >>> print(zca_comparison(narrow, narrow * np.array([8.0, 2.0, 0.5])))
    broader in 2 of 3 directions, at least 5 times in 1, narrowest 0.5 times the reference
    """
    first = reference if isinstance(reference, Moments) else Moments.of(reference)
    second = other if isinstance(other, Moments) else Moments.of(other)
    if len(first.mean) != len(second.mean):
        raise InputError(
            f"comparing diversity: the reference has {len(first.mean)} descriptors, the other set "
            f"{len(second.mean)}; compute both with the same descriptor"
        )
    scale = _scale(first, second)
    correlation = first.covariance / np.outer(scale, scale)
    spread = second.covariance / np.outer(scale, scale)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    floor = RANK_TOLERANCE * max(float(eigenvalues[-1]), 1.0)
    alive = eigenvalues > floor
    lost, found = np.linalg.eigh(vectors[:, ~alive].T @ spread @ vectors[:, ~alive])
    lifted = vectors[:, ~alive] @ found[:, lost > floor]
    basis = np.concatenate([vectors[:, alive], lifted], axis=1)
    if basis.shape[1] == 0:
        raise InputError("comparing diversity: no descriptor varies in either set; give more than one environment")
    deviation = np.sqrt(np.concatenate([eigenvalues[alive], np.full(lifted.shape[1], floor)]))
    whitening = basis.T / deviation[:, None]
    inner = whitening @ spread @ whitening.T
    widths = np.sqrt(np.clip(np.linalg.eigvalsh(inner), 0.0, None))[::-1]
    axes = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", basis, inner, basis), 0.0, None))
    # A descriptor constant in both sets has no axis; its row of the basis is zero.
    axes[np.linalg.norm(basis, axis=1) < 1e-6] = np.nan
    shift = whitening @ ((second.mean - first.mean) / scale)
    return Diversity(
        widths=widths,
        axis_widths=axes,
        shift=float(np.sqrt(np.mean(shift**2))),
        regularised=lifted.shape[1],
        dropped=len(scale) - basis.shape[1],
        reference_count=first.count,
        other_count=second.count,
    )


def _scale(reference: Moments, other: Moments) -> Float[np.ndarray, " features"]:
    """Each descriptor's spread in the reference; in the other set, then 1, where the reference has none."""

    def spread(moments: Moments) -> Float[np.ndarray, " features"]:
        deviation = np.sqrt(np.clip(np.diag(moments.covariance), 0.0, None))
        # The spread that rounding gives to a constant is none.
        return np.where(deviation > 1e-12 * np.abs(moments.mean), deviation, 0.0)

    first, second = spread(reference), spread(other)
    return np.where(first > 0, first, np.where(second > 0, second, 1.0))


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The principal components of one set, and both sets seen along them.

    Attributes
    ----------
    components : (features, components)
        Orthonormal directions in standardised descriptors, the widest first.
    explained : (components,)
        The share of the fitted set's variance along each.
    explained_projected : (components,)
        The share of the other set's variance (about its own mean) along the same directions.
    fitted : (n, components)
        The fitted set along the components, in its own standard deviations of the descriptors.
    projected : (m, components)
        The other set along them, from the fitted set's mean.
    """

    components: Float[np.ndarray, "features components"]
    explained: Float[np.ndarray, " components"]
    explained_projected: Float[np.ndarray, " components"]
    fitted: Float[np.ndarray, "n components"]
    projected: Float[np.ndarray, "m components"]


def principal_components(
    fit_on: Float[np.ndarray, "n features"],
    project: Float[np.ndarray, "m other_features"],
    components: int | None = None,
) -> PrincipalComponents:
    """Find the principal components of one set and see another along them.

    Descriptors are first divided by their standard deviation in ``fit_on``; else the few largest would be all
    there is to see.  A direction's sign is fixed by making its largest entry positive.

    Parameters
    ----------
    fit_on : (n, features)
        The set whose covariance is taken.
    project : (m, features)
        The set seen in the frame of the first.
    components
        How many to keep; all where not given.

    Raises
    ------
    InputError
        If the numbers of features differ or a number is not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> line = rng.normal(size=(500, 1)) @ np.ones((1, 3))
    >>> principal_components(line, line[:9], components=1).explained.round(6).tolist()
    [1.0]
    """
    own, seen = Moments.of(fit_on), Moments.of(project)
    if len(own.mean) != len(seen.mean):
        raise InputError(
            f"principal components: {len(own.mean)} descriptors in one set, {len(seen.mean)} in the other; "
            "compute both with the same descriptor"
        )
    scale = _scale(own, seen)
    correlation = own.covariance / np.outer(scale, scale)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    order = np.argsort(eigenvalues)[::-1][:components]
    vectors = vectors[:, order]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
    spread = seen.covariance / np.outer(scale, scale)
    along = np.einsum("fc,fg,gc->c", vectors, spread, vectors)
    return PrincipalComponents(
        components=vectors,
        explained=_share(np.clip(eigenvalues[order], 0.0, None), float(np.trace(correlation))),
        explained_projected=_share(np.clip(along, 0.0, None), float(np.trace(spread))),
        fitted=(fit_on - own.mean) / scale @ vectors,
        projected=(project - own.mean) / scale @ vectors,
    )


def _share(parts: Float[np.ndarray, " components"], whole: float) -> Float[np.ndarray, " components"]:
    return parts / whole if whole > 0 else np.zeros_like(parts)


def structure_entropy(
    descriptors: Float[np.ndarray, "atoms features"],
    offsets: Int[np.ndarray, " structures_and_one"],
    scale: Float[np.ndarray, " scales"],
    floor: float = 1e-8,
) -> Float[np.ndarray, " structures"]:
    """Estimate the descriptor entropy of each structure from nearest neighbours in descriptor space.

    S = (1/N) Σ_i ln( N · max(ε, min_{j≠i} ‖D_i − D_j‖) ), up to a constant, with D in units of ``scale`` and
    ε = ``floor``: two equal environments give ln(N ε), a large negative number, never −∞ or NaN.  An atom
    alone in its periodic cell has only images with its own environment, hence ln ε.
    A structure of no atoms has no entropy: NaN.

    Parameters
    ----------
    descriptors : (atoms, features)
        Of all structures.
    offsets : (structures + 1,)
        Structure ``s`` owns the rows ``offsets[s]:offsets[s + 1]``.
    scale : (features,)
        What each descriptor is divided by; the same for all structures, so that none chooses its own.
    floor
        The smallest distance that counts, in units of ``scale``.

    Raises
    ------
    InputError
        If a scale is not positive, the floor is not, or the lengths do not fit.

    References
    ----------
    Montes de Oca Zapiain et al. (2022), eq. 1 and the text after it; J. Beirlant et al., Int. J. Math. Stat.
    Sci. 6, 17 (1997).

    Examples
    --------
    >>> structure_entropy(np.array([[0.0], [1.0]]), np.array([0, 2]), np.ones(1)).round(4).tolist()
    [0.6931]
    """
    if offsets[-1] != len(descriptors) or len(scale) != descriptors.shape[1]:
        raise InputError(
            f"structure entropy: descriptors of shape {descriptors.shape} with {int(offsets[-1])} atoms "
            f"in the structures and {len(scale)} scales; give one row an atom and one scale a descriptor"
        )
    if not (np.all(scale > 0) and floor > 0):
        raise InputError("structure entropy: a scale or the floor is not positive; give positive numbers")
    scaled = descriptors / scale
    entropies = np.full(len(offsets) - 1, np.nan)
    for structure, (start, stop) in enumerate(pairwise(offsets)):
        if stop > start:
            nearest = np.maximum(_nearest_distances(scaled[start:stop]), floor)
            entropies[structure] = np.mean(np.log((stop - start) * nearest))
    return entropies


def _nearest_distances(points: Float[np.ndarray, "points features"]) -> Float[np.ndarray, " points"]:
    """The distance of each point to the nearest other one; zero for a point alone."""
    if len(points) == 1:
        return np.zeros(1)
    # The nearest point of all is the point itself, or one equal to it.
    distances = np.asarray(cKDTree(points).query(points, k=2)[0], dtype=np.float64)
    return distances[:, 1]
