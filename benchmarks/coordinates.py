"""Coordinates and their law behind many features: how often they are found, how good they are, and what they cost.

Run ``python benchmarks/coordinates.py`` (about 15 minutes on one core; ``--size laptop`` for an hour a system,
``--only lorenz``, ``--seeds 1`` for a look); it writes ``coordinates.json`` beside this file, and goes on with what is
not in it.  Errors are those of trajectories held out of training; a horizon is the share of their duration for which a
forecast, simulated from the first sample and decoded, stays within 10%.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mechlearn.equations.examples.example_coordinates import PUBLISHED_TERMS, coordinate_example
from mechlearn.equations.examples.example_images import Measurements
from mechlearn.equations.latent.coordinate_discovery import CoordinateDiscovery
from mechlearn.equations.latent.coordinates import discover_coordinates
from mechlearn.records import write_json

RESULTS = Path(__file__).with_suffix(".json")


def horizon(found: CoordinateDiscovery, measured: Measurements) -> float:
    """The median over held-out trajectories of the share of their duration that is forecast within 10%."""
    rows = np.isin(measured.trajectories, found.held_out)
    derivatives = [part[rows] for part in (measured.data, *measured.derivatives)]
    numbers, times = measured.trajectories[rows], measured.times[rows]
    reached = found.horizons(derivatives, numbers, times)
    return float(np.median([right / np.ptp(times[numbers == number]) for number, right in reached.items()]))


def measure(system: str, size: str, seed: int) -> Mapping[str, object]:
    """One search, in processor seconds."""
    example = coordinate_example(system, size, seed=seed)  # type: ignore[arg-type]
    measured, before = example.measurements, time.process_time()
    found = discover_coordinates(
        measured.data, measured.derivatives, example.settings, trajectories=measured.trajectories, seed=seed
    )
    return {
        "system": system,
        "size": size,
        "seed": seed,
        "published_terms": PUBLISHED_TERMS[system],
        **found.to_dict(),
        "horizon": horizon(found, measured),
        "processor_seconds": time.process_time() - before,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(PUBLISHED_TERMS))
    parser.add_argument("--size", choices=("quick", "laptop"), default="quick")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    done = {(row["system"], row["size"], row["seed"]) for row in rows}
    for system in [options.only] if options.only else PUBLISHED_TERMS:
        for seed in range(options.seeds):
            if (system, options.size, seed) in done:
                continue
            row = measure(system, options.size, seed)
            rows.append(row)
            write_json(RESULTS, {"command": "python benchmarks/coordinates.py", "rows": rows})
            print(system, options.size, seed, row["terms"], row["errors"], row["horizon"], row["processor_seconds"])


if __name__ == "__main__":
    main()
