"""Which atoms sheared first: labels from D²min, for any threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from mechlearn.errors import InputError
from mechlearn.glasses.loading.nonaffine import local_deformation
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

#: Of D²min, Å², above which an atom has sheared (Lee and Ryu 2022).
THRESHOLD = 0.1


@dataclass(frozen=True, eq=False)
class TransformedGroup:
    """The atoms whose D²min exceeds a threshold, and the clusters that they form.

    Attributes
    ----------
    threshold : float
        Of D²min.
    step : int
        How many steps came before; -1 where no step brought any atom above the threshold.
    members : (atoms,)
        Label 1.
    clusters : (atoms,)
        The cluster of each member, 0 being the largest; -1 for all other atoms.
    """

    threshold: float
    step: int
    members: Bool[np.ndarray, " atoms"]
    clusters: Int[np.ndarray, " atoms"]

    @property
    def sizes(self) -> Int[np.ndarray, " clusters"]:
        """The number of atoms of each cluster, largest first."""
        return np.bincount(self.clusters[self.members])

    @property
    def prevalence(self) -> float:
        """The share of atoms with label 1."""
        return float(self.members.mean())


def transformed_group(
    structure: StructureBatch,
    d2min: Float[np.ndarray, " atoms"],
    connection: float,
    threshold: float = THRESHOLD,
    step: int = 0,
) -> TransformedGroup:
    """The atoms above a threshold of D²min, gathered into clusters of neighbours.

    Parameters
    ----------
    structure
        In which neighbours are looked for, a batch of one.
    d2min
        Of every atom, Å².
    connection
        Two members closer than this belong to one cluster, Å.
    threshold
        An atom above it has label 1.
    step
        How many steps came before.

    Raises
    ------
    InputError
        The threshold is not a positive number.

    Examples
    --------
    >>> from ase import Atoms
    >>> row = StructureBatch.from_atoms([Atoms("Cu4", [[0, 0, z] for z in (0, 2, 4, 12)], cell=[9, 9, 20], pbc=True)])
    >>> group = transformed_group(row, np.array([0.3, 0.2, 0.0, 0.5]), connection=3.0)
    >>> group.members.astype(int).tolist(), group.clusters.tolist()
    ([1, 1, 0, 1], [0, 0, -1, 1])
    """
    if not (np.isfinite(threshold) and threshold > 0):
        raise InputError(f"labelling atoms: the threshold of D²min is {threshold}; give a positive number of Å²")
    if d2min.shape != (structure.atoms,):
        raise InputError(
            f"labelling atoms: D²min has shape {d2min.shape} and the structure {structure.atoms} atoms; "
            "give one number an atom"
        )
    members = d2min > threshold
    return TransformedGroup(threshold, step, members, _clusters(structure, members, connection))


def first_groups(
    configurations: Iterable[StructureBatch],
    thresholds: Sequence[float],
    cutoff: float,
    connection: float | None = None,
    smallest: int = 1,
) -> tuple[TransformedGroup, ...]:
    """The group that shears first, for each threshold, each configuration held against the one before.

    This is the label of Lee and Ryu (2022): all atoms above the threshold of D²min at the first step that brings a
    group of atoms above it.  Configurations are read until every threshold has its group.

    Parameters
    ----------
    configurations
        A sheared structure step by step, each a batch of one.
    thresholds
        Of D²min, Å².
    cutoff
        Of D²min, Å (see :func:`~mechlearn.glasses.local_deformation`).
    connection
        Two members closer than this belong to one cluster, Å; by default the cutoff.
    smallest
        So many atoms the largest cluster has at least, for a step to count.

    Raises
    ------
    InputError
        A threshold is not a positive number, or there are fewer than two configurations.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ase.build import bulk
    >>> start = StructureBatch.from_atoms([bulk("Cu", a=3.6, cubic=True)])
    >>> hop = np.zeros((4, 3))
    >>> hop[0, 0] = 0.1
    >>> small, large = (replace(start, positions=start.positions + times * hop) for times in (1.0, 4.0))
    >>> [(group.step, int(group.members.sum())) for group in first_groups([start, small, large], [0.05, 0.5], 3.0)]
    [(0, 1), (1, 1)]
    """
    connection = cutoff if connection is None else connection
    found: dict[float, TransformedGroup] = {}
    last: StructureBatch | None = None
    for step, (before, after) in enumerate(pairwise(configurations)):
        last = before
        d2min = local_deformation(before, after, cutoff).d2min
        for threshold in thresholds:
            if threshold in found:
                continue
            group = transformed_group(before, d2min, connection, threshold, step)
            if group.members.any() and group.sizes[0] >= smallest:
                found[threshold] = group
        if len(found) == len(set(thresholds)):
            break
    if last is None:
        raise InputError("labelling atoms: there are fewer than two configurations; give those before and after a step")
    nobody = np.zeros(last.atoms, dtype=bool)
    return tuple(
        found.get(threshold, TransformedGroup(threshold, -1, nobody, np.full(last.atoms, -1)))
        for threshold in thresholds
    )


def _clusters(
    structure: StructureBatch, members: Bool[np.ndarray, " atoms"], connection: float
) -> Int[np.ndarray, " atoms"]:
    """The cluster of each member, largest first, -1 for other atoms."""
    pairs = neighbour_pairs(structure, connection)
    joined = members[pairs.first] & members[pairs.second]
    links = (pairs.first[joined], pairs.second[joined])
    graph = sparse.coo_array((np.ones(joined.sum(), dtype=np.int8), links), shape=(structure.atoms, structure.atoms))
    _, component = sparse.csgraph.connected_components(graph, directed=False)
    clusters = np.full(structure.atoms, -1)
    if members.any():
        _, first, inverse, sizes = np.unique(
            component[members], return_index=True, return_inverse=True, return_counts=True
        )
        # Of clusters of one size the one with the first atom comes first.
        rank = np.empty(len(sizes), dtype=np.int64)
        rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
        clusters[members] = rank[inverse]
    return clusters
