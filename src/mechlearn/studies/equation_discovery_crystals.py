"""Part three of the study of equations: interactions between slip systems, planted and found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mechlearn.crystals import (
    InteractionFit,
    InteractionLaw,
    InteractionSettings,
    LoadingSettings,
    fcc_interaction_names,
    fit_storage,
    fit_strength,
    independent_entries,
    planted_law,
    slip_systems,
    taylor_histories,
)
from mechlearn.studies.equation_discovery_config import CrystalPlan

#: Both tensors, with their number of indices and the unit of their entries.
TENSORS: Final[Mapping[str, tuple[int, str]]] = {"H": (2, "MPa²/(10¹² m⁻²)"), "K": (3, "1")}


def look_at_crystal(plan: CrystalPlan, draw: int, seed: int, resamples: int) -> dict[str, Any]:
    """Plant a law, load polycrystals of it, add noise to the readings, and find the law again without seeing it."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(301, draw)))
    systems = slip_systems(plan.lattice)
    law = planted_law(systems, rng, plan.share_of_strength, plan.share_of_storage)
    loading = LoadingSettings(cases=plan.cases, grains=plan.grains)
    histories = taylor_histories(law, loading, rng=rng).with_noise(plan.noise, rng)
    settings = InteractionSettings(resamples=resamples)
    fits = {
        "H": fit_strength(histories, systems, law.pairs, rng=rng, settings=settings),
        "K": fit_storage(histories, systems, law.triples, rng=rng, settings=settings),
    }
    planted = {"H": law.strength, "K": law.storage}
    return {
        "lattice": plan.lattice,
        "draw": draw,
        "systems": len(systems),
        "noise": plan.noise,
        "tensors": {name: _tensor(name, plan, planted[name], fit) for name, fit in fits.items()},
        "strength_matrix": _matrices(law, fits["H"]) if draw == 0 and plan.lattice != "hcp" else None,
        "entries": _entries(law, fits["H"]) if draw == 0 else [],
    }


def _tensor(name: str, plan: CrystalPlan, planted: np.ndarray, fit: InteractionFit) -> dict[str, Any]:
    """What symmetry leaves of a tensor, and how well the rest is found; F1 = 2 TP/(2 TP + FP + FN)."""
    order, unit = TENSORS[name]
    systems = slip_systems(plan.lattice)
    there, kept = planted != 0, fit.support
    both = there & kept
    inside = (fit.low <= planted) & (planted <= fit.high)
    return {
        "unit": unit,
        "entries": len(systems) ** order,
        "independent": len(fit.orbits),
        "independent_by_characters": independent_entries(systems, order),
        "planted": int(there.sum()),
        "found": int(kept.sum()),
        "missed": int((there & ~kept).sum()),
        "spurious": int((kept & ~there).sum()),
        "f1": float(2 * both.sum() / (there.sum() + kept.sum())),
        "largest_error": float(np.abs(fit.values[both] / planted[both] - 1).max(initial=0.0)),
        "intervals_that_hold": float(inside[both].mean()) if both.any() else None,
    }


def _matrices(law: InteractionLaw, fit: InteractionFit) -> dict[str, Any]:
    """H as planted and as found, entry by entry."""
    return {
        "labels": list(law.systems.labels),
        "planted": np.round(law.pairs.expand(law.strength), 4),
        "found": np.round(law.pairs.expand(fit.values), 4),
    }


def _entries(law: InteractionLaw, fit: InteractionFit) -> list[dict[str, Any]]:
    """The independent entries of H that are planted or found, by the field's names where it has them."""
    systems = law.systems
    if systems.lattice == "fcc":
        names: Sequence[str] = fcc_interaction_names(systems, law.pairs)
    else:
        names = [f"{systems.labels[i]} by {systems.labels[j]}" for i, j in law.pairs.representatives.tolist()]
    return [
        {
            "name": names[orbit],
            "planted": float(law.strength[orbit]),
            "found": float(fit.values[orbit]),
            "low": float(fit.low[orbit]),
            "high": float(fit.high[orbit]),
            "probability": float(fit.probability[orbit]),
        }
        for orbit in np.flatnonzero((law.strength != 0) | fit.support).tolist()
    ]
