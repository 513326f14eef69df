"""Laws between tensors with known coefficients and a known symmetry, and noisy samples of them.

Four laws stress(strain) of degree 2, isotropic, cubic, hexagonal and transversely isotropic, from strains of random
size and axes; and a law that rotates with the material,

    Ȧ = W A − A W + μ D − λ A + β (A D + D A),

from trajectories of A driven by known D(t) and W(t), in weak form: ∫ψ Ȧ dt = −∫ψ′ A dt.  Noise is its standard
deviation over that of the signal, components of the full tensor each for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import sparse

from mechlearn.equations.symmetry.equivariants import equivariant_library
from mechlearn.equations.symmetry.groups import symmetry_group
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.symmetry_discovery import DEFAULTS, SymmetryDiscovery, discover_symmetry
from mechlearn.equations.symmetry.symmetry_evidence import SymmetrySettings
from mechlearn.errors import InputError

STRAIN: Final = Quantity("E", "symmetric tensor")
STRESS: Final = Quantity("S", "symmetric tensor")
STATE: Final = Quantity("A", "symmetric tensor")
RATE: Final = Quantity("Ȧ", "symmetric tensor")
STRETCHING: Final = Quantity("D", "symmetric tensor")
SPIN: Final = Quantity("W", "antisymmetric tensor")

#: Laws stress(strain) by the name of their group: coefficients of the terms of that group's library.
STRESS_LAWS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "isotropic": {"tr(E) I": 1.0, "E": 2.0, "E²": 1.5, "tr(E) E": -0.8},
        "cubic": {"tr(E) I": 1.0, "E": 2.0, "E²": 1.5, "diag(E)": 0.8, "tr(E) diag(E)": 0.5},
        "transversely isotropic": {"tr(E) I": 1.0, "E": 2.0, "E²": 0.8, "tr(E) N": 0.5},
        "hexagonal": {"tr(E) I": 1.0, "E": 2.0, "E²": 0.8, "tr(E) N": 0.5, "⟨E_xx² e_xx⟩": 0.4},
    }
)
#: The isotropic law of the rate of A.
ROTATING_LAW: Final[Mapping[str, float]] = MappingProxyType(
    {"(A W − W A)": -1.0, "D": 2.0, "A": -0.5, "(A D + D A)": 0.7}
)
#: The groups from which that of the rotating law is chosen: all would take minutes.
_ROTATING_GROUPS: Final = (*STRESS_LAWS, "tetragonal", "orthotropic", "none")
_STEPS, _DURATION = 401, 10.0


def stress_samples(
    group: str, rng: np.random.Generator, samples: int = 400, noise: float = 0.05
) -> tuple[Float[np.ndarray, "samples 3 3"], Float[np.ndarray, "samples 3 3"]]:
    """Draw strains, and stresses with noise, by the law of that group in ``STRESS_LAWS``.

    Raises
    ------
    InputError
        There is no law of that group.

    Examples
    --------
    >>> strain, stress = stress_samples("cubic", np.random.default_rng(0), samples=10)
    >>> strain.shape, bool(np.allclose(stress, stress.swapaxes(1, 2)))
    ((10, 3, 3), True)
    """
    if group not in STRESS_LAWS:
        raise InputError(f"drawing stresses: there is no law of the group {group!r}; known: {', '.join(STRESS_LAWS)}")
    library = equivariant_library([STRAIN], STRESS, group, 2)
    strain = rng.normal(size=(samples, 3, 3)) / 3
    strain = strain + strain.swapaxes(1, 2)
    coefficients = np.array([STRESS_LAWS[group].get(term, 0.0) for term in library.names])
    stress = STRESS.tensors(np.einsum("t,stc->sc", coefficients, library.evaluate({"E": strain})))
    return strain, stress + noise * stress.std() * symmetric_noise(stress.shape, rng)


def symmetric_noise(shape: tuple[int, ...], rng: np.random.Generator) -> Float[np.ndarray, "... 3 3"]:
    """Unit noise, each component of a symmetric tensor for itself."""
    noise = np.tril(rng.normal(size=shape))
    return noise + np.tril(noise, -1).swapaxes(-1, -2)


@dataclass(frozen=True, eq=False)
class RotatingSamples:
    """Trajectories of specimens that are stretched and spun.

    Attributes
    ----------
    states : (specimens, times, 3, 3)
        A with noise.
    stretching, spin : (specimens, times, 3, 3)
        D and W, which are known.
    step : float
        Of time.
    """

    states: Float[np.ndarray, "specimens times 3 3"]
    stretching: Float[np.ndarray, "specimens times 3 3"]
    spin: Float[np.ndarray, "specimens times 3 3"]
    step: float


def rotating_samples(rng: np.random.Generator, specimens: int = 12, noise: float = 0.05) -> RotatingSamples:
    """Follow specimens that obey ``ROTATING_LAW`` through random smooth motions, and add noise to A."""
    runs = [_trajectory(rng) for _ in range(specimens)]
    states, gradients = (np.stack(part) for part in zip(*runs, strict=True))
    transposed = gradients.swapaxes(-1, -2)
    scale = states.std()
    noisy = np.stack([state + noise * scale * symmetric_noise(state.shape, rng) for state in states])
    return RotatingSamples(noisy, (gradients + transposed) / 2, (gradients - transposed) / 2, _DURATION / (_STEPS - 1))


def discover_rotating_law(
    samples: RotatingSamples, rng: np.random.Generator, settings: SymmetrySettings = DEFAULTS
) -> SymmetryDiscovery:
    """Find the symmetry of Ȧ(A, D, W) from trajectories, in weak form.

    Parameters
    ----------
    samples
        The trajectories.
    rng
        Of folds and resamples.
    settings
        Blocks, folds, resamples.
    """
    weights, slopes = _window_weights(width=20, spacing=5, step=samples.step)
    return discover_symmetry(
        {
            STATE: np.concatenate(samples.states),
            STRETCHING: np.concatenate(samples.stretching),
            SPIN: np.concatenate(samples.spin),
        },
        RATE,
        np.concatenate([slopes @ STATE.components(states) for states in samples.states]),
        rng=rng,
        highest={"D": 1, "W": 1},
        groups=[symmetry_group(name) for name in _ROTATING_GROUPS],
        windows=sparse.csr_array(sparse.block_diag([weights] * len(samples.states), format="csr")),
        settings=settings,
    )


def _trajectory(
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "times 3 3"], Float[np.ndarray, "times 3 3"]]:
    """A(t) of one specimen, and its velocity gradient D + W."""
    from scipy.integrate import solve_ivp

    amplitudes, phases = rng.normal(size=(4, 3, 3)) / 2, rng.uniform(0, 2 * np.pi, size=4)
    spinning, stretched, relaxing, mixed = (ROTATING_LAW[term] for term in ("(A W − W A)", "D", "A", "(A D + D A)"))

    def rate(now: float, state: Float[np.ndarray, " 9"]) -> Float[np.ndarray, " 9"]:
        a, slope = state.reshape(3, 3), _gradient(np.array([now]), amplitudes, phases)[0]
        d, w = (slope + slope.T) / 2, (slope - slope.T) / 2
        return (spinning * (a @ w - w @ a) + stretched * d + relaxing * a + mixed * (a @ d + d @ a)).ravel()

    times = np.linspace(0, _DURATION, _STEPS)
    start = symmetric_noise((3, 3), rng)
    states = solve_ivp(rate, (0, _DURATION), start.ravel(), t_eval=times, rtol=1e-8, atol=1e-10).y.T.reshape(-1, 3, 3)
    return states, _gradient(times, amplitudes, phases)


def _gradient(
    times: Float[np.ndarray, " times"], amplitudes: Float[np.ndarray, "waves 3 3"], phases: Float[np.ndarray, " waves"]
) -> Float[np.ndarray, "times 3 3"]:
    """L(t) = Σ_k L_k sin(k t + φ_k); D and W are its symmetric and antisymmetric parts."""
    waves = np.sin(np.outer(times, np.arange(1, len(phases) + 1)) + phases)
    return np.tensordot(waves, amplitudes, axes=1)


def _window_weights(width: int, spacing: int, step: float) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Weights of ∫ψ f dt and −∫ψ′ f dt over windows of one trajectory, ψ = (1 − s²)⁴ on 2·width + 1 samples."""
    place = np.arange(-width, width + 1) / width
    values = (1 - place**2) ** 4
    slopes = 8 * place * (1 - place**2) ** 3 / (width * step)
    starts = np.arange(0, _STEPS - 2 * width, spacing)
    rows = np.repeat(np.arange(len(starts)), len(place))
    columns = (starts[:, None] + np.arange(len(place))).ravel()
    shape = (len(starts), _STEPS)
    of_values, of_slopes = (
        sparse.csr_array((np.tile(weights, len(starts)), (rows, columns)), shape=shape) for weights in (values, slopes)
    )
    return of_values, of_slopes
