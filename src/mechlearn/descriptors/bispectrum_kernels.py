"""The bispectrum and its derivatives, eight atoms at a time.

    u_j        Wigner matrices of one neighbour, polynomials in Cayley–Klein parameters a, b    ``wigner_matrices``
    U_j      = w_self·1 + Σ_k w_k f_c(r_k) u_j(r_k)                                             ``density_matrices``
    Z        = U_j1 ⊗ U_j2 (Clebsch–Gordan product)                                             ``product_element``
    B        = U_j* : Z                                                                         ``bispectrum``
    Y_j      = Σ g ∂B/∂U_j*, the adjoint; one for each atom, whatever its neighbours            ``adjoint_matrices``
    ∂E/∂r_k  = 2 Re Y : ∂(w f_c u)/∂r_k                                                         ``pair_gradients``

Matrix element ``m`` of eight atoms is 16 doubles at ``16·m``: eight real parts, then eight imaginary parts.
The geometry of a neighbour is ten numbers a lane, see ``pair_geometry``.

Source: Bartók et al., Phys. Rev. B 87, 184115 (2013); Thompson et al., J. Comput. Phys. 285, 316 (2015).  The
derivative of u_j needs no recursion of its own: u_j is the symmetric power of a 2 × 2 matrix, hence
∂u_j/∂a* = √((j-ma)(j-mb)) u_{j-1}[mb, ma], and likewise for b*, b and a.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, load, store

#: Doubles of one matrix element for all lanes: real parts, then imaginary parts.
WIDE = 2 * LANES

#: Numbers that describe one pair, in this order: a_r, q, w·f_c, da_r/dr, dq/dr, d(w f_c)/dr, x, y, z, 1/r.
PAIR_NUMBERS = 10

_HALF_PI = np.pi / 2


@njit(cache=True, nogil=True, inline="always")
def _sine_cosine(angle):
    """Sine and cosine of an angle in [0, π] by Taylor series about π/2: no branch, so that the loop vectorises.

    The first term left out is (π/2)^23/23! = 1e-18.
    """
    y = angle - _HALF_PI
    s = y * y
    cosine_y = 1 + s * (-1 / 2 + s * (1 / 24 + s * (-1 / 720 + s * (1 / 40320 + s * (-1 / 3628800 + s * (
        1 / 479001600 + s * (-1 / 87178291200 + s * (1 / 20922789888000 + s * (
            -1 / 6402373705728000 + s * (1 / 2432902008176640000 - s / 1.1240007277776077e21))))))))))  # fmt: skip
    sine_y = y * (1 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s * (1 / 362880 + s * (-1 / 39916800 + s * (
        1 / 6227020800 + s * (-1 / 1307674368000 + s * (1 / 355687428096000 + s * (
            -1 / 121645100408832000 + s * (1 / 51090942171709440000)))))))))))  # fmt: skip
    return cosine_y, -sine_y


@njit(cache=True, nogil=True)
def pair_geometry(vectors, distances, reach, weight, rfac0, rmin0, switch, geometry):
    """Fill ``geometry`` (10, pairs) with what the kernels need of each pair.

    With θ = (r - rmin0) rfac0 π/(R - rmin0), point r on the 3-sphere has the Cayley–Klein parameters
    a = cos θ - i z q and b = q (y - i x), q = sin θ / r; the switching function is
    f_c = ½ (1 + cos(π (r - rmin0)/(R - rmin0))).
    """
    for p in range(distances.shape[0]):
        r = distances[p]
        inverse = 1.0 / r
        # Beyond its own reach (elements may differ) a pair counts nothing, and the angle stays in range.
        inside = 1.0 if r < reach[p] else 0.0
        scale = np.pi / (reach[p] - rmin0)
        phase = min(max((r - rmin0) * scale, 0.0), np.pi)
        sine, cosine = _sine_cosine(phase * rfac0)
        switch_sine, switch_cosine = _sine_cosine(phase)
        slope = rfac0 * scale
        smooth = switch if r > rmin0 else 0.0
        geometry[0, p] = cosine
        geometry[1, p] = sine * inverse
        geometry[2, p] = inside * weight[p] * (1.0 - smooth * 0.5 * (1.0 - switch_cosine))
        geometry[3, p] = -slope * sine
        geometry[4, p] = (slope * cosine - sine * inverse) * inverse
        geometry[5, p] = -inside * weight[p] * smooth * 0.5 * switch_sine * scale
        geometry[6, p] = vectors[p, 0]
        geometry[7, p] = vectors[p, 1]
        geometry[8, p] = vectors[p, 2]
        geometry[9, p] = inverse


@njit(cache=True, nogil=True)
def gather_pairs(atoms, starts, geometry, rows, gathered):
    """Lay the first ``rows`` numbers of the pairs of eight atoms side by side: gathered[(k·rows + n)·8 + lane].

    Returns the largest number of neighbours.  A lane with fewer is filled up with pairs of weight zero.
    """
    slots = 0
    for lane in range(LANES):
        slots = max(slots, starts[atoms[lane] + 1] - starts[atoms[lane]])
    for lane in range(LANES):
        first = starts[atoms[lane]]
        count = starts[atoms[lane] + 1] - first
        for k in range(count):
            for n in range(rows):
                gathered[(k * rows + n) * LANES + lane] = geometry[n, first + k]
        for k in range(count, slots):
            for n in range(rows):
                gathered[(k * rows + n) * LANES + lane] = 0.0
    return slots


@njit(cache=True, nogil=True)
def wigner_matrices(a_r, a_i, b_r, b_i, levels, block, roots, u):
    """u_j of one neighbour for j < ``levels``: rows 2·mb ≤ j, and one row more where j is odd.

    u_j[mb, ma] = (√(j-ma) a* u_{j-1}[mb, ma] - √ma b* u_{j-1}[mb, ma-1]) / √(j-mb).
    """
    zero = broadcast(0.0)
    store(u, 0, broadcast(1.0))
    store(u, LANES, zero)
    for j in range(1, levels):
        for mb in range(j // 2 + 1):
            source = (block[j - 1] + j * mb) * WIDE
            target = (block[j] + (j + 1) * mb) * WIDE
            inverse = 1.0 / roots[j - mb]
            left_r, left_i = zero, zero
            for ma in range(j):
                u_r, u_i = load(u, source), load(u, source + LANES)
                this = roots[j - ma] * inverse
                last = roots[ma] * inverse
                store(u, target, this * (a_r * u_r + a_i * u_i) - last * (b_r * left_r + b_i * left_i))
                store(u, target + LANES, this * (a_r * u_i - a_i * u_r) - last * (b_r * left_i - b_i * left_r))
                left_r, left_i = u_r, u_i
                source += WIDE
                target += WIDE
            last = roots[j] * inverse
            store(u, target, zero - last * (b_r * left_r + b_i * left_i))
            store(u, target + LANES, zero - last * (b_r * left_i - b_i * left_r))
        if j % 2 == 1:
            mirror_row(u, block[j], j, j // 2)


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
def cayley_klein(gathered, offset):
    """a = cos θ - i z q, b = q (y - i x) of eight pairs, from rows 0, 1, 6, 7, 8 of their geometry."""
    a_r = load(gathered, offset)
    q = load(gathered, offset + LANES)
    a_i = load(gathered, offset + 8 * LANES) * q * -1.0
    b_r = load(gathered, offset + 7 * LANES) * q
    b_i = load(gathered, offset + 6 * LANES) * q * -1.0
    return a_r, a_i, b_r, b_i


@njit(cache=True, nogil=True)
def density_matrices(gathered, slots, self_weight, twojmax, block, roots, u, total):
    """U_j = w_self·1 + Σ_k w f_c u_j, all rows."""
    zero = broadcast(0.0)
    for m in range(block[twojmax + 1]):
        store(total, m * WIDE, zero)
        store(total, m * WIDE + LANES, zero)
    for j in range(twojmax + 1):
        for mb in range(j // 2 + 1):
            store(total, (block[j] + (j + 2) * mb) * WIDE, broadcast(self_weight))
    for k in range(slots):
        offset = k * PAIR_NUMBERS * LANES
        a_r, a_i, b_r, b_i = cayley_klein(gathered, offset)
        wigner_matrices(a_r, a_i, b_r, b_i, twojmax + 1, block, roots, u)
        weight = load(gathered, offset + 2 * LANES)
        for j in range(twojmax + 1):
            start = block[j] * WIDE
            stop = start + (j // 2 + 1) * (j + 1) * WIDE
            for n in range(start, stop, LANES):
                store(total, n, load(total, n) + weight * load(u, n))
    fill_mirror(total, twojmax, block)


@njit(cache=True, nogil=True)
def fill_mirror(total, twojmax, block):
    """The rows below the middle, from those above it."""
    for j in range(1, twojmax + 1):
        for mb in range((j + 1) // 2):
            mirror_row(total, block[j], j, mb)


@njit(cache=True, nogil=True)
def product_element(total, coefficients, start, first, second, j1, j2, j, mb, ma):
    """Z[mb, ma] = Σ_mb1 C(mb1) Σ_ma1 C(ma1) U_j1[mb1, ma1] U_j2[mb2, ma2], with ma1 + ma2 and mb1 + mb2 fixed."""
    half = (j1 + j2 - j) // 2
    row_sum = mb + half
    column_sum = ma + half
    row_low, row_high = max(0, row_sum - j2), min(j1, row_sum)
    column_low, column_high = max(0, column_sum - j2), min(j1, column_sum)
    z_r, z_i = broadcast(0.0), broadcast(0.0)
    for mb1 in range(row_low, row_high + 1):
        inner_r, inner_i = broadcast(0.0), broadcast(0.0)
        mb2 = row_sum - mb1
        p1 = (first + (j1 + 1) * mb1 + column_low) * WIDE
        p2 = (second + (j2 + 1) * mb2 + column_sum - column_low) * WIDE
        c = start + column_low * (j2 + 1) + column_sum - column_low
        for _ in range(column_low, column_high + 1):
            x_r, x_i = load(total, p1), load(total, p1 + LANES)
            y_r, y_i = load(total, p2), load(total, p2 + LANES)
            x_r = coefficients[c] * x_r
            x_i = coefficients[c] * x_i
            inner_r = inner_r + x_r * y_r - x_i * y_i
            inner_i = inner_i + x_r * y_i + x_i * y_r
            p1 += WIDE
            p2 -= WIDE
            c += j2
        weight = coefficients[start + mb1 * (j2 + 1) + mb2]
        z_r = z_r + weight * inner_r
        z_i = z_i + weight * inner_i
    return z_r, z_i


@njit(cache=True, nogil=True)
def contracted_products(total, with_matrices, derivative, block, half_weights, triples, factors, coefficients, out):
    """out_l = 2 Σ_half weight (V* : Z): with V = U the bispectrum, with V = dU its change along dU.

    For the bispectrum itself each component is one product (j ≥ j1); for its change all three of its matrices
    move, which is the list of all products with their multiplicities.
    """
    zero = broadcast(0.0)
    for n in range(0, out.shape[0], LANES):
        store(out, n, zero)
    for t in range(triples.shape[0]):
        j1, j2, j, component, start = triples[t, 0], triples[t, 1], triples[t, 2], triples[t, 3], triples[t, 4]
        if not derivative and j < j1:
            continue
        total_sum = zero
        for mb in range(j // 2 + 1):
            for ma in range(mb + 1 if 2 * mb == j else j + 1):
                z_r, z_i = product_element(total, coefficients, start, block[j1], block[j2], j1, j2, j, mb, ma)
                m = block[j] + (j + 1) * mb + ma
                v_r, v_i = load(with_matrices, m * WIDE), load(with_matrices, m * WIDE + LANES)
                total_sum = total_sum + half_weights[m] * (v_r * z_r + v_i * z_i)
        factor = 2.0 * factors[t] if derivative else 2.0
        store(out, component * LANES, load(out, component * LANES) + factor * total_sum)


@njit(cache=True, nogil=True)
def adjoint_matrices(total, gradient, block, half_weights, triples, factors, coefficients, adjoint):
    """Y_j[m] = 2 · weight_m · Σ_t g_l(t) factor_t Z_t[m], on the summed half of each matrix."""
    zero = broadcast(0.0)
    for n in range(0, adjoint.shape[0], LANES):
        store(adjoint, n, zero)
    for t in range(triples.shape[0]):
        j1, j2, j, component, start = triples[t, 0], triples[t, 1], triples[t, 2], triples[t, 3], triples[t, 4]
        scale = (2.0 * factors[t]) * load(gradient, component * LANES)
        for mb in range(j // 2 + 1):
            for ma in range(mb + 1 if 2 * mb == j else j + 1):
                z_r, z_i = product_element(total, coefficients, start, block[j1], block[j2], j1, j2, j, mb, ma)
                m = block[j] + (j + 1) * mb + ma
                weighted = half_weights[m] * scale
                store(adjoint, m * WIDE, load(adjoint, m * WIDE) + weighted * z_r)
                store(adjoint, m * WIDE + LANES, load(adjoint, m * WIDE + LANES) + weighted * z_i)


@njit(cache=True, nogil=True)
def parameter_adjoint(adjoint, twojmax, block, roots, folded):
    """Fold Y into what multiplies u_{j-1} in ∂E/∂a and ∂E/∂b: eight vectors an element, made once an atom.

    With Y₁ = √((j-ma)(j-mb)) Y_j[mb, ma] and Y₂ = √((ma+1)(mb+1)) Y_j[mb+1, ma+1] the sums Y₁ ± Y₂ serve a_r and
    a_i; the same with Y_j[mb, ma+1] (negative) and Y_j[mb+1, ma] serve b_r and b_i.
    """
    zero = broadcast(0.0)
    position = 0
    for j in range(1, twojmax + 1):
        rows = j // 2
        for mb in range(rows + 1):
            for ma in range(j):
                here = (block[j] + (j + 1) * mb + ma) * WIDE
                below = here + (j + 1) * WIDE
                c1 = roots[j - ma] * roots[j - mb]
                c2 = roots[ma + 1] * roots[mb + 1] if mb < rows else 0.0
                c3 = -roots[ma + 1] * roots[j - mb]
                c4 = roots[j - ma] * roots[mb + 1] if mb < rows else 0.0
                y1_r, y1_i = c1 * load(adjoint, here), c1 * load(adjoint, here + LANES)
                y3_r, y3_i = c3 * load(adjoint, here + WIDE), c3 * load(adjoint, here + WIDE + LANES)
                y2_r, y2_i, y4_r, y4_i = zero, zero, zero, zero
                if mb < rows:
                    y2_r, y2_i = c2 * load(adjoint, below + WIDE), c2 * load(adjoint, below + WIDE + LANES)
                    y4_r, y4_i = c4 * load(adjoint, below), c4 * load(adjoint, below + LANES)
                store(folded, position, y1_r + y2_r)
                store(folded, position + LANES, y1_i + y2_i)
                store(folded, position + 2 * LANES, y1_r - y2_r)
                store(folded, position + 3 * LANES, y1_i - y2_i)
                store(folded, position + 4 * LANES, y3_r + y4_r)
                store(folded, position + 5 * LANES, y3_i + y4_i)
                store(folded, position + 6 * LANES, y3_r - y4_r)
                store(folded, position + 7 * LANES, y3_i - y4_i)
                position += 8 * LANES


@njit(cache=True, nogil=True)
def pair_gradients(gathered, slots, adjoint, twojmax, block, roots, folded, u, gradients):
    """∂E/∂r_k of every neighbour: gradients[(k·3 + axis)·8 + lane].

    E = w f_c P with P = Re Y : u.  ∂P/∂a and ∂P/∂b come from u_{j-1}; P itself by Euler's theorem, as u_j is
    homogeneous of degree j in (a, b), so that the topmost u is never made.
    """
    zero = broadcast(0.0)
    for k in range(slots):
        offset = k * PAIR_NUMBERS * LANES
        a_r, a_i, b_r, b_i = cayley_klein(gathered, offset)
        wigner_matrices(a_r, a_i, b_r, b_i, twojmax, block, roots, u)
        along_a_r, along_a_i, along_b_r, along_b_i = zero, zero, zero, zero
        value = load(adjoint, 0)
        position = 0
        for j in range(1, twojmax + 1):
            x_a_r, x_a_i, x_b_r, x_b_i = zero, zero, zero, zero
            source = block[j - 1] * WIDE
            for _ in range((j // 2 + 1) * j):
                u_r, u_i = load(u, source), load(u, source + LANES)
                x_a_r = x_a_r + u_r * load(folded, position) + u_i * load(folded, position + LANES)
                x_a_i = x_a_i + u_i * load(folded, position + 2 * LANES) - u_r * load(folded, position + 3 * LANES)
                x_b_r = x_b_r + u_r * load(folded, position + 4 * LANES) + u_i * load(folded, position + 5 * LANES)
                x_b_i = x_b_i + u_i * load(folded, position + 6 * LANES) - u_r * load(folded, position + 7 * LANES)
                source += WIDE
                position += 8 * LANES
            value = value + (1.0 / j) * (a_r * x_a_r + a_i * x_a_i + b_r * x_b_r + b_i * x_b_i)
            along_a_r, along_a_i = along_a_r + x_a_r, along_a_i + x_a_i
            along_b_r, along_b_i = along_b_r + x_b_r, along_b_i + x_b_i
        chain_to_positions(
            gathered, offset, value, along_a_r, along_a_i, along_b_r, along_b_i, gradients, k * 3 * LANES
        )


@njit(cache=True, nogil=True)
def chain_to_positions(gathered, offset, value, along_a_r, along_a_i, along_b_r, along_b_i, gradients, target):
    """∂E/∂r from ∂P/∂(a, b) and P: a_r and q depend on r alone; a_i = -z q, b_r = y q, b_i = -x q."""
    q = load(gathered, offset + LANES)
    weight = load(gathered, offset + 2 * LANES)
    x, y, z = (
        load(gathered, offset + 6 * LANES),
        load(gathered, offset + 7 * LANES),
        load(gathered, offset + 8 * LANES),
    )
    inverse = load(gathered, offset + 9 * LANES)
    along_q = y * along_b_r - x * along_b_i - z * along_a_i
    radial = inverse * (
        weight * (load(gathered, offset + 3 * LANES) * along_a_r + load(gathered, offset + 4 * LANES) * along_q)
        + load(gathered, offset + 5 * LANES) * value
    )
    store(gradients, target, radial * x - weight * q * along_b_i)
    store(gradients, target + LANES, radial * y + weight * q * along_b_r)
    store(gradients, target + 2 * LANES, radial * z - weight * q * along_a_i)


@njit(cache=True, nogil=True)
def add_density_change(gathered, offset, v_x, v_y, v_z, twojmax, block, roots, u, change):
    """Add d(w f_c u_j) of eight pairs whose vectors move by v to ``change``; ``u`` holds their u_j."""
    inverse = load(gathered, offset + 9 * LANES)
    q = load(gathered, offset + LANES)
    weight = load(gathered, offset + 2 * LANES)
    x, y, z = (
        load(gathered, offset + 6 * LANES),
        load(gathered, offset + 7 * LANES),
        load(gathered, offset + 8 * LANES),
    )
    stretch = (x * v_x + y * v_y + z * v_z) * inverse
    d_q = stretch * load(gathered, offset + 4 * LANES)
    da_r = weight * (stretch * load(gathered, offset + 3 * LANES))
    da_i = weight * (z * d_q + q * v_z) * -1.0
    db_r = weight * (y * d_q + q * v_y)
    db_i = weight * (x * d_q + q * v_x) * -1.0
    d_weight = stretch * load(gathered, offset + 5 * LANES)
    store(change, 0, load(change, 0) + d_weight)
    zero = broadcast(0.0)
    for j in range(1, twojmax + 1):
        for mb in range(j // 2 + 1):
            last_r, last_i, above_r, above_i = zero, zero, zero, zero
            for ma in range(j + 1):
                m = (block[j] + (j + 1) * mb + ma) * WIDE
                s_r, s_i = d_weight * load(u, m), d_weight * load(u, m + LANES)
                if ma < j:
                    # ∂/∂a* and ∂/∂b, from column ma of u_{j-1}
                    p = (block[j - 1] + j * mb + ma) * WIDE
                    u_r, u_i = load(u, p), load(u, p + LANES)
                    c = roots[j - ma] * roots[j - mb]
                    s_r = s_r + c * (da_r * u_r + da_i * u_i)
                    s_i = s_i + c * (da_r * u_i - da_i * u_r)
                else:
                    u_r, u_i = zero, zero
                c = roots[ma] * roots[j - mb]
                s_r = s_r - c * (db_r * last_r + db_i * last_i)
                s_i = s_i - c * (db_r * last_i - db_i * last_r)
                last_r, last_i = u_r, u_i
                if mb > 0:
                    if ma < j:
                        p = (block[j - 1] + j * (mb - 1) + ma) * WIDE
                        u_r, u_i = load(u, p), load(u, p + LANES)
                        c = roots[j - ma] * roots[mb]
                        s_r = s_r + c * (db_r * u_r - db_i * u_i)
                        s_i = s_i + c * (db_r * u_i + db_i * u_r)
                    else:
                        u_r, u_i = zero, zero
                    c = roots[ma] * roots[mb]
                    s_r = s_r + c * (da_r * above_r - da_i * above_i)
                    s_i = s_i + c * (da_r * above_i + da_i * above_r)
                    above_r, above_i = u_r, u_i
                store(change, m, load(change, m) + s_r)
                store(change, m + LANES, load(change, m + LANES) + s_i)
