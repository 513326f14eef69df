"""Which equations do noisy data obey, and with which symmetry?  Fields, tensor laws, crystals, coordinates.

fields → candidates → few terms with intervals → simulation and residuals, over many draws of the noise; and beside it
the symmetry of laws, the interactions between slip systems, and the coordinates themselves, found from data.
After the proposals of Hiemer and Zapperi, Mater. Theory 5, 6 (2021).
"""

from __future__ import annotations

import sys
from datetime import datetime
from functools import partial
from typing import Any

from mechlearn.studies.context import StudyContext
from mechlearn.studies.equation_discovery_config import LAPTOP, QUICK, EquationDiscoveryConfig
from mechlearn.studies.equation_discovery_fields import check_sources
from mechlearn.studies.equation_discovery_findings import EquationFindings, gather
from mechlearn.studies.equation_discovery_laws import check_laws
from mechlearn.studies.equation_discovery_plan import plan_study
from mechlearn.studies.equation_discovery_report import build_report
from mechlearn.studies.equation_discovery_summary import summarise, summary
from mechlearn.studies.equation_discovery_work import do_piece, pieces
from mechlearn.studies.study import Preset, Study


def run(config: EquationDiscoveryConfig, context: StudyContext) -> dict[str, Any]:
    """Do the study, or what is left of it."""
    started = datetime.now()
    models = str(context.models) if config.does("coordinates") and config.coordinates else ""
    work = pieces(config, models)
    results = context.stages(
        [piece.name for piece in work],
        partial(do_piece, config, models),
        f"looking for equations, {len(work)} searches",
    )
    findings = gather(config, work, results)
    build_report(config, findings, " ".join(["mechlearn", *sys.argv[1:]]), started).write(context.out / "report.html")
    return results_of(config, findings)


def check(config: EquationDiscoveryConfig) -> None:
    """Refuse what cannot be used, before anything is written.

    Raises
    ------
    InputError
        Data that are no fields, or an unknown name.
    """
    check_laws(config)
    check_sources(config)


def results_of(config: EquationDiscoveryConfig, findings: EquationFindings) -> dict[str, Any]:
    """Every figure, as ``results.json`` holds it."""
    shown = [(data, noise, data.shown(noise)) for data in findings.data for noise in data.noises]
    simulated = ("error", "horizon", "duration", "failure", "residual_share", "residual_square")
    return {
        "units": {
            "noise": "standard deviation over that of the data",
            "error": "relative",
            "horizon": "time of the data",
        },
        "fields": [row for data in findings.data for row in data.rows()],
        "equations": [
            {"data": data.name, "noise": noise, **equation} for data, noise, at in shown for equation in at["equations"]
        ],
        "simulations": [
            {"data": data.name, "noise": noise, **{key: at["simulation"][key] for key in simulated}}
            for data, noise, at in shown
        ],
        "symmetry": [law.row() for law in findings.laws],
        "interactions": [crystal.row() for crystal in findings.crystals],
        "coordinates": [{key: found[key] for key in found if key != "picture"} for found in findings.coordinates],
        "summary": summary(config, findings),
    }


STUDY = Study(
    name="equation_discovery",
    question="Which equations do these data obey, with which symmetry, and how sure is it?",
    config_type=EquationDiscoveryConfig,
    presets={
        "quick": Preset(QUICK, "about 2 minutes on 2 cores, 10 MB"),
        "laptop": Preset(LAPTOP, "about half an hour on 2 cores by extrapolation, 30 MB"),
    },
    run=run,
    summarise=summarise,
    plan=plan_study,
    check=check,
)
