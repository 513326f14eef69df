"""Interaction tensors of slip systems: what symmetry leaves, and whether a planted sparse law is found again.

Run ``python benchmarks/crystal_interactions.py`` (about 30 minutes on one core; ``--seeds 2`` for a look,
``--only symmetry`` for what symmetry is worth); it writes ``crystal_interactions.json`` beside this file.  Peers get
the same noisy readings and the same symmetry-reduced columns: PySINDy's STLSQ as it comes and with the best of four
thresholds (chosen with the truth at hand, which a user has not), and scikit-learn's LassoCV with loading cases left
out.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pysindy
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GroupKFold

from mechlearn.crystals import (
    InteractionFit,
    InteractionSettings,
    LoadingSettings,
    fcc_interaction_names,
    fit_storage,
    fit_strength,
    independent_entries,
    interaction_orbits,
    planted_law,
    slip_systems,
    symmetry_projector,
    taylor_histories,
)
from mechlearn.crystals.interaction_fit import storage_problem, strength_problem
from mechlearn.crystals.reduced_problem import ReducedProblem
from mechlearn.errors import InputError
from mechlearn.records import write_json

RESULTS = Path(__file__).with_suffix(".json")
THRESHOLDS = (0.1, 0.5, 2.0, 6.0)
#: The names of rows, and what measures them.
Runs = list[tuple[str, Callable[[], object]]]
KINDS = {"H": (2, ()), "H symmetric": (2, (0, 1)), "K": (3, ()), "K symmetric in j, k": (3, (1, 2))}


def scores(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """How well the set of non-zero entries is found; F1 = 2 TP/(2 TP + FP + FN)."""
    planted, kept = truth != 0, found != 0
    both = planted & kept
    return {
        "f1": 2 * both.sum() / (planted.sum() + kept.sum()),
        "spurious": int((kept & ~planted).sum()),
        "missed": int((planted & ~kept).sum()),
        "largest_relative_error": float(np.abs(found[both] / truth[both] - 1).max(initial=0.0)),
    }


def certainty(truth: np.ndarray, fit: InteractionFit) -> dict[str, float]:
    """How often 95% intervals hold the truth, and the least probability of a true entry."""
    both = (truth != 0) & fit.support
    return {
        "interval_coverage": float(np.mean((fit.low <= truth)[both] & (truth <= fit.high)[both])),
        "least_probability_of_true": float(fit.probability[both].min(initial=1.0)),
        "largest_probability_of_others": float(fit.probability[truth == 0].max(initial=0.0)),
    }


def counts() -> dict[str, object]:
    """Independent entries by orbits, by characters and by the trace of the projection."""
    rows = {}
    for lattice in ("fcc", "bcc", "hcp"):
        systems = slip_systems(lattice)
        for name, (order, symmetric) in KINDS.items():
            orbits = interaction_orbits(systems, order, symmetric)
            projector = symmetry_projector(systems, order, symmetric)
            tensor = np.random.default_rng(0).normal(size=(len(systems),) * order)
            difference = (projector @ tensor.ravel()).reshape(tensor.shape) - orbits.expand(orbits.mean(tensor))
            rows[f"{lattice}, {len(systems)} systems: {name}"] = {
                "entries": tensor.size,
                "by_orbits": len(orbits),
                "by_characters": independent_entries(systems, order, symmetric),
                "by_projection": projector.trace(),
                "largest_difference_of_projections": np.abs(difference).max(),
            }
    fcc = slip_systems("fcc")
    orbits = interaction_orbits(fcc, 2)
    rows["fcc interactions"] = dict(zip(fcc_interaction_names(fcc, orbits), orbits.sizes.tolist(), strict=True))
    return rows


def stlsq(problem: ReducedProblem) -> dict[float, np.ndarray]:
    """PySINDy's sequentially thresholded least squares on the same columns, family by family, at each threshold."""
    values = {threshold: np.zeros(len(problem.orbits)) for threshold in THRESHOLDS}
    for family in range(len(problem.systems.families)):
        columns = problem.columns(family)
        folds = np.zeros(len(np.unique(problem.cases)), dtype=int)
        moments = problem.moments(family, columns, folds).moments[0]
        # Columns with the same products stand for the samples: a row a column, by Cholesky's factor.
        factor = np.linalg.cholesky(moments + 1e-9 * np.diag(np.diag(moments)))
        for threshold, found in values.items():
            optimizer = pysindy.STLSQ(threshold=threshold)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                optimizer.fit(factor[:-1, :-1].T, factor[-1, :-1, None])
            found[columns] = optimizer.coef_[0, int(problem.constant) :]
    return values


def lasso_cv(problem: ReducedProblem) -> np.ndarray:
    """scikit-learn's LASSO on standardised columns, penalty by loading cases left out."""
    values = np.zeros(len(problem.orbits))
    for family in range(len(problem.systems.families)):
        columns = problem.columns(family)
        matrices, targets = zip(*problem.batches(family, columns), strict=True)
        cases = np.repeat(np.arange(len(targets)), [len(target) for target in targets])
        matrix = np.concatenate(matrices)[:, int(problem.constant) :]
        scale = matrix.std(axis=0)
        folds = list(GroupKFold(6).split(matrix, groups=cases))
        model = LassoCV(cv=folds, fit_intercept=problem.constant).fit(matrix / scale, np.concatenate(targets))
        values[columns] = model.coef_ / scale
    return values


