"""Features on a scale that models can take: by one rule for all, whatever their units and tails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.prediction.event_settings import Scaling


@dataclass(frozen=True, eq=False)
class FeatureScaling:
    """z = (asinh(x/m) − mean) / deviation for each feature, m being the median of |x| where x is not 0.

    asinh is linear for values below the median and logarithmic above it, of either sign: columns such as an energy or
    a share stay what they are, and those that span decades, as the response to a loading does near an event, become
    their logarithm.

    m, mean and deviation are those of the training set (``"set"``), or of the atoms of the very run (``"run"``), which
    no change of a feature's unit from run to run alters: the response grows a hundredfold as an event comes near, and
    which atom of the run has most of it still says the same.  What is lost, how near the event is, ``"both"`` keeps.

    Attributes
    ----------
    by : str
        ``"set"``, ``"run"`` or ``"both"``: twice as many columns, the set's first.
    medians, means, deviations : (features,)
        Of the training set.

    Examples
    --------
    >>> column = np.array([[1.0], [2.0], [1000.0], [0.0]])
    >>> FeatureScaling.of(column, "set").medians.tolist(), standardised(column).round(2).tolist()
    ([2.0], [[-0.56], [-0.42], [1.72], [-0.74]])
    """

    by: Scaling
    medians: Float[np.ndarray, " features"]
    means: Float[np.ndarray, " features"]
    deviations: Float[np.ndarray, " features"]

    @classmethod
    def of(cls, values: Float[np.ndarray, "atoms features"], by: Scaling) -> FeatureScaling:
        """That of a training set."""
        return cls(by, *_moments(values))

    @property
    def columns(self) -> int:
        """How many come out."""
        return len(self.medians) * (2 if self.by == "both" else 1)

    def apply(self, data: EventData) -> Float[np.ndarray, "atoms columns"]:
        """The scaled features of all atoms, graph after graph.

        Parameters
        ----------
        data
            With the features that the scaling was made for, in that order.

        Raises
        ------
        InputError
            A feature is not a number.
        """
        parts = []
        for graph in data.graphs:
            finite = np.isfinite(graph.features).all(axis=0)
            if not finite.all():
                name = data.names[int(np.argmin(finite))]
                raise InputError(
                    f"scaling features: {name} of {graph.name} is not a number for every atom; "
                    "compute it again, or leave it out"
                )
            columns = []
            if self.by != "run":
                columns.append(_scaled(graph.features, self.medians, self.means, self.deviations))
            if self.by != "set":
                columns.append(standardised(graph.features))
            parts.append(np.concatenate(columns, axis=1))
        return np.concatenate(parts)

    def arrays(self) -> dict[str, np.ndarray]:
        """The numbers by name."""
        return {"medians": self.medians, "means": self.means, "deviations": self.deviations}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], by: Scaling) -> FeatureScaling:
        """What :meth:`arrays` gave."""
        return cls(by, arrays["medians"], arrays["means"], arrays["deviations"])


def standardised(values: Float[np.ndarray, "atoms features"]) -> Float[np.ndarray, "atoms features"]:
    """The features scaled by their own median, mean and deviation."""
    return _scaled(values, *_moments(values))


def _moments(values: Float[np.ndarray, "atoms features"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """m of every feature, and mean and deviation of asinh(x/m); 1 for a median or deviation that is none."""
    sizes = np.abs(values)
    medians = np.array([np.median(size[size > 0]) if (size > 0).any() else 1.0 for size in sizes.T])
    tamed = np.arcsinh(values / medians)
    deviations = tamed.std(axis=0)
    # A column that is the same everywhere still has a deviation of rounding.
    flat = deviations <= 1e-9 * np.abs(tamed).max(axis=0, initial=0.0)
    return medians, tamed.mean(axis=0), np.where(flat, 1.0, deviations)


def _scaled(
    values: Float[np.ndarray, "atoms features"],
    medians: Float[np.ndarray, " features"],
    means: Float[np.ndarray, " features"],
    deviations: Float[np.ndarray, " features"],
) -> Float[np.ndarray, "atoms features"]:
    return (np.arcsinh(values / medians) - means) / deviations
