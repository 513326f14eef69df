"""``mechlearn equations``: discover equations in data, simulate them, compare them with the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mechlearn.cli.equation_tables import Found, comparison_record, record_of, show_comparisons, show_found
from mechlearn.cli.help import Command, Group
from mechlearn.cli.output import JsonOption, SeedOption, say, show, show_json

if TYPE_CHECKING:
    from mechlearn.equations import DiscoverySettings, Equation, EquationComparison, Field, SymmetryGroup

app = typer.Typer(
    cls=Group, help="Equations out of data, with their symmetry: discover, simulate, compare.", no_args_is_help=True
)

FIELD_HELP = "Fields on a grid, or a trajectory: .csv, .tsv, .txt, .npz, .mat or .h5, with the time as t."
FieldArgument = Annotated[Path, typer.Argument(metavar="FIELD", help=FIELD_HELP)]
AxesOption = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="LETTERS",
        help="Order of the arrays' axes, such as xt, where their lengths do not tell it.",
        show_default=False,
    ),
]
UnitOption = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="NAME=UNIT", help="Unit of a field or coordinate, such as u=m/s; may be repeated."),
]


class Form(StrEnum):
    """How derivatives are taken."""

    WEAK = "weak"
    STRONG = "strong"


@app.command(cls=Command, epilog="Example: mechlearn equations discover waves.csv --unit u=m/s --out waves.json")
def discover(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"{FIELD_HELP} With --law a table of samples.")],
    degree: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Degree of the terms; by default 3, and 2 with --quantity.", show_default=False
        ),
    ] = None,
    order: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Highest derivative in space; by default 4.", show_default=False),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            help="By default weak, which stands noise and gaps; strong takes derivatives of the data.",
            show_default=False,
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="SHARE", help="Noise over the field's deviation; by default measured.", show_default=False
        ),
    ] = None,
    unit: UnitOption = None,
    axes: AxesOption = None,
    quantity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="What a variable is: scalar, pseudoscalar, vector, axial-vector, tensor, symmetric-tensor, "
            "antisymmetric-tensor; the symmetry is then discovered too. May be repeated.",
        ),
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Find this quantity as a law of the others; FILE is a table with a column for each component "
            "(E_xx, E_yy, …) and perhaps one named block.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Symmetry to choose from, by default all; may be repeated."),
    ] = None,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the equations here too.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the equation that fields, a trajectory or samples of a law obey, and how sure each term is."""
    kinds = _kinds(quantity)
    units = _pairs(unit, "--unit", "u=m/s")
    if law is not None:
        _refuse({"order": order, "form": form, "noise": noise, "axes": axes}, "is for fields; leave it out for a law")
        found = _discover_law(file, law, kinds, units, degree or 2, group, seed)
    else:
        given = {"degree": degree or (2 if kinds else 3), "derivative_order": order, "noise": noise, "seed": seed}
        settings = _settings(given | {"form": form and form.value})
        if not kinds:
            _refuse({"group": group}, "needs to know what turns; say it with --quantity")
        field = _read(file, units, axes)
        found = _discover_symmetric(field, kinds, group, settings) if kinds else _discover_field(field, settings)
    record = record_of(found)
    if out is not None:
        from mechlearn.equations import write_equations

        write_equations(out, found.equations, {key: record[key] for key in record if key != "equations"})
        say(f"equations written to {out}")
    if as_json:
        show_json(record)
    else:
        show_found(found)


@app.command(cls=Command, epilog="Example: mechlearn equations simulate waves.json waves.csv --out simulated.npz")
def simulate(
    equations: Annotated[
        Path, typer.Argument(metavar="EQUATIONS", help="What 'mechlearn equations discover --out' wrote.")
    ],
    field: FieldArgument,
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="The simulated fields, on the grid of the data.")],
    until: Annotated[
        float | None,
        typer.Option(
            metavar="T", help="Time at which to end, in the steps of the data; by default theirs.", show_default=False
        ),
    ] = None,
    axes: AxesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go from the first measured state to later times by the equations."""
    from mechlearn.equations import read_equations, write_field
    from mechlearn.equations import simulate as run_simulation
    from mechlearn.equations.data.field_files import require_npz

    require_npz(out)
    data = _read(field, {}, axes)
    simulated = run_simulation(read_equations(equations), data, _times(data, until))
    write_field(out, simulated)
    start, end = (float(simulated.coordinates["t"][place]) for place in (0, -1))
    if as_json:
        show_json({"out": out, "fields": simulated.names, "axes": simulated.axes, "from": start, "until": end})
    else:
        show(f"{described(simulated)}, from t = {start:.6g} to {end:.6g}: {out}")


@app.command(cls=Command, epilog="Example: mechlearn equations compare waves.csv waves.json other.json")
def compare(
    field: FieldArgument,
    equations: Annotated[
        list[Path], typer.Argument(metavar="EQUATIONS", help="Files of equations, one for each row of the answer.")
    ],
    axes: AxesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold equations against data: how long their simulation stays near, and what they leave over."""
    from mechlearn.equations import read_equations

    data = _read(field, {}, axes)
    systems = {path: read_equations(path) for path in equations}
    compared = {path: _compare(path, system, data) for path, system in systems.items()}
    if as_json:
        records = [comparison_record(path, systems[path], comparison) for path, comparison in compared.items()]
        show_json({"data": field, "comparisons": records})
    else:
        show_comparisons(systems, compared)


