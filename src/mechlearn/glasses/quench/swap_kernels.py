"""Compiled Monte Carlo swaps of unlike atoms whose energies are local: a swap costs what its two atoms' neighbours do.

E = Σ_pairs φ_ab(r) + Σ_i F_a(ρ_i),  ρ_i = Σ_j f_ba(r_ij)

An atom that turns into another element changes its pairs, the densities at its neighbours, and the density that it
feels; a swap is two such turns, one after the other.
"""

import numpy as np
from numba import njit

from mechlearn.interactions.pair_energy_kernels import cubic, embedding

#: Of the coarse table: less than 10⁻² Å between them.
_COARSE_NODES = 1024


@njit(cache=True, nogil=True)
def first_and_second(functions, a, b):
    """The place of the pair of two elements, and whether ``a`` is the first of it."""
    low, high = min(a, b), max(a, b)
    return low * functions.elements - low * (low + 1) // 2 + high, a <= b


@njit(cache=True, nogil=True)
def node_of(functions, r):
    """The node below a distance and the share of the way to the next."""
    place = r / functions.spacing
    node = min(int(place), functions.nodes - 2)
    return node, min(place - node, 1.0)


@njit(cache=True, nogil=True)
def repulsion(functions, a, b, r):
    """φ_ab(r)."""
    pair, _ = first_and_second(functions, a, b)
    if functions.closed.shape[0] > 0:
        row, place, square = functions.closed, 8 * pair, r * r
        if square >= row[place + 5]:
            return 0.0
        u3 = 1.0 / (square * square * square)
        smooth = row[place + 2] + square * (row[place + 3] + square * row[place + 4])
        return u3 * (row[place] * u3 - row[place + 1]) + smooth
    node, p = node_of(functions, r)
    table, place = functions.repulsions, 2 * (pair * functions.nodes + node)
    return cubic(table[place], table[place + 1], table[place + 2], table[place + 3], p)[0] / r


@njit(cache=True, nogil=True)
def density(functions, a, b, r):
    """f_ba(r): what an atom of b adds to the density at one of a."""
    if functions.closed.shape[0] > 0:
        return 0.0
    pair, a_is_first = first_and_second(functions, a, b)
    node, p = node_of(functions, r)
    table, place = functions.densities, 4 * (pair * functions.nodes + node) + (0 if a_is_first else 2)
    return cubic(table[place], table[place + 1], table[place + 4], table[place + 5], p)[0]


@njit(cache=True, nogil=True)
def embedded(functions, a, rho):
    """F_a, F_a' and F_a'' at a density; nothing where there are pairs alone."""
    if functions.embedding.shape[1] == 0:
        return 0.0, 0.0, 0.0
    return embedding(functions, a, rho)


@njit(cache=True, nogil=True)
def densities(functions, starts, second, distances, kinds):
    """ρ of every atom."""
    rho = np.zeros(kinds.shape[0])
    for i in range(kinds.shape[0]):
        for entry in range(starts[i], starts[i + 1]):
            rho[i] += density(functions, kinds[i], kinds[second[entry]], distances[entry])
    return rho


@njit(cache=True, nogil=True)
def turn(functions, starts, second, distances, kinds, rho, i, new):
    """Turn atom i into another element; the change of energy."""
    old, change, own = kinds[i], 0.0, 0.0
    for entry in range(starts[i], starts[i + 1]):
        j, r = second[entry], distances[entry]
        if j == i:  # its own image, met from both ends
            own += density(functions, new, new, r)
            change += 0.5 * (repulsion(functions, new, new, r) - repulsion(functions, old, old, r))
            continue
        kind, before = kinds[j], rho[j]
        after = before + density(functions, kind, new, r) - density(functions, kind, old, r)
        own += density(functions, new, kind, r)
        change += repulsion(functions, new, kind, r) - repulsion(functions, old, kind, r)
        change += embedded(functions, kind, after)[0] - embedded(functions, kind, before)[0]
        rho[j] = after
    change += embedded(functions, new, own)[0] - embedded(functions, old, rho[i])[0]
    rho[i], kinds[i] = own, new
    return change


