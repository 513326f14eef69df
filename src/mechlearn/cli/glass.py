"""``mechlearn glass``: prepare glasses, shear them to their first event, label and describe atoms, learn, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mechlearn.cli.glass_inputs import (
    feature_settings,
    given,
    glasses_of,
    potential_of,
    recipe_of,
    runs_of,
    said,
    senses_of,
)
from mechlearn.cli.glass_models import evaluate, train
from mechlearn.cli.glass_tables import (
    LABELS,
    check_ending,
    label_records,
    run_headings,
    run_records,
    show_records,
    specimen_headings,
    specimen_records,
    unsettled,
    write_labels,
)
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

app = typer.Typer(
    cls=Group, help="Glasses: prepare, shear, label, describe, and learn where they yield.", no_args_is_help=True
)

RunsArgument = Annotated[Path, typer.Argument(metavar="RUNS", help="A folder that 'mechlearn glass shear' wrote.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the results; an interrupted one is gone on with.")]
PotentialOption = Annotated[
    str | None,
    typer.Option(
        metavar="POTENTIAL",
        help="An EAM file (one that comes with LAMMPS by its name), kob-andersen, or a folder of a fitted potential; "
        "by default what the folder says it was made with.",
        show_default=False,
    ),
]

#: Seconds an atom and time step of embedded atoms takes on one core, for a word on what is to come.
_SECONDS_PER_ATOM_STEP = 2e-6


@app.command(
    cls=Command, epilog="Example: mechlearn glass prepare --count 10 --atoms 1000 --rate 1e13 --seed 1 --out glasses"
)
def prepare(
    count: Annotated[int, typer.Option(min=1, metavar="N", help="How many specimens, each from a melt of its own.")],
    out: OutOption,
    composition: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA", help="Elements with percentages; by default Cu64Zr36 (Ni80P20 for kob-andersen)."
        ),
    ] = None,
    atoms: Annotated[
        int | None, typer.Option(metavar="N", help="Atoms of a specimen; by default 10000 (1000 for kob-andersen).")
    ] = None,
    potential: Annotated[
        str,
        typer.Option(
            metavar="POTENTIAL", help="An EAM file (one that comes with LAMMPS by its name), or kob-andersen."
        ),
    ] = "CuZr_mm.eam.fs",
    rate: Annotated[
        float | None, typer.Option(metavar="K/S", help="Rate of the quench; by default 1e12 (1e-4 for kob-andersen).")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(metavar="K", help="Temperature of the melt; by default 2000 (1 for kob-andersen).")
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(metavar="PS", help="How long the melt is kept; by default 100 (500 for kob-andersen)."),
    ] = None,
    pressure: Annotated[
        float | None,
        typer.Option(metavar="GPA", help="By default 0; kob-andersen keeps its volume.", show_default=False),
    ] = None,
    pressure_at_rest: Annotated[
        float | None,
        typer.Option(
            metavar="GPA",
            help="Pressure to which the cell of the glass at rest swells or shrinks; by default it stays.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="HOT COLD",
            help="Temperatures between which the rate holds; outside it cools at --fast-rate.",
            show_default=False,
        ),
    ] = None,
    fast_rate: Annotated[
        float | None, typer.Option(metavar="K/S", help="Rate above and below the window; by default 1e14.")
    ] = None,
    swaps: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Monte Carlo swaps of unlike atoms while it cools, N tried for each atom every 25 steps, for better "
            "relaxed glasses; 50 is a good number.",
            show_default=False,
        ),
    ] = None,
    timestep: Annotated[
        float | None,
        typer.Option(metavar="PS", help="Time step of the dynamics; by default 0.002 (0.005 for kob-andersen)."),
    ] = None,
    seed: SeedOption = 0,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Quench specimens from melts of their own, to a minimum of their energy; refuse those that crystallise."""
    from mechlearn.glasses import Swaps, prepare_glasses, units_for

    recipe = recipe_of(
        potential,
        {"temperature": temperature, "duration": duration},
        {"rate": rate, "pressure": pressure, "window": window, "fast_rate": fast_rate},
        composition=composition,
        atoms=atoms,
        pressure_at_rest=pressure_at_rest,
        timestep=timestep,
        swaps=None if swaps is None else Swaps(swaps),
    )
    hours = recipe.steps * recipe.atoms * count * _SECONDS_PER_ATOM_STEP / 3600.0
    say(
        f"{count:,} specimens of {recipe.composition}, {recipe.atoms:,} atoms, {recipe.steps:,} time steps each: about "
        f"{hours:.2g} core-hours"
    )
    prepared = prepare_glasses(
        recipe, count, out, seed=seed, workers=available_workers(workers), scheduler=scheduler
    ).load()
    records = specimen_records(prepared, out)
    if as_json:
        show_json({"out": out, "specimens": records})
    else:
        show_records(specimen_headings(units_for(recipe.potential)), records)
    say(f"{count:,} specimens in {out}")


