"""How much room there is between an atom and its neighbours: on bonds, in facets, in tetrahedra."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from ase.build import bulk
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.description.voronoi import VoronoiCells, voronoi_cells
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

_SOURCE = "Wang and Jain 2019"
_KINDS = (("distance", "d"), ("area", "a"), ("volume", "v"))
_SUMMARIES = (
    ("mean", "⟨{}⟩"),
    ("deviation", "σ({})"),
    ("smallest", "min {}"),
    ("largest", "max {}"),
    ("sum", "Σ{}"),
)


def interstice_features(
    structure: StructureBatch, radii: Mapping[str, float] | None = None, cells: VoronoiCells | None = None
) -> FeatureTable:
    """The shares of bonds, facets and tetrahedra around every atom that no atom's sphere covers: 15 numbers.

    Around atom i stand its Voronoi neighbours; their convex hull is made of triangles jkl.  With R the radii,

    - on the bond to each neighbour, d = 1 − (R_i + R_j)/r_ij, below zero where the spheres overlap;
    - in each triangle, a = 1 − ½ (φ_j R_j² + φ_k R_k² + φ_l R_l²)/A, with φ its angles and A its area;
    - in each tetrahedron ijkl, v = 1 − ⅓ (Ω_i R_i³ + Ω_j R_j³ + Ω_k R_k³ + Ω_l R_l³)/V, with Ω the solid angles at its
      corners and V its volume;

    a and v not below zero.  Of each, the mean, the standard deviation, the smallest, the largest and the sum are given.

    Parameters
    ----------
    structure
        A batch of one, periodic in all directions.
    radii
        Of the elements, Å; by default :func:`metallic_radii`.  Other radii, such as covalent ones, give other numbers:
        compare features of the same radii alone.
    cells
        From :func:`~mechlearn.glasses.voronoi_cells`; the faces that count there are those of neighbours.  By
        default all of them.

    Raises
    ------
    InputError
        An element has no radius, the neighbours of an atom do not span space, or as ``voronoi_cells``.

    Notes
    -----
    The numbers jump as a face opens or closes and as the hull gets another edge; a face threshold makes the
    first rarer.  Where more than three neighbours lie in a facet, as in crystals, Qhull divides it as it happens to.
    Wang and Jain measure a bond by r/(R_i + R_j) − 1, which grows and falls with d.

    References
    ----------
    Wang and Jain, Nature Communications 10, 5537 (2019); solid angles by van Oosterom and Strackee, IEEE Transactions
    on Biomedical Engineering 30, 125 (1983).

    Examples
    --------
    >>> from ase.build import bulk
    >>> table = interstice_features(StructureBatch.from_atoms([bulk("Cu", a=4.0)]), radii={"Cu": 1.25})
    >>> table.values.shape, round(float(table.column("mean distance interstice")[0]), 6)  # 1 − 2.5/√8
    ((1, 15), 0.116117)
    """
    cells = voronoi_cells(structure) if cells is None else cells
    if len(cells.volumes) != structure.atoms:
        raise InputError(f"interstices: {len(cells.volumes)} Voronoi cells for {structure.atoms} atoms; give their own")
    counted = cells.counted
    first, second, vectors = cells.first[counted], cells.second[counted], cells.vectors[counted]
    sizes = _radii_of_atoms(structure, metallic_radii(structure.elements) if radii is None else radii)
    owners, corners = _hulls(first, vectors, structure.atoms)
    shares = (
        1.0 - (sizes[first] + sizes[second]) / np.linalg.norm(vectors, axis=1),
        np.maximum(1.0 - _covered_area(vectors[corners], sizes[second[corners]]), 0.0),
        np.maximum(1.0 - _covered_volume(vectors[corners], sizes[owners], sizes[second[corners]]), 0.0),
    )
    columns = [_summaries(values, of) for values, of in zip(shares, (first, owners, owners), strict=True)]
    features = tuple(
        Feature(f"{summary} {kind} interstice", form.format(symbol), "1", _SOURCE)
        for kind, symbol in _KINDS
        for summary, form in _SUMMARIES
    )
    return FeatureTable(features, np.concatenate(columns, axis=1))


def metallic_radii(elements: tuple[str, ...]) -> dict[str, float]:
    """Half of the shortest distance between two atoms in each element's own crystal, Å.

    Raises
    ------
    InputError
        No crystal of an element is known.

    Examples
    --------
    >>> {element: round(radius, 2) for element, radius in metallic_radii(("Cu", "Zr")).items()}
    {'Cu': 1.28, 'Zr': 1.59}
    """
    radii = {}
    for element in elements:
        try:
            crystal = StructureBatch.from_atoms([bulk(element)])
        except (ValueError, KeyError, NotImplementedError) as error:
            raise InputError(f"interstices: no crystal of {element} is known; give the radii") from error
        # In no crystal are atoms further apart than in the close-packed ones, by 1.12 spacings.
        spacing = float(crystal.volumes[0] / crystal.atoms) ** (1.0 / 3.0)
        radii[element] = 0.5 * float(neighbour_pairs(crystal, 1.3 * spacing).distances.min())
    return radii


def _radii_of_atoms(structure: StructureBatch, radii: Mapping[str, float]) -> Float[np.ndarray, " atoms"]:
    """The radius of every atom."""
    sizes = np.zeros(structure.atoms)
    for element in structure.elements:
        radius = radii.get(element, np.nan)
        if not (np.isfinite(radius) and radius > 0.0):
            raise InputError(f"interstices: the radius of {element} is {radii.get(element)}; give a positive number, Å")
        sizes[structure.species == atomic_numbers[element]] = radius
    return sizes


def _hulls(
    first: Int[np.ndarray, " bonds"], vectors: Float[np.ndarray, "bonds 3"], atoms: int
) -> tuple[Int[np.ndarray, " facets"], Int[np.ndarray, "facets 3"]]:
    """The triangles of the convex hulls of all atoms' neighbours: the atom inside, and the bonds to the corners."""
    from scipy.spatial import ConvexHull, QhullError

    starts = np.searchsorted(first, np.arange(atoms + 1))
    corners = []
    for atom, (start, end) in enumerate(pairwise(starts.tolist())):
        try:
            corners.append(ConvexHull(vectors[start:end]).simplices + start)
        except (QhullError, ValueError) as error:
            raise InputError(
                f"interstices: the {end - start} neighbours of atom {atom} do not span space; count more faces"
            ) from error
    return np.repeat(np.arange(atoms), [len(own) for own in corners]), np.concatenate(corners).astype(np.int64)


