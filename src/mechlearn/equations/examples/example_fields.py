"""Fields whose equations are known, made on the spot: Burgers, Korteweg and de Vries, λ–ω spirals, Lorenz."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.motion.simulation import SimulationSettings, simulate

#: Far below any noise that is laid over these fields.
_SETTINGS = SimulationSettings(boundary="periodic", tolerance=1e-8, noise=0.0)

#: The terms of every field's equations with their coefficients, for the makers' own values of parameters.
KNOWN: dict[str, dict[str, dict[str, float]]] = {
    "burgers": {"u_t": {"u u_x": -1.0, "u_xx": 0.1}},
    "kdv": {"u_t": {"u u_x": -6.0, "u_xxx": -1.0}},
    "reaction-diffusion": {
        "u_t": {"u": 1.0, "u^3": -1.0, "u^2 v": 1.0, "u v^2": -1.0, "v^3": 1.0, "u_xx": 0.1, "u_yy": 0.1},
        "v_t": {"v": 1.0, "u^3": -1.0, "u^2 v": -1.0, "u v^2": -1.0, "v^3": -1.0, "v_xx": 0.1, "v_yy": 0.1},
    },
    "lorenz": {
        "x_t": {"x": -10.0, "y": 10.0},
        "y_t": {"x": 28.0, "y": -1.0, "x z": -1.0},
        "z_t": {"z": -8 / 3, "x y": 1.0},
    },
}


def known_equations(name: str) -> tuple[Equation, ...]:
    """The equations of ``KNOWN``.

    Examples
    --------
    >>> print(*known_equations("burgers"))
    u_t = -1 u u_x + 0.1 u_xx
    """
    return tuple(
        Equation(Term(lhs), tuple(Coefficient(Term(term), value) for term, value in terms.items()))
        for lhs, terms in KNOWN[name].items()
    )


def burgers_field(points: int = 256, times: int = 101, duration: float = 10.0) -> Field:
    """A hump exp(−(x + 2)²) that steepens into a front: u_t = −u u_x + 0.1 u_xx, on −8 ≤ x < 8 with period 16."""
    x, t = np.linspace(-8.0, 8.0, points, endpoint=False), np.linspace(0.0, duration, times)
    start = Field({"u": np.exp(-((x + 2) ** 2))[:, None]}, {"x": x, "t": t[:1]})
    return simulate(known_equations("burgers"), start, t, _SETTINGS)


def kdv_field(
    points: int = 512, times: int = 201, duration: float = 20.0, speeds: tuple[float, float] = (1.0, 0.3)
) -> Field:
    """Two solitons, the faster of which passes the slower: u_t = −6 u u_x − u_xxx, on −30 ≤ x < 30, in closed form.

    u = 2 ∂²_x ln F, F = 1 + e^{θ₁} + e^{θ₂} + A e^{θ₁+θ₂}, θ_i = k_i (x − x_i) − k_i³ t, k_i² the speeds,
    A = (k₁ − k₂)²/(k₁ + k₂)² (Hirota, Phys. Rev. Lett. 27, 1192, 1971).  With the four terms of F as weights, ∂²_x ln F
    is the variance of their wave numbers 0, k₁, k₂, k₁ + k₂.
    """
    x, t = np.linspace(-30.0, 30.0, points, endpoint=False), np.linspace(0.0, duration, times)
    k1, k2 = np.sqrt(speeds)
    first = k1 * (x[:, None] + 15.0) - k1**3 * t
    second = k2 * (x[:, None] + 5.0) - k2**3 * t
    both = first + second + 2 * np.log(abs(k1 - k2) / (k1 + k2))
    exponents = np.stack([np.zeros_like(first), first, second, both])
    weights = np.exp(exponents - exponents.max(axis=0))
    weights /= weights.sum(axis=0)
    numbers = np.array([0.0, k1, k2, k1 + k2])
    mean = np.tensordot(numbers, weights, 1)
    return Field({"u": 2 * (np.tensordot(numbers**2, weights, 1) - mean**2)}, {"x": x, "t": t})


def reaction_diffusion_field(points: int = 64, times: int = 201, duration: float = 10.0, length: float = 20.0) -> Field:
    """A turning spiral of a λ–ω system, with A² = u² + v² and ∇² along x and y, on a square with periodic ends.

    u_t = (1 − A²) u + A² v + 0.1 ∇²u,   v_t = −A² u + (1 − A²) v + 0.1 ∇²v

    starts from u + iv = tanh(r) exp(i(θ − r)) (Rudy and others, Sci. Adv. 3, e1602614, 2017).
    """
    x, t = np.linspace(-length / 2, length / 2, points, endpoint=False), np.linspace(0.0, duration, times)
    across, along = np.meshgrid(x, x, indexing="ij")
    radius, angle = np.hypot(across, along), np.arctan2(along, across)
    start = np.tanh(radius) * np.exp(1j * (angle - radius))
    fields = {"u": start.real[..., None], "v": start.imag[..., None]}
    first = Field(fields, {"x": x, "y": x.copy(), "t": t[:1]})
    return simulate(known_equations("reaction-diffusion"), first, t, replace(_SETTINGS, tolerance=1e-6))


def lorenz_trajectory(
    times: int = 2000, duration: float = 10.0, start: tuple[float, float, float] = (-8.0, 8.0, 27.0)
) -> Field:
    """A trajectory of Lorenz's equations: x_t = 10 (y − x), y_t = x (28 − z) − y, z_t = x y − 8/3 z."""
    t = np.linspace(0.0, duration, times)
    first: Float[np.ndarray, " 3"] = np.array(start)
    x, y, z = first[:, None]
    return simulate(known_equations("lorenz"), Field({"x": x, "y": y, "z": z}, {"t": t[:1]}), t, _SETTINGS)
