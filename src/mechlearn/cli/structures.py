"""``mechlearn structures``: read, convert, generate, label and compare sets of structures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mechlearn.cli.help import Command, Group
from mechlearn.cli.output import (
    JsonOption,
    SchedulerOption,
    SeedOption,
    WorkersOption,
    available_workers,
    say,
    show,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from mechlearn.structures import LabelReport, StructureBatch

app = typer.Typer(cls=Group, help="Sets of structures: read, convert, generate, label, compare.", no_args_is_help=True)

PathArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="Structures: extended XYZ, FitSNAP JSON, Parquet set, LAMMPS, VASP, what ASE reads, or a folder of these.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the set; an interrupted one is gone on with.")]
TwojmaxOption = Annotated[
    int, typer.Option("--twojmax", min=0, metavar="2J", help="Angular resolution 2J of the bispectrum.")
]
CutoffOption = Annotated[float, typer.Option("--cutoff", help="Cutoff of the bispectrum, Å.")]


class Kind(StrEnum):
    """The two ways to make a set."""

    ENTROPY = "entropy"
    EXPERT = "expert"


@app.command(cls=Command, epilog="Example: mechlearn structures info tungsten_dft")
def info(path: PathArgument, as_json: JsonOption = False) -> None:
    """Show what a set holds, group by group, and which of its labels are suspect."""
    from mechlearn.structures import check_labels, read_structures

    batch = read_structures(path)
    report = check_labels(batch)
    rows = _group_rows(batch)
    if as_json:
        show_json(
            {
                "path": path,
                "structures": len(batch),
                "atoms": batch.atoms,
                "elements": batch.elements,
                "groups": [dict(zip(GROUP_FIELDS, row, strict=True)) for row in rows],
                "findings": report.to_dict()["findings"],
            }
        )
        return
    show(f"{path}: {len(batch):,} structures, {batch.atoms:,} atoms of {', '.join(batch.elements)}")
    show_table(("group", "structures", "atoms", "energies", "forces", "stresses", "eV/atom, least", "most"), rows)
    show(str(report))


@app.command(cls=Command, epilog="Example: mechlearn structures convert tungsten_dft tungsten.xyz")
def convert(
    path: PathArgument,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A .xyz file, a folder ending in .parquet (a set), or a folder (FitSNAP JSON)."
        ),
    ],
) -> None:
    """Write a set in another format, labels and groups included."""
    from mechlearn.structures import check_labels, read_structures, write_structures

    batch = read_structures(path)
    warn(check_labels(batch))
    write_structures(batch, out)
    say(f"{len(batch):,} structures written to {out}")


@app.command(cls=Command, epilog="Example: mechlearn structures generate --element W --count 500 --out diverse")
def generate(
    count: Annotated[int, typer.Option(min=1, metavar="N", help="How many structures.")],
    out: OutOption,
    element: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL", help="Chemical symbol, by default W; may be repeated."),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="Diverse by construction, or as an expert would choose.")] = Kind.ENTROPY,
    dynamics: Annotated[
        str,
        typer.Option(
            metavar="POTENTIAL",
            help="What moves the atoms of the expert set's hot crystals and liquids, as label --with names it.",
        ),
    ] = "eam",
    atomic_volume: Annotated[
        float | None,
        typer.Option(
            metavar="Å³",
            help="Ambient volume of an atom of a diverse set; by default that of the elements' own crystals.",
            show_default=False,
        ),
    ] = None,
    seed: SeedOption = 0,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Make a set: entropy-maximised and -minimised structures, or the built-in expert groups."""
    from mechlearn.errors import InputError

    elements = tuple(element or ("W",))
    run = {"seed": seed, "workers": available_workers(workers), "scheduler": scheduler}
    if kind is Kind.ENTROPY:
        from mechlearn.sampling import GenerationSettings
        from mechlearn.sampling import generate as generate_set

        settings = GenerationSettings(elements=elements, atomic_volume=atomic_volume)
        generate_set(settings, count, out, **run)  # type: ignore[arg-type]
    elif atomic_volume is not None:
        raise InputError("making the expert set: --atomic-volume is for diverse sets; leave it out")
    elif len(elements) > 1:
        raise InputError("making the expert set: it is of one element; give --element once")
    else:
        from mechlearn.sampling.sets import expert_set

        expert_set(elements[0], count, out, potential=dynamics, **run)  # type: ignore[arg-type]
    say(f"{count:,} structures in {out}")


@app.command(cls=Command, epilog="Example: mechlearn structures label diverse --with eam --out diverse-labelled")
def label(
    path: PathArgument,
    out: OutOption,
    potential: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="POTENTIAL",
            help="What computes the labels: eam, snap (files that come with LAMMPS), gpaw, a potential file, or "
            "module:callable (ASE).",
        ),
    ] = "eam",
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Give every structure the energy, forces and stress of a potential, in place of those it has."""
    from mechlearn.sampling.sets import label_set

    labelled = label_set(path, potential, out, workers=available_workers(workers), scheduler=scheduler)
    say(f"{len(labelled):,} structures labelled by {potential} in {out}")


@app.command(cls=Command, epilog="Example: mechlearn structures compare expert diverse")
def compare(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="The set that is the measure.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="The set that is compared with it.")],
    twojmax: TwojmaxOption = 8,
    cutoff: CutoffOption = 4.73,
    as_json: JsonOption = False,
) -> None:
    """Show which of two sets is the broader, and in how many directions of descriptor space."""
    from mechlearn.descriptors import Bispectrum
    from mechlearn.sampling import compare_sets
    from mechlearn.structures import read_structures

    one, other = read_structures(first), read_structures(second)
    elements = tuple(sorted({*one.elements, *other.elements}))
    descriptor = Bispectrum(elements, cutoff=cutoff, twojmax=twojmax)
    comparison = compare_sets(one, other, descriptor, names=(first.name, second.name))
    if as_json:
        show_json(comparison.to_dict())
    else:
        show(str(comparison))


GROUP_FIELDS = (
    "group",
    "structures",
    "atoms",
    "energies",
    "forces",
    "stresses",
    "lowest_energy",
    "highest_energy",
)


def _group_rows(batch: StructureBatch) -> list[tuple[object, ...]]:
    """One row a group: how many structures and atoms, how many labelled, and the range of energies."""
    import numpy as np

    labelled = np.isfinite(batch.energies)
    forced = np.minimum.reduceat(np.isfinite(batch.forces).all(axis=1), batch.offsets[:-1])
    stressed = np.isfinite(batch.stresses).all(axis=1)
    groups = np.array(batch.groups)
    rows: list[tuple[object, ...]] = []
    for group in dict.fromkeys(batch.groups):
        own = groups == group
        energies = batch.energies_per_atom[own & labelled]
        span = (float(energies.min()), float(energies.max())) if len(energies) else (None, None)
        counts = (int((own & which).sum()) for which in (labelled, forced, stressed))
        rows.append((group or "(no name)", int(own.sum()), int(batch.sizes[own].sum()), *counts, *span))
    return rows


def warn(report: LabelReport) -> None:
    """What is suspect or absent, on standard error; what could not be checked is for ``info`` to say."""
    for finding in report.findings:
        if finding.kind != "not_checked":
            say(f"labels, {finding.severity}: {finding.message}")
