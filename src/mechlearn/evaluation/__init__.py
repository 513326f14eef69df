"""Measuring: errors with intervals, scorecards, transfer between data sets, diversity of data sets."""

from mechlearn.evaluation.diversity import (
    Diversity,
    Moments,
    PrincipalComponents,
    principal_components,
    structure_entropy,
    zca_comparison,
)
from mechlearn.evaluation.holdout import GroupHoldout, group_holdout
from mechlearn.evaluation.regression import RegressionErrors, regression_errors
from mechlearn.evaluation.resampling import Interval, bootstrap_interval, bootstrap_intervals
from mechlearn.evaluation.scorecard import GroupRow, Metric, Scorecard
from mechlearn.evaluation.scoring import regression_scorecard
from mechlearn.evaluation.tables import significant
from mechlearn.evaluation.transfer import TransferCell, TransferMatrix

__all__ = [
    "Diversity",
    "GroupHoldout",
    "GroupRow",
    "Interval",
    "Metric",
    "Moments",
    "PrincipalComponents",
    "RegressionErrors",
    "Scorecard",
    "TransferCell",
    "TransferMatrix",
    "bootstrap_interval",
    "bootstrap_intervals",
    "group_holdout",
    "principal_components",
    "regression_errors",
    "regression_scorecard",
    "significant",
    "structure_entropy",
    "zca_comparison",
]
