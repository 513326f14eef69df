"""A campaign that generates and labels in small parts, as a script that a test may kill.

In every process that computes (worker processes have this file as their main module, Dask's import it by
``--preload``) parts hold four structures instead of 64, and each is noted in a log before it is computed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mechlearn.cli.main import run
from mechlearn.engines import structure_sets
from mechlearn.sampling import sets

STRUCTURES = 26
STRUCTURES_PER_PART = 4
PARTS = -(-STRUCTURES // STRUCTURES_PER_PART)
GENERATED, LABELLED = "generated", "labelled"
LOG = "computed.log"


def main(folder: str, *options: str) -> int:
    """Generate and label in a folder, as the two commands do."""
    os.chdir(folder)
    count = ["--count", str(STRUCTURES)]
    return run(["structures", "generate", *count, "--out", GENERATED, *options]) or run(
        ["structures", "label", GENERATED, "--with", "eam", "--out", LABELLED, *options]
    )


def note_parts() -> None:
    """Make small parts in this process from now on, and note each."""
    compute = structure_sets._Part.__call__

    def noted(part: structure_sets._Part, index: int) -> int:
        out = Path(part.out)
        with (out.parent / LOG).open("a") as log:
            log.write(f"{out.name} {index}\n")
        return compute(part, index)

    sets.STRUCTURES_PER_PART = STRUCTURES_PER_PART
    structure_sets._Part.__call__ = noted  # type: ignore[method-assign]


def dask_setup(worker: Any) -> None:
    """What Dask calls in a worker that preloads this file."""
    note_parts()


if __name__ in ("__main__", "__mp_main__"):
    note_parts()

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
