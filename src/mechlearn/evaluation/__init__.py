"""Measuring: errors with intervals, scorecards, transfer between data sets, diversity of data sets."""

from mechlearn.evaluation.classification import Confusion, EventPredictions, refuse_shared_specimens
from mechlearn.evaluation.classification_curves import (
    DetectionCurve,
    PrecisionRecall,
    SweepRow,
    detection_by_magnitude,
    precision_recall,
    relabelled,
    threshold_sweep,
)
from mechlearn.evaluation.classification_localisation import Localisation, localisation
from mechlearn.evaluation.classification_runs import RunRankings
from mechlearn.evaluation.classification_scorecard import (
    ModelScores,
    RareEventScorecard,
    Resampling,
    rare_event_scorecard,
)
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
from mechlearn.evaluation.resampling import Interval, bootstrap_interval, bootstrap_intervals, weighted_intervals
from mechlearn.evaluation.scorecard import GroupRow, Metric, Scorecard
from mechlearn.evaluation.scoring import regression_scorecard
from mechlearn.evaluation.tables import significant
from mechlearn.evaluation.transfer import TransferCell, TransferMatrix

__all__ = [
    "Confusion",
    "DetectionCurve",
    "Diversity",
    "EventPredictions",
    "GroupHoldout",
    "GroupRow",
    "Interval",
    "Localisation",
    "Metric",
    "ModelScores",
    "Moments",
    "PrecisionRecall",
    "PrincipalComponents",
    "RareEventScorecard",
    "RegressionErrors",
    "Resampling",
    "RunRankings",
    "Scorecard",
    "SweepRow",
    "TransferCell",
    "TransferMatrix",
    "bootstrap_interval",
    "bootstrap_intervals",
    "detection_by_magnitude",
    "group_holdout",
    "localisation",
    "precision_recall",
    "principal_components",
    "rare_event_scorecard",
    "refuse_shared_specimens",
    "regression_errors",
    "regression_scorecard",
    "relabelled",
    "significant",
    "structure_entropy",
    "threshold_sweep",
    "weighted_intervals",
    "zca_comparison",
]
