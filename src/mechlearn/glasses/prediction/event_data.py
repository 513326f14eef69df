"""What a model learns from: graphs of atoms with features, beside what each atom did in the first event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.evaluation import EventPredictions, Localisation, localisation
from mechlearn.glasses.description.feature_table import Feature
from mechlearn.structures import StructureBatch


@dataclass(frozen=True, eq=False)
class EventGraph:
    """One specimen under one loading: its atoms, what is known of them before, and what they did.

    Attributes
    ----------
    specimen : str
        The glass, unlike all others (:func:`~mechlearn.glasses.specimen_key`).
    sense : str
        The loading, ``"-xy"``.
    structure : StructureBatch
        The specimen at rest, a batch of one.
    features : (atoms, features)
        What a model sees of each atom.
    edges : (2, edges)
        From and to, each pair both ways.
    d2min : (atoms,)
        In the first event, Å²; zero everywhere where none came.
    trigger : int
        The foremost atom of the critical mode just before the event; -1 where none came.
    strain : float
        Of the event; NaN where none came.
    """

    specimen: str
    sense: str
    structure: StructureBatch
    features: Float[np.ndarray, "atoms features"]
    edges: Int[np.ndarray, "2 edges"]
    d2min: Float[np.ndarray, " atoms"]
    trigger: int
    strain: float

    @property
    def name(self) -> str:
        """Specimen and loading."""
        return f"{self.specimen}_{self.sense}"

    def positive(self, threshold: float) -> Bool[np.ndarray, " atoms"]:
        """Which atoms took part: those whose D²min is above the threshold, Å²."""
        return self.d2min > threshold


@dataclass(frozen=True, eq=False)
class EventData:
    """Graphs with the same features.

    Attributes
    ----------
    features : tuple of Feature
        What the columns are.
    graphs : sequence of EventGraph
        One a specimen and loading.

    Raises
    ------
    InputError
        There is no graph, or the columns are not those of the features.
    """

    features: tuple[Feature, ...]
    graphs: Sequence[EventGraph]

    def __post_init__(self) -> None:
        if not self.graphs:
            raise InputError("learning where glasses yield: there is no graph; give at least one")
        for graph in self.graphs:
            expected = (graph.structure.atoms, len(self.features))
            if graph.features.shape != expected:
                raise InputError(
                    f"learning where glasses yield: the features of {graph.name} have shape {graph.features.shape}, "
                    f"expected {expected}; compute them for this very structure"
                )

    def __len__(self) -> int:
        return len(self.graphs)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called."""
        return tuple(feature.name for feature in self.features)

    @property
    def specimens(self) -> tuple[str, ...]:
        """The specimens, each once, in the order of their first graphs."""
        return tuple(dict.fromkeys(graph.specimen for graph in self.graphs))

    @property
    def values(self) -> Float[np.ndarray, "atoms features"]:
        """The features of all atoms, graph after graph."""
        return np.concatenate([graph.features for graph in self.graphs])

    @property
    def offsets(self) -> Int[np.ndarray, " graphs_and_one"]:
        """Where the atoms of each graph begin."""
        return np.concatenate([[0], np.cumsum([graph.structure.atoms for graph in self.graphs])])

    @property
    def d2min(self) -> Float[np.ndarray, " atoms"]:
        """Of all atoms, graph after graph, Å²."""
        return np.concatenate([graph.d2min for graph in self.graphs])

    def positive(self, threshold: float) -> Bool[np.ndarray, " atoms"]:
        """Which atoms took part, graph after graph."""
        return self.d2min > threshold

    def of_specimens(self, specimens: Sequence[str]) -> EventData:
        """The graphs of these specimens.

        Raises
        ------
        InputError
            There is none.
        """
        wanted = set(specimens)
        return replace(self, graphs=[graph for graph in self.graphs if graph.specimen in wanted])

    def with_events(self) -> EventData:
        """The graphs in which an event came.

        Raises
        ------
        InputError
            There is none.
        """
        return replace(self, graphs=[graph for graph in self.graphs if graph.trigger >= 0])

    def with_features(self, names: Sequence[str]) -> EventData:
        """The same graphs with these features alone, in this order.

        Raises
        ------
        InputError
            There is no feature of that name.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise InputError(
                f"learning where glasses yield: no feature is called {unknown[0]!r}; there are {', '.join(self.names)}"
            )
        columns = [self.names.index(name) for name in names]
        graphs = [replace(graph, features=np.ascontiguousarray(graph.features[:, columns])) for graph in self.graphs]
        return EventData(tuple(self.features[column] for column in columns), graphs)

    def predictions(
        self, confidences: Float[np.ndarray, " atoms"], threshold: float, call: float = 0.5
    ) -> EventPredictions:
        """What a model says of all atoms beside what they did.

        Parameters
        ----------
        confidences
            Of all atoms, graph after graph.
        threshold
            Of D²min, Å²: an atom above it is positive.
        call
            From which confidence on an atom is called positive.
        """
        specimens = tuple(graph.specimen for graph in self.graphs)
        return EventPredictions(confidences, self.positive(threshold), self.offsets, specimens, call)

    def localisations(
        self, predictions: Mapping[str, EventPredictions], radius: float = 5.0
    ) -> dict[str, Localisation] | None:
        """How near the top-ranked atom is to the trigger in each run in which an event came, by model.

        None where no event came in any.

        Parameters
        ----------
        predictions
            Of these very graphs, by model.
        radius
            A top-ranked atom no further from the trigger is a hit, Å.
        """
        begun = [place for place, graph in enumerate(self.graphs) if graph.trigger >= 0]
        if not begun:
            return None
        graphs = [self.graphs[place] for place in begun]
        positions = np.concatenate([graph.structure.positions for graph in graphs])
        cells = np.concatenate([graph.structure.cells for graph in graphs])
        cores = np.stack([graph.structure.positions[graph.trigger] for graph in graphs])
        return {
            name: localisation(says.select(begun), positions, cells, cores, radius)
            for name, says in predictions.items()
        }
