"""What the commands of ``mechlearn glass`` show and write: specimens, runs and labels in rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mechlearn.cli.output import show_table

if TYPE_CHECKING:
    from mechlearn.evaluation import SweepRow
    from mechlearn.glasses import ShearRun, ShearRuns, TransformedGroup
    from mechlearn.structures import StructureBatch
    from mechlearn.units import Units

_FACTS = ("crystalline_share", "flow", "largest_force")

#: Keys of the records and what they are called above a column.
LABELS = {
    "threshold": "threshold",
    "positive": "atoms above",
    "prevalence": "prevalence",
    "events": "runs with any",
    "clusters": "clusters",
    "largest_cluster": "largest",
}
SWEEP = {
    "threshold": "threshold",
    "prevalence": "prevalence",
    "recall": "recall",
    "precision": "precision",
    "auc": "AUC",
    "ap": "AP",
    "ap_lift": "AP / prevalence",
}

Record = dict[str, Any]


def show_records(headings: Mapping[str, str], records: Sequence[Record]) -> None:
    """Print records as a table, the keys that it has a heading for."""
    show_table(tuple(headings.values()), [[record[key] for key in headings] for record in records])


def specimen_records(prepared: StructureBatch, folder: Path) -> list[Record]:
    """How each specimen came about, as the file beside it says."""
    from mechlearn.records import read_json

    found = []
    for index, name in enumerate(prepared.names):
        facts = read_json(folder / f"{name}.json")
        energy = float(prepared.energies_per_atom[index])
        record = {"specimen": name, "atoms": int(prepared.sizes[index]), "energy_per_atom": energy}
        found.append(record | {key: facts[key] for key in _FACTS})
    return found


def specimen_headings(units: Units) -> dict[str, str]:
    """What is said of specimens."""
    return {
        "specimen": "specimen",
        "atoms": "atoms",
        "energy_per_atom": f"{units.energy}/atom",
        "crystalline_share": "crystalline",
        "flow": "flow of the melt",
        "largest_force": f"force left, {units.force}",
    }


def run_headings(units: Units) -> dict[str, str]:
    """What is said of runs."""
    return {
        "run": "run",
        "ended": "ended",
        "strain": "strain",
        "stress_drop": f"drop, {units.stress}",
        "energy_drop": units.energy,
        "positive": "atoms",
        "trigger": "trigger",
        "largest_force": "force left",
        "force_evaluations": "forces",
    }


def run_records(runs: ShearRuns, units: Units) -> list[Record]:
    """The first event of each run, and how well it was at rest; stress as a person reads it."""
    found = []
    for name, facts in zip(runs.names, runs.facts(), strict=True):
        drop = facts["stress_drop"]
        shown = None if drop is None else drop * units.stress_scale
        trigger = facts["trigger"] if facts["trigger"] >= 0 else None
        found.append({"run": name, **facts, "stress_drop": shown, "trigger": trigger})
    return found


def unsettled(records: Sequence[Record], units: Units) -> list[str]:
    """What has to be said of runs without an event: those that did not come to rest, and those that ended before."""
    stuck = [record for record in records if record["ended"] == "not at rest"]
    quiet = [record for record in records if record["ended"] == "final strain" and record["strain"] is None]
    messages = []
    if stuck:
        worst = max(record["largest_force"] for record in stuck)
        messages.append(
            f"{len(stuck):,} of {len(records):,} runs ended where the atoms did not come to rest, the first "
            f"{stuck[0]['run']}, with up to {worst:.1e} {units.force} left: they have no event and are kept; into a "
            "new folder, --largest-force and --evaluations allow more"
        )
    if quiet:
        messages.append(
            f"{len(quiet):,} of {len(records):,} runs reached the final strain without an event, the first "
            f"{quiet[0]['run']}"
        )
    return messages


def label_records(runs: Sequence[ShearRun], thresholds: Sequence[float], connection: float) -> list[Record]:
    """How many atoms took part by each threshold, of how many, in how many clusters."""
    atoms = sum(run.structure.atoms for run in runs)
    found = []
    for threshold in thresholds:
        sizes = [_group(run, threshold, connection).sizes for run in runs]
        positive = int(sum(size.sum() for size in sizes))
        found.append(
            {
                "threshold": threshold,
                "positive": positive,
                "prevalence": positive / atoms,
                "events": sum(len(size) > 0 for size in sizes),
                "clusters": sum(len(size) for size in sizes),
                "largest_cluster": max((int(size[0]) for size in sizes if len(size)), default=0),
            }
        )
    return found


def sweep_records(rows: Sequence[SweepRow]) -> list[Record]:
    """The scores by each threshold; what is undefined is said."""
    import math

    found = []
    for row in rows:
        values = {key: row.scores[key].value for key in ("recall", "precision", "auc", "ap", "ap_lift")}
        said = {key: value if math.isfinite(value) else "undefined" for key, value in values.items()}
        found.append({"threshold": f"{row.threshold:g}", "prevalence": row.prevalence, **said})
    return found


def check_ending(path: Path | None) -> None:
    """Refuse a file that is neither a Parquet nor a CSV file by its name, before any work.

    Raises
    ------
    InputError
        It is neither.
    """
    from mechlearn.errors import InputError

    if path is not None and path.suffix.lower() not in (".parquet", ".csv"):
        raise InputError(f"writing labels to {path}: its name ends in neither .parquet nor .csv; give one that does")


def write_labels(path: Path, runs: Sequence[ShearRun], thresholds: Sequence[float], connection: float) -> None:
    """Write a table with a row an atom of every run: element, D²min, and its label and cluster by every threshold."""
    import io

    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet
    from ase.data import chemical_symbols

    from mechlearn.records import write_atomically

    tables = []
    for run in runs:
        atoms = run.structure.atoms
        columns: dict[str, Any] = {
            "run": [run.name] * atoms,
            "specimen": [run.specimen] * atoms,
            "sense": [run.sense] * atoms,
            "atom": np.arange(atoms),
            "element": [chemical_symbols[number] for number in run.structure.species],
            "d2min": run.d2min,
            "mode_weight": run.mode_weights,
        }
        for threshold in thresholds:
            group = _group(run, threshold, connection)
            columns[f"positive_{threshold:g}"] = group.members
            columns[f"cluster_{threshold:g}"] = group.clusters
        tables.append(pa.table(columns))
    table, buffer = pa.concat_tables(tables), io.BytesIO()
    if path.suffix.lower() == ".csv":
        pa.csv.write_csv(table, buffer)
    else:
        pa.parquet.write_table(table, buffer)
    write_atomically(path, buffer.getvalue())


def _group(run: ShearRun, threshold: float, connection: float) -> TransformedGroup:
    from mechlearn.glasses import transformed_group

    return transformed_group(run.structure, run.d2min, connection, threshold)