@app.command(cls=Command, epilog="Example: mechlearn glass shear glasses --sense xy --sense -xy --out runs")
def shear(
    glasses: Annotated[
        Path,
        typer.Argument(
            metavar="GLASSES",
            help="A folder that 'mechlearn glass prepare' wrote, or any file or folder of structures.",
        ),
    ],
    out: OutOption,
    potential: PotentialOption = None,
    sense: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="xy, yz, xz, -xy, -yz or -xz; by default all six. May be repeated."),
    ] = None,
    gradient: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBERS",
            help="A loading of your own: nine numbers of the velocity gradient, row by row, such as "
            "pull=-0.5,0,0,0,-0.5,0,0,0,1. May be repeated; no sense is then taken unless named.",
        ),
    ] = None,
    curve: Annotated[
        float | None,
        typer.Option(
            metavar="STRAIN",
            help="Go on to this strain, beyond the first event, for the whole stress-strain curve.",
            show_default=False,
        ),
    ] = None,
    step: Annotated[float, typer.Option(metavar="STRAIN", help="Between two states at rest.")] = 1e-4,
    resolution: Annotated[float, typer.Option(metavar="STRAIN", help="How finely an event is found.")] = 1e-6,
    final_strain: Annotated[
        float, typer.Option(metavar="STRAIN", help="Where to end at the latest, event or none.")
    ] = 0.1,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="Å²",
            help="D²min above which an atom makes an instability an event; by default 0.1 (0.015 for kob-andersen).",
            show_default=False,
        ),
    ] = None,
    cutoff: Annotated[
        float | None,
        typer.Option(
            metavar="Å",
            help="Up to where atoms are neighbours in D²min; by default 3.8 (1.4 for kob-andersen).",
            show_default=False,
        ),
    ] = None,
    largest_force: Annotated[
        float, typer.Option(metavar="EV/Å", help="The largest component of a force of a state at rest.")
    ] = 1e-6,
    evaluations: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many structures a single minimisation may evaluate.")
    ] = 5000,
    crystalline: Annotated[
        float, typer.Option(metavar="SHARE", help="Refuse structures with a larger share of crystalline atoms.")
    ] = 0.1,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shear every glass athermally, step by step at rest, in every sense to its first plastic event."""
    from dataclasses import replace

    from mechlearn.errors import WorkError
    from mechlearn.glasses import shear_glasses, shear_settings_for, units_for

    senses = senses_of(sense, gradient)
    structures, interaction = glasses_of(glasses, potential, crystalline)
    changes = given({"threshold": threshold, "cutoff": cutoff})
    settings = shear_settings_for(
        interaction,
        step=step,
        resolution=resolution,
        final_strain=final_strain if curve is None else curve,
        stop_at_event=curve is None,
        **changes,
    )
    settings = replace(
        settings,
        minimisation=replace(settings.minimisation, largest_force=largest_force, evaluations=evaluations),
    )
    runs = shear_glasses(
        structures,
        interaction,
        out,
        senses=senses,
        settings=settings,
        workers=available_workers(workers),
        scheduler=scheduler,
    )
    units = units_for(interaction)
    records = run_records(runs, units)
    if as_json:
        show_json({"out": out, "runs": records})
    else:
        show_records(run_headings(units), records)
    say(f"{len(records):,} runs in {out}")
    for message in unsettled(records, units):
        say(message)
    if all(record["ended"] == "not at rest" for record in records):
        raise WorkError("shearing glasses: no run came to rest as far as its first event; the runs are kept")


@app.command(cls=Command, epilog="Example: mechlearn glass label runs --threshold 0.1 --threshold 0.2 --out labels.csv")
def label(
    runs: RunsArgument,
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            metavar="Å²", help="Threshold of D²min; by default that in the shear. May be repeated.", show_default=False
        ),
    ] = None,
    connection: Annotated[
        float, typer.Option(metavar="Å", help="Two atoms closer than this belong to one cluster.")
    ] = 3.8,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a table of all atoms: .parquet or .csv.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which atoms took part in the first events: those whose D²min is above a threshold, and their clusters."""
    check_ending(out)
    made = runs_of(runs).load()
    thresholds = tuple(dict.fromkeys(threshold or (made[0].threshold,)))
    records = label_records(made, thresholds, connection)
    if out is not None:
        write_labels(out, made, thresholds, connection)
        say(f"{sum(run.structure.atoms for run in made):,} atoms of {len(made):,} runs written to {out}")
    if as_json:
        show_json({"runs": len(made), "thresholds": records})
    else:
        show_records(LABELS, records)


