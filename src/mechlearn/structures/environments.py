"""What surrounds the atoms of each structure, in a few numbers: the ground on which labels are judged.

The features are the simplest smooth invariants of an atom's neighbours (two- and three-body); they are not
meant for a potential.  Structures are taken in chunks, so memory does not grow with the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from ase.data import covalent_radii
from jaxtyping import Float, Int

from mechlearn.structures.batch import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs, neighbour_pairs

_RADIAL: Final = 8
_COUPLED: Final = 4
_ATOMS_PER_CHUNK: Final = 20_000


@dataclass(frozen=True, eq=False)
class Surroundings:
    """One row a structure.

    Attributes
    ----------
    fingerprints : (structures, features)
        Mean of the atoms' features, then the root of their mean square; unchanged by translation and
        rotation.
    closest : (structures,)
        The shortest interatomic distance, Å; infinite for an atom alone, zero for atoms in one place.
    closest_ratio : (structures,)
        The smallest ratio of a distance to the sum of the two covalent radii.
    asymmetry : (structures,)
        The largest |Σ_j w(r_ij) r̂_ij| over the atoms i: zero where symmetry forbids every force.
    """

    fingerprints: Float[np.ndarray, "structures features"]
    closest: Float[np.ndarray, " structures"]
    closest_ratio: Float[np.ndarray, " structures"]
    asymmetry: Float[np.ndarray, " structures"]


def environment_cutoff(batch: StructureBatch) -> float:
    """Twice the edge of an atom's cube, between 3 and 6 Å: some three shells of neighbours in a crystal."""
    dense = batch.periodic.all(axis=1)
    if not dense.any():
        return 5.0
    return float(np.clip(2.0 * np.cbrt(np.median(batch.volumes[dense] / batch.sizes[dense])), 3.0, 6.0))


def atomic_environments(
    batch: StructureBatch,
    pairs: NeighbourPairs,
    cutoff: float,
    elements: Int[np.ndarray, " kinds"],
    scale: float = 1.0,
) -> Float[np.ndarray, "atoms features"]:
    """Features of every atom from its neighbours, all lengths multiplied by ``scale``."""
    from mechlearn.structures.feature_kernels import atomic_features

    kinds = np.searchsorted(elements, batch.species)
    return atomic_features(
        pairs.starts,
        pairs.second,
        pairs.vectors,
        pairs.distances,
        kinds,
        len(elements),
        scale,
        cutoff,
        _RADIAL,
        _COUPLED,
    )


def survey(batch: StructureBatch) -> Surroundings:
    """Look around every atom of every structure; cells must have a volume and positions be finite."""
    if len(batch) == 0:
        return Surroundings(np.empty((0, 0)), np.empty(0), np.empty(0), np.empty(0))
    cutoff = environment_cutoff(batch)
    elements = np.unique(batch.species)
    rows = [_survey_chunk(chunk, cutoff, elements) for chunk in chunks(batch)]
    return Surroundings(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def chunks(batch: StructureBatch) -> Iterator[StructureBatch]:
    """The batch in pieces of about 20,000 atoms."""
    marks = np.searchsorted(batch.offsets, np.arange(0, batch.atoms, _ATOMS_PER_CHUNK))
    edges = np.unique(np.concatenate([marks, [len(batch)]]))
    for start, stop in pairwise(edges.tolist()):
        yield batch.select(np.arange(start, stop))


def _survey_chunk(batch: StructureBatch, cutoff: float, elements: Int[np.ndarray, " kinds"]) -> tuple[np.ndarray, ...]:
    pairs = neighbour_pairs(batch, cutoff, allow_twins=True)
    features = atomic_environments(batch, pairs, cutoff, elements)
    mean = structure_mean(batch, features)
    root = np.sqrt(structure_mean(batch, features**2))
    radii = covalent_radii[batch.species]
    ratios = pairs.distances / (radii[pairs.first] + radii[pairs.second])
    closest, ratio = (_smallest(batch, pairs, values) for values in (pairs.distances, ratios))
    stacked = batch.structure_of_atom[pairs.twins >= 0]
    closest[stacked] = ratio[stacked] = 0.0
    return np.hstack([mean, root]), closest, ratio, _asymmetry(batch, pairs, cutoff)


def structure_mean(
    batch: StructureBatch, values: Float[np.ndarray, "atoms columns"]
) -> Float[np.ndarray, "structures columns"]:
    """The mean over each structure's atoms."""
    return np.add.reduceat(values, batch.offsets[:-1], axis=0) / batch.sizes[:, None]


def _smallest(batch: StructureBatch, pairs: NeighbourPairs, values: Float[np.ndarray, " pairs"]) -> np.ndarray:
    """The smallest value over the pairs of each structure, infinite where there are none."""
    starts = pairs.starts[batch.offsets]
    smallest = np.full(len(batch), np.inf)
    # The bounds of structures without pairs are left out: reduceat would give them another's first value.
    some = np.diff(starts) > 0
    if some.any():
        smallest[some] = np.minimum.reduceat(values, starts[:-1][some])
    return smallest


def _asymmetry(batch: StructureBatch, pairs: NeighbourPairs, cutoff: float) -> Float[np.ndarray, " structures"]:
    weights = (1.0 - (pairs.distances / cutoff) ** 2) ** 2 / np.maximum(pairs.distances, 1e-6)
    sums = np.stack(
        [np.bincount(pairs.first, weights * pairs.vectors[:, axis], minlength=batch.atoms) for axis in range(3)],
        axis=1,
    )
    return np.maximum.reduceat(np.linalg.norm(sums, axis=1), batch.offsets[:-1])
