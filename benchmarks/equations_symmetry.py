"""Is the symmetry of a law found from noisy data?  Ours, and PySINDy's STLSQ on the components of the same data.

Run it as ``python benchmarks/equations_symmetry.py``; it writes ``equations_symmetry.json`` beside itself.

Four laws stress(strain) of degree 2, isotropic, cubic, hexagonal and transversely isotropic, from strains of random
size and axes with Gaussian noise on the stress; and a law that rotates with the material,

    Ȧ = W A − A W + μ D − λ A + β (A D + D A),

from trajectories of A with noise on A itself, driven by known D(t) and W(t), in weak form: ∫ψ Ȧ dt = −∫ψ′ A dt.
Noise is its standard deviation over that of the signal, components of the full tensor each for itself.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pysindy
from jaxtyping import Float
from scipy import sparse
from scipy.integrate import solve_ivp

from mechlearn.equations.equivariants import equivariant_library
from mechlearn.equations.groups import symmetry_group
from mechlearn.equations.quantities import Quantity
from mechlearn.equations.symmetry_discovery import SymmetryDiscovery, SymmetrySettings, discover_symmetry

RESULTS = Path(__file__).with_suffix(".json")
SEEDS, SAMPLES, NOISE = 20, 400, 0.05
STRAIN, STRESS = Quantity("E", "symmetric tensor"), Quantity("S", "symmetric tensor")
STATE, RATE = Quantity("A", "symmetric tensor"), Quantity("Ȧ", "symmetric tensor")
STRETCHING, SPIN = Quantity("D", "symmetric tensor"), Quantity("W", "antisymmetric tensor")

#: Law by name of its group: coefficients of the terms of that group's library.
LAWS: Mapping[str, Mapping[str, float]] = {
    "isotropic": {"tr(E) I": 1.0, "E": 2.0, "E²": 1.5, "tr(E) E": -0.8},
    "cubic": {"tr(E) I": 1.0, "E": 2.0, "E²": 1.5, "diag(E)": 0.8, "tr(E) diag(E)": 0.5},
    "transversely isotropic": {"tr(E) I": 1.0, "E": 2.0, "E²": 0.8, "tr(E) N": 0.5},
    "hexagonal": {"tr(E) I": 1.0, "E": 2.0, "E²": 0.8, "tr(E) N": 0.5, "⟨E_xx² e_xx⟩": 0.4},
}
ROTATING = {"(A W − W A)": -1.0, "D": 2.0, "A": -0.5, "(A D + D A)": 0.7}
TRAJECTORIES, STEPS, DURATION = 12, 401, 10.0


def symmetric_noise(shape: tuple[int, ...], rng: np.random.Generator) -> Float[np.ndarray, "... 3 3"]:
    """Unit noise, each component of a symmetric tensor for itself."""
    noise = np.tril(rng.normal(size=shape))
    return noise + np.tril(noise, -1).swapaxes(-1, -2)


def constitutive_data(
    name: str, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "samples 3 3"], Float[np.ndarray, "samples 3 3"]]:
    """Strains, and stresses with noise, by the law of that name."""
    library = equivariant_library([STRAIN], STRESS, name, 2)
    strain = rng.normal(size=(SAMPLES, 3, 3)) / 3
    strain = strain + strain.swapaxes(1, 2)
    coefficients = np.array([LAWS[name].get(term, 0.0) for term in library.names])
    stress = STRESS.tensors(np.einsum("t,stc->sc", coefficients, library.evaluate({"E": strain})))
    return strain, stress + NOISE * stress.std() * symmetric_noise(stress.shape, rng)


def drive(rng: np.random.Generator) -> tuple[Float[np.ndarray, "waves 3 3"], Float[np.ndarray, " waves"]]:
    """Amplitudes and phases of a smooth random velocity gradient."""
    return rng.normal(size=(4, 3, 3)) / 2, rng.uniform(0, 2 * np.pi, size=4)


def gradient(
    times: Float[np.ndarray, " times"], amplitudes: Float[np.ndarray, "waves 3 3"], phases: Float[np.ndarray, " waves"]
) -> Float[np.ndarray, "times 3 3"]:
    """L(t) = Σ_k L_k sin(k t + φ_k); D and W are its symmetric and antisymmetric parts."""
    waves = np.sin(np.outer(times, np.arange(1, len(phases) + 1)) + phases)
    return np.tensordot(waves, amplitudes, axes=1)


def trajectory(
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "times 3 3"], Float[np.ndarray, "times 3 3"], Float[np.ndarray, "times 3 3"]]:
    """A(t), D(t), W(t) of one specimen."""
    amplitudes, phases = drive(rng)

    def rate(time_now: float, state: Float[np.ndarray, " 9"]) -> Float[np.ndarray, " 9"]:
        a, slope = state.reshape(3, 3), gradient(np.array([time_now]), amplitudes, phases)[0]
        d, w = (slope + slope.T) / 2, (slope - slope.T) / 2
        change = w @ a - a @ w + ROTATING["D"] * d + ROTATING["A"] * a + ROTATING["(A D + D A)"] * (a @ d + d @ a)
        return change.ravel()

    times = np.linspace(0, DURATION, STEPS)
    start = symmetric_noise((3, 3), rng)
    states = solve_ivp(rate, (0, DURATION), start.ravel(), t_eval=times, rtol=1e-8, atol=1e-10).y.T.reshape(-1, 3, 3)
    gradients = gradient(times, amplitudes, phases)
    transposed = gradients.swapaxes(1, 2)
    return states, (gradients + transposed) / 2, (gradients - transposed) / 2


def test_windows(width: int, spacing: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Weights of ∫ψ f dt and −∫ψ′ f dt over windows of one trajectory, ψ = (1 − s²)⁴ on 2·width + 1 samples."""
    place = np.arange(-width, width + 1) / width
    values = (1 - place**2) ** 4
    slopes = 8 * place * (1 - place**2) ** 3 / (width * DURATION / (STEPS - 1))
    starts = np.arange(0, STEPS - 2 * width, spacing)
    rows = np.repeat(np.arange(len(starts)), len(place))
    columns = (starts[:, None] + np.arange(len(place))).ravel()
    shape = (len(starts), STEPS)
    return tuple(
        sparse.csr_array((np.tile(weights, len(starts)), (rows, columns)), shape=shape) for weights in (values, slopes)
    )


