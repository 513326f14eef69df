"""The potential of a glass by its name, and what depends on its unit of length."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ase.build import bulk

from mechlearn.errors import InputError
from mechlearn.glasses.description.features import FeatureSettings
from mechlearn.glasses.loading.quasistatic_shear import ShearSettings
from mechlearn.glasses.quench.glass_recipe import KOB_ANDERSEN
from mechlearn.glasses.rest.minimisation import MinimisationSettings
from mechlearn.interactions import (
    Potential,
    SmoothPotential,
    absolute_name,
    kob_andersen,
    labeller,
    read_eam,
    with_derivatives,
)
from mechlearn.interactions.lammps_files import bundled, eam_style, locate
from mechlearn.structures import StructureBatch
from mechlearn.units import METAL, REDUCED, Units

#: Of the Kob–Andersen mixture, in units of σ_AA: up to where atoms are neighbours in D²min, and in the mechanism.
_NEIGHBOURS, _SURROUNDINGS = 1.4, 1.8


def glass_potential(name: str | Path | Potential, elements: Sequence[str]) -> SmoothPotential:
    """The potential that glasses are minimised, sheared and described with.

    Parameters
    ----------
    name
        An EAM file (``.eam.alloy``, ``.eam.fs``): a path, or the name of one that comes with LAMMPS; ``"eam"`` for the
        one among these that knows the elements; ``"kob-andersen"``, whose particles A and B are called Ni and P;
        whatever else :func:`mechlearn.interactions.labeller` takes, SNAP files and ASE calculators; or a potential.
    elements
        The chemical symbols it has to know.

    Returns
    -------
    potential
        With second derivatives: its own, or finite differences of its forces.

    Raises
    ------
    InputError
        There is no such potential, or it does not know an element.

    Examples
    --------
    >>> glass_potential("CuZr_mm.eam.fs", ("Cu", "Zr")).elements
    ('Cu', 'Zr')
    >>> type(glass_potential("snap", ("Ta",))).__name__
    'FiniteDifferences'
    """
    elements = tuple(elements)
    if not isinstance(name, str | Path):
        potential = with_derivatives(name)
        _check_elements(potential, elements, getattr(name, "name", type(name).__name__))
        return potential
    text = absolute_name(str(name))
    if text == KOB_ANDERSEN:
        potential = kob_andersen()
        _check_elements(potential, elements, "the Kob–Andersen mixture")
        return potential
    if Path(text).is_dir():
        raise InputError(
            f"choosing the potential of a glass: {name} is a folder; load the potential that was saved there, and "
            "give that"
        )
    if text == "eam" and (file := bundled("eam", elements)) is not None and eam_style(file) in _TABLES:
        text = str(file)
    if eam_style(Path(text)) in _TABLES:
        file = locate(text)
        return _read(str(file), elements, file.stat().st_mtime_ns)
    return with_derivatives(labeller(text, elements))


def potential_record(potential: str | Path | Potential, elements: Sequence[str]) -> dict[str, Any]:
    """By what a folder knows its potential again: its name, and what a file holds or, without one, what it gives."""
    if not isinstance(potential, str | Path):
        name = str(getattr(potential, "name", type(potential).__name__))
        return {"name": name, "energy": _energy_of_four_atoms(potential, potential.elements or tuple(elements))}
    text = str(potential)
    try:
        file = locate(text)
    except InputError:
        return {"name": text}
    return {"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()[:16]}


def _energy_of_four_atoms(potential: Potential, elements: tuple[str, ...]) -> float:
    """The energy of the elements in turn on a lattice a little out of shape, eV: no two potentials have the same."""
    atoms = bulk(elements[0], "fcc", a=4.0, cubic=True)
    atoms.symbols = [elements[place % len(elements)] for place in range(4)]
    atoms.positions[0] += (0.1, 0.05, 0.02)
    return float(f"{potential.evaluate(StructureBatch.from_atoms([atoms])).energies[0]:.9g}")


def shear_settings_for(potential: str | Path | Potential, **changes: Any) -> ShearSettings:
    """How to shear with a potential, where nothing is said: lengths of the Kob–Andersen mixture are its own.

    Examples
    --------
    >>> shear_settings_for("CuZr_mm.eam.fs").cutoff, shear_settings_for("kob-andersen").cutoff
    (3.8, 1.4)
    """
    if potential != KOB_ANDERSEN:
        return ShearSettings(**changes)
    lengths = {"cutoff": _NEIGHBOURS, "threshold": 0.015, "elastic_jump": 0.008}
    return ShearSettings(**{"minimisation": MinimisationSettings(longest_step=0.04), **lengths, **changes})


def units_for(potential: str | Path | Potential) -> Units:
    """In what a person reads the numbers of a glass; those of the Kob–Andersen mixture are its own.

    Examples
    --------
    >>> units_for("CuZr_mm.eam.fs").stress, units_for("kob-andersen").stress
    ('GPa', 'ε/σ³')
    """
    return REDUCED if potential == KOB_ANDERSEN else METAL


def feature_settings_for(potential: str | Path | Potential, elements: Sequence[str]) -> FeatureSettings:
    """What the features leave open, where nothing is said: the paper's, but for glasses without copper.

    Examples
    --------
    >>> feature_settings_for("kob-andersen", ("Ni", "P")).masses
    {'Ni': 1.0, 'P': 1.0}
    """
    if potential == KOB_ANDERSEN:
        return FeatureSettings(centre=None, masses={"Ni": 1.0, "P": 1.0})
    return FeatureSettings() if FeatureSettings().centre in elements else FeatureSettings(centre=None)


def surroundings_for(potential: str | Path | Potential) -> float:
    """Up to where the mechanism features take atoms for neighbours, where nothing is said, Å."""
    return _SURROUNDINGS if potential == KOB_ANDERSEN else 5.0


_TABLES = ("eam/alloy", "eam/fs")


@lru_cache(maxsize=4)
def _read(path: str, elements: tuple[str, ...], changed: int) -> SmoothPotential:
    """A file read once a process, as long as it stays what it is."""
    return read_eam(path, elements)


def _check_elements(potential: SmoothPotential, elements: tuple[str, ...], name: str) -> None:
    missing = [element for element in elements if potential.elements and element not in potential.elements]
    if missing:
        known = ", ".join(potential.elements)
        hint = " (its particles A and B)" if "Andersen" in name else ""
        raise InputError(
            f"choosing the potential of a glass: {name} knows {known}{hint}, not {', '.join(missing)}; give another"
        )