def _covered_area(
    corners: Float[np.ndarray, "facets 3 3"], radii: Float[np.ndarray, "facets 3"]
) -> Float[np.ndarray, " facets"]:
    """The share of triangles that sectors at their corners cover: ½ Σ φ R² over the area."""
    double_area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    covered = np.zeros(len(corners))
    for corner in range(3):
        one, other = (corners[:, (corner + turn) % 3] - corners[:, corner] for turn in (1, 2))
        covered += np.arctan2(double_area, (one * other).sum(axis=1)) * radii[:, corner] ** 2
    return covered / double_area


def _covered_volume(
    corners: Float[np.ndarray, "facets 3 3"],
    centre: Float[np.ndarray, " facets"],
    radii: Float[np.ndarray, "facets 3"],
) -> Float[np.ndarray, " facets"]:
    """The share of tetrahedra, one corner at the origin, that sectors of spheres cover: ⅓ Σ Ω R³ over the volume."""
    points = np.concatenate([np.zeros((len(corners), 1, 3)), corners], axis=1)
    sizes = np.concatenate([centre[:, None], radii], axis=1)
    six_volumes = np.abs(np.linalg.det(corners))
    covered = np.zeros(len(corners))
    for corner in range(4):
        a, b, c = (points[:, (corner + turn) % 4] - points[:, corner] for turn in (1, 2, 3))
        la, lb, lc = (np.linalg.norm(edge, axis=1) for edge in (a, b, c))
        ab, bc, ca = ((one * other).sum(axis=1) for one, other in ((a, b), (b, c), (c, a)))
        solid_angle = 2.0 * np.arctan2(six_volumes, la * lb * lc + ab * lc + bc * la + ca * lb)
        covered += solid_angle * sizes[:, corner] ** 3
    return 2.0 * covered / six_volumes


def _summaries(values: Float[np.ndarray, " entries"], of: Int[np.ndarray, " entries"]) -> Float[np.ndarray, "atoms 5"]:
    """Mean, deviation, smallest, largest and sum of the entries of every atom, which come in the order of atoms."""
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    counts = np.diff(np.append(starts, len(of)))
    sums = np.add.reduceat(values, starts)
    means = sums / counts
    deviations = np.sqrt(np.add.reduceat((values - np.repeat(means, counts)) ** 2, starts) / counts)
    return np.stack(
        [means, deviations, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts), sums], axis=1
    )
