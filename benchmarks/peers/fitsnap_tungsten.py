"""FitSNAP's fit of SNAP to a folder of its JSON files, in one process; prints its seconds and errors as JSON.

Runs in the peers' environment, not in ours.  Its three steps are those of ``python -m fitsnap3``: scrape (read),
process (rows by LAMMPS's ``compute snap``), fit.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def settings(folder: Path) -> dict[str, Any]:
    """2J = 8, cutoff 4.73 Å, ZBL 4.0–4.8 Å; energies per atom count 100, forces 1, in every group."""
    groups = {each.name: "1.0 0.0 100.0 1.0 0.0" for each in sorted(folder.iterdir()) if each.is_dir()}
    return {
        "BISPECTRUM": {
            "numTypes": 1,
            "twojmax": 8,
            "rcutfac": 4.73,
            "rfac0": 0.99363,
            "rmin0": 0.0,
            "wj": 1.0,
            "radelem": 0.5,
            "type": "W",
            "bzeroflag": 0,
            "quadraticflag": 0,
        },
        "CALCULATOR": {"calculator": "LAMMPSSNAP", "energy": 1, "force": 1, "stress": 0},
        "ESHIFT": {"W": 0.0},
        "SOLVER": {"solver": "SVD", "compute_testerrs": 0, "detailed_errors": 0},
        "SCRAPER": {"scraper": "JSON"},
        "PATH": {"dataPath": str(folder)},
        "OUTFILE": {"metrics": "metrics.md", "potential": "potential"},
        "REFERENCE": {
            "units": "metal",
            "atom_style": "atomic",
            "pair_style": "hybrid/overlay zero 10.0 zbl 4.0 4.8",
            "pair_coeff1": "* * zero",
            "pair_coeff2": "1 1 zbl 74 74",
        },
        "GROUPS": {
            "group_sections": "name training_size testing_size eweight fweight vweight",
            "group_types": "str float float float float float",
            "smartweights": 0,
            "random_sampling": 0,
            **groups,
        },
        "MEMORY": {"override": 1},
    }


def main(folder: Path) -> dict[str, Any]:
    """Read, make the rows, fit; the seconds of each and the errors of the fit."""
    from fitsnap3lib.fitsnap import FitSnap

    seconds: dict[str, float] = {}
    fit = FitSnap(settings(folder), arglist=["--overwrite"])
    for name, step in (("read", fit.scrape_configs), ("rows", fit.process_configs), ("fit", fit.solver.perform_fit)):
        start = time.perf_counter()
        step()
        seconds[name] = time.perf_counter() - start
    return {"structures": len(fit.data), "seconds": seconds, **errors(fit)}


def errors(fit: Any) -> dict[str, float]:
    """Root mean square errors of energies (meV/atom) and forces (eV/Å) on the fitted structures."""
    import numpy as np

    rows, labels = (fit.pt.shared_arrays[name].array for name in ("a", "b"))
    residual = rows @ fit.solver.fit - labels
    kinds = np.array(fit.pt.fitsnap_dict["Row_Type"])
    energy, force = (float(np.sqrt(np.mean(residual[kinds == kind] ** 2))) for kind in ("Energy", "Force"))
    return {"energy_mev_per_atom": 1e3 * energy, "force_ev_per_angstrom": force}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        found = main(Path(sys.argv[1]))
    print(json.dumps(found))
