"""Compiled rows of the least-squares problem of linear and quadratic SNAP."""

from numba import njit

from mechlearn.descriptors.derivative_kernels import (
    ABREAST,
    begin_group,
    copy_values,
    pair_derivatives,
    workspace,
    zeros,
)
from mechlearn.descriptors.lane_kernels import LANES, load, store


@njit(cache=True, nogil=True)
def expand(values, quadratic, out):
    """Features of each atom: B, and for quadratic SNAP ½ B_a² and B_a B_b (a < b), LAMMPS's order."""
    features = values.shape[1]
    for i in range(values.shape[0]):
        for a in range(features):
            out[i, a] = values[i, a]
        if quadratic:
            place = features
            for a in range(features):
                out[i, place] = 0.5 * values[i, a] * values[i, a]
                place += 1
                for b in range(a + 1, features):
                    out[i, place] = values[i, a] * values[i, b]
                    place += 1


@njit(cache=True, nogil=True)
def _expand_change(values, change, first, apart, width, out):
    """∂/∂r of the features of quadratic SNAP from B of an atom and ∂B/∂r: B_a ∂B_b + B_b ∂B_a."""
    features = values.shape[0]
    for x in range(3):
        begin, place = first + x * apart, x * width + features
        for a in range(features):
            out[x * width + a] = change[begin + a]
            out[place] = values[a] * change[begin + a]
            for b in range(a + 1, features):
                out[place + b - a] = values[a] * change[begin + b] + values[b] * change[begin + a]
            place += features - a


@njit(cache=True, nogil=True)
def _add_scaled(scale, change, first, width, rows, place):
    """rows += scale · change, over ``width`` numbers, a multiple of eight."""
    for c in range(0, width, LANES):
        store(rows, place + c, load(rows, place + c) + scale * load(change, first + c))


@njit(cache=True, nogil=True)
def design_range(
    first, last, atoms, radial, tables, products, memory, rows, shift, structure_of_atom, quadratic, width, values,
    forces, stresses,
):  # fmt: skip
    """B, -∂Φ/∂r of every atom and Σ r ⊗ ∂Φ/∂r of every structure, Φ the features summed over atoms.

    ``forces`` is (atoms, 3, elements, width) and ``stresses`` (structures, 6, elements, width), both flat and either
    empty where it is not wanted; a width is that of the features, made a multiple of eight.  The first arguments are
    those of the bispectrum's kernels.
    """
    _, starts, second, vectors, elements = atoms
    kinds = radial[1].shape[0]
    with_forces, with_stresses = forces.shape[0] > 0, stresses.shape[0] > 0
    work = workspace(starts, tables[1], rows)
    components = work.blocks.shape[3]
    expanded = zeros(3 * width)
    for group in range(first, last):
        real, slots = begin_group(group, atoms, radial, tables, products, memory, rows, work)
        copy_values(real, shift, work, values)
        for k in range(0, slots, ABREAST):
            pair_derivatives(k, tables, rows, work)
            for lane in range(real):
                i = work.lanes[lane]
                begin = starts[i] + k
                for p in range(begin, min(begin + ABREAST, starts[i + 1])):
                    change, place, apart = work.flat, ((p - begin) * LANES + lane) * 3 * components, components
                    if quadratic:
                        _expand_change(values[i], change, place, apart, width, expanded)
                        change, place, apart = expanded, 0, width
                    for x in range(3):
                        along = place + x * apart
                        if with_forces and second[p] != i:
                            _add_scaled(1.0, change, along, width, forces, ((3 * i + x) * kinds + elements[i]) * width)
                            other = ((3 * second[p] + x) * kinds + elements[i]) * width
                            _add_scaled(-1.0, change, along, width, forces, other)
                        for y in range(3 if with_stresses else 0):
                            # Voigt: xx yy zz yz xz xy; a pair of unequal axes is met twice, and halved.
                            voigt = x if x == y else 6 - x - y
                            arm = vectors[p, y] if x == y else 0.5 * vectors[p, y]
                            target = ((6 * structure_of_atom[i] + voigt) * kinds + elements[i]) * width
                            _add_scaled(arm, change, along, width, stresses, target)
