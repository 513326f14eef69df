"""How a model does away from the data it was trained on.

A transfer matrix holds, for every set trained on and every set tested on, the distribution of root squared
errors √(e²).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.evaluation.resampling import GroupLabels, bootstrap_interval
from mechlearn.evaluation.scorecard import Metric
from mechlearn.evaluation.signed_errors import check_errors, root_mean_square, squares, times_worse
from mechlearn.evaluation.tables import html_table, significant, text_table

#: Bins of the histogram of root squared errors in every factor of ten.
BINS_PER_DECADE = 12


@dataclass(frozen=True, eq=False)
class TransferCell:
    """The errors of one pair: trained on this, tested on that.

    Attributes
    ----------
    trained_on, tested_on : str
        The names of the two sets.
    rmse : Metric
        With its interval.
    ratio : Metric
        The RMSE over that of the model trained on the tested set itself, both on the same structures;
        NaN where there is no such model.
    median, worst_percent, largest : float
        The root squared error that half of the values stay below, that 99% do, and that all do.
    histogram : (bins,)
        How many root squared errors fall into each bin of the matrix; the first holds all smaller ones too.
    """

    trained_on: str
    tested_on: str
    rmse: Metric
    ratio: Metric
    median: float
    worst_percent: float
    largest: float
    histogram: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "trained_on": self.trained_on,
            "tested_on": self.tested_on,
            "rmse": self.rmse.to_dict(),
            "ratio": self.ratio.to_dict(),
            "median": self.median,
            "worst_percent": self.worst_percent,
            "largest": self.largest,
            "histogram": list(self.histogram),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TransferCell:
        """The cell that :meth:`to_dict` wrote."""
        return cls(
            trained_on=stored["trained_on"],
            tested_on=stored["tested_on"],
            rmse=Metric.from_dict(stored["rmse"]),
            ratio=Metric.from_dict(stored["ratio"]),
            median=stored["median"],
            worst_percent=stored["worst_percent"],
            largest=stored["largest"],
            histogram=tuple(stored["histogram"]),
        )


@dataclass(frozen=True, eq=False)
class TransferMatrix:
    """One kind of model, trained on each of several sets and tested on each of several sets.

    Attributes
    ----------
    title : str
        The model: ``"quadratic, D = 30"``.
    unit : str
        Of the errors.
    trained_on, tested_on : tuple of str
        The names of rows and columns.
    cells : tuple of TransferCell
        Row by row.
    edges : (bins + 1,)
        Of the histograms, evenly spaced in the logarithm, in ``unit``.
    """

    title: str
    unit: str
    trained_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    cells: tuple[TransferCell, ...]
    edges: Float[np.ndarray, " edges"]

    @classmethod
    def from_errors(
        cls,
        title: str,
        errors: Mapping[tuple[str, str], Float[np.ndarray, " values"]],
        rng: np.random.Generator,
        *,
        unit: str = "eV/atom",
        groups: Mapping[str, GroupLabels] | None = None,
        level: float = 0.95,
        draws: int = 1000,
    ) -> TransferMatrix:
        """Build the matrix from signed errors.

        Parameters
        ----------
        title
            The model.
        errors
            For each pair (trained on, tested on), prediction − reference of every tested value; all pairs of
            one tested set in the same order, so that ratios are taken structure by structure.
        rng
            For the bootstrap.
        unit
            Of the errors.
        groups
            For each tested set, the independent group of each value; every value its own where not given.
        level, draws
            Of the bootstrap.

        Raises
        ------
        InputError
            If a pair is missing, is empty, or does not fit the others of its tested set.
        WorkError
            If an error is not finite.
        """
        trained_on = tuple(dict.fromkeys(trained for trained, _ in errors))
        tested_on = tuple(dict.fromkeys(tested for _, tested in errors))
        _check(title, errors, trained_on, tested_on)
        edges = _log_edges(np.abs(np.concatenate(list(errors.values()))))
        cells = []
        for trained in trained_on:
            for tested in tested_on:
                signed = errors[trained, tested]
                own = errors.get((tested, tested))
                labels = np.arange(len(signed)) if groups is None else groups[tested]
                cells.append(_cell(trained, tested, signed, own, labels, edges, unit, rng, level, draws))
        return cls(title, unit, trained_on, tested_on, tuple(cells), edges)

    def __getitem__(self, pair: tuple[str, str]) -> TransferCell:
        """The cell of (trained on, tested on)."""
        for cell in self.cells:
            if (cell.trained_on, cell.tested_on) == pair:
                return cell
        raise KeyError(f"the matrix '{self.title}' was not trained on {pair[0]!r} and tested on {pair[1]!r}")

    def sentences(self) -> tuple[str, ...]:
        """What the matrix says of each pair off the diagonal, in plain words, the worst first.

        Each sentence compares models on the *same* test set: trained elsewhere, and trained on that set.
        """
        away = [cell for cell in self.cells if math.isfinite(cell.ratio.value) and cell.trained_on != cell.tested_on]
        return tuple(self._sentence(cell) for cell in sorted(away, key=lambda cell: cell.ratio.value, reverse=True))

    def _sentence(self, cell: TransferCell) -> str:
        home = self[cell.tested_on, cell.tested_on]
        return (
            f"Trained on {cell.trained_on} and tested on {cell.tested_on}, {self.title} "
            f"{times_worse(cell.ratio)} the same model trained on {cell.tested_on} "
            f"(RMSE {significant(cell.rmse.value)} against {significant(home.rmse.value)} {self.unit})."
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, as text."""
        header = ["trained on → tested on", f"RMSE ({self.unit})", "interval", "× home model"]
        header += ["half below", "99% below", "largest", "values"]
        rows = []
        for cell in self.cells:
            low, high = significant(cell.rmse.low), significant(cell.rmse.high)
            name = f"{cell.trained_on} → {cell.tested_on}"
            rows.append(
                [name, significant(cell.rmse.value), f"{low} to {high}", significant(cell.ratio.value)]
                + [significant(value) for value in (cell.median, cell.worst_percent, cell.largest)]
                + [f"{cell.rmse.count:,}"]
            )
        return header, rows

    def __str__(self) -> str:
        return "\n".join([self.title, "", text_table(*self.table()), "", *self.sentences()]).rstrip()

    def _repr_html_(self) -> str:
        sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences())
        return html_table(*self.table(), caption=self.title) + sentences

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "title": self.title,
            "unit": self.unit,
            "trained_on": list(self.trained_on),
            "tested_on": list(self.tested_on),
            "cells": [cell.to_dict() for cell in self.cells],
            "edges": [float(edge) for edge in self.edges],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TransferMatrix:
        """The matrix that :meth:`to_dict` wrote."""
        return cls(
            title=stored["title"],
            unit=stored["unit"],
            trained_on=tuple(stored["trained_on"]),
            tested_on=tuple(stored["tested_on"]),
            cells=tuple(TransferCell.from_dict(cell) for cell in stored["cells"]),
            edges=np.asarray(stored["edges"], dtype=np.float64),
        )


