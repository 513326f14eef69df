"""The bispectrum and its derivatives, eight atoms at a time.

    v_j        Wigner matrices of one neighbour, polynomials in Cayley–Klein parameters a, b      ``wigner_matrices``
    U_j      = w_self·1 + Σ_k w_k f_c(r_k) u_j(r_k),  u_j[mb, ma] = n_j[mb, ma] v_j[mb, ma]       ``density_matrices``
    Z        = U_j1 ⊗ U_j2 (Clebsch–Gordan product)                                               ``two_products``
    B        = U_j* : Z                                                                           ``contract_products``
    Y_j      = Σ g ∂B/∂U_j*, the adjoint; one for each atom, whatever its neighbours              ``adjoint_matrices``
    ∂E/∂r_k  = 2 Re Y : ∂(w f_c u)/∂r_k                                                           ``pair_gradients``

The recursion of the v_j has no square roots, and so no factors; u_j has them all in n_j, which is multiplied once
an atom and not once a neighbour.  The derivative of v_j needs no recursion of its own, as v_j is the symmetric power
of a 2 × 2 matrix:

    dv_j[mb, ma] = (j - mb)(da* v_{j-1}[mb, ma] - db* v_{j-1}[mb, ma - 1])
                 + mb (da v_{j-1}[mb - 1, ma - 1] + db v_{j-1}[mb - 1, ma]).

Matrix element ``m`` of eight atoms is 16 doubles at ``16·m``: eight real parts, then eight imaginary parts.

Source: Bartók et al., Phys. Rev. B 87, 184115 (2013); Thompson et al., J. Comput. Phys. 285, 316 (2015).
"""

from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, load, pick, store
from mechlearn.descriptors.pair_geometry_kernels import (
    A_SLOPE,
    FADE,
    FADE_SLOPE,
    INVERSE,
    PAIR_NUMBERS,
    Q_SLOPE,
    A,
    Q,
    X,
    Y,
    Z,
)

#: Doubles of one matrix element for all lanes: real parts, then imaginary parts.
WIDE = 2 * LANES


@njit(cache=True, nogil=True)
def cayley_klein(gathered, pair):
    """a = cos θ - i z q, b = q (y - i x) of eight pairs."""
    q = load(gathered, pair + Q * LANES)
    a_r, a_i = load(gathered, pair + A * LANES), load(gathered, pair + Z * LANES) * q * -1.0
    b_r, b_i = load(gathered, pair + Y * LANES) * q, load(gathered, pair + X * LANES) * q * -1.0
    return a_r, a_i, b_r, b_i


@njit(cache=True, nogil=True, forceinline=True)
def _next(parameters, here_r, here_i, left_r, left_i):
    """a* v[mb, ma] - b* v[mb, ma - 1], an element of the next level."""
    a_r, a_i, b_r, b_i = parameters
    return (
        a_r * here_r + a_i * here_i - b_r * left_r - b_i * left_i,
        a_r * here_i - a_i * here_r - b_r * left_i + b_i * left_r,
    )


@njit(cache=True, nogil=True, forceinline=True)
def _put(v, place, v_r, v_i):
    store(v, place, v_r)
    store(v, place + LANES, v_i)