def _compare(path: Path, equations: Sequence[Equation], data: Field) -> EquationComparison:
    """One comparison; what is wrong with the equations is told with their file."""
    from mechlearn.equations import compare_equations
    from mechlearn.errors import InputError

    try:
        return compare_equations(equations, data)
    except InputError as error:
        raise InputError(f"comparing {path} with the data: {error}") from error


def _discover_field(field: Field, settings: DiscoverySettings) -> Found:
    from mechlearn.equations import discover_ode, discover_pde

    discovery = (discover_ode if field.axes == ("t",) else discover_pde)(field, settings)
    return Found(discovery.equations, discovery.fits, noise=_by_field(discovery.equations, discovery.noise))


def _by_field(equations: Sequence[Equation], noise: Sequence[float]) -> dict[str, float]:
    return {equation.lhs.name.removesuffix("_t"): share for equation, share in zip(equations, noise, strict=True)}


def _discover_symmetric(
    field: Field, kinds: Mapping[str, str], groups: Sequence[str] | None, settings: DiscoverySettings
) -> Found:
    from mechlearn.equations import Quantity, discover_pde_symmetry
    from mechlearn.equations.data.field_files import field_name
    from mechlearn.errors import InputError

    dimension = len(field.axes) - 1
    if dimension not in (2, 3):
        raise InputError(
            f"discovering a symmetry: the field has the axes {', '.join(field.axes)}; it takes two or three of space"
        )
    units = {name: field.units.get(field_name(name)) for name in kinds}
    quantities = [Quantity(field_name(name), kind, units[name], dimension) for name, kind in kinds.items()]
    discovery = discover_pde_symmetry(field, quantities, groups=_groups(groups, dimension), settings=settings)
    return Found(
        discovery.equations,
        discovery.fits,
        discovery.laws,
        _by_field(discovery.equations, discovery.noise),
        discovery.group,
        discovery.evidence,
    )


def _discover_law(
    file: Path,
    law: str,
    kinds: Mapping[str, str],
    units: Mapping[str, str],
    degree: int,
    groups: Sequence[str] | None,
    seed: int,
) -> Found:
    import numpy as np

    from mechlearn.equations import discover_symmetry, read_samples
    from mechlearn.errors import InputError

    if law not in kinds:
        raise InputError(f"discovering the law of {law}: say what it is, with --quantity {law}=vector or another kind")
    if len(kinds) < 2:
        raise InputError(f"discovering the law of {law}: of what? say it, with --quantity NAME=KIND for every input")
    samples = read_samples(file, kinds, units)
    values = dict(samples.values)
    output = next(quantity for quantity in values if quantity.name == law)
    target = values.pop(output)
    say(f"{file}: {len(target):,} samples of {', '.join(kinds)}")
    discovery = discover_symmetry(
        values,
        output,
        target,
        rng=np.random.default_rng(seed),
        degree=degree,
        groups=_groups(groups, output.dimension),
        blocks=samples.blocks,
    )
    return Found((discovery.equation,), (discovery.fit,), group=discovery.group, evidence=discovery.evidence)


def _settings(given: Mapping[str, Any]) -> DiscoverySettings:
    """What is given, the rest as it is by default."""
    from mechlearn.equations import DiscoverySettings

    return DiscoverySettings(**{name: value for name, value in given.items() if value is not None})


def _read(path: Path, units: Mapping[str, str], axes: str | None) -> Field:
    """Read fields and say what was found."""
    from mechlearn.equations import read_field

    field = read_field(path, units, axes)
    say(f"{path}: {described(field)}")
    return field


def described(field: Field) -> str:
    """What fields there are and on which grid, in a phrase."""
    import numpy as np

    grid = " × ".join(str(len(points)) for points in field.coordinates.values())
    gaps = float(np.mean([~np.isfinite(values) for values in field.values.values()]))
    return f"{', '.join(field.names)} at {grid} points of {', '.join(field.axes)}" + (
        f", {gaps:.2%} gaps" if gaps else ""
    )


def _times(data: Field, until: float | None) -> Any:
    """The times of the data, gone on with in steps of the same length up to the last one asked for."""
    import numpy as np

    from mechlearn.errors import InputError

    times = data.coordinates["t"]
    if until is None:
        return None
    if until <= times[0]:
        raise InputError(f"simulating until t = {until:g}: the data begin at {times[0]:g}; give a later time")
    step = data.steps()[data.time_axis]
    return times[0] + step * np.arange(int((until - times[0]) / step + 1e-6) + 1)


def _kinds(words: Sequence[str] | None) -> dict[str, str]:
    """What every quantity is, in the words of ``Quantity``."""
    from mechlearn.equations import Quantity

    kinds = {name: kind.replace("-", " ") for name, kind in _pairs(words, "--quantity", "v=vector").items()}
    for name, kind in kinds.items():
        Quantity(name, kind)  # refuses what is no kind, before anything is read
    return kinds


def _groups(names: Sequence[str] | None, dimension: int) -> list[SymmetryGroup] | None:
    from mechlearn.equations import symmetry_group

    return [symmetry_group(name, dimension) for name in names] if names else None


def _pairs(words: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """``NAME=VALUE`` words as a mapping."""
    from mechlearn.errors import InputError

    found: dict[str, str] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InputError(f"the option {option}: found {word!r}; give NAME=…, such as {example}")
        if name in found:
            raise InputError(f"the option {option}: {name} is given twice; keep one")
        found[name] = value
    return found


def _refuse(options: Mapping[str, object], reason: str) -> None:
    """Refuse options that have nothing to act on here."""
    from mechlearn.errors import InputError

    for name, value in options.items():
        if value:
            raise InputError(f"the option --{name} {reason}")
