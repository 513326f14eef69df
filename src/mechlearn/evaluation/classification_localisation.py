"""Is the atom that a model is surest of near the place where the event began?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from mechlearn.errors import InputError
from mechlearn.evaluation.classification import EventPredictions
from mechlearn.evaluation.resampling import Interval, weighted_intervals


@dataclass(frozen=True, eq=False)
class Localisation:
    """How near the top-ranked atom of each run is to the core of the event.

    Attributes
    ----------
    hits : (runs,)
        1 where it is within the radius, 0 where not; of several that share the top rank, the share within.
    chance : (runs,)
        The share of all atoms within the radius: what a blind choice hits.
    distances : (runs,)
        From the top-ranked atom to the core; the mean over those that share the rank.
    specimens : tuple of str, one a run
        What is independent.
    radius : float
        In the unit.
    unit : str
        Of all lengths.
    """

    hits: Float[np.ndarray, " runs"]
    chance: Float[np.ndarray, " runs"]
    distances: Float[np.ndarray, " runs"]
    specimens: tuple[str, ...]
    radius: float
    unit: str = "Å"

    def interval(self, rng: np.random.Generator, level: float = 0.95, draws: int = 1000) -> Interval:
        """The share of runs that are hit, with its interval over specimens."""
        return _share(self.hits, self.specimens, rng, level, draws)

    def chance_interval(self, rng: np.random.Generator, level: float = 0.95, draws: int = 1000) -> Interval:
        """The share of runs that a blind choice hits."""
        return _share(self.chance, self.specimens, rng, level, draws)


def localisation(
    predictions: EventPredictions,
    positions: Float[np.ndarray, "atoms 3"],
    cells: Float[np.ndarray, "runs 3 3"],
    cores: Float[np.ndarray, "runs 3"],
    radius: float = 5.0,
) -> Localisation:
    """Measure how near the top-ranked atom of each run is to the core of its event, across periodic boundaries.

    Parameters
    ----------
    predictions
        Confidences of all atoms of the runs.
    positions
        Of the same atoms, Å.
    cells
        Lattice vectors as rows, Å; any tilt.
    cores
        Where the event of each run began, Å.
    radius
        A top-ranked atom no further away is a hit, Å.

    Raises
    ------
    InputError
        If the shapes do not fit the predictions, or a core is not a place.

    Examples
    --------
    The top-ranked atom is 2 Å away, across the boundary:

    >>> predictions = EventPredictions(np.array([0.9, 0.1]), np.array([True, False]), np.array([0, 2]), ("a",))
    >>> places = np.array([[1.0, 5.0, 5.0], [11.0, 5.0, 5.0]])
    >>> found = localisation(predictions, places, 20.0 * np.eye(3)[None], np.array([[19.0, 5.0, 5.0]]))
    >>> found.hits.tolist(), found.chance.tolist(), found.distances.round(9).tolist()
    ([1.0], [0.5], [2.0])
    """
    runs = len(predictions.specimens)
    shapes = (positions.shape, cells.shape, cores.shape)
    if shapes != ((predictions.atoms, 3), (runs, 3, 3), (runs, 3)) or not np.isfinite(cores).all():
        raise InputError(
            f"measuring localisation: positions, cells and cores of shapes {shapes} for {predictions.atoms} atoms of "
            f"{runs} runs; give one position an atom, one cell and one core a run, all of them numbers"
        )
    hits, chance, distances = (np.empty(runs) for _ in range(3))
    for run in range(runs):
        own = slice(predictions.offsets[run], predictions.offsets[run + 1])
        away = _periodic_distances(positions[own] - cores[run], cells[run])
        top = predictions.confidences[own] == predictions.confidences[own].max()
        hits[run], chance[run] = (away[top] <= radius).mean(), (away <= radius).mean()
        distances[run] = away[top].mean()
    return Localisation(hits, chance, distances, predictions.specimens, radius)


def _periodic_distances(
    vectors: Float[np.ndarray, "atoms 3"], cell: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, " atoms"]:
    """The length of the shortest periodic image of each vector."""
    from ase.geometry import find_mic

    return np.asarray(find_mic(vectors, cell, pbc=True)[1])


def _share(
    values: Float[np.ndarray, " runs"], specimens: tuple[str, ...], rng: np.random.Generator, level: float, draws: int
) -> Interval:
    """The mean over runs, with the interval from drawing specimens again.

    Where all specimens agree the draws do too, and say nothing of how sure that is: the end that they cannot give is
    then that of Clopper and Pearson for as many trials as there are specimens.
    """
    names = list(dict.fromkeys(specimens))
    place = np.array([names.index(name) for name in specimens])
    sums, runs = np.bincount(place, values), np.bincount(place)
    shares = {"share": lambda weights: (weights @ sums) / (weights @ runs)}
    found = weighted_intervals(shares, len(names), rng, level, draws)["share"]
    if len(names) < 2 or found.estimate not in (0.0, 1.0):
        return found
    missed, count = (1.0 - level) / 2.0, len(names)
    if found.estimate == 0.0:
        return Interval(0.0, 0.0, float(beta.ppf(1.0 - missed, 1, count)), level, count)
    return Interval(1.0, float(beta.ppf(missed, count, 1)), 1.0, level, count)