@app.command(cls=Command, epilog="Example: mechlearn glass features runs --out features")
def features(
    runs: RunsArgument,
    out: OutOption,
    no_mechanism: Annotated[
        bool, typer.Option("--no-mechanism", help="Leave out the features of the mechanism: the paper's 19 alone.")
    ] = False,
    structural: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Features of the structure alone too: 'interstices' (Wang and Jain) or 'symmetry functions' (those of "
            "softness); may be repeated.",
        ),
    ] = None,
    modes: Annotated[int, typer.Option(min=1, metavar="N", help="How many soft modes the mechanism's look at.")] = 30,
    centre: Annotated[
        str | None,
        typer.Option(
            metavar="ELEMENT",
            help="In the centre of an icosahedron that counts; by default Cu, any element where there is no Cu.",
            show_default=False,
        ),
    ] = None,
    potential: PotentialOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe every atom of every run before it is loaded, for a model to learn from."""
    from mechlearn.glasses import feature_runs

    opened = runs_of(runs)
    interaction = potential_of(runs, potential)
    with said():
        folder = feature_runs(
            opened,
            interaction,
            out,
            mechanism=not no_mechanism,
            structural=tuple(structural or ()),
            settings=feature_settings(interaction, opened[0].structure.elements, centre),
            modes=modes,
            workers=available_workers(workers),
            scheduler=scheduler,
        )
        data = folder.load(opened)
    described: list[dict[str, Any]] = [
        {"name": feature.name, "symbol": feature.symbol, "unit": feature.unit, "source": feature.source}
        for feature in data.features
    ]
    if as_json:
        show_json({"out": out, "runs": len(data), "atoms": len(data.d2min), "features": described})
        return
    show_table(("feature", "symbol", "unit", "source"), [list(entry.values()) for entry in described])
    show(f"{len(data.features)} features of {len(data.d2min):,} atoms in {len(data):,} runs: {out}")


app.command(
    cls=Command, epilog="Example: mechlearn glass train runs features --model boosting --features all --out model"
)(train)
app.command(
    cls=Command, epilog="Example: mechlearn glass evaluate model other-runs other-features --sweep 0.05 --maps maps"
)(evaluate)
