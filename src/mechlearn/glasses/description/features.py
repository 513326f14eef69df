"""The 19 features of an atom of Lee and Ryu (2022), in the axes of the loading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.description.modes import lowest_modes
from mechlearn.glasses.description.voronoi import VoronoiCells, voronoi_cells
from mechlearn.glasses.loading.loading_axes import in_frame, loading_frame, strain_of_loading
from mechlearn.interactions import Hessian, SmoothPoint
from mechlearn.structures import StructureBatch

_PAPER = "Lee and Ryu 2022"
_COMPONENTS = ("11", "22", "33", "12", "23", "31")
_ICOSAHEDRON = (0, 0, 12, 0)


@runtime_checkable
class AtomicPoint(Protocol):
    """A potential at a structure that gives each atom its share of energy, stress and stiffness."""

    structure: StructureBatch
    atomic_energies: Float[np.ndarray, " atoms"]

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """eV/Å."""
        ...

    @property
    def atomic_stresses(self) -> Float[np.ndarray, "atoms 6"]:
        """Stress times volume, eV, Voigt order, tension positive."""
        ...

    @property
    def atomic_stiffnesses(self) -> Float[np.ndarray, "atoms 6 6"]:
        """Born stiffness times volume, eV, Voigt order, engineering shears."""
        ...

    def hessian(self) -> Hessian:
        """H = ∂²E/∂x∂x."""
        ...


@dataclass(frozen=True)
class FeatureSettings:
    """What the features leave open.

    Attributes
    ----------
    centre : str or None
        The element in the centre of an icosahedron that counts; None takes any.
    low_frequency : float
        Which share of all modes are those of low frequency.
    face_threshold, edge_threshold : float
        Of Voronoi cells (see :func:`~mechlearn.glasses.voronoi_cells`).
    masses : dict
        Of elements, in place of those of the periodic table; ``{"Ni": 1.0, "P": 1.0}`` for Kob and Andersen's A and B.
    """

    centre: str | None = "Cu"
    low_frequency: float = 0.01
    face_threshold: float = 0.0
    edge_threshold: float = 0.0
    masses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 < self.low_frequency <= 1.0:
            raise InputError(
                f"features: the share of low frequencies is {self.low_frequency}; give a number above 0 and up to 1"
            )


@dataclass(frozen=True, eq=False)
class AtomicProperties:
    """What the features are made of before a loading is chosen: a specimen has them once, for all senses of shear.

    Attributes
    ----------
    structure : StructureBatch
        At rest.
    elements : tuple of str
        Of the types.
    cells : VoronoiCells
        Volumes, and the graph of neighbours.
    icosahedral : (atoms,)
        Whether the atom centres an icosahedron.
    energies : (atoms,)
        eV.
    participations : (atoms,)
        In the modes of low frequency.
    stiffnesses : (atoms, 6, 6)
        Born's, over the Voronoi volume, eV/Å³.
    stresses : (atoms, 6)
        Over the Voronoi volume, tension positive, eV/Å³.
    """

    structure: StructureBatch
    elements: tuple[str, ...]
    cells: VoronoiCells
    icosahedral: Bool[np.ndarray, " atoms"]
    energies: Float[np.ndarray, " atoms"]
    participations: Float[np.ndarray, " atoms"]
    stiffnesses: Float[np.ndarray, "atoms 6 6"]
    stresses: Float[np.ndarray, "atoms 6"]

    @property
    def edges(self) -> Int[np.ndarray, "2 edges"]:
        """The Voronoi graph."""
        return self.cells.edges


def atomic_properties(
    point: Any, elements: tuple[str, ...] | None = None, settings: FeatureSettings | None = None
) -> AtomicProperties:
    """What is known of every atom of a structure at rest, whatever the loading.

    Parameters
    ----------
    point
        A pair or embedded-atom potential at the structure: ``read_eam(…).at(structure)``.
    elements
        The types, one column each; by default those of the structure.
    settings
        What the features leave open.

    Raises
    ------
    InputError
        The potential has no stress and stiffness of atoms, or the structure has another element.
    """
    settings = settings or FeatureSettings()
    if not isinstance(point, AtomicPoint):
        raise InputError(
            f"features: {type(point).__name__} gives no stress and stiffness of single atoms; use a pair or "
            "embedded-atom potential, or the mechanism features alone"
        )
    structure = point.structure
    elements = structure.elements if elements is None else elements
    if not set(structure.elements) <= set(elements):
        raise InputError(f"features: the structure has {structure.elements}, the types are {elements}; name them all")
    cells = voronoi_cells(structure, settings.face_threshold, settings.edge_threshold)
    return AtomicProperties(
        structure=structure,
        elements=elements,
        cells=cells,
        icosahedral=_icosahedral(structure, cells, settings.centre),
        energies=point.atomic_energies,
        participations=_participations(point, settings),
        stiffnesses=point.atomic_stiffnesses / cells.volumes[:, None, None],
        stresses=point.atomic_stresses / cells.volumes[:, None],
    )


def node_features(properties: AtomicProperties, gradient: Float[np.ndarray, "3 3"]) -> FeatureTable:
    """The features of every atom for a loading: 19 of them for two elements.

    Tensors are turned into the axes of the loading (:func:`~mechlearn.glasses.loading_frame`): 12 is its
    shear, 4 in the symbols.  C14 … C64 are the stress that the loading's strain brings to an atom as its neighbours
    follow the cell, t = C : ε, so that they exist for any loading.  The components 23 and 31, of which a loading tells
    no sign, are magnitudes.

    Parameters
    ----------
    properties
        From :func:`atomic_properties`.
    gradient
        The loading's velocity gradient L, of any size; its sense counts.

    Raises
    ------
    InputError
        The loading has no plane of greatest shear.

    References
    ----------
    Lee and Ryu, Frontiers in Materials 9, 874339 (2022); Ding, Patinet, Falk, Cheng and Ma, PNAS 111, 14052 (2014).

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> crystal = StructureBatch.from_atoms([bulk("Cu", a=3.639, cubic=True)])
    >>> properties = atomic_properties(read_eam("CuZr_mm.eam.fs").at(crystal), ("Cu", "Zr"))
    >>> shear = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> table = node_features(properties, shear)
    >>> table.values.shape, table.features[4].name, float(table.values[0, 4].round(3))
    ((4, 19), 'Voronoi volume', 12.047)
    """
    frame = loading_frame(gradient)
    numbers = np.array([atomic_numbers[element] for element in properties.elements])
    loaded = properties.stiffnesses @ strain_of_loading(gradient)
    columns = [
        properties.structure.species[:, None] == numbers,
        np.stack([properties.icosahedral, ~properties.icosahedral], axis=1),
        np.stack([properties.cells.volumes, properties.energies, properties.participations], axis=1),
        in_frame(loaded, frame),
        in_frame(properties.stresses, frame),
    ]
    values = np.concatenate([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    return FeatureTable(_features(properties.elements), values)


def _features(elements: tuple[str, ...]) -> tuple[Feature, ...]:
    """What the columns are."""
    types = [Feature(f"type {element}", f"δ({element})", "1", _PAPER) for element in elements]
    magnitudes = ("{}",) * 4 + ("|{}|",) * 2
    return (
        *types,
        Feature("icosahedral", "⟨0,0,12,0⟩", "1", f"{_PAPER}; Lee et al. 2011"),
        Feature("not icosahedral", "1 − ⟨0,0,12,0⟩", "1", _PAPER),
        Feature("Voronoi volume", "V", "Å³", _PAPER),
        Feature("potential energy", "E", "eV", _PAPER),
        Feature("participation fraction", "Σ|e|²", "1", f"{_PAPER}; Ding et al. 2014"),
        *(
            Feature(f"stiffness {name} by 12", sign.format(f"C{place}4"), "eV/Å³", _PAPER)
            for place, (name, sign) in enumerate(zip(_COMPONENTS, magnitudes, strict=True), start=1)
        ),
        *(
            Feature(f"stress {name}", sign.format(f"σ{name}"), "eV/Å³", _PAPER)
            for name, sign in zip(_COMPONENTS, magnitudes, strict=True)
        ),
    )


def _icosahedral(structure: StructureBatch, cells: VoronoiCells, centre: str | None) -> Bool[np.ndarray, " atoms"]:
    """Whether an atom is the centre of an icosahedron, ⟨0,0,12,0⟩ with no other face."""
    shaped = (cells.indices == np.array(_ICOSAHEDRON)).all(axis=1) & (cells.coordination == sum(_ICOSAHEDRON))
    if centre is None:
        return shaped
    if centre not in atomic_numbers:
        raise InputError(f"features: the centre of icosahedra is {centre!r}, which is no element; give one, or None")
    return shaped & (structure.species == atomic_numbers[centre])


def _participations(point: SmoothPoint | Any, settings: FeatureSettings) -> Float[np.ndarray, " atoms"]:
    """Σ |e|² over the modes of low frequency."""
    structure = point.structure
    masses = atomic_masses[structure.species].copy()
    for element, mass in settings.masses.items():
        masses[structure.species == atomic_numbers[element]] = mass
    count = max(1, round(settings.low_frequency * 3 * structure.atoms))
    return lowest_modes(point, min(count, 3 * structure.atoms - 3), masses).participations