def recovery(seed: int, noise: float, loading: LoadingSettings, peers: bool) -> dict[str, object]:
    """Plant a law of 39 hcp systems, make readings, add noise, and fit without the truth."""
    rng = np.random.default_rng(seed)
    law = planted_law(slip_systems("hcp"), rng)
    histories = taylor_histories(law, loading, rng=rng).with_noise(noise, rng)
    result: dict[str, object] = {"seed": seed, "noise": noise, "cases": loading.cases}
    for name, truth, orbits, fit_tensor, problem_of in (
        ("H", law.strength, law.pairs, fit_strength, strength_problem),
        ("K", law.storage, law.triples, fit_storage, storage_problem),
    ):
        start = time.perf_counter()
        fit = fit_tensor(histories, law.systems, orbits, rng=np.random.default_rng(seed))
        seconds = time.perf_counter() - start
        planted = int((truth != 0).sum())
        result[name] = {"planted": planted, **scores(truth, fit.values), **certainty(truth, fit), "seconds": seconds}
        result["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        if not peers:
            continue
        problem = problem_of(histories, law.systems, orbits, InteractionSettings())
        found = {threshold: scores(truth, values) for threshold, values in stlsq(problem).items()}
        best = max(found, key=lambda threshold: found[threshold]["f1"])
        result[f"{name}, PySINDy STLSQ, untuned"] = found[THRESHOLDS[0]]
        result[f"{name}, PySINDy STLSQ, best threshold"] = {"threshold": best, **found[best]}
        if name == "H":
            result["H, LassoCV"] = scores(truth, lasso_cv(problem))
    return result


def worth_of_symmetry(seed: int, noise: float, loading: LoadingSettings) -> dict[str, object]:
    """The same readings fitted with orbits, and with every entry free: 1,521 and 59,319 unknowns."""
    rng = np.random.default_rng(seed)
    systems = slip_systems("hcp")
    law = planted_law(systems, rng)
    histories = taylor_histories(law, loading, rng=rng).with_noise(noise, rng)
    nothing = np.eye(4, dtype=np.int64)[None]
    alone = replace(systems, families=systems.labels, family=np.arange(len(systems)), point_group=nothing)
    result: dict[str, object] = {"seed": seed, "noise": noise, "cases": loading.cases, "grains": loading.grains}
    for tensor, truth, orbits, fit_tensor in (
        ("H", law.strength, law.pairs, fit_strength),
        ("K", law.storage, law.triples, fit_storage),
    ):
        whole, free = orbits.expand(truth), interaction_orbits(alone, orbits.labels.ndim)
        for name, kind, entries in (("with", systems, orbits), ("without", alone, free)):
            start = time.perf_counter()
            try:
                fit = fit_tensor(histories, kind, entries, rng=np.random.default_rng(seed))
                found = scores(whole.ravel(), entries.expand(fit.values).ravel())
            except InputError as error:
                found = {"f1": 0.0, "failure": str(error)}
            row = {"unknowns": len(entries), **found, "seconds": time.perf_counter() - start}
            result[f"{tensor}, {name} symmetry"] = row
    result["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return result


def recoveries(seeds: range) -> Runs:
    """Planted laws found again, with symmetry, for more and less data, and by peers."""
    runs: Runs = [
        (f"noise 5%, 24 cases of 10 grains, seed {seed}", partial(recovery, seed, 0.05, LoadingSettings(), False))
        for seed in seeds
    ]
    for noise, cases, grains in ((0.05, 12, 5), (0.05, 6, 5), (0.2, 24, 10), (0.5, 24, 10)):
        loading = LoadingSettings(cases=cases, grains=grains)
        runs += [
            (
                f"noise {noise:.0%}, {cases} cases of {grains} grains, seed {seed}",
                partial(recovery, seed, noise, loading, False),
            )
            for seed in seeds[:3]
        ]
    few = LoadingSettings(cases=12, grains=5)
    runs += [
        (f"peers, noise 5%, 12 cases of 5 grains, seed {seed}", partial(recovery, seed, 0.05, few, True))
        for seed in seeds[:3]
    ]
    return runs


def symmetries(seeds: range) -> Runs:
    """More and more data, with and without symmetry."""
    return [
        (
            f"worth of symmetry, noise 5%, {cases} cases of {grains} grains, seed {seed}",
            partial(worth_of_symmetry, seed, 0.05, LoadingSettings(cases=cases, grains=grains)),
        )
        for cases, grains in ((6, 1), (6, 2), (6, 5), (12, 5))
        for seed in seeds[:3]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=("recovery", "symmetry"))
    options = parser.parse_args()
    seeds = range(options.seeds)
    results: dict[str, object] = json.loads(RESULTS.read_text()) if options.only and RESULTS.exists() else {}
    results["command"] = f"python benchmarks/crystal_interactions.py --seeds {len(seeds)}"
    runs: Runs = []
    if options.only != "symmetry":
        results["counts"] = counts()
        runs += recoveries(seeds)
    if options.only != "recovery":
        runs += symmetries(seeds)
    for name, run in runs:
        results[name] = run()
        print(name, results[name], flush=True)
        write_json(RESULTS, results)


if __name__ == "__main__":
    main()
