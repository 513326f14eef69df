"""Where will this glass yield first?  Glasses are quenched, sheared to their first event, and the event foretold.

glasses → shear → features → models → scores, on glasses that no model saw, with the prevalence beside every score;
after Lee and Ryu, "Evaluating the predictive power of machine learning model for shear transformation in metallic
glasses using metrics for an imbalanced dataset", Frontiers in Materials 9, 874339 (2022).
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import numpy as np

from mechlearn.evaluation.classification_scorecard import CHANCE
from mechlearn.glasses.prediction.cross_validation import CrossValidation
from mechlearn.glasses.prediction.maps import write_maps
from mechlearn.studies.context import StudyContext
from mechlearn.studies.plan import one_thread
from mechlearn.studies.shear_transformation_config import LAPTOP, PAPER, QUICK, ShearTransformationConfig
from mechlearn.studies.shear_transformation_findings import GlassFindings, SizeFindings, gather
from mechlearn.studies.shear_transformation_glasses import check_glasses, prepare_runs
from mechlearn.studies.shear_transformation_models import check_models, compare_settings, fit_models, held_out
from mechlearn.studies.shear_transformation_plan import plan_study
from mechlearn.studies.shear_transformation_report import aqs, build_report
from mechlearn.studies.shear_transformation_summary import summarise, summary
from mechlearn.studies.study import Preset, Study
from mechlearn.units import Units


def run(config: ShearTransformationConfig, context: StudyContext) -> dict[str, Any]:
    """Do the study, or what is left of it."""
    started = datetime.now()
    # As in a worker: the last bits of a sum depend on how many threads share it.
    with one_thread():
        sheared = prepare_runs(config, context)
        fit_models(config, context, sheared)
        data = {size: glasses.load() for size, glasses in sheared.items()}
        compared = compare_settings(config, context, data["glasses"])
        findings = gather(config, sheared, data, held_out(config, context, data), compared)
    for size, found in findings.sizes.items():
        said = found.predictions[findings.main.best].confidences
        write_maps(found.data, said, config.threshold, context.data / "maps" / size, findings.main.best)
    build_report(config, findings, " ".join(["mechlearn", *sys.argv[1:]]), started).write(context.out / "report.html")
    return results_of(config, findings)


def check(config: ShearTransformationConfig) -> None:
    """Refuse what cannot be used, before anything is written.

    Raises
    ------
    InputError
        A composition that does not sum, a potential that lacks an element, too few glasses, an unknown feature.
    """
    check_models(config)
    check_glasses(config)


def results_of(config: ShearTransformationConfig, findings: GlassFindings) -> dict[str, Any]:
    """Every figure, as ``results.json`` holds it."""
    return {
        "units": _units_of(config.units),
        "loadings": len(config.senses),
        "senses": list(config.senses),
        "threshold": config.threshold,
        **_size_rows(findings.main),
        "sweep": [row.to_dict() for rows in findings.sweep.values() for row in rows],
        "larger": None if findings.larger is None else _size_rows(findings.larger),
        "features": [
            {key: getattr(row, key) for key in ("name", "symbol", "unit", "high", "auc", "ap", "ap_lift")}
            for row in findings.features
        ],
        "cross_validation": _compared(findings.compared.get("selection")),
        "imbalance": _compared(findings.compared.get("imbalance")),
        "best": findings.main.best,
        "summary": summary(config, findings),
    }


def _units_of(units: Units) -> dict[str, str]:
    """Of what is not a pure number."""
    return {
        "strain": "1",
        "threshold": units.area,
        "force": units.force,
        "radius": units.length,
        "stress_drop": f"{units.energy}/{units.length}³",
    }


def _size_rows(found: SizeFindings) -> dict[str, Any]:
    """What is known of the glasses of one size."""
    card = found.card.to_dict()
    quartiles = np.quantile(found.strains, [0.0, 0.25, 0.5, 0.75, 1.0])
    return {
        "specimens": len(found.specimens),
        "atoms": found.atoms,
        "runs": len(found.runs),
        "without_event": [
            {key: run[key] for key in ("specimen", "sense", "ended", "last_strain")} for run in found.without_event
        ],
        "prevalence": found.card.prevalence,
        "models": [row for row in card["models"] if row["name"] != CHANCE],
        "chance": next(row for row in card["models"] if row["name"] == CHANCE),
        "event_strains": dict(zip(("least", "quarter", "median", "three_quarters", "largest"), quartiles, strict=True)),
        "events": [
            {key: run[key] for key in ("specimen", "sense", "strain", "stress_drop", "positive", "trigger")}
            for run in found.runs
            if run["ended"] == "event"
        ],
        "aqs": aqs(found),
        "scorecard": card,
        "matched": found.matched.to_dict(),
        "by_strain": [
            {"from": low, "to": high, "scorecard": None if part is None else part.to_dict()}
            for low, high, part in found.by_strain
        ],
    }


def _compared(found: CrossValidation | None) -> dict[str, Any] | None:
    """A comparison of candidates, each with its name and its means over the folds."""
    if found is None:
        return None
    rows = [
        {
            "name": name,
            **{key: {"mean": row.mean(key), "deviation": row.deviation(key)} for key in row.KEYS},
            "folds": row.to_dict(),
        }
        for name, row in zip(found.names, found.candidates, strict=True)
    ]
    return {"folds": found.to_dict()["folds"], "candidates": rows}


STUDY = Study(
    name="shear_transformation",
    question="Where will this glass yield first?",
    config_type=ShearTransformationConfig,
    presets={
        "quick": Preset(QUICK, "about 5 minutes on 2 cores, 50 MB"),
        "laptop": Preset(LAPTOP, "a night (about 6 hours) on 2 cores, 2.5 GB"),
        "paper": Preset(
            PAPER,
            "9 years of one core by extrapolation, 8 of them the quench at 1e10 K/s, and half a year the grid of "
            "networks; 20 GB; meant for a cluster (--scheduler)",
        ),
    },
    run=run,
    summarise=summarise,
    plan=plan_study,
    check=check,
)
