"""What the commands of ``mechlearn glass`` are given: glasses with their potential, loadings, runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mechlearn.cli.output import say

if TYPE_CHECKING:
    from mechlearn.glasses import FeatureSettings, GlassRecipe, ShearRuns
    from mechlearn.structures import StructureBatch, StructureSet


def recipe_of(potential: str, liquid: dict[str, Any], quench: dict[str, Any], **options: Any) -> GlassRecipe:
    """How glasses are prepared: what is given (not None), the rest as it is by default for this potential."""
    from dataclasses import replace

    from mechlearn.glasses import KOB_ANDERSEN, GlassRecipe
    from mechlearn.interactions.labelling import absolute_name

    model = potential == KOB_ANDERSEN
    base = GlassRecipe.kob_andersen() if model else GlassRecipe(potential=absolute_name(potential))
    return replace(
        base,
        liquid=replace(base.liquid, **given(liquid)),
        quench=replace(base.quench, **given(quench)),
        **given(options),
    )


def glasses_of(path: Path, potential: str | None, largest_share: float) -> tuple[StructureSet | StructureBatch, Any]:
    """The structures to shear, none of them a crystal, and what holds their atoms together.

    Raises
    ------
    InputError
        Nothing can be read there, a structure crystallised, or the potential is not known.
    """
    from mechlearn.glasses.quench.crystallinity import refuse_crystals
    from mechlearn.structures import StructureSet, read_structures

    batch = read_structures(path)
    interaction = _potential(path, potential)
    for index in range(len(batch)):
        one = batch.select([index])
        refuse_crystals(one, largest_share, f"shearing {one.names[0] or f'structure {index}'} of {path}")
    prepared = StructureSet(path)
    return (prepared if prepared.parts else batch), interaction


def feature_settings(interaction: Any, elements: Sequence[str], centre: str | None) -> FeatureSettings:
    """What the features leave open, with the centre of icosahedra where it is given."""
    from dataclasses import replace

    from mechlearn.glasses import feature_settings_for

    settings = feature_settings_for(interaction, elements)
    return settings if centre is None else replace(settings, centre=centre)


def runs_of(path: Path) -> ShearRuns:
    """The runs that 'mechlearn glass shear' wrote."""
    from mechlearn.glasses import ShearRuns

    return ShearRuns.open(path)


def potential_of(path: Path, potential: str | None) -> Any:
    """What holds the atoms together: what is given, else what the folder says it was made with.

    Raises
    ------
    InputError
        Neither says it.
    """
    return _potential(path, potential)


def senses_of(names: Sequence[str] | None, gradients: Sequence[str] | None) -> Mapping[str, Any]:
    """The loadings: the senses named and the gradients given, all six senses where there is neither.

    Raises
    ------
    InputError
        There is no sense of that name, or a gradient is not nine numbers with a name of its own.

    Examples
    --------
    >>> list(senses_of(["xy"], ["pull=-0.5,0,0,0,-0.5,0,0,0,1"]))
    ['xy', 'pull']
    """
    from mechlearn.errors import InputError
    from mechlearn.glasses import SENSES

    for name in names or ():
        if name not in SENSES:
            raise InputError(
                f"the option --sense: there is no sense {name!r}; choose one of {', '.join(SENSES)}, or give a loading "
                "of your own with --gradient"
            )
    found: dict[str, Any] = {name: SENSES[name] for name in names or (() if gradients else SENSES)}
    for word in gradients or ():
        name, gradient = _gradient(word)
        if name in SENSES or name in found:
            raise InputError(f"the option --gradient: {name!r} is taken; give another name")
        found[name] = gradient
    return found


def _gradient(word: str) -> tuple[str, Any]:
    """``NAME=NUMBERS`` as a name and a velocity gradient."""
    import numpy as np

    from mechlearn.errors import InputError

    name, _, numbers = word.partition("=")
    try:
        values = np.array([float(number) for number in numbers.replace(",", " ").split()])
    except ValueError:
        values = np.empty(0)
    if not name or not name.isidentifier() or values.shape != (9,):
        raise InputError(
            f"the option --gradient: found {word!r}; give a name and nine numbers, row by row, such as "
            "pull=-0.5,0,0,0,-0.5,0,0,0,1"
        )
    return name, values.reshape(3, 3)


def _potential(path: Path, potential: str | None) -> Any:
    from mechlearn.engines.structure_sets import RECIPE
    from mechlearn.errors import InputError
    from mechlearn.interactions.labelling import absolute_name
    from mechlearn.records import read_json

    name = potential
    if name is None and path.is_dir() and (path / RECIPE).exists():
        name = _stored(path, read_json(path / RECIPE))
    if name is None:
        raise InputError(
            f"reading {path}: it does not say what holds the atoms together; give an EAM file or another potential "
            "with --potential"
        )
    if Path(name).is_dir():
        from mechlearn.potentials import load_potential

        return load_potential(Path(name))
    return absolute_name(name)


def _stored(path: Path, record: Mapping[str, Any]) -> str | None:
    """The potential that a folder of glasses or of runs says it was made with."""
    from mechlearn.errors import InputError
    from mechlearn.glasses import KOB_ANDERSEN
    from mechlearn.interactions.lammps_files import locate

    match record:
        case {"kind": "glass", "recipe": {"potential": str(name)}}:
            return name
        case {"kind": "shear", "potential": {"name": str(name)}}:
            try:
                return name if name == KOB_ANDERSEN else str(locate(name))
            except InputError:
                raise InputError(
                    f"reading {path}: it was sheared with {name}, which is not here; give its path with --potential"
                ) from None
        case _:
            return None


@contextmanager
def said() -> Iterator[None]:
    """What the library warns of, as lines on standard error."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        say(str(warning.message))


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}
