"""``mechlearn potential``: fit, evaluate, export and test potentials."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mechlearn.cli.help import Command, Group
from mechlearn.cli.output import JsonOption, SeedOption, say, say_epoch, show, show_json, show_table
from mechlearn.cli.structures import CutoffOption, PathArgument, TwojmaxOption, warn

if TYPE_CHECKING:
    from mechlearn.interactions import Potential
    from mechlearn.potentials import NveResult

app = typer.Typer(cls=Group, help="Potentials: fit, evaluate, export to LAMMPS, test.", no_args_is_help=True)

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A folder that 'mechlearn potential fit' wrote, an EAM or SNAP file (one that comes with LAMMPS by its "
        "name), or a labeller such as eam.",
    ),
]


class HoldOut(StrEnum):
    """What is held out together."""

    RANDOM = "random"
    GROUP = "group"


@app.command(cls=Command, epilog="Example: mechlearn potential fit tungsten_dft --model linear --twojmax 8 --out W")
def fit(
    path: PathArgument,
    out: Annotated[Path, typer.Option(help="Folder for the potential, its LAMMPS files and its scorecard.")],
    model: Annotated[str, typer.Option(help="Kind: linear, quadratic, or a network A1 … A5, B1 … B5.")] = "linear",
    twojmax: TwojmaxOption = 8,
    cutoff: CutoffOption = 4.73,
    energy_weight: Annotated[float, typer.Option(help="Weight of energy errors in eV/atom.")] = 100.0,
    force_weight: Annotated[float, typer.Option(help="Weight of force errors in eV/Å.")] = 1.0,
    stress_weight: Annotated[float, typer.Option(help="Weight of stress errors in eV/Å³; not for networks.")] = 0.0,
    group_weight: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP=FACTOR", help="Factor on the weights of a group; may be repeated."),
    ] = None,
    ridge: Annotated[float, typer.Option(help="Ridge penalty, a pure number; not for networks.")] = 0.0,
    zbl: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="INNER OUTER",
            help="Distances between which the ZBL repulsion is switched off, Å.",
            show_default="4.0 4.8",
        ),
    ] = (4.0, 4.8),
    no_zbl: Annotated[bool, typer.Option("--no-zbl", help="Fit without a ZBL repulsion.")] = False,
    hold_out: Annotated[float, typer.Option(help="Share of the structures that the fit does not see.")] = 0.0,
    hold_out_by: Annotated[
        HoldOut, typer.Option(help="Whether structures are held out at random, or whole groups.")
    ] = HoldOut.RANDOM,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Epochs of a network's training.")] = 800,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit a potential to labelled structures, score it, and leave it ready for ASE and LAMMPS."""
    from mechlearn.structures import check_labels, read_structures
    from mechlearn.studies.potential_fit import FitSettings, fit_to_folder

    settings = FitSettings(
        model=model,
        twojmax=twojmax,
        cutoff=cutoff,
        energy_weight=energy_weight,
        force_weight=force_weight,
        stress_weight=stress_weight,
        group_weights=dict(_group_weight(word) for word in group_weight or ()),
        ridge=ridge,
        zbl=None if no_zbl else zbl,
        test=hold_out,
        test_by=hold_out_by.value,
        epochs=epochs,
        seed=seed,
    )
    batch = read_structures(path)
    warn(check_labels(batch))
    say(f"fitting {model} to {len(batch):,} structures, {batch.atoms:,} atoms")
    fitted = fit_to_folder(batch, settings, out, source=str(path), progress=say_epoch)
    if as_json:
        show_json(
            {
                "fit": fitted.record,
                "scorecards": {key: card.to_dict() for key, card in fitted.scorecards.items()},
            }
        )
        return
    for card in fitted.scorecards.values():
        show(f"{card}\n")
    show(f"potential:    {out}\nLAMMPS files: {out / 'lammps'}")


