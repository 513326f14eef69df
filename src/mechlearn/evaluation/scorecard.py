"""Scorecards: metrics with units and intervals, never one flattering number alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from mechlearn.drawing import Bar, interval_bars
from mechlearn.evaluation.resampling import Interval
from mechlearn.evaluation.tables import NO_NUMBER, html_table, interval_text, significant, text_table

#: A number below this that has a unit (eV/atom, eV/Å, GPa) is round-off, and shown as zero.
ROUND_OFF: Final = 1e-10


@dataclass(frozen=True)
class Metric:
    """One number with its unit, its interval and how many values it rests on.

    Attributes
    ----------
    name : str
        ``"energy RMSE"``.
    value : float
        In ``unit``.
    unit : str
        ``"eV/atom"``; empty where the number has none.
    low, high : float
        The ends of the interval of confidence; NaN where there is none.
    count : int
        The number of values compared.
    """

    name: str
    value: float
    unit: str = ""
    low: float = math.nan
    high: float = math.nan
    count: int = 0

    @classmethod
    def from_interval(cls, name: str, interval: Interval, unit: str, count: int) -> Metric:
        """A metric from a bootstrap interval."""
        return cls(name, interval.estimate, unit, interval.low, interval.high, count)

    @property
    def value_text(self) -> str:
        """The value as a person reads it, round-off as zero."""
        return significant(self._rounded(self.value))

    @property
    def interval_text(self) -> str:
        """The interval as a person reads it, a dash where there is none."""
        return interval_text(self._rounded(self.low), self._rounded(self.high))

    @property
    def is_round_off(self) -> bool:
        """Whether the value is no more than the rounding of the computer's numbers."""
        return self.value != self._rounded(self.value) and math.isfinite(self.value)

    def _rounded(self, value: float) -> float:
        return 0.0 if self.unit and abs(value) < ROUND_OFF else value

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        interval = f" ({self.interval_text})" if math.isfinite(self.low) and math.isfinite(self.high) else ""
        return f"{self.value_text}{unit}{interval}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: ``None`` for a number that is not there."""
        return {
            "name": self.name,
            "value": _number_or_none(self.value),
            "unit": self.unit,
            "low": _number_or_none(self.low),
            "high": _number_or_none(self.high),
            "count": self.count,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Metric:
        """The metric that :meth:`to_dict` wrote."""
        numbers = {key: _number_or_nan(stored.get(key)) for key in ("value", "low", "high")}
        return cls(name=stored["name"], unit=stored["unit"], count=stored["count"], **numbers)


@dataclass(frozen=True)
class GroupRow:
    """The metrics of one group of structures."""

    group: str
    structures: int
    atoms: int
    metrics: tuple[Metric, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "group": self.group,
            "structures": self.structures,
            "atoms": self.atoms,
            "metrics": [metric.to_dict() for metric in self.metrics],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> GroupRow:
        """The row that :meth:`to_dict` wrote."""
        metrics = tuple(Metric.from_dict(metric) for metric in stored["metrics"])
        return cls(stored["group"], stored["structures"], stored["atoms"], metrics)


@dataclass(frozen=True)
class Scorecard:
    """What a model gets right and wrong: metrics, the same by group, and what to know when reading them.

    Attributes
    ----------
    title : str
        What was scored on what.
    metrics : tuple of Metric
        Over all structures.
    per_group : tuple of GroupRow
        The same errors, group by group, the worst first.
    notes : tuple of str
        What the numbers do not say by themselves.
    """

    title: str
    metrics: tuple[Metric, ...]
    per_group: tuple[GroupRow, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> Metric:
        """The metric of that name."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        known = ", ".join(metric.name for metric in self.metrics)
        raise KeyError(f"the scorecard '{self.title}' has no metric '{name}'; it has {known}")

    def metric_table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, as text, of the metrics."""
        header = ["metric", "value", "unit", "interval", "values"]
        rows = [[m.name, m.value_text, m.unit, m.interval_text, f"{m.count:,}"] for m in self.metrics]
        return header, rows

    def group_table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, as text, of the metrics by group; a dash where a group has no such label."""
        columns = {metric.name: metric.unit for row in self.per_group for metric in row.metrics}
        header = ["group", "structures", "atoms"]
        header += [f"{name} ({unit})" if unit else name for name, unit in columns.items()]
        rows = []
        for row in self.per_group:
            texts = {metric.name: metric.value_text for metric in row.metrics}
            numbers = [texts.get(name, NO_NUMBER) for name in columns]
            rows.append([row.group or "(no name)", f"{row.structures:,}", f"{row.atoms:,}", *numbers])
        return header, rows

    def __str__(self) -> str:
        parts = [self.title, "", text_table(*self.metric_table())]
        if self.per_group:
            parts += ["", text_table(*self.group_table())]
        if self.notes:
            parts += ["", *(f"Note: {note}" for note in self.notes)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [html_table(*self.metric_table(), caption=self.title)]
        if self.per_group:
            parts.append(html_table(*self.group_table(), caption="By group"))
            parts += self._pictures()
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        return "\n".join(parts)

    def _pictures(self) -> list[str]:
        """The root mean square errors by group, one picture a quantity."""
        found: dict[tuple[str, str], list[Bar]] = {}
        for row in self.per_group:
            for metric in row.metrics:
                if metric.name.endswith("RMSE"):
                    bar = Bar(row.group or "(no name)", metric.value, metric.low, metric.high)
                    found.setdefault((metric.name, metric.unit), []).append(bar)
        return [interval_bars(bars, f"{name} by group", f"{name}, {unit}") for (name, unit), bars in found.items()]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "title": self.title,
            "metrics": [metric.to_dict() for metric in self.metrics],
            "per_group": [row.to_dict() for row in self.per_group],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Scorecard:
        """The scorecard that :meth:`to_dict` wrote."""
        return cls(
            title=stored["title"],
            metrics=tuple(Metric.from_dict(metric) for metric in stored["metrics"]),
            per_group=tuple(GroupRow.from_dict(row) for row in stored["per_group"]),
            notes=tuple(stored["notes"]),
        )


def _number_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number_or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