@njit(cache=True, nogil=True)
def wigner_matrices(a_r, a_i, b_r, b_i, levels, block, v):
    """v_j of one neighbour for j < ``levels``: rows 2·mb ≤ j, and one row more where j is odd.

    v_j[mb, ma] = a* v_{j-1}[mb, ma] - b* v_{j-1}[mb, ma - 1].
    """
    parameters, zero = (a_r, a_i, b_r, b_i), broadcast(0.0)
    _put(v, 0, broadcast(1.0), zero)
    for j in range(1, levels):
        for mb in range(j // 2 + 1):
            source, target = (block[j - 1] + j * mb) * WIDE, (block[j] + (j + 1) * mb) * WIDE
            left_r, left_i = zero, zero
            for n in range(0, j * WIDE, WIDE):
                here_r, here_i = load(v, source + n), load(v, source + n + LANES)
                next_r, next_i = _next(parameters, here_r, here_i, left_r, left_i)
                _put(v, target + n, next_r, next_i)
                left_r, left_i = here_r, here_i
            next_r, next_i = _next(parameters, zero, zero, left_r, left_i)
            _put(v, target + j * WIDE, next_r, next_i)
        if j % 2 == 1:
            mirror_row(v, block[j], j, j // 2)


@njit(cache=True, nogil=True, forceinline=True)
def two_neighbours(gathered, pair, levels, block, near, far, total, summed):
    """The same of two neighbours at once, and added to ``total`` where that is asked for.

    Two share the loops, which are short and cost as much as what is in them, and the total's way from and to memory.
    """
    next_pair, zero, one = pair + PAIR_NUMBERS * LANES, broadcast(0.0), broadcast(1.0)
    first, second = cayley_klein(gathered, pair), cayley_klein(gathered, next_pair)
    first_weight, second_weight = load(gathered, pair + FADE * LANES), load(gathered, next_pair + FADE * LANES)
    _put(near, 0, one, zero)
    _put(far, 0, one, zero)
    if summed:
        store(total, 0, load(total, 0) + first_weight + second_weight)
    for j in range(1, levels):
        for mb in range(j // 2 + 1):
            source, target = (block[j - 1] + j * mb) * WIDE, (block[j] + (j + 1) * mb) * WIDE
            left_r, left_i, far_left_r, far_left_i = zero, zero, zero, zero
            here_r, here_i, far_here_r, far_here_i = zero, zero, zero, zero
            for n in range(0, (j + 1) * WIDE, WIDE):
                if n < j * WIDE:
                    here_r, here_i = load(near, source + n), load(near, source + n + LANES)
                    far_here_r, far_here_i = load(far, source + n), load(far, source + n + LANES)
                else:
                    here_r, here_i, far_here_r, far_here_i = zero, zero, zero, zero
                v_r, v_i = _next(first, here_r, here_i, left_r, left_i)
                w_r, w_i = _next(second, far_here_r, far_here_i, far_left_r, far_left_i)
                _put(near, target + n, v_r, v_i)
                _put(far, target + n, w_r, w_i)
                if summed:
                    place = target + n
                    store(total, place, load(total, place) + first_weight * v_r + second_weight * w_r)
                    place += LANES
                    store(total, place, load(total, place) + first_weight * v_i + second_weight * w_i)
                left_r, left_i, far_left_r, far_left_i = here_r, here_i, far_here_r, far_here_i
        if j % 2 == 1:
            mirror_row(near, block[j], j, j // 2)
            mirror_row(far, block[j], j, j // 2)


@njit(cache=True, nogil=True)
def mirror_row(u, start, j, mb):
    """Row j - mb from row mb: u[j - mb, j - ma] = (-1)^(ma - mb) u[mb, ma]*."""
    for ma in range(j + 1):
        sign = -1.0 if (ma - mb) % 2 else 1.0
        source = (start + (j + 1) * mb + ma) * WIDE
        target = (start + (j + 1) * (j - mb) + j - ma) * WIDE
        store(u, target, sign * load(u, source))
        store(u, target + LANES, (-sign) * load(u, source + LANES))


@njit(cache=True, nogil=True)
def density_matrices(gathered, slots, self_weight, twojmax, block, norms, near, far, total):
    """U_j = w_self·1 + Σ_k w f_c u_j, all rows; ``near`` and ``far`` are room for v_j of two neighbours."""
    zero = broadcast(0.0)
    for n in range(0, block[twojmax + 1] * WIDE, LANES):
        store(total, n, zero)
    for k in range(0, slots, 2):
        two_neighbours(gathered, k * PAIR_NUMBERS * LANES, twojmax + 1, block, near, far, total, True)
    for j in range(twojmax + 1):
        for mb in range(j // 2 + 1):
            for ma in range(j + 1):
                m = block[j] + (j + 1) * mb + ma
                alone = self_weight if ma == mb else 0.0
                store(total, m * WIDE, norms[m] * load(total, m * WIDE) + broadcast(alone))
                store(total, m * WIDE + LANES, norms[m] * load(total, m * WIDE + LANES))
            if 2 * mb < j:
                mirror_row(total, block[j], j, mb)


@njit(cache=True, nogil=True, forceinline=True)
def two_products(total, first, last, factors, weights):
    """Σ weight · U[m1] U[m2] over the terms ``first:last`` of a list, with the one and with the other weight."""
    z_r, z_i, other_r, other_i = broadcast(0.0), broadcast(0.0), broadcast(0.0), broadcast(0.0)
    for t in range(2 * first, 2 * last, 2):
        m1, m2 = pick(factors, t) * WIDE, pick(factors, t + 1) * WIDE
        x_r, x_i = load(total, m1), load(total, m1 + LANES)
        y_r, y_i = load(total, m2), load(total, m2 + LANES)
        p_r, p_i = x_r * y_r - x_i * y_i, x_r * y_i + x_i * y_r
        one, other = pick(weights, t), pick(weights, t + 1)
        z_r, z_i = z_r + one * p_r, z_i + one * p_i
        other_r, other_i = other_r + other * p_r, other_i + other * p_i
    return z_r, z_i, other_r, other_i


@njit(cache=True, nogil=True, forceinline=True)
def _add_contracted(matrices, target, z_r, z_i, out, component):
    """out_l += V[m]* : Z[m]."""
    v_r, v_i = load(matrices, target * WIDE), load(matrices, target * WIDE + LANES)
    store(out, component * LANES, load(out, component * LANES) + v_r * z_r + v_i * z_i)


@njit(cache=True, nogil=True)
def contract_products(total, matrices, places, factors, weights, out):
    """out_l = Σ V* : Z.  With V = U and the values' list it is the bispectrum; with V = dU and the slopes' list, in
    which each of the three matrices moves in turn, it is the change of the bispectrum along dU."""
    zero = broadcast(0.0)
    for n in range(0, out.shape[0], LANES):
        store(out, n, zero)
    for n in range(places.shape[0]):
        z_r, z_i, other_r, other_i = two_products(total, places[n, 0], places[n, 1], factors, weights)
        _add_contracted(matrices, places[n, 2], z_r, z_i, out, places[n, 3])
        _add_contracted(matrices, places[n, 4], other_r, other_i, out, places[n, 5])


@njit(cache=True, nogil=True, forceinline=True)
def _add_weighted(gradient, component, z_r, z_i, adjoint, target):
    """Y[m] += g_l Z[m]."""
    g, m = load(gradient, component * LANES), target * WIDE
    store(adjoint, m, load(adjoint, m) + g * z_r)
    store(adjoint, m + LANES, load(adjoint, m + LANES) + g * z_i)


@njit(cache=True, nogil=True)
def adjoint_matrices(total, gradient, places, factors, weights, adjoint):
    """Y[m] = Σ g_l Z_l[m], on the summed half of each matrix."""
    zero = broadcast(0.0)
    for n in range(0, adjoint.shape[0], LANES):
        store(adjoint, n, zero)
    for n in range(places.shape[0]):
        z_r, z_i, other_r, other_i = two_products(total, places[n, 0], places[n, 1], factors, weights)
        _add_weighted(gradient, places[n, 3], z_r, z_i, adjoint, places[n, 2])
        _add_weighted(gradient, places[n, 5], other_r, other_i, adjoint, places[n, 4])


@njit(cache=True, nogil=True)
def euler_values(total, adjoint, twojmax, block):
    """Σ_l g_l B_l = Y : U / 3, by Euler's theorem: B is homogeneous of degree three in U."""
    value = broadcast(0.0)
    for j in range(twojmax + 1):
        for m in range(block[j] * WIDE, (block[j] + (j // 2 + 1) * (j + 1)) * WIDE, LANES):
            value = value + load(adjoint, m) * load(total, m)
    return value * (1.0 / 3.0)


@njit(cache=True, nogil=True)
def parameter_adjoint(adjoint, twojmax, block, norms, folded):
    """Fold Y into what multiplies v_{j-1} in ∂E/∂a and ∂E/∂b: eight vectors an element, made once an atom.

    With Y' = n Y, Y₁ = (j - mb) Y'_j[mb, ma] and Y₂ = (mb + 1) Y'_j[mb + 1, ma + 1] the sums Y₁ ± Y₂ serve a_r and
    a_i; the same with Y'_j[mb, ma + 1] (negative) and Y'_j[mb + 1, ma] serve b_r and b_i.
    """
    zero = broadcast(0.0)
    position = 0
    for j in range(1, twojmax + 1):
        for mb in range(j // 2 + 1):
            for ma in range(j):
                here = block[j] + (j + 1) * mb + ma
                below = here + j + 1
                y1_r, y1_i = _scaled(adjoint, here, (j - mb) * norms[here])
                y3_r, y3_i = _scaled(adjoint, here + 1, (mb - j) * norms[here + 1])
                y2_r, y2_i, y4_r, y4_i = zero, zero, zero, zero
                if mb < j // 2:
                    y2_r, y2_i = _scaled(adjoint, below + 1, (mb + 1) * norms[below + 1])
                    y4_r, y4_i = _scaled(adjoint, below, (mb + 1) * norms[below])
                store(folded, position, y1_r + y2_r)
                store(folded, position + LANES, y1_i + y2_i)
                store(folded, position + 2 * LANES, y1_r - y2_r)
                store(folded, position + 3 * LANES, y1_i - y2_i)
                store(folded, position + 4 * LANES, y3_r + y4_r)
                store(folded, position + 5 * LANES, y3_i + y4_i)
                store(folded, position + 6 * LANES, y3_r - y4_r)
                store(folded, position + 7 * LANES, y3_i - y4_i)
                position += 8 * LANES


@njit(cache=True, nogil=True, forceinline=True)
def _scaled(matrices, element, scale):
    return scale * load(matrices, element * WIDE), scale * load(matrices, element * WIDE + LANES)


@njit(cache=True, nogil=True, forceinline=True)
def _parameter_slopes(near, far, folded, source, position, count):
    """∂P_j/∂(a_r, a_i, b_r, b_i) of two neighbours from ``count`` elements of their v_{j-1} and the folded adjoint."""
    zero = broadcast(0.0)
    x_a_r, x_a_i, x_b_r, x_b_i, y_a_r, y_a_i, y_b_r, y_b_i = zero, zero, zero, zero, zero, zero, zero, zero
    s_a_r, s_a_i, s_b_r, s_b_i, t_a_r, t_a_i, t_b_r, t_b_i = zero, zero, zero, zero, zero, zero, zero, zero
    for _ in range(count):
        v_r, v_i = load(near, source), load(near, source + LANES)
        w_r, w_i = load(far, source), load(far, source + LANES)
        y = load(folded, position)
        x_a_r, s_a_r = x_a_r + v_r * y, s_a_r + w_r * y
        y = load(folded, position + LANES)
        y_a_r, t_a_r = y_a_r + v_i * y, t_a_r + w_i * y
        y = load(folded, position + 2 * LANES)
        x_a_i, s_a_i = x_a_i + v_i * y, s_a_i + w_i * y
        y = load(folded, position + 3 * LANES)
        y_a_i, t_a_i = y_a_i + v_r * y, t_a_i + w_r * y
        y = load(folded, position + 4 * LANES)
        x_b_r, s_b_r = x_b_r + v_r * y, s_b_r + w_r * y
        y = load(folded, position + 5 * LANES)
        y_b_r, t_b_r = y_b_r + v_i * y, t_b_r + w_i * y
        y = load(folded, position + 6 * LANES)
        x_b_i, s_b_i = x_b_i + v_i * y, s_b_i + w_i * y
        y = load(folded, position + 7 * LANES)
        y_b_i, t_b_i = y_b_i + v_r * y, t_b_i + w_r * y
        source += WIDE
        position += 8 * LANES
    first = (x_a_r + y_a_r, x_a_i - y_a_i, x_b_r + y_b_r, x_b_i - y_b_i)
    return first, (s_a_r + t_a_r, s_a_i - t_a_i, s_b_r + t_b_r, s_b_i - t_b_i)


@njit(cache=True, nogil=True, forceinline=True)
def _with_level(found, parameters, slopes, j):
    """P and ∂P/∂(a, b) so far, and those of level j: P_j by Euler's theorem, being of degree j in a and b."""
    value, along_a_r, along_a_i, along_b_r, along_b_i = found
    (a_r, a_i, b_r, b_i), (x_a_r, x_a_i, x_b_r, x_b_i) = parameters, slopes
    value = value + (1.0 / j) * (a_r * x_a_r + a_i * x_a_i + b_r * x_b_r + b_i * x_b_i)
    return value, along_a_r + x_a_r, along_a_i + x_a_i, along_b_r + x_b_r, along_b_i + x_b_i


@njit(cache=True, nogil=True)
def pair_gradients(gathered, slots, adjoint, twojmax, block, folded, near, far, gradients):
    """∂E/∂r_k of every neighbour: gradients[(k·3 + axis)·8 + lane].

    E = w f_c P with P = Re Y' : v.  ∂P/∂a and ∂P/∂b come from v_{j-1}, and P from them, so that the topmost v is
    never made.
    """
    zero = broadcast(0.0)
    for k in range(0, slots, 2):
        pair, next_pair = k * PAIR_NUMBERS * LANES, (k + 1) * PAIR_NUMBERS * LANES
        two_neighbours(gathered, pair, twojmax, block, near, far, near, False)
        first_parameters, second_parameters = cayley_klein(gathered, pair), cayley_klein(gathered, next_pair)
        first = (load(adjoint, 0), zero, zero, zero, zero)
        second, position = first, 0
        for j in range(1, twojmax + 1):
            count = (j // 2 + 1) * j
            one, other = _parameter_slopes(near, far, folded, block[j - 1] * WIDE, position, count)
            first = _with_level(first, first_parameters, one, j)
            second = _with_level(second, second_parameters, other, j)
            position += 8 * LANES * count
        _chain_to_positions(gathered, pair, first, gradients, k * 3 * LANES)
        _chain_to_positions(gathered, next_pair, second, gradients, (k + 1) * 3 * LANES)


@njit(cache=True, nogil=True)
def _chain_to_positions(gathered, pair, found, gradients, target):
    """∂E/∂r from P and ∂P/∂(a, b): a_r and q depend on r alone; a_i = -z q, b_r = y q, b_i = -x q."""
    value, along_a_r, along_a_i, along_b_r, along_b_i = found
    x, y, z = load(gathered, pair + X * LANES), load(gathered, pair + Y * LANES), load(gathered, pair + Z * LANES)
    q, weight = load(gathered, pair + Q * LANES), load(gathered, pair + FADE * LANES)
    along_q = y * along_b_r - x * along_b_i - z * along_a_i
    radial = load(gathered, pair + INVERSE * LANES) * (
        weight * (load(gathered, pair + A_SLOPE * LANES) * along_a_r + load(gathered, pair + Q_SLOPE * LANES) * along_q)
        + load(gathered, pair + FADE_SLOPE * LANES) * value
    )
    store(gradients, target, radial * x - weight * q * along_b_i)
    store(gradients, target + LANES, radial * y + weight * q * along_b_r)
    store(gradients, target + 2 * LANES, radial * z - weight * q * along_a_i)


@njit(cache=True, nogil=True)
def add_density_change(gathered, pair, d_x, d_y, d_z, twojmax, block, norms, v, change):
    """Add d(w f_c u_j) of eight pairs whose vectors move by d to ``change``; ``v`` holds their v_j."""
    x, y, z = load(gathered, pair + X * LANES), load(gathered, pair + Y * LANES), load(gathered, pair + Z * LANES)
    q, weight = load(gathered, pair + Q * LANES), load(gathered, pair + FADE * LANES)
    stretch = (x * d_x + y * d_y + z * d_z) * load(gathered, pair + INVERSE * LANES)
    d_q = stretch * load(gathered, pair + Q_SLOPE * LANES)
    da_r = weight * (stretch * load(gathered, pair + A_SLOPE * LANES))
    da_i = weight * (z * d_q + q * d_z) * -1.0
    db_r = weight * (y * d_q + q * d_y)
    db_i = weight * (x * d_q + q * d_x) * -1.0
    d_weight = stretch * load(gathered, pair + FADE_SLOPE * LANES)
    store(change, 0, load(change, 0) + d_weight)
    zero = broadcast(0.0)
    for j in range(1, twojmax + 1):
        for mb in range(j // 2 + 1):
            left_r, left_i, above_r, above_i = zero, zero, zero, zero
            for ma in range(j + 1):
                m = block[j] + (j + 1) * mb + ma
                here_r, here_i, next_r, next_i = zero, zero, zero, zero
                if ma < j:
                    p = (block[j - 1] + j * mb + ma) * WIDE
                    here_r, here_i = load(v, p), load(v, p + LANES)
                if ma < j and mb > 0:
                    p = (block[j - 1] + j * (mb - 1) + ma) * WIDE
                    next_r, next_i = load(v, p), load(v, p + LANES)
                s_r = (1.0 * (j - mb)) * (da_r * here_r + da_i * here_i - db_r * left_r - db_i * left_i)
                s_i = (1.0 * (j - mb)) * (da_r * here_i - da_i * here_r - db_r * left_i + db_i * left_r)
                s_r = s_r + (1.0 * mb) * (da_r * above_r - da_i * above_i + db_r * next_r - db_i * next_i)
                s_i = s_i + (1.0 * mb) * (da_r * above_i + da_i * above_r + db_r * next_i + db_i * next_r)
                s_r = s_r + d_weight * load(v, m * WIDE)
                s_i = s_i + d_weight * load(v, m * WIDE + LANES)
                left_r, left_i, above_r, above_i = here_r, here_i, next_r, next_i
                store(change, m * WIDE, load(change, m * WIDE) + norms[m] * s_r)
                store(change, m * WIDE + LANES, load(change, m * WIDE + LANES) + norms[m] * s_i)