def rotating_law(seed: int) -> tuple[SymmetryDiscovery, dict[str, float]]:
    """Discover the rotating law; and what STLSQ makes of the same trajectories."""
    rng = np.random.default_rng(seed)
    runs = [trajectory(rng) for _ in range(TRAJECTORIES)]
    scale = np.concatenate([states for states, _, _ in runs]).std()
    noisy = [states + NOISE * scale * symmetric_noise(states.shape, rng) for states, _, _ in runs]
    weights, slopes = test_windows(width=20, spacing=5)
    rates = np.concatenate([slopes @ STATE.components(states) for states in noisy])
    found = discover_symmetry(
        {
            STATE: np.concatenate(noisy),
            STRETCHING: np.concatenate([stretching for _, stretching, _ in runs]),
            SPIN: np.concatenate([spin for _, _, spin in runs]),
        },
        RATE,
        rates,
        rng=rng,
        highest={"D": 1, "W": 1},
        groups=[symmetry_group(name) for name in ("isotropic", *list(LAWS)[1:], "tetragonal", "orthotropic", "none")],
        windows=sparse.block_diag([weights] * TRAJECTORIES, format="csr"),
        settings=SymmetrySettings(blocks=48, resamples=20),
    )
    controls = [np.hstack([STRETCHING.components(d), SPIN.components(w)]) for _, d, w in runs]
    model = pysindy.SINDy(
        feature_library=pysindy.PolynomialLibrary(degree=2),
        optimizer=pysindy.STLSQ(threshold=0.1),
        differentiation_method=pysindy.SmoothedFiniteDifference(),
    )
    model.fit([STATE.components(states) for states in noisy], t=DURATION / (STEPS - 1), u=controls)
    quantities = (STATE, STRETCHING, SPIN)
    return found, component_law(model, quantities, rng)


