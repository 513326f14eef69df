"""The functions of pairs and densities as the kernels take them: rows of coefficients, or nodes of cubics."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class PairFunctions(NamedTuple):
    """What a pair of elements costs at a distance, and what an atom costs in a density.

    E = Σ_pairs φ_ab(r) + Σ_i F_a(ρ_i),  ρ_i = Σ_j f_ba(r_ij).

    Elements are numbered; the pairs (a, b) with a ≤ b stand in the order of :func:`pair_place`.

    Attributes
    ----------
    elements : int
        How many elements there are.
    cutoff : float
        The largest, Å.
    closed : (8 pairs,)
        A, B, c₀, c₁, c₂ and the square of the cutoff of each pair, for φ = A/r¹² − B/r⁶ + c₀ + c₁r² + c₂r⁴; empty
        where the functions are tables.
    repulsions : (2 pairs nodes + 8,)
        r φ and its slope times the spacing at each node, for each pair.
    densities : (4 pairs nodes + 8,)
        f_ba, its slope times the spacing, f_ab and its slope times the spacing at each node, for each pair.
    nodes : int
        How many nodes there are, the first at r = 0.
    spacing : float
        Of the nodes, Å.
    embedding : (elements, density nodes, 2)
        F and its slope times the spacing.
    density_spacing : float
        Of the nodes of F.
    """

    elements: int
    cutoff: float
    closed: Float[np.ndarray, " eight_pairs"]
    repulsions: Float[np.ndarray, " entries"]
    densities: Float[np.ndarray, " more_entries"]
    nodes: int
    spacing: float
    embedding: Float[np.ndarray, "elements density_nodes 2"]
    density_spacing: float


def closed_functions(cutoffs: Float[np.ndarray, " pairs"], coefficients: Float[np.ndarray, "pairs 5"]) -> PairFunctions:
    """Pair functions A/r¹² − B/r⁶ + c₀ + c₁r² + c₂r⁴, each to its own cutoff; no densities."""
    rows = np.zeros((len(cutoffs), 8))
    rows[:, :5], rows[:, 5] = coefficients, cutoffs**2
    elements = round((np.sqrt(8 * len(cutoffs) + 1) - 1) / 2)
    nothing = np.zeros(0)
    return PairFunctions(
        elements, float(cutoffs.max()), rows.ravel(), nothing, nothing, 2, 1.0, np.zeros((elements, 0, 2)), 1.0
    )


def table_functions(
    repulsions: Float[np.ndarray, "elements elements nodes"],
    densities: Float[np.ndarray, "elements elements nodes"],
    embedding: Float[np.ndarray, "elements density_nodes"],
    *,
    cutoff: float,
    spacing: float,
    density_spacing: float,
    nodes_of: Callable[[Float[np.ndarray, " nodes"]], Float[np.ndarray, "nodes 2"]],
) -> PairFunctions:
    """Tables of r φ_ab, of the density f_ab that an atom of a makes at one of b, and of F_a, as cubics between nodes.

    ``nodes_of`` finds the slopes at the nodes: :func:`lammps_nodes` or :func:`smooth_nodes`.
    """
    elements, nodes = len(embedding), repulsions.shape[2]
    pair_nodes, density_nodes = [], []
    for a in range(elements):
        for b in range(a, elements):
            pair_nodes.append(nodes_of(repulsions[a, b]))
            # The first of a pair, of kind a, feels what the second makes.
            density_nodes.append(np.concatenate([nodes_of(densities[b, a]), nodes_of(densities[a, b])], axis=1))
    room = np.zeros(8)  # the kernels read eight numbers at a time
    return PairFunctions(
        elements=elements,
        cutoff=float(cutoff),
        closed=np.zeros(0),
        repulsions=np.concatenate([np.ravel(pair_nodes), room]),
        densities=np.concatenate([np.ravel(density_nodes), room]),
        nodes=nodes,
        spacing=float(spacing),
        embedding=np.stack([nodes_of(values) for values in embedding]),
        density_spacing=float(density_spacing),
    )


def pair_place(a: int, b: int, elements: int) -> int:
    """The place of the pair of elements a ≤ b.

    Examples
    --------
    >>> [pair_place(a, b, 3) for a in range(3) for b in range(a, 3)]
    [0, 1, 2, 3, 4, 5]
    """
    return a * elements - a * (a + 1) // 2 + b


def lammps_nodes(values: Float[np.ndarray, " nodes"]) -> Float[np.ndarray, "nodes 2"]:
    """The values at the nodes of a table and the slopes, per node, of LAMMPS's cubics between them.

    The slope at node m is (f₋₂ − 8 f₋₁ + 8 f₊₁ − f₊₂)/12, of the nodes beside the ends (f₊₁ − f₋₁)/2, of the ends the
    difference to the next (``pair_style eam``).

    Examples
    --------
    >>> lammps_nodes(np.arange(6.0) ** 2)[:, 1].tolist()
    [1.0, 2.0, 4.0, 6.0, 8.0, 9.0]
    """
    slopes = np.empty_like(values)
    slopes[0], slopes[-1] = values[1] - values[0], values[-1] - values[-2]
    slopes[1], slopes[-2] = (values[2] - values[0]) / 2.0, (values[-1] - values[-3]) / 2.0
    slopes[2:-2] = ((values[:-4] - values[4:]) + 8.0 * (values[3:-1] - values[1:-3])) / 12.0
    return np.stack([values, slopes], axis=1)


def smooth_nodes(values: Float[np.ndarray, " nodes"]) -> Float[np.ndarray, "nodes 2"]:
    """The values at the nodes and the slopes, per node, of the cubics whose curvature has no jumps ("not a knot").

    Examples
    --------
    >>> smooth_nodes(np.arange(6.0) ** 2)[:, 1].round(9).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    from scipy.interpolate import CubicSpline

    places = np.arange(len(values), dtype=np.float64)
    return np.stack([values, CubicSpline(places, values)(places, 1)], axis=1)
