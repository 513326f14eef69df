"""Does a potential hold outside its training set?  Diverse-by-construction against expert-curated data.

structures → labels → descriptors → models → scorecards, for the two sets side by side, after
Montes de Oca Zapiain et al., "Training data selection for accuracy and transferability of interatomic
potentials" (2022).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from mechlearn.descriptors import Bispectrum
from mechlearn.evaluation import Scorecard
from mechlearn.evaluation.tables import text_table
from mechlearn.records import write_json
from mechlearn.sampling import compare_sets
from mechlearn.studies.context import StudyContext
from mechlearn.studies.study import Preset, Study
from mechlearn.studies.transferability_config import (
    ENTROPY,
    EXPERT,
    LAPTOP,
    PAPER,
    QUICK,
    SETS,
    TransferabilityConfig,
)
from mechlearn.studies.transferability_models import (
    Measured,
    fit_models,
    measure_conservation,
    measure_given,
    measure_holdout,
    measure_models,
    split_of,
)
from mechlearn.studies.transferability_plan import plan_study
from mechlearn.studies.transferability_report import Findings, build_report, summary
from mechlearn.studies.transferability_sets import prepare_sets


def run(config: TransferabilityConfig, context: StudyContext) -> dict[str, Any]:
    """Do the study, or what is left of it."""
    started = datetime.now()
    sets = prepare_sets(config, context)
    context.log("sets: " + ", ".join(f"{name}: {batch}" for name, batch in sets.labelled.items()))
    splits = {name: split_of(name, len(batch), context.seed).to_dict() for name, batch in sets.labelled.items()}
    write_json(context.data / "splits.json", splits)
    fit_models(config, context)
    measured = measure_models(config, context)
    given = None if sets.given is None else measure_given(config, context, sets.given)
    comparison = compare_sets(
        sets.labelled[EXPERT],
        sets.labelled[ENTROPY],
        Bispectrum((config.element,), cutoff=config.cutoff, twojmax=8),
        names=(EXPERT, ENTROPY),
        rng=context.rng(71),
    )
    findings = Findings(
        comparison=comparison,
        energies={name: batch.energies_per_atom for name, batch in sets.labelled.items()},
        measured=measured,
        holdout=measure_holdout(config, context, sets.labelled[EXPERT] if sets.given is None else sets.given),
        conservation=measure_conservation(config, context),
        given=None if given is None else Scorecard.from_dict(given["scorecard"]),
        labels=sets.report,
    )
    build_report(config, findings, " ".join(["mechlearn", *sys.argv[1:]]), started).write(context.out / "report.html")
    return results_of(config, findings)


def results_of(config: TransferabilityConfig, findings: Findings) -> dict[str, Any]:
    """Every figure, as ``results.json`` holds it."""
    diversity = findings.comparison.second_over_first.to_dict()
    profiles = {EXPERT: findings.comparison.first, ENTROPY: findings.comparison.second}
    return {
        "units": {"energy": "eV/atom", "force": "eV/Å", "stress": "GPa", "timestep": "fs", "deviation": "eV/atom"},
        "labeller": config.labeller,
        "datasets": {name: profiles[name].to_dict() for name in SETS},
        "models": [row for each in findings.measured for row in (_model_row(each, trained_on) for trained_on in SETS)],
        "transfer": [each.transfer.to_dict() for each in findings.measured],
        "diversity": diversity,
        "group_holdout": _holdout_row(findings),
        "nve": [dict(row) for row in findings.conservation],
        "given_labels": None if findings.given is None else findings.given.to_dict(),
        "suspect_labels": None if findings.labels is None else findings.labels.to_dict(),
        "summary": summary(config, findings),
    }


def _model_row(measured: Measured, trained_on: str) -> dict[str, Any]:
    cards = {tested_on: measured.scorecards[trained_on, tested_on] for tested_on in SETS}
    return {
        "name": measured.plan.name,
        "family": measured.plan.family,
        "twojmax": measured.plan.twojmax,
        "features": measured.plan.features,
        "trained_with": "energies and forces" if measured.plan.forces else "energies",
        "parameters": measured.parameters,
        "trained_on": trained_on,
        "rmse_energy": {name: card["energy RMSE"].value for name, card in cards.items()},
        "rmse_force": {name: card["force RMSE"].value for name, card in cards.items()},
        "scorecards": {name: card.to_dict() for name, card in cards.items()},
    }


def _holdout_row(findings: Findings) -> dict[str, Any]:
    holdout = findings.holdout
    return {
        "random": holdout.random.value,
        "groups": holdout.groups.value,
        "ratio": holdout.ratio.value,
        "details": holdout.to_dict(),
    }


def summarise(results: Mapping[str, Any]) -> str:
    """The scorecard that the terminal shows."""
    pairs = [(trained, tested) for tested in SETS for trained in SETS]
    by_name: dict[str, dict[str, Any]] = {}
    for row in results["models"]:
        by_name.setdefault(row["name"], {"parameters": row["parameters"]})[row["trained_on"]] = row["rmse_energy"]
    rows = [
        [name, f"{row['parameters']:,}", *(f"{1e3 * row[trained][tested]:.1f}" for trained, tested in pairs)]
        for name, row in by_name.items()
    ]
    header = ["energy RMSE, meV/atom", "N_DoF", *(f"{trained} → {tested}" for trained, tested in pairs)]
    orders = [row["order"] for row in results["nve"] if row["order"] is not None]
    lines = [text_table(header, rows), ""]
    if orders:
        lines += [f"energy conservation: order {np.min(orders):.2f} to {np.max(orders):.2f} in the timestep", ""]
    return "\n".join([*lines, *results["summary"]])


STUDY = Study(
    name="transferability",
    question="Will the potential hold outside its training set, and which training set makes it hold?",
    config_type=TransferabilityConfig,
    presets={
        "quick": Preset(QUICK, "about 2 minutes on 2 cores, 10 MB"),
        "laptop": Preset(LAPTOP, "about an hour and a half on 2 cores, 50 MB"),
        "paper": Preset(PAPER, "about a week on 2 cores by extrapolation, 2 GB; meant for a cluster (--scheduler)"),
    },
    run=run,
    summarise=summarise,
    plan=plan_study,
)