def component_law(model: pysindy.SINDy, inputs: tuple[Quantity, ...], rng: np.random.Generator) -> dict[str, float]:
    """How many terms STLSQ keeps, and how far its law is from isotropic: |f(gx) − g f(x)|/|f(x)| at random turns."""
    points = [rng.normal(size=(200, len(quantity.indices))) / 2 for quantity in inputs]
    squared, defect = 0.0, 0.0
    for turned in symmetry_group("isotropic").random_elements(20, rng):
        moved = [part @ one.representation(turned).T for part, one in zip(points, inputs, strict=True)]
        law, moved_law = (
            model.feature_library.transform(np.hstack(parts)) @ model.coefficients().T for parts in (points, moved)
        )
        difference = np.asarray(moved_law) - np.asarray(law) @ inputs[0].representation(turned).T
        squared += float(np.sum(np.asarray(law) ** 2 @ inputs[0].metric))
        defect += float(np.sum(difference**2 @ inputs[0].metric))
    return {"terms": int(np.count_nonzero(model.coefficients())), "isotropy_defect": float(np.sqrt(defect / squared))}


def constitutive_law(name: str, seed: int) -> tuple[SymmetryDiscovery, dict[str, float]]:
    """Discover one of the laws of stress; and what STLSQ makes of its components."""
    rng = np.random.default_rng(seed)
    strain, stress = constitutive_data(name, rng)
    found = discover_symmetry({STRAIN: strain}, STRESS, stress, rng=rng)
    model = pysindy.SINDy(feature_library=pysindy.PolynomialLibrary(degree=2), optimizer=pysindy.STLSQ(threshold=0.1))
    model.fit(STRAIN.components(strain), t=1.0, x_dot=STRESS.components(stress))
    return found, component_law(model, (STRAIN,), rng)


def summary(
    name: str, group: str, truth: Mapping[str, float], runs: list[tuple[SymmetryDiscovery, dict[str, float]]]
) -> dict[str, object]:
    """One row: how often the group and the set of terms were right, and what STLSQ found."""
    found = [discovery for discovery, _ in runs]
    terms = [{c.term.name: c.value for c in discovery.equation.coefficients} for discovery in found]
    exact = [set(kept) == set(truth) for kept in terms]
    errors = [
        max(abs(kept[term] / value - 1) for term, value in truth.items())
        for kept, right in zip(terms, exact, strict=True)
        if right
    ]
    theirs = [peer for _, peer in runs]
    library = equivariant_library(found[0].library.inputs, found[0].library.output, group, 2)
    law = np.tensordot([truth.get(term, 0.0) for term in library.names], library.polynomial.coefficients, axes=1)
    return {
        "law": name,
        "group": group,
        "seeds": len(runs),
        "noise": NOISE,
        "groups_found": dict(Counter(discovery.group for discovery in found)),
        "right_group": float(np.mean([discovery.group == group for discovery in found])),
        "exact_terms": float(np.mean(exact)),
        "worst_coefficient_error": max(errors, default=float("nan")),
        "terms": len(truth),
        "terms_by_component": int(np.count_nonzero(law)),
        "stlsq_terms": float(np.mean([peer["terms"] for peer in theirs])),
        "stlsq_isotropy_defect": float(np.mean([peer["isotropy_defect"] for peer in theirs])),
        "equation": str(found[0].equation),
    }


def main() -> None:
    """All laws, so many seeds each (the first argument, 20 unless told)."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows = []
    cases = [(f"stress, {name}", name, LAWS[name]) for name in LAWS] + [("rotating", "isotropic", ROTATING)]
    for name, group, truth in cases:
        started = time.perf_counter()
        if name == "rotating":
            runs = [rotating_law(seed) for seed in range(seeds)]
        else:
            runs = [constitutive_law(group, seed) for seed in range(seeds)]
        rows.append(summary(name, group, truth, runs) | {"seconds_a_seed": (time.perf_counter() - started) / seeds})
        print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    RESULTS.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
