"""The five bispectrum components of 2J = 2, and forces from them, in closed form.

u_1/2 of a neighbour is a unit quaternion (cos θ, n sin θ), and u_1 the rotation by 2θ about n, the direction of the
neighbour.  Hence all that 2J = 2 knows of an atom's neighbours are fourteen sums over them, w their weight,

    s = 1 + Σ w      c = 1 + Σ w cos θ      p = Σ w sin θ n      v = Σ w sin 2θ n      T = Σ w (1 - cos 2θ) n nᵀ

and with S = (s - tr T) 1 + T, the symmetric part of the summed rotations, the components are (less 1, 2, 3, 3, 3)

    B_000 = s³                                    B_101 = 2 s (c² + p²)
    B_112 = (c² - p²) tr S + 4 c p·v + 2 pᵀSp     B_202 = s (S:S + 2 v²)     B_222 = 3 (det S + vᵀSv)

They are LAMMPS's numbers to the last digits: θ = rfac0 π r/R and w = ½ (1 + cos(π r/R)).

Neighbours are worked on eight at a time: block b of an atom is ``ROWS`` rows of eight numbers at ``BLOCK·b``.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, lane_sum, load, pick, square_root, store, where_less
from mechlearn.descriptors.pair_geometry_kernels import sine_cosine

#: The rows of a block of eight neighbours: the vector (x, y, z), then the direction in its place, then the gradient;
#: r and 1/r; dV/dr of what acts between the two alone; cos θ and sin θ; w and dw/dr.
ROWS = 10
BLOCK = ROWS * LANES
_X, _Y, _Z, _DISTANCE, _INVERSE, _RADIAL, _COSINE, _SINE, _WEIGHT, _SLOPE = (row * LANES for row in range(ROWS))

#: Numbers that describe the surroundings of an atom: s, c, p (3), v (3), T (xx, yy, zz, yz, xz, xy).
MOMENTS = 14


@njit(cache=True, nogil=True)
def core_slopes(blocks, count, strength, radius):
    """Vectors of all blocks into directions, and dV/dr of the core, ε (1 - r/r_core)³, of pairs that are met twice."""
    zero = broadcast(0.0)
    for b in range(0, count * BLOCK, BLOCK):
        x, y, z = load(blocks, b + _X), load(blocks, b + _Y), load(blocks, b + _Z)
        r = square_root(x * x + y * y + z * z)
        inverse = 1.0 / r
        store(blocks, b + _X, x * inverse)
        store(blocks, b + _Y, y * inverse)
        store(blocks, b + _Z, z * inverse)
        store(blocks, b + _DISTANCE, r)
        store(blocks, b + _INVERSE, inverse)
        depth = 1.0 - r * (1.0 / radius)
        depth = where_less(depth, zero, zero, depth)
        store(blocks, b + _RADIAL, (-1.5 * strength / radius) * (depth * depth))


@njit(cache=True, nogil=True)
def radial_gradients(blocks, count):
    """dV/dr n of all blocks, where nothing else acts."""
    for b in range(0, count * BLOCK, BLOCK):
        radial = load(blocks, b + _RADIAL)
        store(blocks, b + _X, radial * load(blocks, b + _X))
        store(blocks, b + _Y, radial * load(blocks, b + _Y))
        store(blocks, b + _Z, radial * load(blocks, b + _Z))


@njit(cache=True, nogil=True)
def angles_and_weights(blocks, count, cutoff, rfac0):
    """cos θ, sin θ, w and dw/dr of all blocks."""
    scale = np.pi / cutoff
    for b in range(0, count * BLOCK, BLOCK):
        r = load(blocks, b + _DISTANCE)
        sine, cosine = sine_cosine(r * (rfac0 * scale))
        store(blocks, b + _COSINE, cosine)
        store(blocks, b + _SINE, sine)
        sine, cosine = sine_cosine(r * scale)
        store(blocks, b + _WEIGHT, 0.5 + 0.5 * cosine)
        store(blocks, b + _SLOPE, (-0.5 * scale) * sine)


@njit(cache=True, nogil=True)
def density_moments(blocks, first, stride, moments):
    """The fourteen sums over the neighbours of each atom; number m of atom i is at ``m · stride + i``."""
    zero = broadcast(0.0)
    for i in range(first.shape[0] - 1):
        s, c, p_x, p_y, p_z, v_x, v_y, v_z = zero, zero, zero, zero, zero, zero, zero, zero
        t_xx, t_yy, t_zz, t_yz, t_xz, t_xy = zero, zero, zero, zero, zero, zero
        for b in range(first[i] * BLOCK, first[i + 1] * BLOCK, BLOCK):
            x, y, z = load(blocks, b + _X), load(blocks, b + _Y), load(blocks, b + _Z)
            cosine, sine, weight = load(blocks, b + _COSINE), load(blocks, b + _SINE), load(blocks, b + _WEIGHT)
            once = weight * sine
            twice, square = 2.0 * once * cosine, 2.0 * once * sine
            s, c = s + weight, c + weight * cosine
            p_x, p_y, p_z = p_x + once * x, p_y + once * y, p_z + once * z
            v_x, v_y, v_z = v_x + twice * x, v_y + twice * y, v_z + twice * z
            along_x, along_y, along_z = square * x, square * y, square * z
            t_xx, t_yy, t_zz = t_xx + along_x * x, t_yy + along_y * y, t_zz + along_z * z
            t_yz, t_xz, t_xy = t_yz + along_y * z, t_xz + along_x * z, t_xy + along_x * y
        moments[i], moments[stride + i] = 1.0 + lane_sum(s), 1.0 + lane_sum(c)
        moments[2 * stride + i], moments[3 * stride + i] = lane_sum(p_x), lane_sum(p_y)
        moments[4 * stride + i], moments[5 * stride + i] = lane_sum(p_z), lane_sum(v_x)
        moments[6 * stride + i], moments[7 * stride + i] = lane_sum(v_y), lane_sum(v_z)
        moments[8 * stride + i], moments[9 * stride + i] = lane_sum(t_xx), lane_sum(t_yy)
        moments[10 * stride + i], moments[11 * stride + i] = lane_sum(t_zz), lane_sum(t_yz)
        moments[12 * stride + i], moments[13 * stride + i] = lane_sum(t_xz), lane_sum(t_xy)


@njit(cache=True, nogil=True)
def _of_eight_atoms(moments, stride, i):
    """s, c, p, v and S (xx, yy, zz, yz, xz, xy) of the atoms from i on."""
    s, c = load(moments, i), load(moments, stride + i)
    p = load(moments, 2 * stride + i), load(moments, 3 * stride + i), load(moments, 4 * stride + i)
    v = load(moments, 5 * stride + i), load(moments, 6 * stride + i), load(moments, 7 * stride + i)
    t_xx, t_yy, t_zz = load(moments, 8 * stride + i), load(moments, 9 * stride + i), load(moments, 10 * stride + i)
    rest = s - (t_xx + t_yy + t_zz)
    off_diagonal = load(moments, 11 * stride + i), load(moments, 12 * stride + i), load(moments, 13 * stride + i)
    return s, c, p, v, (rest + t_xx, rest + t_yy, rest + t_zz, *off_diagonal)


@njit(cache=True, nogil=True)
def _dot(left, right):
    """The scalar product of two vectors."""
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]


@njit(cache=True, nogil=True)
def _times(matrix, vector):
    """A symmetric matrix (xx, yy, zz, yz, xz, xy) times a vector."""
    xx, yy, zz, yz, xz, xy = matrix
    x, y, z = vector
    return xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z


@njit(cache=True, nogil=True)
def _cofactors(matrix):
    """The cofactors of a symmetric matrix: cof S · S = det S."""
    xx, yy, zz, yz, xz, xy = matrix
    diagonal = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
    return (*diagonal, xy * xz - xx * yz, xy * yz - yy * xz, xz * yz - zz * xy)


@njit(cache=True, nogil=True)
def _contracted(left, right):
    """Σ_ab L_ab R_ab of two symmetric matrices."""
    diagonal = left[0] * right[0] + left[1] * right[1] + left[2] * right[2]
    return diagonal + 2.0 * (left[3] * right[3] + left[4] * right[4] + left[5] * right[5])


@njit(cache=True, nogil=True)
def components_of_moments(moments, stride, components):
    """The five components of every atom; component l of atom i is at ``l · stride + i``."""
    for i in range(0, stride, LANES):
        s, c, p, v, S = _of_eight_atoms(moments, stride, i)
        p2, v2 = _dot(p, p), _dot(v, v)
        trace, determinant = S[0] + S[1] + S[2], _contracted(_cofactors(S), S) * (1 / 3)
        store(components, i, s * s * s - 1.0)
        store(components, stride + i, 2.0 * s * (c * c + p2) - 2.0)
        mixed = (c * c - p2) * trace + 4.0 * c * _dot(p, v) + 2.0 * _dot(p, _times(S, p))
        store(components, 2 * stride + i, mixed - 3.0)
        store(components, 3 * stride + i, s * (_contracted(S, S) + 2.0 * v2) - 3.0)
        store(components, 4 * stride + i, 3.0 * (determinant + _dot(v, _times(S, v))) - 3.0)


@njit(cache=True, nogil=True)
def adjoint_of_moments(moments, stride, gradient, adjoint):
    """∂E/∂(s, c, p, v, T) of every atom from ∂E/∂B, all arranged as the moments are.

    ∂E/∂S = g2 ((c² - p²) 1 + 2 p pᵀ) + 2 g3 s S + 3 g4 (cof S + v vᵀ), and S = (s - tr T) 1 + T.
    """
    for i in range(0, stride, LANES):
        s, c, p, v, S = _of_eight_atoms(moments, stride, i)
        g0, g1, g2 = load(gradient, i), load(gradient, stride + i), load(gradient, 2 * stride + i)
        g3, g4 = load(gradient, 3 * stride + i), load(gradient, 4 * stride + i)
        p2, v2, trace = _dot(p, p), _dot(v, v), S[0] + S[1] + S[2]
        sp, sv, cofactors = _times(S, p), _times(S, v), _cofactors(S)
        isotropic, along_pp, along_s, along_vv = g2 * (c * c - p2), 2.0 * g2, 2.0 * g3 * s, 3.0 * g4
        d_xx = isotropic + along_pp * p[0] * p[0] + along_s * S[0] + along_vv * (cofactors[0] + v[0] * v[0])
        d_yy = isotropic + along_pp * p[1] * p[1] + along_s * S[1] + along_vv * (cofactors[1] + v[1] * v[1])
        d_zz = isotropic + along_pp * p[2] * p[2] + along_s * S[2] + along_vv * (cofactors[2] + v[2] * v[2])
        d_yz = along_pp * p[1] * p[2] + along_s * S[3] + along_vv * (cofactors[3] + v[1] * v[2])
        d_xz = along_pp * p[0] * p[2] + along_s * S[4] + along_vv * (cofactors[4] + v[0] * v[2])
        d_xy = along_pp * p[0] * p[1] + along_s * S[5] + along_vv * (cofactors[5] + v[0] * v[1])
        d_trace = d_xx + d_yy + d_zz
        along_p, mixed, along_v = 4.0 * g1 * s - 2.0 * g2 * trace, 4.0 * g2, 4.0 * g3 * s
        of_s = 3.0 * g0 * s * s + 2.0 * g1 * (c * c + p2) + g3 * (_contracted(S, S) + 2.0 * v2)
        store(adjoint, i, of_s + d_trace)
        store(adjoint, stride + i, 4.0 * g1 * s * c + g2 * (2.0 * c * trace + 4.0 * _dot(p, v)))
        for axis in range(3):
            of_p = along_p * p[axis] + mixed * (c * v[axis] + sp[axis])
            of_v = along_v * v[axis] + mixed * c * p[axis] + 2.0 * along_vv * sv[axis]
            store(adjoint, (2 + axis) * stride + i, of_p)
            store(adjoint, (5 + axis) * stride + i, of_v)
        store(adjoint, 8 * stride + i, d_xx - d_trace)
        store(adjoint, 9 * stride + i, d_yy - d_trace)
        store(adjoint, 10 * stride + i, d_zz - d_trace)
        store(adjoint, 11 * stride + i, d_yz)
        store(adjoint, 12 * stride + i, d_xz)
        store(adjoint, 13 * stride + i, d_xy)


@njit(cache=True, nogil=True)
def _of_one_atom(adjoint, stride, i):
    """The adjoint of one atom, the same for all of its neighbours: A, C, P, V and T."""
    a, c = broadcast(adjoint[i]), broadcast(adjoint[stride + i])
    p = broadcast(adjoint[2 * stride + i]), broadcast(adjoint[3 * stride + i]), broadcast(adjoint[4 * stride + i])
    v = broadcast(adjoint[5 * stride + i]), broadcast(adjoint[6 * stride + i]), broadcast(adjoint[7 * stride + i])
    diagonal = (
        broadcast(adjoint[8 * stride + i]),
        broadcast(adjoint[9 * stride + i]),
        broadcast(adjoint[10 * stride + i]),
    )
    t_yz, t_xz = broadcast(adjoint[11 * stride + i]), broadcast(adjoint[12 * stride + i])
    return a, c, p, v, (*diagonal, t_yz, t_xz, broadcast(adjoint[13 * stride + i]))


@njit(cache=True, nogil=True)
def pair_gradients(blocks, first, adjoint, stride, turn):
    """∂E/∂r of all neighbours, into the rows of their directions; ``turn`` is dθ/dr.

    A neighbour's share of E is w (A + C cos θ + P·n sin θ + V·n sin 2θ + nᵀTn (1 - cos 2θ)), A to T the adjoint.
    Its derivative along n goes by w and θ, the one across n by n alone.
    """
    for i in range(first.shape[0] - 1):
        A, C, P, V, T = _of_one_atom(adjoint, stride, i)
        for b in range(first[i] * BLOCK, first[i + 1] * BLOCK, BLOCK):
            n = load(blocks, b + _X), load(blocks, b + _Y), load(blocks, b + _Z)
            cosine, sine, weight = load(blocks, b + _COSINE), load(blocks, b + _SINE), load(blocks, b + _WEIGHT)
            sine_2, square = 2.0 * sine * cosine, 2.0 * sine * sine
            tn = _times(T, n)
            pn, vn, ntn = _dot(P, n), _dot(V, n), _dot(tn, n)
            radial = (
                load(blocks, b + _RADIAL)
                + load(blocks, b + _SLOPE) * (A + C * cosine + pn * sine + vn * sine_2 + ntn * square)
                + turn * weight * (pn * cosine - C * sine + 2.0 * (vn * (1.0 - square) + ntn * sine_2))
            )
            across = weight * load(blocks, b + _INVERSE)
            along_p, along_v, along_t = across * sine, across * sine_2, 2.0 * across * square
            along_n = radial - along_p * pn - along_v * vn - along_t * ntn
            for axis in range(3):
                slope = along_n * n[axis] + along_p * P[axis] + along_v * V[axis] + along_t * tn[axis]
                store(blocks, b + axis * LANES, slope)


@njit(cache=True, nogil=True)
def add_gradients(blocks, first, found, near, owner, forces):
    """f_i += g and f_k -= g for the neighbours k of every atom i."""
    for i in range(found.shape[0]):
        total_x, total_y, total_z = 0.0, 0.0, 0.0
        for n in range(LANES * first[i], LANES * first[i] + found[i]):
            place, k = (n >> 3) * BLOCK + (n & 7), pick(owner, pick(near, n))
            g_x, g_y, g_z = pick(blocks, place + _X), pick(blocks, place + _Y), pick(blocks, place + _Z)
            forces[k, 0] -= g_x
            forces[k, 1] -= g_y
            forces[k, 2] -= g_z
            total_x, total_y, total_z = total_x + g_x, total_y + g_y, total_z + g_z
        forces[i, 0] += total_x
        forces[i, 1] += total_y
        forces[i, 2] += total_z
