"""Voronoi cells of atoms in periodic cells of any shape: volumes, faces, indices, and the graph of neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError, WorkError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import check_cells

#: How far beyond the cell images are laid out at first, in units of the mean spacing of atoms.
_REACH = 2.4

#: So often the reach is widened before giving up.
_WIDENINGS = 8


@dataclass(frozen=True, eq=False)
class VoronoiCells:
    """The Voronoi cells of all atoms of a structure, face by face.

    Attributes
    ----------
    volumes : (atoms,)
        Å³; they add up to the volume of the cell.
    surfaces : (atoms,)
        The area of all faces of each atom, Å².
    first, second : (faces,)
        The atom whose face it is, in order, and the atom across.
    vectors : (faces, 3)
        From the atom to the one across, or its image, Å.
    areas : (faces,)
        Å².
    sides : (faces,)
        How many edges longer than the threshold the face has.
    face_threshold : float
        A face counts if its area is a larger share than this of the surface of its cell.
    """

    volumes: Float[np.ndarray, " atoms"]
    surfaces: Float[np.ndarray, " atoms"]
    first: Int[np.ndarray, " faces"]
    second: Int[np.ndarray, " faces"]
    vectors: Float[np.ndarray, "faces 3"]
    areas: Float[np.ndarray, " faces"]
    sides: Int[np.ndarray, " faces"]
    face_threshold: float

    @property
    def counted(self) -> Bool[np.ndarray, " faces"]:
        """Which faces are large enough to count, and have three edges that do."""
        return (self.areas > self.face_threshold * self.surfaces[self.first]) & (self.sides >= 3)

    @property
    def coordination(self) -> Int[np.ndarray, " atoms"]:
        """The number of faces that count."""
        return np.bincount(self.first[self.counted], minlength=len(self.volumes))

    @property
    def indices(self) -> Int[np.ndarray, "atoms 4"]:
        """⟨n3, n4, n5, n6⟩: how many of the faces that count have three, four, five and six edges."""
        counted = self.counted
        first, sides = self.first[counted], self.sides[counted]
        return np.stack(
            [np.bincount(first[sides == number], minlength=len(self.volumes)) for number in (3, 4, 5, 6)], axis=1
        )

    @property
    def edges(self) -> Int[np.ndarray, "2 edges"]:
        """The graph of neighbours, from and to, each pair both ways.

        Two atoms are joined by every face between them that counts for either.  In small cells there are several
        between the same two, and an atom may be its own neighbour.
        """
        smaller = np.minimum(self.surfaces[self.first], self.surfaces[self.second])
        joined = (self.areas > self.face_threshold * smaller) & (self.sides >= 3)
        return np.stack([self.first[joined], self.second[joined]])


def voronoi_cells(structure: StructureBatch, face_threshold: float = 0.0, edge_threshold: float = 0.0) -> VoronoiCells:
    """The Voronoi cells of a structure that is periodic in all directions.

    Images of the atoms are laid out around the cell as far as any Voronoi cell can feel them, and the points handed to
    Qhull; what comes out is exact for cells of any shape and size.

    Parameters
    ----------
    structure
        A batch of one.
    face_threshold
        A face counts if its area is a larger share than this of the surface of its cell; a tiny face, which the
        slightest motion makes or closes, changes an index as much as a large one.  0 counts all of them.
    edge_threshold
        An edge shorter than this does not count among the sides of a face, Å.

    Raises
    ------
    InputError
        The structure is not periodic in all directions, two atoms are in one place, or a threshold is negative.

    Notes
    -----
    The thresholds are those of OVITO's ``VoronoiAnalysisModifier``: ``relative_face_threshold`` and ``edge_threshold``.

    References
    ----------
    Barber, Dobkin and Huhdanpaa, ACM Transactions on Mathematical Software 22, 469 (1996).

    Examples
    --------
    >>> from ase.build import bulk
    >>> cells = voronoi_cells(StructureBatch.from_atoms([bulk("W", a=3.2)]))
    >>> cells.indices.tolist(), round(float(cells.volumes[0]), 6)  # 3.2 ** 3 / 2
    ([[0, 6, 0, 8]], 16.384)
    """
    _check(structure, face_threshold, edge_threshold)
    reach = _REACH * float(structure.volumes[0] / structure.atoms) ** (1.0 / 3.0)
    for _ in range(_WIDENINGS):
        points, owners = _surroundings(structure, reach)
        ridges, corners, lengths = _ridges(points, structure.atoms)
        furthest = _furthest_corner(points, ridges, corners, lengths)
        # An atom that is not laid out could cut a cell at a corner only if it were within twice its distance.
        if 2.0 * furthest <= reach:
            return _cells(points, owners, structure.atoms, ridges, corners, lengths, face_threshold, edge_threshold)
        reach = min(2.02 * furthest, 2.0 * reach)
    raise WorkError(
        f"Voronoi cells: those of {structure.names[0] or 'the structure'} reach further than {reach:.0f} Å; "
        "is there a large void in it?"
    )


def _surroundings(
    structure: StructureBatch, reach: float
) -> tuple[Float[np.ndarray, "points 3"], Int[np.ndarray, " points"]]:
    """The atoms of the cell, then all images within reach of it, and whose they are."""
    from mechlearn.structures.neighbour_kernels import lay_out_ghosts

    points, owner = lay_out_ghosts(structure.positions, structure.cells[0], structure.periodic[0], reach)
    # Atoms themselves are marked by owners below zero.
    own = owner < 0
    order = np.concatenate([np.flatnonzero(own)[np.argsort(-1 - owner[own])], np.flatnonzero(~own)])
    return np.ascontiguousarray(points.T[order]), np.where(own, -1 - owner, owner)[order]


def _ridges(
    points: Float[np.ndarray, "points 3"], atoms: int
) -> tuple[Int[np.ndarray, "ridges 2"], Float[np.ndarray, "corners 3"], Int[np.ndarray, " ridges"]]:
    """The faces of the cells of the first ``atoms`` points: the points on either side, the corners in order, and how
    many corners each has; a corner at infinity is NaN."""
    from scipy.spatial import Voronoi

    diagram = Voronoi(points)
    near = np.flatnonzero((diagram.ridge_points < atoms).any(axis=1))
    chosen = [diagram.ridge_vertices[ridge] for ridge in near]
    lengths = np.fromiter(map(len, chosen), dtype=np.int64, count=len(chosen))
    places = np.fromiter(chain.from_iterable(chosen), dtype=np.int64, count=int(lengths.sum()))
    corners = np.where((places >= 0)[:, None], diagram.vertices[places], np.nan)
    return diagram.ridge_points[near].astype(np.int64), corners, lengths


def _furthest_corner(
    points: Float[np.ndarray, "points 3"],
    ridges: Int[np.ndarray, "ridges 2"],
    corners: Float[np.ndarray, "corners 3"],
    lengths: Int[np.ndarray, " ridges"],
) -> float:
    """The distance between a corner of a cell and its atom, at most; infinite where a cell is open."""
    distances = np.linalg.norm(corners - np.repeat(points[ridges[:, 0]], lengths, axis=0), axis=1)
    return float(np.nan_to_num(distances, nan=np.inf).max())


def _cells(
    points: Float[np.ndarray, "points 3"],
    owners: Int[np.ndarray, " points"],
    atoms: int,
    ridges: Int[np.ndarray, "ridges 2"],
    corners: Float[np.ndarray, "corners 3"],
    lengths: Int[np.ndarray, " ridges"],
    face_threshold: float,
    edge_threshold: float,
) -> VoronoiCells:
    """Areas and sides of the faces, seen from each atom of the cell, and what follows for the cells."""
    ends = np.cumsum(lengths)
    following = np.arange(1, len(corners) + 1)
    following[ends - 1] = ends - lengths
    steps = corners[following] - corners
    from_start = corners - np.repeat(corners[ends - lengths], lengths, axis=0)
    doubled = np.add.reduceat(np.cross(from_start, steps), ends - lengths, axis=0)
    areas = 0.5 * np.linalg.norm(doubled, axis=1)
    sides = np.add.reduceat((np.linalg.norm(steps, axis=1) > edge_threshold).astype(np.int64), ends - lengths)

    both = np.concatenate([ridges, ridges[:, ::-1]])
    inside = np.flatnonzero(both[:, 0] < atoms)
    inside = inside[np.argsort(both[inside, 0], kind="stable")]
    first, across = both[inside].T
    areas, sides = np.tile(areas, 2)[inside], np.tile(sides, 2)[inside]
    vectors = points[across] - points[first]
    if len(np.unique(first)) < atoms:
        lost = int(np.setdiff1d(np.arange(atoms), first)[0])
        raise InputError(f"Voronoi cells: another atom is in the very place of atom {lost}; move or remove one")
    # A face is the base of a pyramid whose height is half of the distance to the neighbour.
    pyramids = areas * np.linalg.norm(vectors, axis=1) / 6.0
    return VoronoiCells(
        volumes=np.bincount(first, pyramids, atoms),
        surfaces=np.bincount(first, areas, atoms),
        first=first,
        second=owners[across],
        vectors=vectors,
        areas=areas,
        sides=sides,
        face_threshold=face_threshold,
    )


def _check(structure: StructureBatch, face_threshold: float, edge_threshold: float) -> None:
    """Refuse what has no Voronoi cells."""
    if len(structure) != 1:
        raise InputError(f"Voronoi cells: given a batch of {len(structure)} structures; give one at a time")
    check_cells(structure)
    if not structure.periodic.all():
        raise InputError("Voronoi cells: the structure is not periodic in all directions; cells at a surface are open")
    if not (0.0 <= face_threshold < 1.0 and np.isfinite(edge_threshold) and edge_threshold >= 0.0):
        raise InputError(
            f"Voronoi cells: the thresholds are {face_threshold} of the surface and {edge_threshold} Å; "
            "give a share between 0 and 1, and a length"
        )
