"""A hold-out of whole groups beside a random one: what the random one does not show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.evaluation.resampling import bootstrap_interval, resampled_totals, totals_of_groups
from mechlearn.evaluation.scorecard import Metric
from mechlearn.evaluation.signed_errors import check_errors, root_mean_square, squares, times_worse
from mechlearn.evaluation.tables import significant, text_table


@dataclass(frozen=True)
class GroupHoldout:
    """What holding out whole groups costs beside holding out structures at random.

    Attributes
    ----------
    title : str
        The model.
    random, groups : Metric
        The RMSE over structures held out at random, and over groups of which nothing was seen in training.
    ratio : Metric
        The second over the first.
    per_group : tuple of Metric
        The RMSE of each group when it was held out, named by the group, the worst first.
    """

    title: str
    random: Metric
    groups: Metric
    ratio: Metric
    per_group: tuple[Metric, ...]

    def sentence(self) -> str:
        """What it says in plain words."""
        if self.ratio.low > 1:
            verdict = "a random hold-out alone flatters it"
        elif self.ratio.high < 1.5:
            verdict = "a random hold-out is a fair measure here"
        else:
            verdict = "too few groups to tell whether a random hold-out flatters it"
        return (
            f"On groups of which it saw nothing in training, {self.title} {times_worse(self.ratio)} on "
            f"structures held out at random (RMSE {significant(self.groups.value)} against "
            f"{significant(self.random.value)} {self.random.unit}): {verdict}."
        )

    def __str__(self) -> str:
        rows = [[m.name, significant(m.value), f"{m.count:,}"] for m in (self.random, self.groups, *self.per_group)]
        table = text_table(["held out", f"RMSE ({self.random.unit})", "values"], rows)
        return f"{self.title}\n\n{table}\n\n{self.sentence()}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "title": self.title,
            "random": self.random.to_dict(),
            "groups": self.groups.to_dict(),
            "ratio": self.ratio.to_dict(),
            "per_group": [metric.to_dict() for metric in self.per_group],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> GroupHoldout:
        """The summary that :meth:`to_dict` wrote."""
        return cls(
            title=stored["title"],
            random=Metric.from_dict(stored["random"]),
            groups=Metric.from_dict(stored["groups"]),
            ratio=Metric.from_dict(stored["ratio"]),
            per_group=tuple(Metric.from_dict(metric) for metric in stored["per_group"]),
        )


def group_holdout(
    title: str,
    random_errors: Float[np.ndarray, " random_values"],
    group_errors: Float[np.ndarray, " group_values"],
    group_of_value: Sequence[str],
    rng: np.random.Generator,
    *,
    unit: str = "eV/atom",
    level: float = 0.95,
    draws: int = 1000,
) -> GroupHoldout:
    """Compare the errors of a random hold-out with those of a hold-out of whole groups.

    Structures are drawn again for the random hold-out; *groups* are for the other, since what it asks is how
    the model does on the next group: with few groups that interval is wide, and rightly so.

    Parameters
    ----------
    title
        The model.
    random_errors, group_errors
        Signed errors, in ``unit``; for the second, each predicted by a model that saw nothing of its group.
    group_of_value
        The held-out group of each of ``group_errors``.
    rng
        For the bootstrap.
    unit
        Of the errors.
    level, draws
        Of the bootstrap.

    Raises
    ------
    InputError
        If lengths differ or an array is empty.
    WorkError
        If an error is not finite.
    """
    check_errors(f"{title}, held out at random", random_errors)
    check_errors(f"{title}, held out by group", group_errors)
    singles = np.arange(len(random_errors))
    random = bootstrap_interval(root_mean_square, squares(random_errors), singles, rng, level, draws)
    groups = bootstrap_interval(root_mean_square, squares(group_errors), group_of_value, rng, level, draws)
    ratio = groups.estimate / random.estimate if random.estimate > 0 else math.nan
    low = high = math.nan
    if math.isfinite(random.low) and math.isfinite(groups.low) and random.estimate > 0:
        drawn_groups = root_mean_square(
            resampled_totals(totals_of_groups(squares(group_errors), group_of_value), rng, draws)
        )
        drawn_random = root_mean_square(resampled_totals(squares(random_errors), rng, draws))
        ends = [(1 - level) / 2, (1 + level) / 2]
        low, high = (float(end) for end in np.quantile(drawn_groups / np.maximum(drawn_random, 1e-300), ends))
    labels = np.asarray(group_of_value, dtype=object)
    rows = []
    for name in dict.fromkeys(group_of_value):
        own = group_errors[labels == name]
        interval = bootstrap_interval(root_mean_square, squares(own), np.arange(len(own)), rng, level, draws)
        rows.append(Metric.from_interval(name, interval, unit, len(own)))
    rows.sort(key=lambda metric: metric.value, reverse=True)
    return GroupHoldout(
        title=title,
        random=Metric.from_interval("random structures", random, unit, len(random_errors)),
        groups=Metric.from_interval("whole groups", groups, unit, len(group_errors)),
        ratio=Metric("whole groups over random", ratio, "", low, high, len(group_errors)),
        per_group=tuple(rows),
    )
