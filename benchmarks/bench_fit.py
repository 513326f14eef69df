"""Reading and fitting the real tungsten set, against FitSNAP; one core each.

FitSNAP runs in an environment of its own (``.venv-peers``, from ``peers/requirements.txt``) and times itself.  Neither
clock counts the start of Python and its imports; ours does not count what Numba compiles once in an installation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ["MECHLEARN_THREADS"] = "1"

import numpy as np
from rows import Row, record

from mechlearn.descriptors import Bispectrum
from mechlearn.interactions import Zbl
from mechlearn.potentials import fit_snap
from mechlearn.structures import read_structures

PEERS = Path(__file__).resolve().parents[1] / ".venv-peers" / "bin" / "python"
ROUNDS = 3


@dataclass(frozen=True)
class Timing:
    """A fit: its structures, its seconds from files to coefficients, and its errors."""

    structures: int
    seconds: float
    energy_mev_per_atom: float
    force_ev_per_angstrom: float


def ours(folder: Path) -> Timing:
    """Read and fit; the errors are found off the clock."""
    start = time.perf_counter()
    batch = read_structures(folder)
    fit = fit_snap(batch, Bispectrum(("W",), cutoff=4.73, twojmax=8), reference=Zbl(("W",), 4.0, 4.8))
    seconds = time.perf_counter() - start
    found = fit.potential.evaluate(batch)
    energy = np.sqrt(np.mean(((found.energies - batch.energies) / batch.sizes) ** 2))
    force = np.sqrt(np.mean((found.forces - batch.forces) ** 2))
    return Timing(len(batch), seconds, 1e3 * float(energy), float(force))


def theirs(folder: Path) -> Timing:
    """FitSNAP's, from its own process."""
    script = Path(__file__).parent / "peers" / "fitsnap_tungsten.py"
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [PEERS, script, folder],
            cwd=scratch,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            check=True,
        )
    found = json.loads(done.stdout)
    return Timing(
        found["structures"],
        sum(found["seconds"].values()),
        found["energy_mev_per_atom"],
        found["force_ev_per_angstrom"],
    )


def row(folder: Path) -> Row:
    """FitSNAP once, as it takes two minutes; ours before and after."""
    ours(folder)
    before = [ours(folder) for _ in range(ROUNDS)]
    peer = theirs(folder)
    runs = sorted([*before, *(ours(folder) for _ in range(ROUNDS))], key=lambda run: run.seconds)
    ratios = [peer.seconds / run.seconds for run in runs]
    best = runs[0]
    if peer.structures != best.structures:
        raise SystemExit(f"FitSNAP fitted {peer.structures} structures, mechlearn {best.structures}: not the same work")
    return Row(
        name="fit-tungsten",
        peer="FitSNAP 3.1.0.4",
        ratio=round(ratios[ROUNDS], 2),
        spread=round((ratios[ROUNDS // 2] - ratios[-1 - ROUNDS // 2]) / 2, 2),
        ours=round(best.structures / best.seconds, 1),
        theirs=round(peer.structures / peer.seconds, 1),
        unit="structures/s",
        accuracy=(
            f"RMSE {best.energy_mev_per_atom:.4f} meV/atom and {best.force_ev_per_angstrom:.5f} eV/Å, FitSNAP's "
            f"{peer.energy_mev_per_atom:.4f} and {peer.force_ev_per_angstrom:.5f}"
        ),
    )


def main() -> None:
    """The row, on one core."""
    data = os.environ.get("MECHLEARN_DATA")
    if not data or not PEERS.exists():
        sys.exit("fit-tungsten needs MECHLEARN_DATA, the folder that holds tungsten_dft, and .venv-peers (make bench)")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    record([row(Path(data) / "tungsten_dft")])


if __name__ == "__main__":
    main()
