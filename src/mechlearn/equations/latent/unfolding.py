"""Where the search for coordinates starts: the distances along the surface on which the data lie, laid out flat.

A network that starts at random has to untangle that surface, and often does not: the images of a pendulum lie on a
curve that winds through all pixels. Shortest paths from neighbour to neighbour measure the distance along it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path
from scipy.spatial.distance import cdist


def unfold(
    points: Float[np.ndarray, "samples features"], dimension: int, landmarks: int
) -> tuple[Int[np.ndarray, " landmarks"], Float[np.ndarray, "landmarks dimension"]]:
    """Lay out landmarks so that their distances are those along the surface of the points.

    Parameters
    ----------
    points : (samples, features)
        On a surface of the given dimension.
    dimension
        Of the layout.
    landmarks
        How many points to lay out, spread evenly.

    Returns
    -------
    chosen : (landmarks,)
        Which points.
    coordinates : (landmarks, dimension)
        Their places, of zero mean and unit variance.

    Notes
    -----
    Isomap: Tenenbaum, de Silva & Langford (2000), Science 290, 2319.

    Examples
    --------
    Three quarters of a circle become a line:

    >>> angle = np.random.default_rng(0).uniform(0, 1.5 * np.pi, 500)
    >>> chosen, line = unfold(np.column_stack([np.cos(angle), np.sin(angle)]), 1, 100)
    >>> bool(abs(np.corrcoef(angle[chosen], line[:, 0])[0, 1]) > 0.999)
    True
    """
    chosen = _spread(points, min(landmarks, len(points)))
    distances = cdist(points[chosen], points[chosen])
    neighbours = min(2 * dimension + 2, len(chosen) - 1)
    reach = np.partition(distances, neighbours, axis=1)[:, neighbours]
    # Neighbours of each other: where points are rare, the nearest may lie across a fold. Parts that are left alone are
    # joined where they come closest.
    linked = distances <= np.minimum(reach[:, None], reach)
    tree = minimum_spanning_tree(distances).toarray() > 0
    along = shortest_path(np.where(linked | tree | tree.T, distances, np.inf), directed=False)
    # Classical scaling: the products of centred places are -½ of the squared distances, centred.
    squares = along**2
    products = -(squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()) / 2
    values, vectors = np.linalg.eigh(products)
    places = vectors[:, : -dimension - 1 : -1] * np.sqrt(np.maximum(values[: -dimension - 1 : -1], 0.0))
    return chosen, places / places.std(axis=0)


def _spread(points: Float[np.ndarray, "samples features"], count: int) -> Int[np.ndarray, " count"]:
    """Points that are each the farthest from all before it."""
    chosen = [int(np.argmin(np.sum((points - points.mean(axis=0)) ** 2, axis=1)))]
    nearest = np.full(len(points), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, np.sum((points - points[chosen[-1]]) ** 2, axis=1))
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen)