@njit(cache=True, nogil=True)
def coarse_rows(functions):
    """φ_ab, f_ab and f_ba at even distances, (nodes, b, 3 a): all that is asked of a neighbour of b side by side."""
    elements, spacing = functions.elements, functions.cutoff / (_COARSE_NODES - 1)
    rows = np.empty((_COARSE_NODES, elements, 3 * elements))
    for node in range(_COARSE_NODES):
        r = max(node, 1) * spacing
        for b in range(elements):
            for a in range(elements):
                rows[node, b, 3 * a] = repulsion(functions, a, b, r)
                rows[node, b, 3 * a + 1] = density(functions, b, a, r)
                rows[node, b, 3 * a + 2] = density(functions, a, b, r)
    return rows


@njit(cache=True, nogil=True)
def site_energies(functions, starts, second, distances, kinds, rho):
    """h_i(a): about the change of energy when atom i alone turns into an element.

    h_i(a) = Σ_j φ_aj + F'_j Δρ_j + ½ F''_j Δρ_j² + F_a(Σ_j f_ja), less the same of its own element, with Δρ_j the
    change of density at a neighbour; φ and f lie on straight lines between the rows of a table that fits the cache.
    """
    rows, elements = coarse_rows(functions), functions.elements
    per_row = (_COARSE_NODES - 1) / functions.cutoff
    slopes, bends = np.empty(kinds.shape[0]), np.empty(kinds.shape[0])
    for i in range(kinds.shape[0]):
        _, slopes[i], bends[i] = embedded(functions, kinds[i], rho[i])
    energies = np.zeros((kinds.shape[0], elements))
    own, at = np.empty(elements), np.empty(3 * elements)
    for i in range(kinds.shape[0]):
        old = kinds[i]
        own[:] = 0.0
        for entry in range(starts[i], starts[i + 1]):
            j = second[entry]
            place = distances[entry] * per_row
            node = min(int(place), _COARSE_NODES - 2)
            p, kind = place - node, kinds[j]
            for value in range(3 * elements):
                here = rows[node, kind, value]
                at[value] = here + p * (rows[node + 1, kind, value] - here)
            for a in range(elements):
                change = at[3 * a + 1] - at[3 * old + 1]
                energies[i, a] += at[3 * a] + change * (slopes[j] + 0.5 * bends[j] * change)
                own[a] += at[3 * a + 2]
        for a in range(elements):
            energies[i, a] += embedded(functions, a, own[a])[0]
        energies[i] -= energies[i, old]
    return energies


@njit(cache=True, nogil=True)
def swap_unlike(functions, starts, second, distances, kinds, beta, trials, rng):
    """Try so many swaps of unlike atoms, in place; how many were accepted, and the change of energy.

    A swap is accepted in two stages.  The first asks what is known at once, the sum Ê of site energies h_i as they
    were at the start, and passes with α₁ = min(1, exp(−β ΔÊ)); few pass.  For those the energy itself is found, and
    the second stage passes with min(1, exp(−β (ΔE − ΔÊ))).  As Ê is a function of who is where alone, the chain keeps
    Boltzmann's distribution whatever Ê is: the better it is, the fewer are turned down in vain.
    """
    rho = densities(functions, starts, second, distances, kinds)
    sites = site_energies(functions, starts, second, distances, kinds, rho)
    atoms, accepted, energy = kinds.shape[0], 0, 0.0
    for _ in range(trials):
        i, j = int(atoms * rng.random()), int(atoms * rng.random())
        while kinds[i] == kinds[j]:
            i, j = int(atoms * rng.random()), int(atoms * rng.random())
        a, b = kinds[i], kinds[j]
        guessed = sites[i, b] - sites[i, a] + sites[j, a] - sites[j, b]
        if guessed > 0.0 and rng.random() >= np.exp(-beta * guessed):
            continue
        change = turn(functions, starts, second, distances, kinds, rho, i, b)
        change += turn(functions, starts, second, distances, kinds, rho, j, a)
        error = change - guessed
        if error <= 0.0 or rng.random() < np.exp(-beta * error):
            accepted, energy = accepted + 1, energy + change
        else:
            turn(functions, starts, second, distances, kinds, rho, i, a)
            turn(functions, starts, second, distances, kinds, rho, j, b)
    return accepted, energy
