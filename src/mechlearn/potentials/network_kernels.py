"""A perceptron's energies, their gradients, and what both tell its parameters.

z_l = W_l·h_{l-1} + b_l, h_l = softplus(z_l), h_0 the inputs, E = W_L·h_{L-1} + b_L.  ``parameters`` are W_1, b_1, W_2,
… one after the other, each W (outputs, inputs); ``widths`` the nodes of every layer from the inputs to the 1 output.
What the atoms have at a layer is (tiles, nodes, 32): 32 atoms side by side, zeros where there are no more.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, lane_sum, load, store
from mechlearn.potentials.softplus_kernels import softplus_and_slope

#: Atoms side by side: four vectors of two nodes are as many sums as the processor adds to at a time.
TILE = 4 * LANES


@njit(cache=True, nogil=True)
def _multiply(matrix, bias, source, target):
    """target = matrix·source + bias.  Two rows at a time; the last of an odd number is done twice."""
    x, y = source.reshape(-1), target.reshape(-1)
    rows, columns = matrix.shape
    for tile in range(source.shape[0]):
        for first in range(0, rows, 2):
            second = min(first + 1, rows - 1)
            a0, b0 = broadcast(bias[first, 0]), broadcast(bias[second, 0])
            a1, a2, a3, b1, b2, b3 = a0, a0, a0, b0, b0, b0
            n = tile * columns * TILE
            for column in range(columns):
                v, w = broadcast(matrix[first, column]), broadcast(matrix[second, column])
                x0, x1 = load(x, n), load(x, n + LANES)
                x2, x3 = load(x, n + 2 * LANES), load(x, n + 3 * LANES)
                a0, a1, a2, a3 = a0 + v * x0, a1 + v * x1, a2 + v * x2, a3 + v * x3
                b0, b1, b2, b3 = b0 + w * x0, b1 + w * x1, b2 + w * x2, b3 + w * x3
                n += TILE
            n, m = (tile * rows + first) * TILE, (tile * rows + second) * TILE
            store(y, n, a0)
            store(y, n + LANES, a1)
            store(y, n + 2 * LANES, a2)
            store(y, n + 3 * LANES, a3)
            store(y, m, b0)
            store(y, m + LANES, b1)
            store(y, m + 2 * LANES, b2)
            store(y, m + 3 * LANES, b3)


@njit(cache=True, nogil=True)
def _add_products(left, right, sums):
    """sums[r, c] += Σ left[r] ∘ right[c], in eight sums each: of the atoms that are a multiple of eight apart.

    Two rows at a time, through all tiles, so that their sums stay in the nearest cache.
    """
    x, y, out = left.reshape(-1), right.reshape(-1), sums.reshape(-1)
    rows, columns = left.shape[1], right.shape[1]
    for first in range(0, rows, 2):
        second = min(first + 1, rows - 1)
        for tile in range(left.shape[0]):
            n, m = (tile * rows + first) * TILE, (tile * rows + second) * TILE
            a0, a1, a2, a3 = load(x, n), load(x, n + LANES), load(x, n + 2 * LANES), load(x, n + 3 * LANES)
            b0, b1, b2, b3 = load(x, m), load(x, m + LANES), load(x, m + 2 * LANES), load(x, m + 3 * LANES)
            one, other, n = first * columns * LANES, second * columns * LANES, tile * columns * TILE
            for _ in range(columns):
                y0, y1 = load(y, n), load(y, n + LANES)
                y2, y3 = load(y, n + 2 * LANES), load(y, n + 3 * LANES)
                v = load(out, one) + a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3
                w = load(out, other) + b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3
                store(out, one, v)
                store(out, other, w)
                one, other, n = one + LANES, other + LANES, n + TILE


@njit(cache=True, nogil=True)
def _lane_sums(sums):
    """The sums of eight numbers that belong together."""
    out = np.empty(sums.shape[0] // LANES)
    for n in range(out.shape[0]):
        out[n] = lane_sum(load(sums, n * LANES))
    return out


@njit(cache=True, nogil=True)
def _gather(rows, out):
    """What each atom has, side by side."""
    out[-1] = 0.0
    for tile in range(out.shape[0]):
        first = tile * TILE
        count = min(TILE, rows.shape[0] - first)
        for node in range(out.shape[1]):
            for atom in range(count):
                out[tile, node, atom] = rows[first + atom, node]


@njit(cache=True, nogil=True)
def _scatter(nodes, rows):
    """What each atom has, as its row."""
    for tile in range(nodes.shape[0]):
        first = tile * TILE
        count = min(TILE, rows.shape[0] - first)
        for node in range(nodes.shape[1]):
            for atom in range(count):
                rows[first + atom, node] = nodes[tile, node, atom]


@njit(cache=True, nogil=True)
def _activate(z, slope):
    """z becomes softplus(z), whose slope is σ."""
    layer, own = z.reshape(-1), slope.reshape(-1)
    for n in range(0, layer.shape[0], LANES):
        value, rise = softplus_and_slope(load(layer, n))
        store(layer, n, value)
        store(own, n, rise)


@njit(cache=True, nogil=True)
def _scale(values, factors, out):
    """out = values ∘ factors."""
    x, y, z = values.reshape(-1), factors.reshape(-1), out.reshape(-1)
    for n in range(0, x.shape[0], LANES):
        store(z, n, load(x, n) * load(y, n))


@njit(cache=True, nogil=True)
def _add_bend(pulled, slope, step, reaching):
    """reaching += t ∘ (1 - σ) ∘ ż: softplus'' = σ(1 - σ), and t has the σ."""
    t, s, z, p = pulled.reshape(-1), slope.reshape(-1), step.reshape(-1), reaching.reshape(-1)
    for n in range(0, p.shape[0], LANES):
        store(p, n, load(p, n) + load(t, n) * (1 - load(s, n)) * load(z, n))


@njit(cache=True, nogil=True)
def _parameters(flat, widths, n, size):
    """W and b of the n-th layer, counted from 0, where each parameter is ``size`` numbers one after the other."""
    start = 0
    for before in range(n):
        start += (widths[before] + 1) * widths[before + 1] * size
    rows, columns = widths[n + 1], widths[n] * size
    middle, end = start + rows * columns, start + rows * (columns + size)
    return flat[start:middle].reshape((rows, columns)), flat[middle:end].reshape((rows, size))


@njit(cache=True, nogil=True)
def _nodes(flat, widths, n):
    """What the atoms have at the n-th layer; ``flat`` holds one layer after the other, but for the output."""
    tiles = flat.shape[0] // widths[:-1].sum() // TILE
    start = widths[:n].sum() * tiles * TILE
    return flat[start : start + tiles * widths[n] * TILE].reshape((tiles, widths[n], TILE))


@njit(cache=True, nogil=True)
def energies_and_gradients(inputs, parameters, widths):
    """E and ∂E/∂h_0 of every atom as rows, and what :func:`parameter_slopes` needs of the way there.

    These are the layers h, the slopes σ of softplus, and t_l = ∂E/∂z_l = (W_{l+1}ᵀ·t_{l+1}) ∘ σ_l, where 1 is above.
    """
    atoms, tiles, hidden = inputs.shape[0], -(-inputs.shape[0] // TILE), widths.shape[0] - 2
    length = tiles * widths[:-1].sum() * TILE
    layers, slopes, pulled = np.empty(length), np.empty(length), np.empty(length)
    energies, gradients = np.empty((atoms, 1)), np.empty(inputs.shape)
    nothing, above = np.zeros((widths.max(), 1)), np.ones((tiles, 1, TILE))
    _gather(inputs, _nodes(layers, widths, 0))
    for n in range(hidden):
        weight, bias = _parameters(parameters, widths, n, 1)
        layer = _nodes(layers, widths, n + 1)
        _multiply(weight, bias, _nodes(layers, widths, n), layer)
        _activate(layer, _nodes(slopes, widths, n + 1))
    weight, bias = _parameters(parameters, widths, hidden, 1)
    energy = np.empty((tiles, 1, TILE))
    _multiply(weight, bias, _nodes(layers, widths, hidden), energy)
    _scatter(energy, energies)
    for n in range(hidden, -1, -1):
        weight, _ = _parameters(parameters, widths, n, 1)
        below = _nodes(pulled, widths, n)
        _multiply(weight.T, nothing, above, below)
        if n > 0:
            _scale(below, _nodes(slopes, widths, n), below)
        above = below
    _scatter(above, gradients)
    return energies, gradients, layers, slopes, pulled


@njit(cache=True, nogil=True)
def _follow(direction, parameters, widths, slopes, changes, steps):
    """The change of the layers along v: ḣ_0 = v, ż_l = W_l·ḣ_{l-1}, ḣ_l = σ_l ∘ ż_l."""
    nothing = np.zeros((widths.max(), 1))
    _gather(direction, _nodes(changes, widths, 0))
    for n in range(1, widths.shape[0] - 1):
        weight, _ = _parameters(parameters, widths, n - 1, 1)
        step = _nodes(steps, widths, n)
        _multiply(weight, nothing, _nodes(changes, widths, n - 1), step)
        _scale(step, _nodes(slopes, widths, n), _nodes(changes, widths, n))


@njit(cache=True, nogil=True)
def parameter_slopes(energy_slope, direction, parameters, widths, layers, slopes, pulled):
    """∂L/∂W and ∂L/∂b of a function L of energies and gradients, with e = ∂L/∂E and v = ∂L/∂(∂E/∂h_0).

    L changes with the parameters as Σ e·E + Ė, where Ė = v·∂E/∂h_0 is the change of E along v.  What reaches z_l
    backwards through both is p_l = (W_{l+1}ᵀ·p_{l+1}) ∘ σ_l + t_l ∘ (1 - σ_l) ∘ ż_l, with e above; what reaches ż_l
    is t_l.  So ∂L/∂W_l = p_l·h_{l-1}ᵀ + t_l·ḣ_{l-1}ᵀ and ∂L/∂b_l = Σ p_l.  A ``direction`` v of no rows means that L
    does not depend on gradients.
    """
    hidden, along, nothing = widths.shape[0] - 2, direction.shape[0] > 0, np.zeros((widths.max(), 1))
    changes, steps, reached = np.empty_like(layers), np.empty_like(layers), np.empty_like(layers)
    if along:
        _follow(direction, parameters, widths, slopes, changes, steps)
    sums = np.zeros(parameters.shape[0] * LANES)
    above = np.empty((_nodes(layers, widths, 0).shape[0], 1, TILE))
    ones = np.ones(above.shape)
    _gather(energy_slope, above)
    for n in range(hidden, -1, -1):
        products, totals = _parameters(sums, widths, n, LANES)
        _add_products(above, _nodes(layers, widths, n), products)
        _add_products(above, ones, totals)
        if along:
            _add_products(_nodes(pulled, widths, n + 1) if n < hidden else ones, _nodes(changes, widths, n), products)
        if n > 0:
            weight, _ = _parameters(parameters, widths, n, 1)
            below = _nodes(reached, widths, n)
            _multiply(weight.T, nothing, above, below)
            _scale(below, _nodes(slopes, widths, n), below)
            if along:
                _add_bend(_nodes(pulled, widths, n), _nodes(slopes, widths, n), _nodes(steps, widths, n), below)
            above = below
    return _lane_sums(sums)
