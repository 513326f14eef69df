"""Numbers of atoms that know what they are called, in what unit they come, and who proposed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.evaluation.tables import text_table


@dataclass(frozen=True)
class Feature:
    """One number of an atom.

    Attributes
    ----------
    name : str
        In words.
    symbol : str
        In formulas.
    unit : str
        ``"1"`` where it has none.
    source : str
        Where it comes from.
    """

    name: str
    symbol: str
    unit: str
    source: str


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of all atoms of a structure.

    Attributes
    ----------
    features : tuple of Feature
        What the columns are.
    values : (atoms, features)
        The numbers.
    """

    features: tuple[Feature, ...]
    values: Float[np.ndarray, "atoms features"]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.features):
            raise InputError(f"features: {len(self.features)} names do not fit values of shape {self.values.shape}")

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called."""
        return tuple(feature.name for feature in self.features)

    def column(self, name: str) -> Float[np.ndarray, " atoms"]:
        """The feature of that name.

        Raises
        ------
        InputError
            There is none.
        """
        if name not in self.names:
            raise InputError(f"features: none is called {name!r}; there are {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]

    @classmethod
    def joined(cls, tables: Sequence[FeatureTable]) -> FeatureTable:
        """Several tables of the same atoms side by side."""
        features = tuple(feature for table in tables for feature in table.features)
        return cls(features, np.concatenate([table.values for table in tables], axis=1))

    def __str__(self) -> str:
        rows = [
            [feature.name, feature.symbol, feature.unit, f"{column.mean():.4g}", f"{column.std():.4g}", feature.source]
            for feature, column in zip(self.features, self.values.T, strict=True)
        ]
        return text_table(["feature", "symbol", "unit", "mean", "deviation", "source"], rows)
