"""Is the equation found from noisy fields?  Ours, and PySINDy's weak form, on the same data, noise and candidates.

Run it as ``python benchmarks/equations_pde.py FOLDER [SEEDS]`` with burgers.mat and kdv.mat in FOLDER; it writes
``equations_pde.json`` beside itself.  Noise is its standard deviation over that of the field.  Times are of the
processor, of one thread; memory is the peak of what is allocated in between.

PySINDy runs twice: with the same conservative candidates, D^α u^m, given to it as fields of their own; and untuned,
with its own library of products u^m D^α u, m ≤ 2, |α| ≤ 3.  Both with K = 500 domains and STLSQ at a threshold of 0.05.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import re
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pysindy

from mechlearn.equations import DiscoverySettings, Field, Windows, discover_pde, read_field
from mechlearn.equations.library import candidates
from mechlearn.equations.weak import weak_rows

RESULTS = Path(__file__).with_suffix(".json")
CASES = (("burgers", 0.2), ("burgers", 0.5), ("kdv", 0.2), ("kdv", 0.5))
TRUTH = {"burgers": {"u u_x": -1.0, "u_xx": 0.1}, "kdv": {"u u_x": -6.0, "u_xxx": -1.0}}
SETTINGS = DiscoverySettings(degree=3, derivative_order=4)
THRESHOLD, DOMAINS = 0.05, 500


def noisy(field: Field, noise: float, seed: int) -> Field:
    """The field with Gaussian noise."""
    rng = np.random.default_rng(seed)
    values = {name: u + noise * u.std() * rng.normal(size=u.shape) for name, u in field.values.items()}
    return replace(field, values=values)


def ours(field: Field, settings: DiscoverySettings = SETTINGS) -> dict[str, float]:
    """Terms and coefficients of our weak form."""
    return {c.term.name: c.value for c in discover_pde(field, settings).equations[0].coefficients}


def pysindy_same(field: Field, settings: DiscoverySettings = SETTINGS, seed: int = 0) -> dict[str, float]:
    """PySINDy's weak form with our candidates: every power of u is a field, whose derivatives are taken."""
    u = field.values["u"]
    powers = np.stack([u**m for m in range(1, settings.degree + 1)], axis=-1)
    library = _weak_library(field, pysindy.PolynomialLibrary(degree=1, include_bias=False), settings, seed, False)
    model = pysindy.SINDy(
        feature_library=library, optimizer=pysindy.STLSQ(threshold=THRESHOLD, normalize_columns=False)
    )
    names = ["a", "b", "c", "d", "e", "f"][: settings.degree]
    model.fit(powers, t=field.coordinates["t"], feature_names=names)
    found = dict(zip(model.get_feature_names(), model.coefficients()[0], strict=True))
    return {_translated(name, names): _factor(name, names) * value for name, value in found.items() if value}


def pysindy_untuned(field: Field, settings: DiscoverySettings = SETTINGS, seed: int = 0) -> dict[str, float]:
    """PySINDy's weak form with its own products of u and its derivatives."""
    functions = pysindy.PolynomialLibrary(degree=2, include_bias=False)
    library = _weak_library(field, functions, replace(settings, derivative_order=3), seed, True)
    model = pysindy.SINDy(feature_library=library, optimizer=pysindy.STLSQ(threshold=THRESHOLD))
    model.fit(field.values["u"][..., None], t=field.coordinates["t"], feature_names=["u"])
    found = dict(zip(model.get_feature_names(), model.coefficients()[0], strict=True))
    return {_own_name(name): value for name, value in found.items() if value}


def _weak_library(field: Field, functions: Any, settings: DiscoverySettings, seed: int, products: bool) -> Any:
    grid = np.stack(np.meshgrid(*field.coordinates.values(), indexing="ij"), axis=-1)
    np.random.seed(seed)  # noqa: NPY002 - where PySINDy draws its domains from
    return pysindy.WeakPDELibrary(
        functions,
        derivative_order=settings.derivative_order,
        spatiotemporal_grid=grid,
        K=DOMAINS,
        include_interaction=products,
        include_bias=False,
    )


