"""What stands behind the scores of shear transformations: maps of glasses, the label, features, comparisons, limits."""

from __future__ import annotations

import numpy as np

from mechlearn.evaluation import significant
from mechlearn.evaluation.classification_scorecard import SCORE_NAMES
from mechlearn.report import (
    DetectionSeries,
    Picture,
    Section,
    SweepSeries,
    Table,
    Text,
    detection_plot,
    threshold_sweep_plot,
)
from mechlearn.report.glass_map import glass_map
from mechlearn.report.page import Block
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig
from mechlearn.studies.shear_transformation_findings import GlassFindings, SizeFindings
from mechlearn.studies.shear_transformation_summary import percent

# ---------------------------------------------------------------------- maps


def maps_section(config: ShearTransformationConfig, findings: GlassFindings) -> Section:
    """A few glasses to turn, with what happened and what was foretold."""
    found = findings.largest
    best, first = findings.main.best, config.models[0].name
    blocks: list[Block] = [
        Text(
            "Turn the glasses with the mouse. The runs are chosen by how far the foremost atom of the best model is "
            "from the trigger: evenly from the nearest to the furthest. All runs are in data/maps as extended XYZ, "
            "which OVITO opens with these colours."
        )
    ]
    for run in runs_shown(found, best, config.shown):
        graph = found.data.graphs[run]
        title = graph.structure.names[0] or graph.specimen
        own = slice(int(found.data.offsets[run]), int(found.data.offsets[run + 1]))
        away = found.localisations[best].distances[run]
        blocks.append(
            Picture(
                glass_map(
                    graph.structure.positions,
                    graph.structure.cells[0],
                    {name: found.predictions[name].confidences[own] for name in dict.fromkeys([best, first])},
                    graph.positive(config.threshold),
                    graph.trigger,
                    d2min=graph.d2min,
                    units=config.units,
                ),
                f"{title} sheared in {graph.sense}: the event came at "
                f"{100 * graph.strain:.2f}% strain; the foremost atom of {best} is {away:.1f} {config.units.length} "
                "from the trigger.",
                f"Three-dimensional view of {title} sheared in {graph.sense}, with the atoms "
                "that took part and those foretold",
            )
        )
    return Section("Where it yields, and where it was foretold", blocks)


def runs_shown(found: SizeFindings, name: str, count: int) -> list[int]:
    """Runs spread evenly over how far the foremost atom is from the trigger."""
    order = np.argsort(found.localisations[name].distances, kind="stable")
    places = (np.arange(count) + 0.5) / max(count, 1) * len(order)
    return [int(order[int(place)]) for place in dict.fromkeys(places.astype(int).tolist())]


# ---------------------------------------------------------------------- label and features


def label_section(config: ShearTransformationConfig, findings: GlassFindings) -> Section:
    """What is called positive by what atoms did, and every score against the threshold."""
    detection = findings.detection
    first = next(iter(detection.values()))
    blocks: list[Block] = [
        Picture(
            detection_plot(
                [DetectionSeries(name, curve.called, curve.low, curve.high) for name, curve in detection.items()],
                first.edges,
                first.atoms,
                config.threshold,
                f"D²min ({config.units.area})",
            ),
            "The share of atoms called positive by what they did, and below it how many atoms did so. Curves that rise "
            "to the right are often all that is shown; most atoms that are called lie to the left, where there are so "
            "many more (paper: Figure 3).",
            "Share of atoms called positive against D²min, above the number of atoms",
        )
    ]
    for name, rows in findings.sweep.items():
        thresholds = np.array([row.threshold for row in rows])
        series = [
            SweepSeries(
                SCORE_NAMES[key],
                *(np.array([getattr(row.scores[key], end) for row in rows]) for end in ("value", "low", "high")),
            )
            for key in ("recall", "precision", "auc", "ap", "ap_lift", "f1", "mcc")
        ]
        blocks.append(
            Picture(
                threshold_sweep_plot(
                    thresholds,
                    np.array([row.class_ratio for row in rows]),
                    series,
                    f"threshold of D²min ({config.units.area})",
                ),
                f"{name}: every score against the threshold of D²min that makes an atom positive (paper: Figure 4). "
                "The same predictions are scored at each. In the paper AUC and recall rise with the threshold while "
                "precision and AP fall: which looks best is a matter of the label.",
                f"Scores of {name} against the threshold of the label",
            )
        )
    return Section("What a label makes of the scores", blocks)


def features_section(findings: GlassFindings) -> Section:
    """A feature a row."""
    rows = [
        [
            row.name,
            row.symbol,
            "high" if row.high else "low",
            significant(row.auc, 2),
            significant(row.ap, 2),
            significant(row.ap_lift, 2),
        ]
        for row in findings.features
    ]
    return Section(
        "What each feature knows by itself",
        [
            Table(
                ["feature", "symbol", "takes part where", "AUC", "AP", "AP / prevalence"],
                rows,
                caption="All atoms ranked by one feature, in the sense that has the higher AUC; nothing else is "
                "learnt. The highest AP first.",
            )
        ],
    )


def compared_sections(findings: GlassFindings) -> list[Section]:
    """What cross-validation found, where it was asked for."""
    titles = {"selection": "Which shape of network", "imbalance": "What to do about rarity"}
    return [
        Section(
            titles[name],
            [
                Text(
                    "Cross-validation by glass, within the training and validation glasses of the first fold. What is "
                    "found here chose none of the models above."
                ),
                Table(*found.table(), caption=" ".join(found.notes)),
            ],
        )
        for name, found in findings.compared.items()
    ]


def limits_section(config: ShearTransformationConfig, findings: GlassFindings) -> Section:
    """What the numbers do not hold for."""
    points = [
        "The label is the paper's: all atoms above a threshold of D²min in the first event, the avalanche included "
        "that the event set off. The trigger is where it began; localisation is measured against that.",
        "The loadings of one glass are not independent of each other; intervals draw glasses, not loadings. With few "
        "glasses they are rough.",
        "Scores with a call (recall, precision, F1, MCC) hang on where a model draws its line, which its treatment of "
        "rarity moves; AP, AUC and localisation do not.",
        f"A ranking that learns nothing calls the foremost {percent(config.called_share)} of all atoms.",
        "Confidences of the folds come from different fits and are ranked together: where fits are of few glasses and "
        "do not agree what a confidence means, AUC and AP suffer, and localisation does not.",
    ]
    if config.glasses is None:
        points.append(
            "The glasses were quenched in a computer, and are less relaxed than cast ones; relaxed glasses yield later "
            "and in fewer places, which is harder to foretell from the unstrained state."
        )
    return Section("Limits", [Text(*points)])
