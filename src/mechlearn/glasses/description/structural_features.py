"""Features of the structure alone that others have learnt from: interstices, and the functions behind softness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mechlearn.descriptors.symmetry_functions import SymmetryFunctions
from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.description.interstices import interstice_features, metallic_radii
from mechlearn.glasses.description.voronoi import VoronoiCells
from mechlearn.glasses.quench.glass_recipe import KOB_ANDERSEN
from mechlearn.interactions import Potential
from mechlearn.structures import StructureBatch

#: What there is to ask for.
STRUCTURAL_KINDS: Final = ("interstices", "symmetry functions")

#: In the Kob–Andersen mixture half of σ_AA and σ_BB stand for radii, σ_AA for the spacing of neighbours.
_RADII: Final = {"Ni": 0.5, "P": 0.44}


def structural_features(
    structure: StructureBatch,
    cells: VoronoiCells,
    kinds: Sequence[str],
    elements: Sequence[str],
    potential: str | Path | Potential = "",
) -> FeatureTable:
    """Features that no loading enters, 15 interstices and 84 symmetry functions for two elements.

    Parameters
    ----------
    structure
        A batch of one.
    cells
        Its Voronoi cells.
    kinds
        ``"interstices"``, ``"symmetry functions"``.
    elements
        Of all glasses, so that all have the same columns.
    potential
        ``"kob-andersen"`` has lengths of its own.

    Raises
    ------
    InputError
        There is no such kind, or no crystal of an element says how large its atoms are.

    References
    ----------
    Wang and Jain, Nature Communications 10, 5537 (2019); Cubuk et al., Physical Review Letters 114, 108001 (2015).

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.glasses.description.voronoi import voronoi_cells
    >>> crystal = StructureBatch.from_atoms([bulk("Cu", a=3.639, cubic=True)])
    >>> structural_features(crystal, voronoi_cells(crystal), ("interstices",), ("Cu",)).values.shape
    (4, 15)
    """
    check_kinds(kinds)
    radii = _RADII if potential == KOB_ANDERSEN else metallic_radii(tuple(elements))
    tables = []
    if "interstices" in kinds:
        tables.append(interstice_features(structure, radii, cells))
    if "symmetry functions" in kinds:
        # The mean of the elements' diameters: a number of the elements alone, not of this glass.
        spacing = 2.0 * float(np.mean([radii[element] for element in elements]))
        functions = SymmetryFunctions.for_glass(elements, round(spacing, 2))
        source = "Behler and Parrinello 2007; Cubuk et al. 2015"
        features = tuple(Feature(name, name.split(",")[0], "1", source) for name in functions.names)
        tables.append(FeatureTable(features, functions.compute(structure)))
    return FeatureTable.joined(tables)


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse what is no kind of structural features.

    Raises
    ------
    InputError
        One of them is none.
    """
    if unknown := [kind for kind in kinds if kind not in STRUCTURAL_KINDS]:
        known = " or ".join(STRUCTURAL_KINDS)
        raise InputError(f"computing features: there are no {unknown[0]!r} of a structure; give {known}")