@app.command(cls=Command, epilog="Example: mechlearn potential evaluate W tungsten_dft")
def evaluate(model: ModelArgument, path: PathArgument, seed: SeedOption = 0, as_json: JsonOption = False) -> None:
    """Score a potential against the labels of a set, with intervals and by group."""
    import numpy as np

    from mechlearn.structures import check_labels, read_structures
    from mechlearn.studies.potential_fit import score

    batch = read_structures(path)
    warn(check_labels(batch))
    card = score(_open(model, batch.elements), batch, f"{model} on {path}", np.random.default_rng(seed))
    if as_json:
        show_json(card.to_dict())
    else:
        show(str(card))


@app.command(cls=Command, epilog="Example: mechlearn potential export W --out W-lammps --name tungsten")
def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    name: Annotated[str, typer.Option(help="Name of the files, without their endings.")] = "potential",
) -> None:
    """Write a potential as files for LAMMPS, with the input that uses them."""
    from mechlearn.studies.potential_fit import export as export_files

    for path in export_files(_open(model), out, name):
        show(str(path))


@app.command(cls=Command, epilog="Example: mechlearn potential nve W --timestep 1 --timestep 2 --timestep 4")
def nve(
    model: ModelArgument,
    timestep: Annotated[
        list[float] | None,
        typer.Option(metavar="FS", help="Timestep, fs; may be repeated; by default 1, 2, 4, 6, 8 and 10."),
    ] = None,
    temperature: Annotated[float, typer.Option(help="Temperature of the equilibration, K.")] = 3000.0,
    duration: Annotated[float, typer.Option(help="Duration of each trajectory, ps.")] = 7.5,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure how a potential conserves energy in LAMMPS, and the order of its error in the timestep."""
    import numpy as np

    from mechlearn.potentials.nve import TIMESTEPS_FS, NveProtocol, nve_deviation

    protocol = NveProtocol(temperature=temperature, duration_ps=duration)
    steps = tuple(timestep or TIMESTEPS_FS)
    result = nve_deviation(_open(model), steps, rng=np.random.default_rng(seed), protocol=protocol)
    if as_json:
        show_json({"model": model, **result.as_dict()})
        return
    rows = list(zip(result.timesteps_fs.tolist(), result.deviation.tolist(), result.reasons, strict=True))
    show_table(("timestep, fs", "deviation, eV/atom", "unstable"), rows)
    show(f"order in the timestep: {order_text(result)}, from {result.rule}")


def order_text(result: NveResult) -> str:
    """The order and its interval, or what keeps them from being known."""
    low, high = result.interval
    match int(result.counted.sum()):
        case 0 | 1:
            return "not known, as it needs two timesteps that count"
        case 2:
            return f"{result.order:.2f} (an interval needs three timesteps that count)"
        case _:
            return f"{result.order:.2f} ({low:.2f} to {high:.2f})"


def _open(model: str, elements: tuple[str, ...] = ("W",)) -> Potential:
    """A potential that was fitted here, or one that is known by a name or a file."""
    if Path(model).is_dir():
        from mechlearn.potentials import load_potential

        return load_potential(Path(model))
    if Path(model).suffix in (".snap", ".snapcoeff"):
        from mechlearn.interactions.lammps_files import locate
        from mechlearn.potentials import read_snap

        return read_snap(locate(model))
    from mechlearn.errors import InputError
    from mechlearn.interactions import labeller

    try:
        return labeller(model, elements)
    except InputError as error:
        raise InputError(f"opening the potential {model!r}: it is no folder of a fitted potential; {error}") from None


def _group_weight(word: str) -> tuple[str, float]:
    """``GROUP=FACTOR`` as a pair."""
    from mechlearn.errors import InputError

    group, equals, factor = word.rpartition("=")
    try:
        if equals:
            return group, float(factor)
    except ValueError:
        pass
    raise InputError(f"the option --group-weight: found {word!r}; give GROUP=FACTOR, such as liquid=0.1")
