"""Part two of the study of equations: laws of known symmetry, and which symmetry is found in noisy samples of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mechlearn.equations import (
    DiscoverySettings,
    Equation,
    SparseSettings,
    SymmetryEvidence,
    SymmetrySettings,
    discover_symmetry,
)
from mechlearn.equations.examples.example_laws import (
    ROTATING_LAW,
    STRAIN,
    STRESS,
    STRESS_LAWS,
    discover_rotating_law,
    rotating_samples,
    stress_samples,
)
from mechlearn.equations.examples.example_pdes import EXAMPLE_PDES, example_pde_field
from mechlearn.equations.symmetry.field_symmetry import discover_pde_symmetry
from mechlearn.errors import InputError
from mechlearn.studies.configuration import suggestion
from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig, LawPlan
from mechlearn.studies.equation_discovery_judging import is_exact, largest_error, terms_of


def law_groups() -> dict[str, str]:
    """The true symmetry of every law, by its name."""
    fields = {name: law.group for name, law in EXAMPLE_PDES.items()}
    return {**{name: name for name in STRESS_LAWS}, "rotating": "isotropic", **fields}


def check_laws(config: EquationDiscoveryConfig) -> None:
    """Refuse laws that are not known.

    Raises
    ------
    InputError
        If there is no law of that name.
    """
    for plan in config.laws:
        if plan.name not in law_groups():
            raise InputError(f"study equation_discovery: no law {plan.name!r}; {suggestion(plan.name, law_groups())}")


def law_title(name: str) -> str:
    """What a reader calls the law.

    Examples
    --------
    >>> law_title("cubic"), law_title("drift")
    ('stress of a solid, cubic', 'field in the plane, drift')
    """
    if name in STRESS_LAWS:
        return f"stress of a solid, {name}"
    if name == "rotating":
        return "rate of a tensor that turns with the material"
    quantity = EXAMPLE_PDES[name].quantity
    return f"{'vector ' * bool(quantity.shape)}field in {'the plane' if quantity.dimension == 2 else 'space'}, {name}"


def look_at_law(plan: LawPlan, draw: int, seed: int, resamples: int) -> dict[str, Any]:
    """Draw noisy samples of a law, and find its symmetry and its terms in them."""
    groups = law_groups()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(201, sorted(groups).index(plan.name), draw)))
    find = _field_law if plan.name in EXAMPLE_PDES else _rotating_law if plan.name == "rotating" else _stress_law
    found = find(plan, rng, resamples)
    return {"law": plan.name, "draw": draw, "noise": plan.noise, "group_true": groups[plan.name], **found}


def _stress_law(plan: LawPlan, rng: np.random.Generator, resamples: int) -> dict[str, Any]:
    strain, stress = stress_samples(plan.name, rng, noise=plan.noise)
    settings = SymmetrySettings(resamples=resamples)
    found = discover_symmetry({STRAIN: strain}, STRESS, stress, rng=rng, settings=settings)
    return _told(found.group, found.evidence, found.equation, STRESS_LAWS[plan.name])


def _rotating_law(plan: LawPlan, rng: np.random.Generator, resamples: int) -> dict[str, Any]:
    # A resample of windows over trajectories costs ten times one of samples.
    settings = SymmetrySettings(blocks=48, resamples=max(20, resamples // 10))
    found = discover_rotating_law(rotating_samples(rng, noise=plan.noise), rng, settings)
    return _told(found.group, found.evidence, found.equation, ROTATING_LAW)


def _field_law(plan: LawPlan, rng: np.random.Generator, resamples: int) -> dict[str, Any]:
    law = EXAMPLE_PDES[plan.name]
    settings = DiscoverySettings(
        degree=law.degree,
        derivative_order=law.derivative_order,
        regression=SparseSettings(resamples=resamples),
        seed=int(rng.integers(2**31)),
    )
    field = example_pde_field(plan.name, rng, plan.noise)
    symmetry = SymmetrySettings(resamples=resamples)
    found = discover_pde_symmetry(field, [law.quantity], settings=settings, symmetry=symmetry)
    return _told(found.group, found.evidence, found.laws[0], law.law)


def _told(
    group: str, evidence: Sequence[SymmetryEvidence], law: Equation, truth: Mapping[str, float]
) -> dict[str, Any]:
    """The group with its evidence, the law, and whether its terms are the right ones."""
    equation = law.to_dict()
    found, wanted = terms_of([equation]), {law.lhs.name: truth}
    exact = is_exact(found, wanted)
    return {
        "group": group,
        "exact": exact,
        "error": largest_error(found, wanted) if exact else None,
        "equation": equation,
        "true_terms": dict(truth),
        "evidence": [asdict(row) for row in evidence],
    }