def _own_name(name: str) -> str:
    """PySINDy's ``uu_11`` is u u_xx."""
    spaced = re.sub(r"(u(?:\^2)?)(u_)", r"\1 \2", name)
    return re.sub(r"1+$", lambda ones: "x" * len(ones[0]), spaced) if "_" in spaced else spaced


def _translated(name: str, names: list[str]) -> str:
    """PySINDy's ``b_11`` is (u^2)_xx."""
    base, _, subscript = name.partition("_")
    power, order = names.index(base[0]) + 1, len(subscript)
    if order == 1 and power > 1:
        return f"u{'^' + str(power - 1) if power > 2 else ''} u_x"
    whole = "u" if power == 1 else f"u^{power}"
    return whole if not order else f"{whole if power == 1 else f'({whole})'}_{'x' * order}"


def _factor(name: str, names: list[str]) -> float:
    """(u^m)_x is m u^(m-1) u_x."""
    base, _, subscript = name.partition("_")
    return float(names.index(base[0]) + 1) if len(subscript) == 1 else 1.0


def judged(found: list[dict[str, float]], truth: dict[str, float]) -> dict[str, Any]:
    """How many have the exact terms, and how far their coefficients are off."""
    right = [terms for terms in found if set(terms) == set(truth)]
    off = [max(abs(terms[name] / value - 1) for name, value in truth.items()) for terms in right]
    return {
        "exact": len(right),
        "within_5_percent": sum(error <= 0.05 for error in off),
        "median_error": float(np.median(off)) if off else None,
        "largest_error": max(off, default=None),
        "mean_terms": float(np.mean([len(terms) for terms in found])),
    }


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Processor seconds, the least of three, and peak megabytes of a call."""
    seconds = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        seconds = min(seconds, time.process_time() - start)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"seconds": seconds, "megabytes": peak / 1e6}


def costs(field: Field) -> dict[str, dict[str, float]]:
    """Time and memory with 30 candidates: five derivatives of six powers, and a constant in ours."""
    settings = replace(SETTINGS, degree=6, derivative_order=4)
    return {"ours": measured(lambda: ours(field, settings)), "pysindy": measured(lambda: pysindy_same(field, settings))}


def growth(field: Field) -> dict[str, float]:
    """Processor seconds of the weak rows of a field and of others 2, 4 and 8 times as long, by number of samples."""
    seconds = {}
    for times in (1, 2, 4, 8):
        u = np.tile(field.values["u"], (times, 1))
        x = np.arange(len(u)) * field.steps()[0]
        longer = Field({"u": u}, {"x": x, "t": field.coordinates["t"]})
        library, windows = candidates(longer, SETTINGS.degree, SETTINGS.derivative_order), Windows((36, 40), (13, 14))
        seconds[str(u.size)] = measured(lambda: weak_rows(longer, library, windows, [0.02]))["seconds"]  # noqa: B023
    return seconds


def main() -> None:
    """Run all cases, print them and write them down."""
    warnings.filterwarnings("ignore")
    folder, seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    results: dict[str, Any] = {"seeds": seeds, "pysindy": pysindy.__version__, "cases": []}
    methods = {"ours": ours, "pysindy, same candidates": pysindy_same, "pysindy, own candidates": pysindy_untuned}
    for name, noise in CASES:
        field = read_field(folder / f"{name}.mat")
        for method, find in methods.items():
            found = [find(noisy(field, noise, seed)) for seed in range(seeds)]
            row = {"data": name, "noise": noise, "method": method, **judged(found, TRUTH[name])}
            results["cases"].append(row)
            print(row, flush=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    results["costs of 512 x 201, 30 candidates"] = costs(noisy(read_field(folder / "kdv.mat"), 0.2, 0))
    results["seconds of weak rows by samples"] = growth(noisy(read_field(folder / "kdv.mat"), 0.2, 0))
    print(results["costs of 512 x 201, 30 candidates"], results["seconds of weak rows by samples"])
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
