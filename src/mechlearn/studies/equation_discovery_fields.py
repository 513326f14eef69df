"""Part one of the study of equations: fields and trajectories, noise on them, and what is found in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from mechlearn.equations import DiscoverySettings, Field, SparseSettings, discover_pde, read_field
from mechlearn.equations.examples.example_fields import (
    KNOWN,
    burgers_field,
    kdv_field,
    lorenz_trajectory,
    reaction_diffusion_field,
)
from mechlearn.errors import InputError
from mechlearn.studies.configuration import suggestion
from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig, FieldPlan
from mechlearn.studies.equation_discovery_judging import Terms, is_exact, largest_error
from mechlearn.studies.equation_discovery_peers import pysindy_terms
from mechlearn.studies.equation_discovery_shown import shown

#: The names of files that hold fields.
_ENDINGS: Final = (".csv", ".h5", ".hdf5", ".mat", ".npz")
#: A file named like a known system is taken to be it where all coefficients agree to this share.
_SAME_SYSTEM: Final = 0.05

_MAKERS: Final[Mapping[str, Callable[[], Field]]] = {
    "burgers": burgers_field,
    "kdv": kdv_field,
    "lorenz": lorenz_trajectory,
    "reaction-diffusion": reaction_diffusion_field,
}


@dataclass(frozen=True)
class Source:
    """Where fields come from, and how their equations are looked for.

    Attributes
    ----------
    plan : FieldPlan
        Noise, draws, candidates.
    file : str or None
        A file of one's own; made by the package where None.
    """

    plan: FieldPlan
    file: str | None = None

    def field(self) -> Field:
        """The fields, as they are."""
        return _MAKERS[self.plan.name]() if self.file is None else read_field(self.file)

    @property
    def stamp(self) -> str:
        """What changes when the file is written anew."""
        if self.file is None:
            return self.plan.name
        state = Path(self.file).stat()
        return f"{state.st_size:x}-{state.st_mtime_ns:x}"

    @property
    def noises(self) -> tuple[float, ...]:
        """What is added; one's own data are looked at as they are first."""
        return self.plan.noises if self.file is None else (0.0, *(noise for noise in self.plan.noises if noise > 0))

    def draws(self, noise: float) -> int:
        """How often a noise is drawn; there is but one way to add none."""
        return self.plan.draws if noise > 0 else 1


def sources(config: EquationDiscoveryConfig) -> list[Source]:
    """All data sets of the study.

    Raises
    ------
    InputError
        If ``data`` leads to no file that may hold fields.
    """
    if not config.does("fields"):
        return []
    if config.data is not None:
        return [
            Source(config.own.model_copy(update={"name": file.stem}), str(file))
            for file in own_files(Path(config.data))
        ]
    return [Source(plan) for plan in config.fields]


def own_files(path: Path) -> list[Path]:
    """The file, or the files of the folder that may hold fields.

    Raises
    ------
    InputError
        There is nothing there, or the folder has no such file, or two of one name.
    """
    if not path.exists():
        raise InputError(f"reading fields from {path}: no such file or folder")
    if path.is_file():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _ENDINGS)
    if not files:
        raise InputError(f"reading fields from {path}: the folder has no file that ends in {', '.join(_ENDINGS)}")
    for one, other in pairwise(files):
        if one.stem == other.stem:
            raise InputError(f"reading fields from {path}: {one.name} and {other.name} have one name; rename one")
    return files


def check_sources(config: EquationDiscoveryConfig) -> None:
    """Refuse data that are no fields.

    Raises
    ------
    InputError
        If a file cannot be read, its grid is not uniform, or a built-in data set has an unknown name.
    """
    for plan in config.fields:
        if plan.name not in _MAKERS:
            raise InputError(f"study equation_discovery: no data set {plan.name!r}; {suggestion(plan.name, _MAKERS)}")
    for source in sources(config):
        if source.file is not None:
            field = source.field()
            try:
                field.steps()
            except InputError as error:
                raise InputError(f"reading {source.file}: {error}") from None


def settings_of(plan: FieldPlan, resamples: int) -> DiscoverySettings:
    """How the equations of a data set are looked for."""
    return DiscoverySettings(
        degree=plan.degree,
        derivative_order=plan.derivative_order,
        rows=plan.rows,
        regression=SparseSettings(resamples=resamples),
    )


def noisy(field: Field, noise: float, rng: np.random.Generator) -> Field:
    """The fields with Gaussian noise, its deviation a share of that of each field."""
    values = {
        name: values + noise * np.nanstd(values) * rng.normal(size=values.shape)
        for name, values in field.values.items()
    }
    return replace(field, values=values) if noise else field


def look(source: Source, noise: float, draw: int, config: EquationDiscoveryConfig) -> dict[str, Any]:
    """Find the equations in one draw of the noise; of the first draw all is kept that the report shows."""
    clean = source.field()
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(101, round(1e6 * noise), draw)))
    field = noisy(clean, noise, rng)
    settings = settings_of(source.plan, config.resamples)
    if field.axes == ("t",):
        settings = replace(settings, derivative_order=0)
    found = discover_pde(field, settings)
    peer = pysindy_terms(field, settings, seed=draw) if config.peers else None
    return {
        "data": source.plan.name,
        "noise": noise,
        "draw": draw,
        "found": found.to_dict(),
        "peers": {} if peer is None else {"PySINDy": peer},
        "shown": shown(clean, field, found) if draw == 0 else None,
    }


def truth_of(source: Source, config: EquationDiscoveryConfig, as_it_is: Terms | None) -> tuple[Terms | None, str]:
    """What the equations should be, and how that is known.

    A file of one's own has a truth where the settings tell one, or where it is named like a known system and its
    equation, found without noise added, is that of the system.  Else there is what was found in it as it is, and it can
    be asked how often noise changes that.

    Parameters
    ----------
    source
        The data set.
    config
        With ``known``.
    as_it_is
        What was found without noise added.
    """
    name = source.plan.name
    if source.file is None:
        return KNOWN[name], "known"
    if name in config.known:
        return config.known[name], "told by the settings"
    if as_it_is is None:
        return None, ""
    system = KNOWN.get(name)
    if system and is_exact(as_it_is, system) and largest_error(as_it_is, system) <= _SAME_SYSTEM:
        return system, "known"
    return as_it_is, "found without noise added"
