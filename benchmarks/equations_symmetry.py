"""Is the symmetry of a law found from noisy data?  Ours, and PySINDy's STLSQ on the components of the same data.

Run it as ``python benchmarks/equations_symmetry.py [SEEDS] [tensors|fields]``; it writes ``equations_symmetry.json``
beside itself, where rows that it did not measure stay.

Four laws stress(strain) of degree 2, isotropic, cubic, hexagonal and transversely isotropic, from strains of random
size and axes with Gaussian noise on the stress; and a law that rotates with the material,

    Ȧ = W A − A W + μ D − λ A + β (A D + D A),

from trajectories of A with noise on A itself, driven by known D(t) and W(t), in weak form: ∫ψ Ȧ dt = −∫ψ′ A dt.
Noise is its standard deviation over that of the signal, components of the full tensor each for itself.

And equations of fields over a plane or in space (``example_pdes``), with noise on the fields, in weak form.  The
share is that of resamples in which the true group is the answer, the mean over seeds.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pysindy

from mechlearn.equations.equation import Equation
from mechlearn.equations.examples.example_laws import (
    ROTATING_LAW,
    SPIN,
    STATE,
    STRAIN,
    STRESS,
    STRESS_LAWS,
    STRETCHING,
    discover_rotating_law,
    rotating_samples,
    stress_samples,
)
from mechlearn.equations.examples.example_pdes import EXAMPLE_PDES, example_pde_field
from mechlearn.equations.search.discovery import DiscoverySettings
from mechlearn.equations.symmetry.equivariants import equivariant_library
from mechlearn.equations.symmetry.field_symmetry import PdeSymmetryDiscovery, discover_pde_symmetry
from mechlearn.equations.symmetry.groups import symmetry_group
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.symmetry_discovery import SymmetryDiscovery, discover_symmetry
from mechlearn.equations.symmetry.symmetry_evidence import SymmetryEvidence, SymmetrySettings

RESULTS = Path(__file__).with_suffix(".json")
SEEDS, NOISE = 20, 0.05
#: Windows of the weak form.
ROWS = 150


def rotating_law(seed: int) -> tuple[SymmetryDiscovery, dict[str, float]]:
    """Discover the rotating law; and what STLSQ makes of the same trajectories."""
    rng = np.random.default_rng(seed)
    runs = rotating_samples(rng, noise=NOISE)
    found = discover_rotating_law(runs, rng, SymmetrySettings(blocks=48, resamples=20))
    controls = [
        np.hstack([STRETCHING.components(d), SPIN.components(w)])
        for d, w in zip(runs.stretching, runs.spin, strict=True)
    ]
    model = pysindy.SINDy(
        feature_library=pysindy.PolynomialLibrary(degree=2),
        optimizer=pysindy.STLSQ(threshold=0.1),
        differentiation_method=pysindy.SmoothedFiniteDifference(),
    )
    model.fit([STATE.components(states) for states in runs.states], t=runs.step, u=controls)
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
    strain, stress = stress_samples(name, rng, noise=NOISE)
    found = discover_symmetry({STRAIN: strain}, STRESS, stress, rng=rng)
    model = pysindy.SINDy(feature_library=pysindy.PolynomialLibrary(degree=2), optimizer=pysindy.STLSQ(threshold=0.1))
    model.fit(STRAIN.components(strain), t=1.0, x_dot=STRESS.components(stress))
    return found, component_law(model, (STRAIN,), rng)


def summary(
    name: str, group: str, truth: Mapping[str, float], runs: list[tuple[SymmetryDiscovery, dict[str, float]]]
) -> dict[str, object]:
    """One row: how often the group and the set of terms were right, and what STLSQ found."""
    found = [discovery for discovery, _ in runs]
    theirs = [peer for _, peer in runs]
    library = equivariant_library(found[0].library.inputs, found[0].library.output, group, 2)
    law = np.tensordot([truth.get(term, 0.0) for term in library.names], library.polynomial.coefficients, axes=1)
    return judged(name, group, truth, [(one.group, one.evidence, one.equation) for one in found]) | {
        "terms_by_component": int(np.count_nonzero(law)),
        "stlsq_terms": float(np.mean([peer["terms"] for peer in theirs])),
        "stlsq_isotropy_defect": float(np.mean([peer["isotropy_defect"] for peer in theirs])),
    }


def judged(
    name: str, group: str, truth: Mapping[str, float], found: Sequence[tuple[str, Sequence[SymmetryEvidence], Equation]]
) -> dict[str, object]:
    """How often the group and the set of terms were right, and the worst coefficient of sets that were."""
    terms = [{c.term.name: c.value for c in equation.coefficients} for _, _, equation in found]
    exact = [set(kept) == set(truth) for kept in terms]
    errors = [
        max(abs(kept[term] / value - 1) for term, value in truth.items())
        for kept, right in zip(terms, exact, strict=True)
        if right
    ]
    shares = [row.share for _, evidence, _ in found for row in evidence if group in (row.group, *row.alike)]
    return {
        "law": name,
        "group": group,
        "seeds": len(found),
        "noise": NOISE,
        "groups_found": dict(Counter(answer for answer, _, _ in found)),
        "right_group": float(np.mean([answer == group for answer, _, _ in found])),
        "share": float(np.mean(shares)),
        "exact_terms": float(np.mean(exact)),
        "worst_coefficient_error": max(errors, default=float("nan")),
        "terms": len(truth),
        "equation": str(found[0][2]),
    }


def field_law(name: str, seed: int) -> PdeSymmetryDiscovery:
    """Discover the law of fields of that name."""
    example = EXAMPLE_PDES[name]
    field = example_pde_field(name, np.random.default_rng(seed), NOISE)
    settings = DiscoverySettings(example.degree, example.derivative_order, rows=ROWS, seed=seed)
    return discover_pde_symmetry(field, [example.quantity], settings=settings)


def field_row(name: str, seeds: int) -> dict[str, object]:
    """The row of one law of fields."""
    found = [field_law(name, seed) for seed in range(seeds)]
    example = EXAMPLE_PDES[name]
    answers = [(one.group, one.evidence, one.laws[0]) for one in found]
    return judged(f"field, {name}", example.group, example.law, answers)


def tensor_row(name: str, seeds: int) -> dict[str, object]:
    """The row of one law between tensors."""
    if name == "rotating":
        return summary(name, "isotropic", ROTATING_LAW, [rotating_law(seed) for seed in range(seeds)])
    return summary(f"stress, {name}", name, STRESS_LAWS[name], [constitutive_law(name, seed) for seed in range(seeds)])


def main() -> None:
    """All laws, or those of tensors or of fields, so many seeds each (20 unless told)."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    wanted = sys.argv[2:] or ["tensors", "fields"]
    cases: list[tuple[Callable[[str, int], dict[str, object]], str]] = []
    if "tensors" in wanted:
        cases += [(tensor_row, name) for name in (*STRESS_LAWS, "rotating")]
    if "fields" in wanted:
        cases += [(field_row, name) for name in EXAMPLE_PDES]
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    rows = {row["law"]: row for row in known}
    for row_of, name in cases:
        started = time.perf_counter()
        row = row_of(name, seeds) | {"seconds_a_seed": (time.perf_counter() - started) / seeds}
        rows[str(row["law"])] = row
        print(json.dumps(row, ensure_ascii=False), flush=True)
        RESULTS.write_text(json.dumps(list(rows.values()), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
