"""Rows of the table of ratios: the same work by us and by a peer, timed in turns, with the accuracy of both."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

#: What stands between these lines of the page is written from the results.
BEGIN, END = "<!-- begin: ratios -->", "<!-- end: ratios -->"

_ORDER = [*(f"bispectrum-{twojmax}" for twojmax in (2, 4, 6, 8)), "snap-forces-8", "snap-batch-8"]
_ORDER += ["eam-forces", "eam-structure", "aqs-step", "swaps"]
_ORDER += ["fit-tungsten", "entropy-generation", "train-A1", "train-B1"]

#: Of the quicker side in one turn.
MOST_REPEATS = 40


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name : str
        What was done.
    peer : str
        Who else did it.
    ratio, spread : float
        The peer's time over ours, the median over rounds, and half the distance of its quartiles.
    ours, theirs : float
        Rates, in ``unit``.
    unit : str
        Of the rates.
    accuracy : str
        How far the two answers differ.
    """

    name: str
    peer: str
    ratio: float
    spread: float
    ours: float
    theirs: float
    unit: str
    accuracy: str


def compare(
    name: str,
    peer: str,
    work: int,
    unit: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    accuracy: str,
    rounds: int = 7,
    warm: bool = False,
) -> Row:
    """Time both in turns, so that what else the machine does meets both alike.

    The quicker one is called so many times a turn that both turns last about as long: a moment's disturbance then
    weighs on both alike.

    Parameters
    ----------
    work
        How many units (atoms, structures) one call does.
    ours, theirs
        The calls; each is made once before the clock starts.
    rounds
        How many pairs of calls.
    warm
        Whether both have been called already.
    """
    if not warm:
        ours()
        theirs()
    repeats = min(max(round(_seconds(theirs) / _seconds(ours)), 1), MOST_REPEATS)
    pairs = [(_seconds(ours, repeats), _seconds(theirs)) for _ in range(rounds)]
    ratios = sorted(their / our for our, their in pairs)
    best_ours, best_theirs = (min(pair[side] for pair in pairs) for side in (0, 1))
    return Row(
        name=name,
        peer=peer,
        ratio=round(ratios[rounds // 2], 2),
        spread=round((ratios[(3 * rounds) // 4] - ratios[rounds // 4]) / 2, 2),
        ours=round(work / best_ours, 1),
        theirs=round(work / best_theirs, 1),
        unit=unit,
        accuracy=accuracy,
    )


def _seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """The mean over ``repeats`` calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def record(rows: Sequence[Row]) -> None:
    """Print the rows and put them into ``results.json`` in the place of older ones of the same name."""
    stored = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"rows": []}
    names = {row.name for row in rows}
    kept = [row for row in stored["rows"] if row["name"] not in names]
    stored = {"machine": machine(), "rows": [*kept, *(asdict(row) for row in rows)]}
    RESULTS.write_text(json.dumps(stored, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row.name:16s} {row.ratio:7.2f} ± {row.spread:.2f} times {row.peer}: "
            f"{row.ours:,.0f} against {row.theirs:,.0f} {row.unit}; {row.accuracy}"
        )


def machine() -> dict[str, object]:
    """What it ran on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version()}


def write_table() -> None:
    """Put the ratios into the page of the documentation."""
    stored = json.loads(RESULTS.read_text("utf-8"))
    host = stored["machine"]
    lines = ["", "| row | peer | ratio | ours | theirs | unit | accuracy |", "|---|---|---|---|---|---|---|"]
    for row in sorted(stored["rows"], key=lambda row: _ORDER.index(row["name"])):
        lines.append(
            f"| `{row['name']}` | {row['peer']} | **{row['ratio']:.1f}** ± {row['spread']:.1f} | {row['ours']:,.4g} "
            f"| {row['theirs']:,.4g} | {row['unit']} | {row['accuracy']} |"
        )
    where = f"Measured on one core of an {host['processor']} ({host['cores']} cores), Python {host['python']}."
    lines += ["", where, ""]
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    write_table()
