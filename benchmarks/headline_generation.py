"""Parts of the paper's set, 223,660 entropy-optimised structures, made and labelled on two cores.

    python benchmarks/headline_generation.py --percent 1 2 4 --data data/tungsten_dft

makes 1%, 2% and 4% of it with EAM labels, one after the other, and writes wall time, peak memory and breadth beside
the DFT set to ``headline.json``; ``--percent 100`` makes all of it (minutes).  A set that was
interrupted goes on where it stopped, with ``--out`` the same; its times are then those of what was left.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rows import machine

from mechlearn.descriptors import Bispectrum
from mechlearn.interactions import label, labeller
from mechlearn.sampling import GenerationSettings, compare_sets, generate_structures, make_set
from mechlearn.structures import StructureBatch, StructureSet, read_structures

WHOLE = 223_660
RESULTS = Path(__file__).parent / "headline.json"


@dataclass(frozen=True)
class Labelled:
    """Generated structures with labels of the EAM potential."""

    settings: GenerationSettings
    seed: int

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        return label(generate_structures(self.settings, indices, self.seed), labeller("eam", self.settings.elements))


def peak_memory(workers: int) -> float:
    """The most this process and its workers held, GB, were all at their peaks at once."""
    own, largest_child = (
        resource.getrusage(whose).ru_maxrss for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (own + workers * largest_child) * 1024 / 1e9


def core_seconds() -> float:
    """Time that processors spent on this process and on the workers that have ended; others' work does not count."""
    spent = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def make(count: int, out: Path, workers: int, seed: int) -> tuple[StructureSet, dict[str, Any]]:
    """Make a set; what it took."""
    settings = GenerationSettings()
    recipe = {"kind": "headline", "settings": asdict(settings), "seed": seed}
    start, spent = time.perf_counter(), core_seconds()
    made = make_set(Labelled(settings, seed), count, out, recipe, workers=workers)
    seconds, spent = time.perf_counter() - start, core_seconds() - spent
    start = time.perf_counter()
    reopened = StructureSet.open(out)
    length = len(reopened)
    opening = time.perf_counter() - start
    return made, {
        "structures": length,
        "environments": sum(batch.atoms for batch in reopened.batches()),
        "workers": workers,
        "seconds": round(seconds, 2),
        "core_seconds": round(spent, 2),
        "core_milliseconds_a_structure": round(1e3 * spent / count, 3),
        "peak_memory_gb": round(peak_memory(workers), 2),
        "seconds_to_open": round(opening, 3),
        "megabytes_on_disk": round(sum(part.stat().st_size for part in reopened.parts) / 1e6, 1),
    }


def breadth(made: StructureSet, expert: StructureBatch) -> dict[str, Any]:
    """In how many directions of the expert's ZCA frame at 2J = 8 the set is broader."""
    wider = compare_sets(expert, made, Bispectrum(twojmax=8), names=("DFT", "generated")).second_over_first
    return {
        "directions": wider.directions,
        "broader": wider.broader,
        "five_times_broader": wider.broader_5x,
        "narrowest": round(float(wider.widths.min()), 3),
    }


def main() -> None:
    """Make the parts that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--percent", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder to keep the sets in; a temporary one if left out")
    parser.add_argument("--data", type=Path, help="the tungsten DFT set, to compare the breadth with")
    arguments = parser.parse_args()
    expert = None if arguments.data is None else read_structures(arguments.data)
    stored = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"parts": {}}
    # Loads and compiles what the workers will only load.
    Labelled(GenerationSettings(), arguments.seed)(range(2))
    with tempfile.TemporaryDirectory() as temporary:
        for percent in arguments.percent:
            out = (arguments.out or Path(temporary)) / f"{percent:g}percent"
            made, figures = make(round(WHOLE * percent / 100), out, arguments.workers, arguments.seed)
            if expert is not None:
                figures["breadth"] = breadth(made, expert)
            stored = {"machine": machine(), "parts": {**stored["parts"], f"{percent:g}%": figures}}
            RESULTS.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
            print(f"{percent:g}%:", json.dumps(figures))


if __name__ == "__main__":
    main()