def _cell(
    trained: str,
    tested: str,
    signed: Float[np.ndarray, " values"],
    own: Float[np.ndarray, " values"] | None,
    labels: GroupLabels,
    edges: Float[np.ndarray, " edges"],
    unit: str,
    rng: np.random.Generator,
    level: float,
    draws: int,
) -> TransferCell:
    """One cell of the matrix; ``own`` are the errors of the model trained on the tested set."""
    rmse = bootstrap_interval(root_mean_square, squares(signed), labels, rng, level, draws)
    ratio = Metric("RMSE over home model", math.nan, count=len(signed))
    if own is not None and np.any(own != 0):
        pairs = np.stack([signed**2, own**2], axis=1)
        interval = bootstrap_interval(_ratio, pairs, labels, rng, level, draws)
        ratio = Metric.from_interval(ratio.name, interval, "", len(signed))
    root_squared = np.abs(signed)
    median, worst_percent = np.quantile(root_squared, [0.5, 0.99])
    counts, _ = np.histogram(np.clip(root_squared, edges[0], edges[-1]), edges)
    return TransferCell(
        trained_on=trained,
        tested_on=tested,
        rmse=Metric.from_interval("RMSE", rmse, unit, len(signed)),
        ratio=ratio,
        median=float(median),
        worst_percent=float(worst_percent),
        largest=float(root_squared.max()),
        histogram=tuple(int(count) for count in counts),
    )


def _ratio(totals: Float[np.ndarray, "draws 2"]) -> Float[np.ndarray, " draws"]:
    """√(Σe²/Σe₀²); a draw of only perfect structures has no ratio."""
    below = totals[:, 1]
    return np.sqrt(totals[:, 0] / np.where(below > 0, below, np.nan))


def _log_edges(root_squared: Float[np.ndarray, " values"]) -> Float[np.ndarray, " edges"]:
    """Whole decades from the thousandth smallest to the largest error, evenly divided in the logarithm."""
    positive = root_squared[root_squared > 0]
    if len(positive) == 0:
        positive = np.array([1e-12, 1e-11])
    first = math.floor(np.log10(np.quantile(positive, 0.001)))
    last = max(math.ceil(np.log10(positive.max())), first + 1)
    return np.logspace(first, last, BINS_PER_DECADE * (last - first) + 1)


def _check(
    title: str,
    errors: Mapping[tuple[str, str], Float[np.ndarray, " _"]],
    trained_on: Sequence[str],
    tested_on: Sequence[str],
) -> None:
    """Every pair is there, finite, and as long as the others of its tested set."""
    if not errors:
        raise InputError(f"transfer matrix of {title}: no errors were given; give those of at least one pair")
    for tested in tested_on:
        lengths = set()
        for trained in trained_on:
            values = errors.get((trained, tested))
            if values is None:
                raise InputError(
                    f"transfer matrix of {title}: nothing was trained on {trained!r} and tested on "
                    f"{tested!r}; give the errors of every pair"
                )
            check_errors(f"{title}, trained on {trained!r} and tested on {tested!r}", values)
            lengths.add(len(values))
        if len(lengths) > 1:
            raise InputError(
                f"transfer matrix of {title}: the models tested on {tested!r} have {sorted(lengths)} errors; "
                "test all of them on the same structures in the same order"
            )
