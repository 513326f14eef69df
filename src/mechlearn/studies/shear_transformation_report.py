"""The report of the study of shear transformations: what was found first, then figures and tables, then the limits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from mechlearn.evaluation import RareEventScorecard, significant
from mechlearn.evaluation.classification_scorecard import CHANCE, SCORE_NAMES
from mechlearn.glasses.quench.glass_recipe import KOB_ANDERSEN
from mechlearn.report import (
    Highlight,
    Picture,
    PrecisionRecallSeries,
    Report,
    Section,
    Table,
    Text,
    precision_recall_plot,
    provenance,
)
from mechlearn.report.glass_figures import (
    ShearCurve,
    StrainSeries,
    bin_names,
    event_strains,
    score_against_strain,
    score_bars,
    stress_strain,
)
from mechlearn.report.page import Block
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig
from mechlearn.studies.shear_transformation_evidence import (
    compared_sections,
    features_section,
    label_section,
    limits_section,
    maps_section,
)
from mechlearn.studies.shear_transformation_findings import GlassFindings, SizeFindings
from mechlearn.studies.shear_transformation_summary import models_table, percent, summary

_DEFINITIONS: Final = {
    "shear transformation": "a small group of atoms that suddenly moves past its neighbours; how a glass yields",
    "first event": "the first instability of a glass that is sheared; the smallest step further, and atoms do not come "
    "back",
    "D²min": "how much an atom's neighbours moved otherwise than a smooth strain would move them, a length²; of an "
    "event, from just before to just after; the sum over neighbours (Falk and Langer 1998)",
    "positive": "an atom whose D²min in the first event is above the threshold",
    "trigger": "the foremost atom of the mode that goes soft; where the event begins, before its avalanche",
    "prevalence": "the share of atoms that are positive; the precision of a blind choice",
    "recall, precision": "the share of positive atoms that are called so; the share of called atoms that are positive",
    "AUC": "how often a positive atom is ranked above another; where positives are rare it tells little of how many "
    "alarms are false",
    "AP": "average precision, the area under precision against recall; of chance it is the prevalence",
    "AP / prevalence": "how many times better than chance the ranking is where it matters, at its top",
    "AP / prevalence by run": "its mean over runs, each ranked by itself: small events count as much as avalanches",
    "localisation": "the share of runs whose top-ranked atom is near the trigger",
    "GAT": "a graph attention network on the atoms and their Voronoi neighbours (Lee and Ryu 2022)",
    "SVM": "a linear support vector machine; its distance from the plane is the softness of Cubuk et al. (2015)",
    "boosting": "many small decision trees, each mending what those before it got wrong",
    "the paper's features": "type, icosahedron, Voronoi volume, energy, participation in soft modes, stiffness and "
    "stress of each atom, before any strain",
    "the mechanism's features": "how each atom moves beside this very loading (u, to second order), the local modulus, "
    "the soft modes weighted by how the loading drives and softens them, and the plastic modes; before any strain too",
    "imminence": "an atom's part in a plastic mode (a localised direction in which the glass can give way) over the "
    "strain at which the loading makes it unstable, of the foremost mode; nothing is learnt in it",
}

#: The paper's six scores, and the one that does not move with the prevalence as they do.
_SIX: Final = ("recall", "precision", "f1", "mcc", "auc", "ap", "ap_lift")
_WITH_INTERVALS: Final = ("auc", "ap", "ap_lift", "run_lift", "localisation")


def build_report(config: ShearTransformationConfig, findings: GlassFindings, command: str, started: datetime) -> Report:
    """Put the page together.

    Parameters
    ----------
    config
        The settings.
    findings
        What was found.
    command
        As it was typed.
    started
        When.
    """
    sections = [
        _glasses_section(config, findings),
        _scores_section(findings.main),
        *([_larger_section(findings.larger)] if findings.larger is not None else []),
        _strain_section(findings),
        *([maps_section(config, findings)] if config.shown else []),
        label_section(config, findings),
        features_section(findings),
        *compared_sections(findings),
        limits_section(config, findings),
    ]
    return Report(
        title="Where will this glass yield first?",
        summary=summary(config, findings),
        highlights=_highlights(config, findings),
        sections=sections,
        definitions=_DEFINITIONS,
        provenance=provenance(command, config.seed, started, datetime.now(), {"potential": config.potential}),
    )


def _highlights(config: ShearTransformationConfig, findings: GlassFindings) -> list[Highlight]:
    shown = findings.largest
    best = shown.card[findings.main.best]
    where = f"{best.name}, {shown.atoms:,} atoms"
    return [
        Highlight(percent(shown.card.prevalence), "of atoms take part in the first event", "the precision of chance"),
        Highlight(
            significant(best["ap"].value, 2), f"average precision; AUC {significant(best['auc'].value, 2)}", where
        ),
        Highlight(f"{significant(best['ap_lift'].value, 2)}×", "average precision over prevalence", where),
        Highlight(
            percent(best["localisation"].value),
            f"of runs have the foremost atom within {config.radius:g} {config.units.length} of the trigger",
            f"a blind choice: {percent(shown.card['chance']['localisation'].value)}",
        ),
    ]


# ---------------------------------------------------------------------- glasses


def _glasses_section(config: ShearTransformationConfig, findings: GlassFindings) -> Section:
    main = findings.main
    strains: dict[str, Float[np.ndarray, " runs"]] = {
        sense: np.array(
            [run["strain"] if run["ended"] == "event" else np.nan for run in main.runs if run["sense"] == sense],
            dtype=np.float64,
        )
        for sense in config.senses
    }
    return Section(
        "The glasses and their first events",
        [
            Text(_made(config)),
            Table(
                ["", *(f"{found.atoms:,} atoms" for found in findings.sizes.values())],
                _facts(config, findings),
                caption="What was sheared, and what it took. Every step is at rest to the force that is given.",
            ),
            Picture(
                stress_strain(
                    [
                        ShearCurve(run.name, run.sense, run.strains, run.loading_stresses, run.strain)
                        for run in main.curves
                    ],
                    config.units,
                ),
                "Stress along the loading up to the first event, which the mark shows. One glass has an event of its "
                "own in every sense.",
                "Stress against strain of a few glasses in every sense of shear",
            ),
            Picture(
                event_strains(strains),
                f"The strain at which the first event came.{_earlier(findings)}",
                "Histogram of the strains of first events by sense",
            ),
        ],
    )


def _earlier(findings: GlassFindings) -> str:
    """Whether the larger glasses yield earlier, as they do where they have more weak spots."""
    if findings.larger is None:
        return ""
    small, large = (float(np.median(found.strains)) for found in (findings.main, findings.larger))
    told = f"In glasses of {findings.larger.atoms:,} atoms the median is {100 * large:.2f}%"
    return f" {told}: they have more weak spots." if large < small else f" {told}."


def _made(config: ShearTransformationConfig) -> str:
    """How the glasses came about."""
    plan, units = config.preparation, config.units
    senses = f"{len(config.senses)} sense{'s' * (len(config.senses) != 1)}"
    if config.glasses is not None:
        came = f"The glasses are those of {config.glasses}; they were brought to rest with {config.potential}"
    else:
        came = (
            f"{plan.composition} with {config.potential}: melts at {plan.liquid_temperature:g} {units.temperature}, "
            f"each kept for {plan.liquid_duration:g} {units.time}, cooled {plan.cooling(units)} to "
            f"{plan.quench_temperature:g} {units.temperature} {_held(config)}, and brought to rest"
        )
    return (
        f"{came}. Each was sheared in {senses} at zero temperature, by steps of {config.step:g}, to its first event: "
        "its strain is found by bisection. An atom took part if its D²min in the event is above "
        f"{config.threshold:g} {units.area}."
    )


def _held(config: ShearTransformationConfig) -> str:
    """What is kept of a melt that cools: its pressure, or the volume of the mixture."""
    if config.potential == KOB_ANDERSEN:
        return "at constant volume"
    return f"at {config.preparation.pressure:g} {config.units.stress}"


def _facts(config: ShearTransformationConfig, findings: GlassFindings) -> list[list[str]]:
    """A row a fact, a column a size."""
    sizes = list(findings.sizes.values())
    effort = [aqs(found) for found in sizes]
    median = [float(np.median(found.strains)) for found in sizes]
    rows = [
        ("glasses", [f"{len(found.specimens):,}" for found in sizes]),
        ("runs", [f"{len(found.runs):,}" for found in sizes]),
        ("of these without an event", [f"{len(found.without_event):,}" for found in sizes]),
        ("strain of the first event, median", [f"{100 * one:.2f}%" for one in median]),
        (
            "atoms that take part, median",
            [f"{np.median([run['positive'] for run in found.runs if run['ended'] == 'event']):g}" for found in sizes],
        ),
        ("prevalence", [significant(found.card.prevalence) for found in sizes]),
        ("strain steps", [f"{one['steps']:,}" for one in effort]),
        ("force evaluations", [f"{one['force_evaluations']:,}" for one in effort]),
        (
            f"largest force left at any step ({config.units.force})",
            [significant(one["max_residual_force"], 2) for one in effort],
        ),
    ]
    return [[name, *cells] for name, cells in rows]


def aqs(found: SizeFindings) -> dict[str, Any]:
    """What shearing took, and how well every step is at rest."""
    return {
        "steps": sum(run["steps"] - 1 for run in found.runs),
        "force_evaluations": sum(run["force_evaluations"] for run in found.runs),
        "max_residual_force": max(run["largest_force"] for run in found.runs),
    }


# ---------------------------------------------------------------------- scores


def _scores_section(found: SizeFindings) -> Section:
    blocks: list[Block] = [
        Text(
            "Every glass is scored by models that saw none of its loadings: the glasses fall into folds, and each fold "
            "is foretold by models fitted without it. The last row knows nothing."
        ),
        Picture(
            score_bars(found.card),
            "How many times the average precision is that of chance, with 95% intervals over glasses.",
            "Bars of average precision over prevalence by model",
        ),
        *card_tables(found.card),
    ]
    curves = [
        PrecisionRecallSeries(name, curve.recall, curve.precision, curve.average_precision)
        for name, curve in found.precision.items()
    ]
    blocks.append(
        Picture(
            precision_recall_plot(curves, found.card.prevalence),
            "Precision against recall as the threshold of the call falls. To the left are the atoms that a model is "
            "surest of; the dashed line is chance. The area beneath is the average precision.",
            "Precision against recall of all models",
        )
    )
    blocks += [
        Text(
            "Scores depend on the prevalence, and this on the size of the glasses and on the threshold. To compare "
            "with another study both are told at its prevalence, as though there were more or fewer other atoms of "
            "the same kind."
        ),
        _plain_table(found.matched.only(*_SIX)),
    ]
    return Section("Which atoms take part: all models", blocks)


def card_tables(card: RareEventScorecard) -> list[Table]:
    """All scores as numbers, and those that say most with their intervals."""
    header = ["model", *(SCORE_NAMES[key] for key in _WITH_INTERVALS)]
    rows = [[row.name, *(_with_interval(row.scores.get(key)) for key in _WITH_INTERVALS)] for row in card.models]
    notes = " ".join(card.notes)
    return [_plain_table(card.only(*_SIX)), Table(header, rows, caption=f"The same with intervals. {notes}")]


def _plain_table(card: RareEventScorecard) -> Table:
    return Table(*models_table(card), caption=f"{card.title}. {card.basis[:1].upper()}{card.basis[1:]}.")


def _with_interval(metric: Any) -> str:
    if metric is None:
        return "–"
    if not np.isfinite(metric.value):
        return "undefined"
    value = significant(metric.value, 2)
    if not (np.isfinite(metric.low) and np.isfinite(metric.high)):
        return value
    return f"{value} ({significant(metric.low, 2)} to {significant(metric.high, 2)})"


def _larger_section(found: SizeFindings) -> Section:
    return Section(
        f"Larger glasses, {found.atoms:,} atoms",
        [
            Text("No model was fitted to glasses of this size. Each says the mean of what its fits for the folds say."),
            Picture(
                score_bars(found.card),
                "How many times the average precision is that of chance, in larger glasses.",
                "Bars of average precision over prevalence by model, in larger glasses",
            ),
            *card_tables(found.card),
        ],
    )


def _strain_section(findings: GlassFindings) -> Section:
    blocks: list[Block] = [
        Text(
            "All features are those of the unstrained glass. What is known there of a loading tells most of the "
            "events that come soon."
        )
    ]
    for found in findings.sizes.values():
        blocks += _strain_blocks(found)
    return Section("Early events and late ones", blocks)


def _strain_blocks(found: SizeFindings) -> list[Block]:
    """Of glasses of one size: the lift by strain as a picture, and with the localisation as tables."""
    edges = np.array([found.by_strain[0][0], *(high for _, high, _ in found.by_strain)])
    cards = [card for _, _, card in found.by_strain]
    lift, atoms = SCORE_NAMES["run_lift"], f"glasses of {found.atoms:,} atoms"
    series = [StrainSeries.of(cards, name, "run_lift") for name in found.predictions]
    runs = np.array([0 if card is None else card.runs for card in cards])
    return [
        Picture(
            score_against_strain(series, edges, runs, lift),
            f"{lift} by the strain at which the event came, {atoms}.",
            f"{lift} against the strain of the event, {atoms}",
        ),
        *(_strain_table(found, bin_names(edges), cards, key) for key in ("run_lift", "localisation")),
    ]


def _strain_table(
    found: SizeFindings, bins: Sequence[str], cards: Sequence[RareEventScorecard | None], key: str
) -> Table:
    known = [(bin_name, card) for bin_name, card in zip(bins, cards, strict=True) if card is not None]
    names = [name for name in (*found.predictions, CHANCE) if all(key in card[name].scores for _, card in known)]
    return Table(
        [SCORE_NAMES[key], *(bin_name for bin_name, _ in known)],
        [
            ["runs", *(f"{card.runs:,}" for _, card in known)],
            ["prevalence", *(significant(card.prevalence) for _, card in known)],
            *([name, *(_with_interval(card[name][key]) for _, card in known)] for name in names),
        ],
        caption=f"{SCORE_NAMES[key]} by the strain of the event, glasses of {found.atoms:,} atoms.",
    )
