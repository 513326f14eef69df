"""The bispectrum and its pullback as a chain of tensor operations on the atoms of one chunk.

    v          polynomials of rotations of every neighbour, a product of two terms a level       ``wigner_polynomials``
    V          = 1 + Σ_k w_k f_c(r_k) v(r_k)                                                     ``densities``
    F_j        = V_j · transform_j, real numbers at the points of the 3-sphere                   ``bands``
    B          = (j + 1) Σ_points F_j1 F_j2 F_j                                                  ``bispectrum``
    Y_j        = ∂E/∂V_j = ∂E/∂F_j · transform_jᵀ                                                ``adjoint``
    ∂E/∂r_k    from ∂v_j/∂(a, b), which is v_{j-1}                                               ``pair_gradients``

Atoms come first, neighbours last: (atoms, elements, neighbours), with pairs of weight zero where an atom has fewer
neighbours than others.  Every step is a matrix product, a batch of them or one elementwise operation, with no loop
but that over levels, and no sum whose order depends on the machine's timing.  See ``torch_tables`` for the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import torch
from jaxtyping import Complex, Float, Int

from mechlearn.descriptors.torch_tables import EnergySlope, torch_tables


@dataclass(frozen=True, eq=False)
class DeviceTables:
    """``TorchTables`` as tensors on a device, in the working precision."""

    starts: tuple[int, ...]
    identity: Float[torch.Tensor, " elements"]
    transforms: tuple[Float[torch.Tensor, "_ points"], ...]
    bands: tuple[int, ...]
    component: Int[torch.Tensor, " features"]
    scale: Float[torch.Tensor, " features"]
    even: DeviceSlope
    odd: DeviceSlope
    source: Int[torch.Tensor, "4 lower"]
    source_factor: Float[torch.Tensor, "4 lower"]
    level: Float[torch.Tensor, " lower"]


@dataclass(frozen=True, eq=False)
class DeviceSlope:
    """``EnergySlope`` as tensors on a device."""

    runs: tuple[tuple[int, int, int], ...]
    component: Int[torch.Tensor, "bands products"]
    factor: Float[torch.Tensor, "bands products"]


@lru_cache
def device_tables(twojmax: int, device: torch.device, real: torch.dtype) -> DeviceTables:
    """Bring the tables for one ``twojmax`` to a device, once."""
    tables = torch_tables(twojmax)

    def numbers(array: object) -> torch.Tensor:
        return torch.as_tensor(array, dtype=real, device=device)

    def indices(array: object) -> torch.Tensor:
        return torch.as_tensor(array, device=device)

    def slope(of: EnergySlope) -> DeviceSlope:
        return DeviceSlope(of.runs, indices(of.component), numbers(of.factor))

    return DeviceTables(
        starts=tuple(tables.starts.tolist()),
        identity=numbers(tables.identity),
        transforms=tuple(numbers(transform) for transform in tables.transforms),
        bands=tables.bands,
        component=indices(tables.component),
        scale=numbers(tables.scale),
        even=slope(tables.even),
        odd=slope(tables.odd),
        source=indices(tables.source),
        source_factor=numbers(tables.source_factor),
        level=numbers(tables.level),
    )


@dataclass(frozen=True, eq=False)
class PairShape:
    """How a distance becomes an angle on the 3-sphere and a weight: the bispectrum's parameters.

    Attributes
    ----------
    rfac0, rmin0
        θ = rfac0 · π (r - rmin0)/(R - rmin0).
    switch
        Whether neighbours fade out at R.
    """

    rfac0: float
    rmin0: float
    switch: bool


@dataclass(frozen=True, eq=False)
class PairGeometry:
    """Neighbours as points on the 3-sphere, a = cos θ - i z q and b = q (y - i x) with q = sin θ/r.

    Attributes
    ----------
    a, b : (atoms, neighbours)
        Cayley–Klein parameters.
    weight : (atoms, neighbours)
        w f_c.
    q : (atoms, neighbours)
        sin θ/r, 1/Å.
    cosine_slope, q_slope, weight_slope : (atoms, neighbours)
        d cos θ/dr, dq/dr, d(w f_c)/dr.
    directions : (atoms, neighbours, 3)
        r/|r|.
    distances : (atoms, neighbours)
        |r|, Å.
    """

    a: Complex[torch.Tensor, "atoms neighbours"]
    b: Complex[torch.Tensor, "atoms neighbours"]
    weight: Float[torch.Tensor, "atoms neighbours"]
    q: Float[torch.Tensor, "atoms neighbours"]
    cosine_slope: Float[torch.Tensor, "atoms neighbours"]
    q_slope: Float[torch.Tensor, "atoms neighbours"]
    weight_slope: Float[torch.Tensor, "atoms neighbours"]
    directions: Float[torch.Tensor, "atoms neighbours 3"]
    distances: Float[torch.Tensor, "atoms neighbours"]


def pair_geometry(
    vectors: Float[torch.Tensor, "atoms neighbours 3"],
    reach: Float[torch.Tensor, "atoms neighbours"],
    weight: Float[torch.Tensor, "atoms neighbours"],
    shape: PairShape,
    real: torch.dtype,
) -> PairGeometry:
    """Where each neighbour lies on the 3-sphere; worked out in double precision, then rounded to ``real``."""
    r = torch.linalg.vector_norm(vectors, dim=-1)
    scale = pi / (reach - shape.rmin0)
    phase = torch.clamp((r - shape.rmin0) * scale, max=pi)
    theta, fade = shape.rfac0 * phase, torch.clamp(phase, min=0.0)
    slope = shape.rfac0 * scale
    # LAMMPS takes 1/|sin θ| where this has 1/sin θ: below rmin0 its a and b have the other sign.
    sign = torch.where(theta < 0, -1.0, 1.0)
    cosine, sine = sign * torch.cos(theta), sign * torch.sin(theta)
    q = sine / r
    # Beyond its own reach (elements may differ) a pair counts nothing.
    weight = torch.where(r < reach, weight, 0.0)
    half = 0.5 * weight if shape.switch else torch.zeros_like(weight)
    x, y, z = vectors.unbind(-1)
    a, b = torch.complex(cosine, -z * q), torch.complex(y * q, -x * q)
    return PairGeometry(
        a=a.to(real.to_complex()),
        b=b.to(real.to_complex()),
        weight=(weight - half * (1 - torch.cos(fade))).to(real),
        q=q.to(real),
        cosine_slope=(-slope * sine).to(real),
        q_slope=((slope * cosine - q) / r).to(real),
        weight_slope=(-half * torch.sin(fade) * scale).to(real),
        directions=(vectors / r[..., None]).to(real),
        distances=r.to(real),
    )


def wigner_polynomials(
    geometry: PairGeometry, starts: tuple[int, ...], levels: int
) -> Complex[torch.Tensor, "atoms elements neighbours"]:
    """v_j of every neighbour, j < ``levels``: rows 2·mb ≤ j of [t^ma] (a* - b* t)^(j - mb) (b + a t)^mb."""
    atoms, neighbours = geometry.a.shape
    v = geometry.a.new_empty((atoms, starts[levels], neighbours))
    v[:, :1] = 1.0
    a, b = geometry.a[:, None, None], geometry.b[:, None, None]
    left, right = a.conj().resolve_conj(), -b.conj()
    for j in range(1, levels):
        below = v[:, starts[j - 1] : starts[j]].view(atoms, (j + 1) // 2, j, neighbours)
        here = v[:, starts[j] : starts[j + 1]].view(atoms, j // 2 + 1, j + 1, neighbours)
        rows = (j + 1) // 2
        _times(below[:, :rows], left, right, here[:, :rows])
        if j % 2 == 0:
            _times(below[:, rows - 1 :], b, a, here[:, rows:])
    return v


def _times(polynomial: torch.Tensor, first: torch.Tensor, second: torch.Tensor, out: torch.Tensor) -> None:
    """Multiply polynomials by first + second · t; coefficients lie along the axis before the last."""
    torch.mul(polynomial, first, out=out[:, :, :-1])
    out[:, :, -1] = 0.0
    out[:, :, 1:].addcmul_(polynomial, second)


def densities(geometry: PairGeometry, tables: DeviceTables) -> Complex[torch.Tensor, "atoms elements"]:
    """V = 1 + Σ_k w f_c v, the atom itself being the unit rotation."""
    v = wigner_polynomials(geometry, tables.starts, len(tables.starts) - 1)
    return tables.identity + torch.bmm(v, geometry.weight.to(v.dtype)[..., None])[..., 0]


def bands(
    density: Complex[torch.Tensor, "atoms elements"], tables: DeviceTables
) -> Float[torch.Tensor, "atoms bands points"]:
    """F_j at the points of the sphere, even j first."""
    parts = torch.view_as_real(density).flatten(1)
    points = tables.transforms[0].shape[1]
    values = parts.new_empty((len(parts), len(tables.bands), points))
    for place, (j, transform) in enumerate(zip(tables.bands, tables.transforms, strict=True)):
        torch.mm(parts[:, 2 * tables.starts[j] : 2 * tables.starts[j + 1]], transform, out=values[:, place])
    return values


def bispectrum(
    band: Float[torch.Tensor, "atoms bands points"], tables: DeviceTables
) -> Float[torch.Tensor, "atoms features"]:
    """B = (j + 1) Σ_points F_j1 F_j2 F_j: two of the three as a product, the third, of even j, by a matrix product."""
    even = len(tables.even.component)
    joined = torch.bmm(_products(band, tables.even), band[:, :even].mT)
    return joined.flatten(1)[:, tables.component] * tables.scale


def adjoint(
    band: Float[torch.Tensor, "atoms bands points"],
    gradient: Float[torch.Tensor, "atoms features"],
    tables: DeviceTables,
) -> Complex[torch.Tensor, "atoms elements"]:
    """Y = ∂E/∂V, along the real and the imaginary part, for E = Σ g·B."""
    slopes = [each for slope in (tables.even, tables.odd) for each in _energy_slope(band, gradient, slope).unbind(1)]
    parts = {j: each @ transform.mT for j, each, transform in zip(tables.bands, slopes, tables.transforms, strict=True)}
    joined = torch.cat([parts[j] for j in range(len(parts))], dim=1)
    return torch.view_as_complex(joined.view(len(joined), -1, 2))


def _energy_slope(band: torch.Tensor, gradient: torch.Tensor, slope: DeviceSlope) -> torch.Tensor:
    """∂E/∂F of the even or of the odd bands."""
    weights = gradient[:, slope.component] * slope.factor
    return torch.bmm(weights, _products(band, slope))


def _products(band: torch.Tensor, slope: DeviceSlope) -> torch.Tensor:
    """F_first F_second of every product, (atoms, products, points)."""
    products = band.new_empty((len(band), slope.component.shape[1], band.shape[2]))
    done = 0
    for place, start, stop in slope.runs:
        torch.mul(band[:, place, None], band[:, start:stop], out=products[:, done : done + stop - start])
        done += stop - start
    return products


def pair_gradients(
    geometry: PairGeometry, y: Complex[torch.Tensor, "atoms elements"], tables: DeviceTables
) -> Float[torch.Tensor, "atoms neighbours 3"]:
    """∂E/∂r_k = ∂/∂r_k (w f_c P), with P = Re Y* · v of the neighbour.

    P itself follows from its derivatives by Euler's theorem, as v_j is homogeneous of degree j in (a, b, a*, b*):
    the topmost level is never made.
    """
    v = wigner_polynomials(geometry, tables.starts, len(tables.starts) - 2)
    folded = y.conj()[:, tables.source] * tables.source_factor
    along = torch.bmm(torch.cat([folded, folded / tables.level], dim=1), v)
    # dP = Re(S_a* da* + S_b* db* + S_a da + S_b db), hence ∂P/∂a_r + i ∂P/∂a_i = S_a* + conj(S_a).
    slope_a, slope_b = along[:, 0] + along[:, 2].conj(), along[:, 1] + along[:, 3].conj()
    mean_a, mean_b = along[:, 4] + along[:, 6].conj(), along[:, 5] + along[:, 7].conj()
    value = y[:, :1].real + (geometry.a.conj() * mean_a + geometry.b.conj() * mean_b).real
    return _chain_to_positions(geometry, value, slope_a, slope_b)


def _chain_to_positions(
    geometry: PairGeometry, value: torch.Tensor, slope_a: torch.Tensor, slope_b: torch.Tensor
) -> torch.Tensor:
    """∂(w f_c P)/∂r: cos θ and q depend on |r| alone; a_i = -z q, b_r = y q, b_i = -x q."""
    lateral = torch.stack([-slope_b.imag, slope_b.real, -slope_a.imag], dim=-1)
    along_q = (geometry.directions * lateral).sum(-1) * geometry.distances
    radial = geometry.weight * (geometry.cosine_slope * slope_a.real + geometry.q_slope * along_q)
    radial = radial + geometry.weight_slope * value
    return radial[..., None] * geometry.directions + (geometry.weight * geometry.q)[..., None] * lateral
