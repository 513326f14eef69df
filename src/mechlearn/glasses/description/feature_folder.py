"""A folder with the features of sheared glasses, and what a model learns from: features beside events."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Int

from mechlearn.errors import InputError
from mechlearn.glasses.atom_tables import read_table, write_table
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.loading.shear_runs import ShearRun, ShearRuns, specimen_key
from mechlearn.glasses.prediction.event_data import EventData, EventGraph

_FEATURES: Final = "features of glasses"
_EDGES: Final = "edges of glasses"


def paper_features(elements: Sequence[str] = ("Cu", "Zr")) -> tuple[str, ...]:
    """The names of the features of Lee and Ryu (2022) for these elements: 19 of them for two.

    Examples
    --------
    >>> len(paper_features()), paper_features(("Ni", "P"))[:2]
    (19, ('type Ni', 'type P'))
    """
    components = ("11", "22", "33", "12", "23", "31")
    return (
        *(f"type {element}" for element in elements),
        "icosahedral",
        "not icosahedral",
        "Voronoi volume",
        "potential energy",
        "participation fraction",
        *(f"stiffness {component} by 12" for component in components),
        *(f"stress {component}" for component in components),
    )


#: The 19 features of Lee and Ryu (2022) for copper and zirconium.
PAPER_FEATURES: Final = paper_features()

#: The features of the mechanism; without stresses of single atoms there is no local shear modulus.
MECHANISM_FEATURES: Final = (
    "non-affine displacement",
    "D²min of u",
    "growth of D²min",
    "D²min of w",
    "D²min ahead",
    "local shear modulus",
    "vibrality",
    "soft non-affine displacement",
    "softening",
    "coupled softening",
    "imminence",
    "imminence to second order",
    "imminence to fourth order",
    "plastic softness",
    "reach of the instability",
    "stiffening on the way",
    "imminence of an event",
    "slip of the instability",
)


#: Wang and Jain's, of the kind ``"interstices"``.
INTERSTICE_FEATURES: Final = tuple(
    f"{summary} {kind} interstice"
    for kind in ("distance", "area", "volume")
    for summary in ("mean", "deviation", "smallest", "largest", "sum")
)

#: The groups that features fall into.
FEATURE_GROUPS: Final = ("paper", "mechanism", "interstices", "symmetry functions")


def feature_group(name: str) -> str:
    """The group of a feature, one of ``FEATURE_GROUPS``.

    Examples
    --------
    >>> [feature_group(name) for name in ("type Ni", "D²min of u", "mean area interstice")]
    ['paper', 'mechanism', 'interstices']
    """
    if name in MECHANISM_FEATURES:
        return "mechanism"
    if name in INTERSTICE_FEATURES:
        return "interstices"
    return "paper" if name in PAPER_FEATURES or name.startswith("type ") else "symmetry functions"


@dataclass(frozen=True)
class FeatureFolder:
    """A folder of features: a table for each run, and the edges of each specimen.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @classmethod
    def open(cls, path: Path | str) -> FeatureFolder:
        """A folder that :func:`feature_runs` made.

        Raises
        ------
        InputError
            There is no such folder, or no features in it.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"opening the features {path}: no such folder; check the path")
        if not any(path.glob("*.edges.parquet")):
            raise InputError(f"opening the features {path}: it holds none; give the folder that features went into")
        return cls(path)

    def file(self, run: str) -> Path:
        """Where the features of a run are."""
        return self.path / f"{run}.parquet"

    def edges_file(self, specimen: str) -> Path:
        """Where the edges of a specimen are."""
        return self.path / f"{specimen}.edges.parquet"

    def table(self, run: str) -> FeatureTable:
        """The features of a run.

        Raises
        ------
        InputError
            The file is missing, cut short, altered, or no features.
        """
        return self._read(run)[0]

    def _read(self, run: str) -> tuple[FeatureTable, dict[str, Any]]:
        """The features of a run, and of what run they are."""
        columns, record = read_table(self.file(run), _FEATURES)
        features = tuple(Feature(**entry) for entry in record["features"])
        return FeatureTable(features, np.stack([columns[feature.name] for feature in features], axis=1)), record

    def edges(self, specimen: str) -> Int[np.ndarray, "2 edges"]:
        """From and to, each pair both ways: the neighbours of Voronoi.

        Raises
        ------
        InputError
            The file is missing, cut short, altered, or no edges.
        """
        columns, _ = read_table(self.edges_file(specimen), _EDGES)
        return np.stack([columns["from"], columns["to"]])

    def write(self, run: ShearRun, table: FeatureTable) -> Path:
        """Write the features of a run: a column a feature; what they are, and of what run, is JSON beside them.

        Raises
        ------
        WorkError
            The file cannot be written.
        """
        columns = dict(zip(table.names, np.ascontiguousarray(table.values.T), strict=True))
        record = {
            "specimen": run.specimen,
            "sense": run.sense,
            "gradient": run.gradient.tolist(),
            "rest": specimen_key(run.structure),
            "features": [asdict(feature) for feature in table.features],
        }
        return write_table(self.file(run.name), _FEATURES, columns, record)

    def write_edges(self, specimen: str, edges: Int[np.ndarray, "2 edges"]) -> Path:
        """Write the edges of a specimen, columns ``from`` and ``to``.

        Raises
        ------
        WorkError
            The file cannot be written.
        """
        columns = {"from": edges[0].astype(np.int32), "to": edges[1].astype(np.int32)}
        return write_table(self.edges_file(specimen), _EDGES, columns, {"specimen": specimen})

    def load(self, runs: ShearRuns) -> EventData:
        """Features and events of these runs.

        A glass that did not come to rest before any strain has no features: its runs are left out, with a warning.

        Raises
        ------
        InputError
            A file is missing or no good, or the features are those of other runs.
        """
        graphs: list[EventGraph] = []
        features: tuple[Feature, ...] | None = None
        edges: dict[str, Int[np.ndarray, "2 edges"]] = {}
        restless = []
        for run in runs:
            if not run.began_at_rest:
                restless.append(run.name)
                continue
            table = self._made_for(run)
            if features is None:
                features = table.features
            if table.features != features:
                raise InputError(
                    f"reading {self.file(run.name)}: its features are not those of the other runs; compute them anew"
                )
            if run.specimen not in edges:
                edges[run.specimen] = self.edges(run.specimen)
            graphs.append(_graph(run, table, edges[run.specimen]))
        if restless:
            warnings.warn(
                f"{len(restless)} runs are left out, whose glass did not come to rest: {', '.join(restless[:3])}",
                stacklevel=2,
            )
        return EventData(features or (), graphs)

    def _made_for(self, run: ShearRun) -> FeatureTable:
        """The features of this very run."""
        if not self.edges_file(run.specimen).is_file():
            others = sorted(entry.name.removesuffix(".edges.parquet") for entry in self.path.glob("*.edges.parquet"))
            found = f"those of {others[0]} and of {len(others) - 1} others" if others else "nothing"
            raise InputError(
                f"reading the features {self.path}: there are none of {run.specimen}, but {found}; give the features "
                "of these runs"
            )
        table, record = self._read(run.name)
        if (record["rest"], record["gradient"]) != (specimen_key(run.structure), run.gradient.tolist()):
            raise InputError(
                f"reading {self.file(run.name)}: these are features of another glass or another loading of that name; "
                "compute those of these runs, in another folder"
            )
        return table


def _graph(run: ShearRun, table: FeatureTable, edges: Int[np.ndarray, "2 edges"]) -> EventGraph:
    if len(table.values) != run.structure.atoms:
        raise InputError(
            f"reading the features of {run.name}: {len(table.values)} rows for {run.structure.atoms} atoms"
        )
    return EventGraph(
        specimen=run.specimen,
        sense=run.sense,
        structure=run.structure,
        features=table.values,
        edges=edges,
        d2min=run.d2min,
        trigger=run.trigger,
        strain=run.strain,
    )
