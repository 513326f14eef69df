"""Computing the features of every atom for every run of a shear, on any number of workers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mechlearn.engines.structure_sets import claimed
from mechlearn.errors import InputError, MechlearnError, WorkError
from mechlearn.glasses.description.feature_folder import (
    INTERSTICE_FEATURES,
    MECHANISM_FEATURES,
    PAPER_FEATURES,
    FeatureFolder,
    paper_features,
)
from mechlearn.glasses.description.feature_table import FeatureTable
from mechlearn.glasses.description.features import AtomicPoint, FeatureSettings, atomic_properties, node_features
from mechlearn.glasses.description.mechanism import mechanism_features
from mechlearn.glasses.description.modes import lowest_modes
from mechlearn.glasses.description.nonlinear_modes import plastic_modes
from mechlearn.glasses.description.structural_features import check_kinds, structural_features
from mechlearn.glasses.description.voronoi import VoronoiCells, voronoi_cells
from mechlearn.glasses.loading.shear_campaign import campaign
from mechlearn.glasses.loading.shear_runs import ShearRun, ShearRuns, read_run
from mechlearn.glasses.named_potentials import (
    feature_settings_for,
    glass_potential,
    potential_record,
    surroundings_for,
)
from mechlearn.interactions import Potential
from mechlearn.records import remove_leftovers
from mechlearn.structures import StructureBatch

_DOING: Final = "computing features"

__all__ = [
    "INTERSTICE_FEATURES",
    "MECHANISM_FEATURES",
    "PAPER_FEATURES",
    "FeatureFolder",
    "feature_runs",
    "paper_features",
]


def feature_runs(
    runs: ShearRuns,
    potential: str | Path | Potential,
    out: Path | str,
    *,
    mechanism: bool = True,
    structural: Sequence[str] = (),
    settings: FeatureSettings | None = None,
    modes: int = 30,
    cutoff: float | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    pool: Executor | None = None,
) -> FeatureFolder:
    """Compute the features of every run before any strain, one file a run, going on where an earlier call stopped.

    What does not depend on the loading, the shares of energy, stress and stiffness, the modes and the neighbours of
    Voronoi, is computed once a specimen.  With a potential without stresses of single atoms those of Lee and
    Ryu are left out, which a warning says.

    Parameters
    ----------
    runs
        From :func:`~mechlearn.glasses.shear_glasses`.
    potential
        The one that sheared them, by name or itself.
    out
        The folder of the features.
    mechanism
        Whether to compute the features of the mechanism beside those of Lee and Ryu.
    structural
        What to compute besides: ``"interstices"`` (Wang and Jain), ``"symmetry functions"`` (those behind softness).
    settings
        What the latter leave open.
    modes
        How many soft modes the mechanism looks at.
    cutoff
        Up to where it takes atoms for neighbours, Å; by default 5, and 1.8 in the Kob–Andersen mixture.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.
    pool
        What runs the specimens in their place.

    Raises
    ------
    InputError
        The folder was made otherwise, there would be no feature at all, a run is missing or no good; or as the
        potential.
    WorkError
        A specimen failed; all others are done first.

    Examples
    --------
    >>> import tempfile
    >>> from ase.build import bulk
    >>> from mechlearn.glasses import SENSES, ShearSettings
    >>> from mechlearn.glasses.loading.shear_campaign import shear_glasses
    >>> crystal = StructureBatch.from_atoms([bulk("Cu", a=3.639, cubic=True) * 2])
    >>> settings = ShearSettings(step=1e-3, final_strain=1e-3)
    >>> senses = {"xy": SENSES["xy"]}
    >>> runs = shear_glasses(crystal, "CuZr_mm.eam.fs", tempfile.mkdtemp(), senses=senses, settings=settings)
    >>> folder = feature_runs(runs, "CuZr_mm.eam.fs", tempfile.mkdtemp(), mechanism=False)
    >>> folder.load(runs).names[:3]
    ('type Cu', 'icosahedral', 'not icosahedral')
    """
    out = Path(out)
    check_kinds(structural)
    specimens, elements = _specimens(runs)
    smooth = glass_potential(potential, elements)
    settings = settings or feature_settings_for(potential, elements)
    cutoff = surroundings_for(potential) if cutoff is None else cutoff
    shares = isinstance(smooth.at(read_run(runs.file(specimens[0][1][0])).structure), AtomicPoint)
    if not shares:
        lacking = f"{potential_record(potential, elements)['name']} gives no stress and stiffness of single atoms"
        if not (mechanism or structural):
            raise InputError(f"{_DOING}: {lacking}; ask for the features of the mechanism")
        warnings.warn(f"{_DOING}: {lacking}; those of Lee and Ryu are left out", stacklevel=2)
    recipe = {
        "kind": "features",
        "potential": potential_record(potential, elements),
        "elements": elements,
        "settings": asdict(settings),
        "mechanism": {"modes": modes, "cutoff": cutoff, "features": MECHANISM_FEATURES} if mechanism else None,
        "structural": structural,
    }
    folder = FeatureFolder(out)

    def done(index: int) -> bool:
        specimen, names = specimens[index]
        return all(folder.file(name).exists() for name in names) and folder.edges_file(specimen).exists()

    with claimed(out, recipe, _DOING):
        remove_leftovers(out)
        task = _Features(
            runs=ShearRuns(runs.path.resolve(), runs.names),
            specimens=specimens,
            potential=potential,
            elements=elements,
            settings=settings,
            modes=modes if mechanism else 0,
            structural=tuple(structural),
            cutoff=cutoff,
            shares=shares,
            out=str(out.resolve()),
        )
        campaign(task, len(specimens), done, workers, scheduler, pool, _DOING)
    return folder


# ---------------------------------------------------------------------- one specimen


@dataclass(frozen=True, eq=False)
class _Features:
    """Computes the features of all runs of the specimen at an index."""

    runs: ShearRuns
    specimens: tuple[tuple[str, tuple[str, ...]], ...]
    potential: str | Path | Potential
    elements: tuple[str, ...]
    settings: FeatureSettings
    modes: int
    structural: tuple[str, ...]
    cutoff: float
    shares: bool
    out: str

    def __call__(self, index: int) -> str:
        """What failed, or nothing."""
        from threadpoolctl import threadpool_limits

        specimen, names = self.specimens[index]
        try:
            # Sums in another order would be other bits: features have one thread wherever they are computed.
            with threadpool_limits(1):
                self._compute(specimen, names)
        except WorkError as error:
            return f"{specimen}: {error}"
        except MechlearnError as error:
            raise type(error)(f"{specimen}: {error}") from error
        return ""

    def _compute(self, specimen: str, names: Sequence[str]) -> None:
        folder = FeatureFolder(Path(self.out))
        runs = [read_run(self.runs.file(name)) for name in names]
        rest = _same_rest(runs)
        potential = glass_potential(self.potential, self.elements)
        point = potential.at(rest)
        soft = lowest_modes(point, min(self.modes, 3 * rest.atoms - 3)) if self.modes else None
        plastic = plastic_modes(potential, point, self.cutoff) if self.modes else None
        properties = atomic_properties(point, self.elements, self.settings) if self.shares else None
        cells = self._cells(rest) if properties is None else properties.cells
        still = []
        if self.structural:
            still.append(structural_features(rest, cells, self.structural, self.elements, self.potential))
        for run in runs:
            if folder.file(run.name).exists():
                continue
            tables = [] if properties is None else [node_features(properties, run.gradient)]
            if soft is not None:
                tables.append(
                    mechanism_features(
                        potential,
                        point,
                        run.gradient,
                        soft,
                        self.cutoff,
                        plastic=plastic,
                        threshold=run.threshold,
                    )
                )
            folder.write(run, FeatureTable.joined(tables + still))
        # The edges come last: where they are, so are the features.
        if not folder.edges_file(specimen).exists():
            folder.write_edges(specimen, cells.edges)

    def _cells(self, structure: StructureBatch) -> VoronoiCells:
        return voronoi_cells(structure, self.settings.face_threshold, self.settings.edge_threshold)


def _specimens(runs: ShearRuns) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    """The specimens with their runs that can have features, and the elements of all."""
    found: dict[str, list[str]] = {}
    elements: set[str] = set()
    for name, facts in zip(runs.names, runs.facts(), strict=True):
        elements |= set(facts["elements"])
        if facts["began_at_rest"]:
            found.setdefault(facts["specimen"], []).append(name)
    if not found:
        raise InputError(f"{_DOING}: {runs.path} holds no run whose glass came to rest; shear glasses first")
    return tuple((specimen, tuple(names)) for specimen, names in found.items()), tuple(sorted(elements))


def _same_rest(runs: Sequence[ShearRun]) -> StructureBatch:
    """The one structure that runs of a specimen began with."""
    rest = runs[0].structure
    for run in runs[1:]:
        if not np.array_equal(run.structure.positions, rest.positions):
            raise InputError(
                f"{_DOING}: {run.name} does not begin with the atoms where those of {runs[0].name} are; "
                "shear both in one folder"
            )
    return rest
