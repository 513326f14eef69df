"""Compiled rows of numbers for atoms and their images, which half lists of neighbours name.

A *row* stands for an atom or for one of its periodic images: rows ``0 … atoms - 1`` are the atoms, then come the
images that some atom has as a neighbour, and last a row that is far from everything.  The neighbours of an atom are
rows, so that no pair needs a lattice vector of its own; the row that is far fills the last eight of an atom.
"""

from numba import njit

from mechlearn.descriptors.lane_kernels import LANES

#: The numbers of a row: where it is, what element it is of, F' of its embedding function; the others are free.
X, Y, Z, KIND, SLOPE = range(5)

#: Where the row stands that is no atom's neighbour, Å: its square is finite, and beyond any cutoff.
_FAR = 1e9


@njit(cache=True, nogil=True)
def lay_out_rows(positions, cells, structures, kinds, owners, shifts, rows):
    """Write place and kind of every atom and image to ``rows``, eight numbers each."""
    atoms, images = positions.shape[0], owners.shape[0]
    for row in range(atoms + images):
        j = row if row < atoms else owners[row - atoms]
        cell = cells[structures[j]]
        for x in range(3):
            away = shifts[3 * row] * cell[0, x] + shifts[3 * row + 1] * cell[1, x] + shifts[3 * row + 2] * cell[2, x]
            rows[LANES * row + x] = positions[j, x] + away
        rows[LANES * row + KIND] = kinds[j]
    last = LANES * (atoms + images)
    rows[last + X], rows[last + Y], rows[last + Z], rows[last + KIND] = _FAR, _FAR, _FAR, 0.0


@njit(cache=True, nogil=True)
def gather_images(values, owners, atoms, width):
    """Add the numbers of each image's row to those of its atom's, and clear them; a row has ``width`` of them."""
    for g in range(owners.shape[0]):
        for n in range(width):
            values[width * owners[g] + n] += values[width * (atoms + g) + n]
            values[width * (atoms + g) + n] = 0.0


@njit(cache=True, nogil=True)
def copy_to_images(rows, owners, atoms, place):
    """Give every image's row the number that its atom's row has at ``place``."""
    for g in range(owners.shape[0]):
        rows[LANES * (atoms + g) + place] = rows[LANES * owners[g] + place]
